//! Random requests, resends, replays and discards against a model of the ledger: at every moment the ledger
//! knows each event once, and in the end with the same outcome, reason, source and minute.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{NOW, Tenant, World, text};

const AGENTS: [&str; 3] = [
    "curl/8.5.0",
    "shop-backend/2.1",
    "Mozilla/5.0 (X11; Linux x86_64)",
];
const SOURCES: [&str; 3] = ["native curl/8.5.0", "native shop-backend/2.1", "native browser"];

/// Minute of receipt, source.
type Place = (i64, usize);

/// What a project's ledger has to say.
#[derive(Default)]
struct Model {
    /// Taken: stored, waiting or refused by the engine.
    taken: BTreeMap<Place, u64>,
    duplicate: BTreeMap<Place, u64>,
    rejected: BTreeMap<Place, BTreeMap<&'static str, u64>>,
    client_dropped: u64,
    poison: u64,
    /// Ids of persons' events that were taken.
    known: BTreeSet<(String, Uuid)>,
    requests: BTreeSet<String>,
}

#[derive(Clone)]
struct Sent {
    tenant: usize,
    agent: usize,
    body: Value,
}

/// What the endpoint makes of an event by itself: its person and id, or the reason to refuse it.
fn judged(event: &Value) -> Result<(String, Uuid), &'static str> {
    let Some(event) = event.as_object() else {
        return Err("wrong_type");
    };
    match event.get("event") {
        None => return Err("missing_field"),
        Some(Value::String(name)) if name.is_empty() => return Err("name_empty"),
        Some(_) => {}
    }
    let id = match event.get("id").and_then(Value::as_str) {
        // One that capture gives is like no other.
        None => Uuid::new_v4(),
        Some(id) => Uuid::parse_str(id).map_err(|_| "id_invalid")?,
    };
    Ok((event["device_id"].as_str().expect("a device").to_owned(), id))
}

impl Model {
    fn send(&mut self, place: Place, body: &Value) {
        let events = body["batch"].as_array().expect("events");
        let mut within = BTreeSet::new();
        let mut good = Vec::new();
        for event in events {
            match judged(event) {
                Err(reason) => *self.rejected.entry(place).or_default().entry(reason).or_default() += 1,
                Ok(of) => good.push((of, event["event"] == "poison")),
            }
        }
        let key = body["request_id"].to_string();
        let resent = !good.is_empty() && !self.requests.insert(key);
        if !resent {
            self.client_dropped += body["dropped"].as_u64().unwrap_or(0);
        }
        for ((person, id), poison) in good {
            if resent || !within.insert(id) || !self.known.insert((person, id)) {
                *self.duplicate.entry(place).or_default() += 1;
            } else {
                *self.taken.entry(place).or_default() += 1;
                self.poison += u64::from(poison);
            }
        }
    }
}

fn event(rng: &mut fastrand::Rng) -> Value {
    match rng.u32(0..12) {
        0 => json!(rng.u32(0..9)),
        1 => json!({"device_id": "d1"}),
        2 => json!({"event": "", "device_id": "d1"}),
        3 => json!({"event": "view", "device_id": "d1", "id": "no uuid"}),
        n => {
            // Few persons and ids, so that they come again.
            let (person, id) = (rng.u32(0..4), rng.u128(1..41));
            let name = if id % 10 == 0 { "poison" } else { "view" };
            let mut event =
                json!({"event": name, "device_id": format!("d{person}"), "properties": {"n": id as u32}});
            if n > 5 {
                event["id"] = json!(Uuid::from_u128(id));
            }
            event
        }
    }
}

fn request(rng: &mut fastrand::Rng, number: u32) -> Sent {
    let events: Vec<Value> = (0..rng.usize(1..12)).map(|_| event(rng)).collect();
    let mut body = json!({"request_id": format!("r{number}"), "batch": events});
    if rng.bool() {
        body["dropped"] = json!(rng.u32(0..5));
    }
    Sent {
        tenant: rng.usize(0..2),
        agent: rng.usize(0..3),
        body,
    }
}

async fn totals(world: &World, tenant: &Tenant) -> BTreeMap<String, u64> {
    let ledger = world
        .get(&tenant.path("/ledger"), &tenant.secret)
        .await
        .expect(200);
    let totals = ledger["totals"].as_object().expect("totals");
    totals
        .iter()
        .map(|(name, count)| (name.clone(), count.as_u64().expect("a count")))
        .collect()
}

/// Each event that was taken stands there exactly once, wherever it is on its way.
async fn holds(world: &World, tenant: &Tenant, model: &Model, when: &str) {
    let totals = totals(world, tenant).await;
    let taken = totals["stored"] + totals["quarantined"] + totals["discarded"] + totals["pending"];
    assert_eq!(taken, model.taken.values().sum::<u64>(), "{when}: {totals:?}");
    let all = taken + totals["duplicate"] + totals["rejected"];
    assert_eq!(totals["received"], all, "{when}: {totals:?}");
}

/// Everything is committed: outcome, reason, source and minute are the model's.
async fn equals(world: &World, tenant: &Tenant, model: &Model) {
    let path = tenant.path("/ledger?interval=minute");
    let ledger = world.get(&path, &tenant.secret).await.expect(200);
    let sum = |of: &BTreeMap<Place, u64>, place: &dyn Fn(&Place) -> bool| -> u64 {
        of.iter().filter(|(at, _)| place(at)).map(|(_, n)| n).sum()
    };
    let rejected: BTreeMap<Place, u64> = model
        .rejected
        .iter()
        .map(|(at, by)| (*at, by.values().sum()))
        .collect();
    let expect = |of: &Value, place: &dyn Fn(&Place) -> bool| {
        let count = |name: &str| of[name].as_u64().expect("a count");
        let taken = count("stored") + count("quarantined") + count("discarded");
        assert_eq!(taken, sum(&model.taken, place), "{of}");
        assert_eq!(count("duplicate"), sum(&model.duplicate, place), "{of}");
        assert_eq!(count("rejected"), sum(&rejected, place), "{of}");
        assert_eq!(count("pending"), 0, "{of}");
    };
    expect(&ledger["totals"], &|_| true);
    assert_eq!(ledger["totals"]["client_dropped"], model.client_dropped);
    for source in ledger["sources"].as_array().expect("sources") {
        let name = text(&source["source"]);
        let number = SOURCES
            .iter()
            .position(|known| *known == name)
            .expect("a source of ours");
        expect(source, &|(_, source)| *source == number);
    }
    for point in ledger["series"].as_array().expect("points") {
        let at: jiff::Timestamp = text(&point["at"]).parse().expect("an instant");
        let minute = at.as_millisecond() / 60_000;
        expect(point, &|(at, _)| *at == minute);
    }
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, n) in model.rejected.values().flatten() {
        *reasons.entry(reason).or_default() += n;
    }
    let said: BTreeMap<String, u64> = ledger["rejected_by_reason"]
        .as_array()
        .expect("reasons")
        .iter()
        .map(|of| (text(&of["code"]), of["count"].as_u64().expect("a count")))
        .collect();
    let reasons: BTreeMap<String, u64> = reasons
        .into_iter()
        .map(|(code, n)| (code.to_owned(), n))
        .collect();
    assert_eq!(said, reasons);
}

/// Replays or discards one of the project's letters, if it has any.
async fn touch_a_letter(rng: &mut fastrand::Rng, world: &World, tenant: &Tenant) {
    let listed = world
        .get(&tenant.path("/dead-letters"), &tenant.secret)
        .await
        .expect(200);
    let letters = listed["data"].as_array().expect("letters");
    if letters.is_empty() {
        return;
    }
    let id = text(&letters[rng.usize(0..letters.len())]["id"]);
    let (method, rest) = if rng.bool() {
        ("POST", "/replay")
    } else {
        ("DELETE", "")
    };
    let path = tenant.path(&format!("/dead-letters/{id}{rest}"));
    let reply = world.ask(method, &path, &tenant.token, Value::Null).await;
    assert!(matches!(reply.status, 202 | 204), "{}", reply.text());
}

#[tokio::test]
async fn the_ledger_is_the_models_whatever_is_sent() {
    for seed in [1, 2] {
        run(seed).await;
    }
}

async fn run(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let world = World::new().await;
    let first = world.owner("ada@example.com", "Europe/Berlin").await;
    let second = world.project(&first, "Blog", "UTC").await;
    let tenants = [first, second];
    let mut models = [Model::default(), Model::default()];
    world
        .sql("ALTER TABLE events ADD CONSTRAINT poison CHECK event != 'poison'")
        .await;
    let mut sent: Vec<Sent> = Vec::new();
    let mut now = NOW;
    for step in 0..70 {
        let when = format!("seed {seed}, step {step}");
        match rng.u32(0..10) {
            0 => {
                // Signing in lasts for a quarter of an hour.
                now = (now + rng.i64(0..60_000)).min(NOW + 600_000);
                world.at(now);
            }
            1 | 2 => drop(world.deliver_in(rng.u64(1..60)).await),
            3 => {
                let tenant = &tenants[rng.usize(0..2)];
                touch_a_letter(&mut rng, &world, tenant).await;
            }
            n => {
                let again = n == 4 && !sent.is_empty();
                let sending = if again {
                    sent[rng.usize(0..sent.len())].clone()
                } else {
                    request(&mut rng, step)
                };
                let tenant = &tenants[sending.tenant];
                let request = Request::post("/v1/events")
                    .header("authorization", format!("Bearer {}", tenant.write))
                    .header("user-agent", AGENTS[sending.agent])
                    .body(Body::from(sending.body.to_string()))
                    .expect("a request");
                let reply = world.raw(request).await;
                assert!(matches!(reply.status, 200 | 422), "{when}: {}", reply.text());
                models[sending.tenant].send((now / 60_000, sending.agent), &sending.body);
                sent.push(sending);
            }
        }
        let one = rng.usize(0..2);
        holds(&world, &tenants[one], &models[one], &when).await;
    }
    world.deliver().await;
    for (tenant, model) in tenants.iter().zip(&models) {
        equals(&world, tenant, model).await;
    }
    world.sql("ALTER TABLE events DROP CONSTRAINT poison").await;
    for (tenant, model) in tenants.iter().zip(&models) {
        let all = tenant.path("/dead-letters/replay");
        world
            .ask("POST", &all, &tenant.token, Value::Null)
            .await
            .expect(200);
        holds(&world, tenant, model, "all are tried again").await;
    }
    world.deliver().await;
    for (tenant, model) in tenants.iter().zip(&models) {
        equals(&world, tenant, model).await;
        let totals = totals(&world, tenant).await;
        assert_eq!(totals["quarantined"], 0);
        assert!(
            totals["discarded"] <= model.poison,
            "only what died can be discarded"
        );
    }
    world.close().await;
}
