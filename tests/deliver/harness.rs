//! Engines once for all tests of the process, a world for each test: database, key prefix, stream, store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use footfall::audit::{AuditOptions, AuditReport, Auditor};
use footfall::engines::{EngineOptions, Engines};
use footfall::event::{Day, Event, ProjectNumber, Zone, actor_of, flag};
use footfall::metrics::sketch::UserSketch;
use footfall::store::ledger::LedgerRange;
use footfall::store::{Credentials, Store, StoreOptions};
use footfall::stream::{EventStream, StreamOptions};
use footfall::worker::deliver::{DeliverError, DeliverOptions, Delivered, Deliverer, Delivery, Step};
use tokio::sync::OnceCell;
use uuid::Uuid;

pub const NOW: i64 = 1_795_000_000_000;
pub const SHOP: ProjectNumber = ProjectNumber(1);

static ENGINES: OnceCell<Engines> = OnceCell::const_new();
static WORLDS: AtomicU32 = AtomicU32::new(0);

async fn start() -> Engines {
    start_in(env!("CARGO_CRATE_NAME")).await
}

/// Engines of their own, for who kills them.
pub async fn start_in(folder: &str) -> Engines {
    let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let _ = std::fs::remove_dir_all(&data_dir);
    let options = EngineOptions {
        program: env!("CARGO_BIN_EXE_footfall").into(),
        data_dir,
        clickhouse_url: None,
        redis_url: None,
        chdb_library: std::env::var_os("FOOTFALL_CHDB_LIBRARY").map(Into::into),
        redis_server: None,
        redis_max_memory: None,
    };
    Engines::start(options).await.expect("engines")
}

pub struct World {
    pub stream: EventStream,
    pub store: Store,
    /// Of its Redis keys; its database is called `footfall_` and the same.
    pub prefix: String,
    pub redis_url: String,
    pub admin: clickhouse::Client,
}

impl World {
    /// A stream of `shards` shards and an empty database.
    pub async fn new(shards: u16) -> World {
        World::on(ENGINES.get_or_init(start).await, shards).await
    }

    /// The same on these engines.
    pub async fn on(engines: &Engines, shards: u16) -> World {
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let (at, database) = (engines.clickhouse(), format!("footfall_deliver{number}"));
        let account = |who: &footfall::engines::Credentials| Credentials {
            user: who.user.clone(),
            password: who.password.clone(),
        };
        let store = Store::connect(StoreOptions {
            url: at.url.clone(),
            database: database.clone(),
            writer: account(&at.writer),
            reader: account(&at.reader),
        });
        let store = store.await.expect("store");
        store.migrate().await.expect("tables");
        let prefix = format!("deliver{number}:");
        let redis_url = engines.redis_url().to_owned();
        let options = StreamOptions {
            url: redis_url.clone(),
            prefix: prefix.clone(),
            shards,
            max_entries: 100_000,
            request_key_ttl_s: 86_400,
            dedup_window_s: 3_600,
            min_replicas: 0,
        };
        let stream = EventStream::connect(&options).await.expect("stream");
        let admin = clickhouse::Client::default()
            .with_url(&at.url)
            .with_user(&at.writer.user)
            .with_password(&at.writer.password)
            .with_database(database);
        World {
            stream,
            store,
            prefix,
            redis_url,
            admin,
        }
    }

    /// A worker of its own name.
    pub fn deliverer(&self) -> Deliverer {
        self.deliverer_of(DeliverOptions::default())
    }

    pub fn deliverer_of(&self, options: DeliverOptions) -> Deliverer {
        Deliverer::new(self.stream.clone(), self.store.clone(), options)
    }

    /// Runs SQL behind the product's back.
    pub async fn sql(&self, statement: &str) {
        self.admin
            .query(statement)
            .with_setting("lightweight_deletes_sync", "2")
            .execute()
            .await
            .expect(statement);
    }

    pub async fn redis(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.redis_url.as_str()).expect("url");
        client.get_multiplexed_async_connection().await.expect("redis")
    }

    /// The owner of the shard fell silent for longer than its lease.
    pub async fn lease_runs_out(&self, shard: u16) {
        let key = format!("{}lease:{{s{shard}}}", self.prefix);
        redis::cmd("DEL")
            .arg(key)
            .exec_async(&mut self.redis().await)
            .await
            .expect("del");
    }

    /// `owner:epoch` of a shard.
    pub async fn owner(&self, shard: u16) -> Option<String> {
        let key = format!("{}lease:{{s{shard}}}", self.prefix);
        let lease: Option<String> = redis::cmd("GET")
            .arg(key)
            .query_async(&mut self.redis().await)
            .await
            .expect("get");
        lease.and_then(|lease| Some(lease.split_once(':')?.0.to_owned()))
    }

    /// Redis is restored from a copy that knows nothing of the shard.
    pub async fn redis_forgets(&self, shard: u16) {
        let key = format!("{}st:{{s{shard}}}", self.prefix);
        redis::cmd("DEL")
            .arg(key)
            .exec_async(&mut self.redis().await)
            .await
            .expect("del");
    }

    /// Delivers everything that waits.
    pub async fn drain(&self, deliverer: &Deliverer) {
        for shard in 0..self.stream.shards() {
            while deliverer.deliver_once(shard).await.expect("delivered") != Delivered::Nothing {}
        }
    }

    /// The id of every row of the raw table.
    pub async fn stored_ids(&self) -> Vec<Uuid> {
        #[derive(clickhouse::Row, serde::Deserialize)]
        struct Id {
            #[serde(with = "clickhouse::serde::uuid")]
            id: Uuid,
        }
        let ids = self.admin.query("SELECT id FROM events");
        let rows: Vec<Id> = ids.fetch_all().await.expect("ids");
        rows.into_iter().map(|row| row.id).collect()
    }

    /// Every one of `events` is stored exactly once: raw, counts, sketches, active days; nothing waits.
    pub async fn holds_exactly(&self, events: &[Event]) {
        let mut stored = self.stored_ids().await;
        let mut expected: Vec<Uuid> = events.iter().map(|event| event.id).collect();
        stored.sort_unstable();
        expected.sort_unstable();
        assert_eq!(stored, expected, "raw events");

        let projects: BTreeSet<ProjectNumber> = events.iter().map(|event| event.project).collect();
        let mut on_record = 0;
        for &project in &projects {
            self.rollups_hold(project, events).await;
            on_record += self.stored_in_ledger(project).await;
        }
        let mut removed = 0;
        for shard in 0..self.stream.shards() {
            let counters = self.stream.shard_counters(shard).await.expect("counters");
            assert_eq!(counters.rows_waiting, 0, "shard {shard}");
            removed += counters.rows_removed as i64;
        }
        // What was erased afterwards was stored once, too.
        assert_eq!(on_record, events.len() as i64 + removed, "ledger");
        let report = self.audit().await;
        assert!(report.holds(), "{report}");
    }

    /// Whether everything adds up, by one look.
    pub async fn audit(&self) -> AuditReport {
        let zone_of = Arc::new(|_| Some(Zone::utc()));
        let auditor = Auditor::new(self.stream.clone(), self.store.clone(), zone_of);
        let options = AuditOptions {
            looks: 1,
            ..AuditOptions::asked(None, 1)
        };
        auditor.audit(&options).await.expect("an audit")
    }

    /// One number, asked behind the product's back.
    pub async fn number(&self, question: &str) -> u64 {
        self.admin.query(question).fetch_one().await.expect(question)
    }

    /// What the ledger says of a project's committed events: outcome, source, reason, events.
    pub async fn ledger(&self, project: ProjectNumber) -> Vec<(String, String, String, i64)> {
        let range = LedgerRange {
            project,
            from_s: 0,
            to_s: u32::MAX,
            cuts: &self.stream.cuts().await.expect("cuts"),
        };
        let found = self.store.ledger_sources(&range).await.expect("ledger");
        let mut found: Vec<_> = found
            .into_iter()
            .map(|row| (row.outcome, row.source, row.reason, row.events))
            .collect();
        found.sort();
        found
    }

    async fn stored_in_ledger(&self, project: ProjectNumber) -> i64 {
        let rows = self.ledger(project).await;
        let stored = rows.iter().filter(|(outcome, ..)| outcome == "stored");
        stored.map(|(.., events)| events).sum()
    }

    /// Counts, sketches and active days are those of `events`.
    pub async fn rollups_hold(&self, project: ProjectNumber, events: &[Event]) {
        let of_project = || events.iter().filter(|event| event.project == project);
        let mut counts = BTreeMap::<(String, u32), u64>::new();
        let mut persons = BTreeMap::<(String, Day), BTreeSet<&str>>::new();
        for event in of_project() {
            *counts
                .entry((event.event.clone(), event.quarter_hour()))
                .or_default() += 1;
            let mut seen = |name: &str| {
                persons
                    .entry((name.to_owned(), event.local_day))
                    .or_default()
                    .insert(&event.distinct_id);
            };
            seen(&event.event);
            if event.is_activity() {
                seen("");
            }
        }
        let stored = self
            .store
            .counts(project, None, 0, u32::MAX - 900)
            .await
            .expect("counts")
            .rows;
        let stored: BTreeMap<(String, u32), u64> = stored
            .into_iter()
            .map(|row| ((row.event, row.bucket), row.count))
            .collect();
        assert_eq!(stored, counts, "counts of {project}");

        let names: BTreeSet<&String> = persons.keys().map(|(name, _)| name).collect();
        for name in names {
            let stored = self
                .store
                .day_sketches(project, name, Day(0), Day(60_000))
                .await
                .expect("sketches");
            let mut days = BTreeMap::<Day, UserSketch>::new();
            for (day, sketch) in stored.rows {
                let sketch = UserSketch::decode(&sketch).expect("a sketch");
                days.entry(day).or_default().merge(&sketch);
            }
            let stored: BTreeMap<Day, u64> = days.into_iter().map(|(day, mut s)| (day, s.count())).collect();
            let expected: BTreeMap<Day, u64> = persons
                .iter()
                .filter(|((of, _), _)| of == name)
                .map(|((_, day), persons)| (*day, persons.len() as u64))
                .collect();
            // So few persons that the sketch counts them exactly.
            assert_eq!(stored, expected, "persons of {name:?} in {project}");
        }
        let actor_days =
            "SELECT count() FROM (SELECT DISTINCT project, actor, day FROM actor_days WHERE project = ?)";
        let stored: u64 = self
            .admin
            .query(actor_days)
            .bind(project.0)
            .fetch_one()
            .await
            .expect("actor days");
        let active = persons.iter().filter(|((name, _), _)| name.is_empty());
        assert_eq!(
            stored,
            active.map(|(_, who)| who.len() as u64).sum::<u64>(),
            "active days of {project}"
        );
        // Who came with a phone of their own: its events would be theirs.
        let paired = "SELECT DISTINCT device_id, user_id FROM events \
                      WHERE project = ? AND device_id != '' AND user_id != '' AND device_id != user_id";
        let paired: Vec<(String, String)> = self
            .admin
            .query(paired)
            .bind(project.0)
            .fetch_all()
            .await
            .expect("pairs");
        let phones: BTreeSet<(u64, u64)> = paired
            .iter()
            .map(|(phone, person)| (actor_of(phone), actor_of(person)))
            .collect();
        let mapped: Vec<(u64, u64)> = self
            .admin
            .query("SELECT actor, person FROM person_map FINAL WHERE project = ? ORDER BY actor")
            .bind(project.0)
            .fetch_all()
            .await
            .expect("a map");
        let mapped = BTreeSet::from_iter(mapped);
        assert!(phones.is_subset(&mapped), "whose phones are whose in {project}");
    }
}

/// Steps until the shard is idle, and returns the steps.
pub async fn finish(delivery: &mut Delivery) -> Result<Vec<Step>, DeliverError> {
    let mut steps = Vec::new();
    loop {
        match delivery.step().await? {
            Step::Idle => return Ok(steps),
            step => steps.push(step),
        }
    }
}

/// `n` events of some people over three days and two months, some of them no activity.
pub fn events(project: ProjectNumber, n: u32) -> Vec<Event> {
    let names: [Arc<str>; 3] = ["view", "add_to_cart", "$identify"].map(Arc::from);
    let month_ago = 31 * 86_400_000;
    (0..n)
        .map(|i| {
            let ts = NOW - i64::from(i % 40) * 3_600_000 - if i % 11 == 0 { month_ago } else { 0 };
            let name = &names[(i % 3) as usize];
            let flags = if &**name == "$identify" {
                flag::NOT_ACTIVITY
            } else {
                0
            };
            event(project, name, &format!("person-{}", i % 17), ts, flags)
        })
        .collect()
}

/// One event with an id like no other.
pub fn event(project: ProjectNumber, name: &str, person: &str, ts: i64, flags: u16) -> Event {
    let fields = serde_json::json!({
        "project": project, "event": name, "ts": ts, "seq": 0, "id": Uuid::new_v4(), "received_at": NOW,
        "distinct_id": person, "device_id": format!("{person}'s phone"), "user_id": person, "session": 0, "path": "/", "host": "",
        "referrer_host": "", "utm_source": "", "utm_medium": "", "utm_campaign": "", "country": "", "region": "",
        "city": "", "browser": "", "os": "", "device": "", "lib": "", "amount": 1.5, "currency": "EUR",
        "props": "{}", "flags": flags, "local_day": Day::of_utc(ts),
    });
    serde_json::from_value(fields).expect("an event")
}
