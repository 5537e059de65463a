//! Erasures, driven to their end.

use std::time::Duration;

use footfall::meta::ErasureState;
use footfall::worker::remove::Remover;
use serde_json::{Value, json};

use super::{Tenant, World, text};

/// Looks until an erasure has to be done. Only the rewriting of parts runs by itself.
const LOOKS: u32 = 2_000;

impl World {
    /// A worker's remover, of a name of its own.
    pub async fn remover(&self) -> Remover {
        let rooms = &self.rooms;
        let roller = self.roller().await;
        Remover::new(
            rooms.meta.clone(),
            rooms.stream.clone(),
            rooms.store.clone(),
            roller,
        )
    }

    /// The owner asks for an erasure; its address.
    pub async fn request_erasure(&self, of: &Tenant, what: Value) -> String {
        let reply = self
            .ask("POST", &of.path("/erasures"), &of.token, what.clone())
            .await;
        let address = reply.header("location").to_owned();
        let erasure = reply.expect(202);
        assert_eq!(address, of.path(&format!("/erasures/{}", text(&erasure["id"]))));
        assert_eq!(
            (&erasure["kind"], &erasure["state"]),
            (&what["kind"], &json!("requested"))
        );
        address
    }

    /// Delivers and removes until no erasure is under way, each step by a worker of another name, as if the one
    /// before had died. The states that were seen.
    pub async fn erase(&self) -> Vec<ErasureState> {
        let mut seen = Vec::new();
        for _ in 0..LOOKS {
            let open = self.rooms.meta.open_erasures(100).await.expect("erasures");
            let Some(first) = open.first() else {
                return seen;
            };
            if seen.last() != Some(&first.state) {
                seen.push(first.state);
            }
            self.deliver().await;
            let moved = self
                .remover()
                .await
                .step_all(self.rooms.clock.now_ms())
                .await
                .expect("a step");
            if moved == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        panic!("not done after {LOOKS} looks: {seen:?}");
    }

    /// Signs the owner in again, after the clock moved.
    pub async fn sign_in(&self, tenant: &mut Tenant, email: &str) {
        let body = json!({"email": email, "password": super::tenant::PASSWORD});
        let session = self.ask("POST", "/v1/auth/login", "", body).await.expect(200);
        tenant.token = text(&session["access_token"]);
    }
}
