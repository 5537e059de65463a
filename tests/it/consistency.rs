//! Every answer is the naive twin's, over random small worlds of several projects in one database, and neither
//! compaction nor a rebuild changes one.

use std::collections::BTreeMap;

use footfall::event::{ProjectNumber, Zone};
use serde_json::{Value, json};

use crate::harness::{Tenant, World};
use crate::random::{Drawn, TRANSITIONS, instant, now, questions};
use crate::twin::{stored, totals, twin};

const ZONES: [&str; 6] = [
    "Australia/Sydney",
    "Europe/Berlin",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "UTC",
];

#[tokio::test]
async fn answers_are_the_twins_in_one_series_of_worlds() {
    series(1).await;
}

#[tokio::test]
async fn answers_are_the_twins_in_another_series_of_worlds() {
    series(2).await;
}

#[tokio::test]
#[ignore = "make worlds: one series for 5,000 worlds of the unit tests"]
async fn answers_are_the_twins_in_as_many_series_as_are_asked_for() {
    let worlds = std::env::var("FOOTFALL_WORLDS").expect("FOOTFALL_WORLDS");
    let worlds: u64 = worlds.parse().expect("a number");
    for seed in 0..worlds.div_ceil(5_000) {
        series(100 + seed).await;
    }
}

/// Three projects around each of the clock changes, sharing people, names and batches.
async fn series(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let mut compacted = 0;
    for (round, (zone, at)) in TRANSITIONS.into_iter().enumerate() {
        let at = ms(at);
        let mut projects = Vec::new();
        // Signing in belongs to the present.
        world.at(crate::harness::NOW);
        for zone in [zone, ZONES[rng.usize(0..6)], ZONES[rng.usize(0..6)]] {
            let name = format!("{round} {zone}");
            projects.push(world.project(&owner, &name, zone).await);
        }
        let drawn: Vec<Drawn> = projects
            .iter()
            .map(|project| Drawn::new(&mut rng, at, project.number, &project.zone))
            .collect();
        let label = format!("series {seed}, round {round}, {zone}");
        world.at(now(&mut rng, &drawn));
        feed(&mut rng, &world, &projects, &drawn).await;

        let mut asked = Vec::new();
        for (project, drawn) in projects.iter().zip(&drawn) {
            let questions = questions(&mut rng, drawn, &project.zone);
            let now = world.rooms.clock.now_ms();
            let reports = questions
                .into_iter()
                .map(|question| {
                    let report = twin(&question, &project.zone, now, &drawn.events);
                    (question, report)
                })
                .collect::<Vec<_>>();
            asked.push(reports);
        }
        let all = async |when: &str| {
            for ((project, drawn), asked) in projects.iter().zip(&drawn).zip(&asked) {
                compare(&world, project, drawn, asked, &format!("{label}, {when}")).await;
            }
        };
        world.count_anew().await;
        all("fresh").await;
        compacted += world.settle(world.rooms.clock.now_ms()).await.compacted;
        all("compacted").await;
        world.rebuild(projects[0].number, &drawn[0].days()).await;
        compare(
            &world,
            &projects[0],
            &drawn[0],
            &asked[0],
            &format!("{label}, rebuilt"),
        )
        .await;
    }
    assert!(compacted > 0, "the roller had something to do");
    world.close().await;
}

/// Sends the requests of all projects in turn, and now and then delivers and rolls what is there so far.
async fn feed(rng: &mut fastrand::Rng, world: &World, projects: &[Tenant], drawn: &[Drawn]) {
    let mut requests = Vec::new();
    for (project, drawn) in projects.iter().zip(drawn) {
        for (turn, body) in drawn.bodies(rng).into_iter().enumerate() {
            requests.push((turn, project, body));
        }
    }
    requests.sort_by_key(|(turn, project, _)| (*turn, project.number));
    for (_, project, body) in requests {
        world.post(&project.write, body).await.expect(200);
        if rng.u8(0..4) == 0 {
            world.deliver_in(rng.u64(1..40)).await;
            if rng.u8(0..3) == 0 {
                world.roll(world.rooms.clock.now_ms()).await;
            }
        }
    }
    world.deliver_in(rng.u64(1..40)).await;
}

pub async fn compare(world: &World, project: &Tenant, drawn: &Drawn, asked: &[(Value, Value)], when: &str) {
    for (question, report) in asked {
        let reply = world
            .ask("POST", &project.path("/query"), &project.secret, question.clone())
            .await
            .expect(200);
        let about = || format!("{when}, {}: {question}\n{}", project.zone.name(), shown(drawn));
        assert_eq!(&reply["data"], report, "{}", about());
        assert_eq!(reply["kind"], question["kind"]);
        let exact = question["exact"] != false || question.get("group").is_some();
        let by_sketch = question["kind"] == "active_users" && !exact;
        assert_eq!(reply["meta"]["approximate"], by_sketch, "{}", about());
        assert_eq!(reply["meta"]["timezone"], project.zone.name());
    }
    let day = |n: i32| project.zone.local_day(drawn.at).plus(n);
    let range = format!("?from={}&to={}", day(-38), day(7));
    let names = world
        .get(&project.path(&format!("/events/names{range}")), &project.secret)
        .await
        .expect(200);
    let names: BTreeMap<&str, u64> = names["data"]["events"]
        .as_array()
        .expect("names")
        .iter()
        .map(|name| {
            (
                name["event"].as_str().expect("a name"),
                name["count"].as_u64().expect("a count"),
            )
        })
        .collect();
    let stored = stored(&drawn.events);
    assert_eq!(names, totals(&stored), "{when}: {}", shown(drawn));

    let export = world
        .get(&project.path(&format!("/export{range}")), &project.secret)
        .await;
    let mut exported: Vec<(i64, u64, String)> = export
        .lines()
        .iter()
        .map(|event| {
            let text = |name: &str| event[name].as_str().expect("text").to_owned();
            (
                ms(&text("timestamp")),
                event["seq"].as_u64().expect("a place"),
                text("id"),
            )
        })
        .collect();
    let mut expected: Vec<_> = stored
        .iter()
        .map(|event| (event.ts, u64::from(event.seq), event.id.to_string()))
        .collect();
    exported.sort();
    expected.sort();
    assert_eq!(exported, expected, "{when}: {}", shown(drawn));
}

/// The events in a form that fits on a page.
fn shown(drawn: &Drawn) -> String {
    let mut events: Vec<_> = stored(&drawn.events);
    events.sort_by_key(|event| (event.ts, event.seq, event.id));
    let line = |event: &&footfall::event::Event| {
        format!(
            "{} {} {} {}\n",
            instant(event.ts),
            event.seq,
            event.distinct_id,
            event.event
        )
    };
    events.iter().map(line).collect()
}

pub fn ms(text: &str) -> i64 {
    let moment: footfall::metrics::time::Moment =
        serde_json::from_value(json!(text)).unwrap_or_else(|error| panic!("{text}: {error}"));
    moment.0
}

/// The twins must not agree because nothing happened.
#[test]
fn the_worlds_are_worth_comparing() {
    let mut rng = fastrand::Rng::with_seed(1);
    let (mut converted, mut ties, mut copies, mut walked) = (0, 0, 0, 0);
    for (zone, at) in TRANSITIONS.into_iter().cycle().take(40) {
        let zone = Zone::parse(zone).expect("a zone");
        let drawn = Drawn::new(&mut rng, ms(at), ProjectNumber(1), &zone);
        let mut events = stored(&drawn.events);
        copies += drawn.events.len() - events.len();
        events.sort_by_key(|event| event.ts);
        ties += events.windows(2).filter(|pair| pair[0].ts == pair[1].ts).count();
        for question in questions(&mut rng, &drawn, &zone) {
            let report = twin(&question, &zone, ms(at), &drawn.events);
            converted += report["overall"]["converted"].as_u64().unwrap_or(0);
            let edges = report["edges"].as_array().map_or(0, Vec::len);
            walked += usize::from(edges > 0);
        }
    }
    assert!(
        converted > 10 && ties > 10 && copies > 5 && walked > 5,
        "{converted} {ties} {copies} {walked}"
    );
}
