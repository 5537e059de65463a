//! What happens between two questions about a drawn world: events come and are delivered, rollups are made, time passes,
//! persons are merged and put apart, and one is erased.

use serde_json::json;

use crate::harness::{Tenant, World};
use crate::random::Drawn;

pub const MINUTE: i64 = 60_000;

/// What has not happened yet.
pub struct Happenings {
    bodies: Vec<Vec<u8>>,
    erasing: bool,
    steps: u32,
}

impl Happenings {
    /// Of a world whose last event lies a minute ago.
    pub async fn new(
        rng: &mut fastrand::Rng,
        world: &World,
        owner: &mut Tenant,
        drawn: &Drawn,
    ) -> Happenings {
        let last = drawn.events.iter().map(|event| event.ts).max().expect("events");
        world.at(last + MINUTE);
        world.sign_in(owner, "ada@example.com").await;
        Happenings {
            bodies: drawn.bodies(rng),
            erasing: false,
            steps: 0,
        }
    }

    /// The next one.
    pub async fn next(&mut self, rng: &mut fastrand::Rng, world: &World, owner: &mut Tenant) {
        self.steps += 1;
        let now = world.rooms.clock.now_ms();
        match rng.u8(0..13) {
            0..=2 => {
                if let Some(body) = self.bodies.pop() {
                    world.post(&owner.write, body).await.expect(200);
                }
            }
            3 | 4 => drop(world.deliver_in(rng.u64(1..40)).await),
            5 => drop(world.roll(now).await),
            6 => world.at(now + rng.i64(1..MINUTE * 20)),
            7 => world.at(now + rng.i64(1..36) * 60 * MINUTE),
            8 if !self.erasing && self.steps > 20 => {
                world.sign_in(owner, "ada@example.com").await;
                let what = json!({"kind": "person", "distinct_ids": [format!("p{}", rng.u8(0..4))]});
                world.request_erasure(owner, what).await;
                self.erasing = true;
            }
            8 | 9 if self.erasing => {
                let moved = world.remover().await.step_all(now).await;
                moved.expect("a step");
            }
            10 => {
                let said = *rng.choice(&["merge", "unmerge"]).expect("one");
                let pair = json!({"from": {"user": "p0"}, "into": {"user": format!("p{}", rng.u8(1..3))}});
                let path = owner.path(&format!("/persons/{said}"));
                world.ask("POST", &path, &owner.secret, pair).await.expect(200);
            }
            _ => {}
        }
    }

    /// All the rest, and the end of the world.
    pub async fn end(self, world: World, owner: &Tenant) {
        for body in self.bodies {
            world.post(&owner.write, body).await.expect(200);
        }
        world.deliver().await;
        world.erase().await;
        world.settle(i64::MAX).await;
        world.close().await;
    }
}
