//! The engine, a database for a test, and small random worlds of events with their naive numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use footfall::engines::{ClickHouseAddress, EngineOptions, Engines};
use footfall::event::{Day, Event, ProjectNumber, Zone, flag};
use footfall::metrics::sketch::UserSketch;
use footfall::store::{ActorDay, BatchName, CountDelta, Credentials, SketchDelta, Store, StoreOptions};
use footfall::worker::profiles::ProfileTally;
use uuid::Uuid;

/// Noon of 2026-11-01, UTC.
pub const NOON: i64 = 1_793_534_400_000;
pub const DAY: i64 = 86_400_000;
pub const PROJECT: ProjectNumber = ProjectNumber(7);

/// How many rounds a test goes: one for 400 of `FOOTFALL_WORLDS`, as `make worlds` says it, but no fewer than usual.
pub fn rounds(usual: u64) -> u64 {
    let worlds = std::env::var("FOOTFALL_WORLDS").ok();
    let worlds: u64 = worlds.and_then(|text| text.parse().ok()).unwrap_or(0);
    usual.max(worlds / 400)
}

/// `FOOTFALL_CHDB_LIBRARY`, else where `make engines` puts it.
fn library() -> PathBuf {
    std::env::var_os("FOOTFALL_CHDB_LIBRARY").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("deploy/engines/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so")
        },
        PathBuf::from,
    )
}

fn address() -> &'static ClickHouseAddress {
    static ENGINES: OnceLock<Engines> = OnceLock::new();
    let start = || {
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store");
        // what an earlier run left
        let _ = std::fs::remove_dir_all(&data_dir);
        let options = EngineOptions {
            program: env!("CARGO_BIN_EXE_footfall").into(),
            data_dir,
            clickhouse_url: None,
            // not needed here, and an external one is not started
            redis_url: Some("redis://127.0.0.1:1".into()),
            chdb_library: Some(library()),
            redis_server: None,
            redis_max_memory: None,
        };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let engines = runtime.block_on(Engines::start(options)).expect("ClickHouse");
        // the supervisor of the engine lives on it
        std::mem::forget(runtime);
        engines
    };
    ENGINES
        .get_or_init(|| std::thread::spawn(start).join().expect("the engine's start"))
        .clickhouse()
}

/// The accounts of a database of the test's own; not migrated.
pub fn options() -> StoreOptions {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let at = address();
    let account = |who: &footfall::engines::Credentials| Credentials {
        user: who.user.clone(),
        password: who.password.clone(),
    };
    StoreOptions {
        url: at.url.clone(),
        database: format!("footfall_store_{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        writer: account(&at.writer),
        reader: account(&at.reader),
    }
}

/// A migrated store in a database of its own.
pub async fn store() -> Store {
    let store = Store::connect(options()).await.expect("a store");
    store.migrate().await.expect("migrations");
    store
}

/// Any statement on the store's database, by the writer; the answer as text.
pub async fn sql(store: &Store, statement: &str) -> String {
    sql_as(store, "", statement).await
}

/// The same under a query id of the caller's choice.
pub async fn sql_as(store: &Store, query_id: &str, statement: &str) -> String {
    let at = address();
    let answer = reqwest::Client::new()
        .post(format!(
            "{}/?database={}&query_id={query_id}",
            at.url,
            store.database()
        ))
        .header("X-ClickHouse-User", &at.writer.user)
        .header("X-ClickHouse-Key", &at.writer.password)
        .body(statement.to_owned())
        .send()
        .await
        .expect("ClickHouse answers");
    let ok = answer.status().is_success();
    let text = answer.text().await.expect("text").trim().to_owned();
    assert!(ok, "{statement}: {text}");
    text
}

/// A small generator (splitmix64): the same seed, the same world.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// An event of [`PROJECT`] received when it happened.
pub fn event(name: &str, person: &str, ts: i64) -> Event {
    let zone = Zone::parse("Europe/Berlin").expect("a zone");
    Event {
        project: PROJECT,
        event: name.into(),
        ts,
        seq: 0,
        id: Uuid::new_v4(),
        received_at: ts,
        distinct_id: person.into(),
        device_id: String::new(),
        user_id: person.into(),
        session: 0,
        path: "/".into(),
        host: "shop.example".into(),
        referrer_host: String::new(),
        utm_source: String::new(),
        utm_medium: String::new(),
        utm_campaign: String::new(),
        country: String::new(),
        region: String::new(),
        city: String::new(),
        browser: "Firefox".into(),
        os: "Linux".into(),
        device: "desktop".into(),
        lib: "test/1".into(),
        amount: 0.0,
        currency: String::new(),
        props: "{}".into(),
        flags: 0,
        local_day: zone.local_day(ts),
    }
}

/// A few people, a few names, three days.
pub fn random_events(random: &mut Random, n: u64) -> Vec<Event> {
    (0..n)
        .map(|_| {
            let name = *random.pick(&["view", "add", "buy", "$identify"]);
            let person = format!("p{}", random.below(9));
            let ts = NOON + random.below(3 * DAY as u64) as i64;
            let mut event = event(name, &person, ts);
            if name == "$identify" {
                event.flags = flag::NOT_ACTIVITY;
            }
            event
        })
        .collect()
}

/// The first try of a batch.
pub fn name(shard: u16, batch: u64) -> BatchName {
    BatchName {
        shard,
        batch,
        attempt: 0,
    }
}

fn hour_of(events: &[Event]) -> u32 {
    let newest = events.iter().map(|e| e.received_at).max().unwrap_or(0);
    (newest / 3_600_000 * 3_600) as u32
}

/// What a worker computes of a batch.
pub fn count_deltas(events: &[Event]) -> Vec<CountDelta> {
    naive_counts(events)
        .into_iter()
        .map(|((event, bucket), count)| CountDelta {
            project: PROJECT,
            event,
            bucket,
            count,
            received_hour: hour_of(events),
        })
        .collect()
}

/// What a worker computes of a batch.
pub fn sketch_deltas(events: &[Event]) -> Vec<SketchDelta> {
    naive_actors(events)
        .into_iter()
        .map(|((event, day), actors)| {
            let mut sketch = UserSketch::new();
            actors.into_iter().for_each(|actor| sketch.insert(actor));
            SketchDelta {
                project: PROJECT,
                event,
                day,
                sketch: sketch.encode(),
                received_hour: hour_of(events),
            }
        })
        .collect()
}

/// Takes away what earlier rounds delivered.
pub async fn empty(store: &Store) {
    for table in ["events", "profiles", "profile_properties", "profile_adds"] {
        sql(store, &format!("TRUNCATE TABLE {table}")).await;
    }
}

/// All inserts of a batch.
pub async fn deliver(store: &Store, name: &BatchName, events: &[Event]) {
    let days: BTreeSet<ActorDay> = events
        .iter()
        .filter(|e| e.is_activity())
        .map(|e| ActorDay {
            project: e.project,
            actor: e.actor(),
            day: e.local_day,
        })
        .collect();
    let days: Vec<ActorDay> = days.into_iter().collect();
    store.insert_events(name, events, None).await.expect("events");
    let counts = count_deltas(events);
    store.insert_count_deltas(name, &counts).await.expect("counts");
    let sketches = sketch_deltas(events);
    store
        .insert_sketch_deltas(name, &sketches)
        .await
        .expect("sketches");
    store.insert_actor_days(name, &days).await.expect("days");
    let mut tally = ProfileTally::default();
    events.iter().for_each(|event| tally.add(event));
    let share = tally.finish();
    store
        .insert_profiles(name, &share.profiles)
        .await
        .expect("profiles");
    store
        .insert_profile_properties(name, &share.properties)
        .await
        .expect("properties");
    store
        .insert_profile_adds(name, &share.properties)
        .await
        .expect("adds");
}

/// Events by name and quarter hour, the obvious way.
pub fn naive_counts(events: &[Event]) -> BTreeMap<(String, u32), u64> {
    let mut counts = BTreeMap::new();
    for e in events {
        *counts.entry((e.event.clone(), e.quarter_hour())).or_default() += 1;
    }
    counts
}

/// Actors by name ("" = any activity) and local day, the obvious way.
pub fn naive_actors(events: &[Event]) -> BTreeMap<(String, Day), BTreeSet<u64>> {
    let mut actors: BTreeMap<(String, Day), BTreeSet<u64>> = BTreeMap::new();
    for e in events {
        let key = |name: &str| (name.to_owned(), e.local_day);
        actors.entry(key(&e.event)).or_default().insert(e.actor());
        if e.is_activity() {
            actors.entry(key("")).or_default().insert(e.actor());
        }
    }
    actors
}
