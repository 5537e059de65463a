//! What the tables must hold, computed from what the producers were told, against what they hold: every raw event,
//! every row of the count rollups, every sketch bit by bit, every active day. And the stream's own bookkeeping.
//!
//! An event that was answered 200 must be there once; one whose producer was never told may be there, once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use clickhouse::Row;
use footfall::audit::{AuditOptions, Auditor};
use footfall::event::{Day, Zone, actor_of};
use footfall::metrics::sketch::UserSketch;
use footfall::store::{Credentials, Store, StoreOptions};
use footfall::stream::{EventStream, StreamOptions};
use serde::Deserialize;
use uuid::Uuid;

use super::cluster::{Cluster, SHARDS};
use super::producers::{NAMES, Sent, Truth, person};
use super::tenants::Project;

/// What is wrong with one kind of table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    pub lost: u64,
    pub doubled: u64,
}

/// What a look at everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Events that were answered 200.
    pub acknowledged: u64,
    /// Events that were sent, and their producers never told; how many of them are stored.
    pub unanswered: u64,
    pub unanswered_stored: u64,
    /// Rows of `events`.
    pub rows: u64,
    pub raw: Harm,
    /// Stored, but never sent, or with other content than was sent.
    pub foreign: u64,
    /// Quarter hours that should be counted, and events that the counts lack or have too many.
    pub counts: u64,
    pub rollups: Harm,
    /// Sketches that should be there, and those that are not the sketch of their people.
    pub sketches: u64,
    pub sketches_wrong: Harm,
    /// Active days of people, and how many are missing or should not be there.
    pub actor_days: u64,
    pub actor_days_wrong: Harm,
    /// Events that the ledger says are stored, and how far that is off.
    pub ledger: u64,
    pub ledger_wrong: Harm,
    /// Days that were compacted or rebuilt: their rollups are generations, not deltas.
    pub generations: u64,
    /// What the stream's counters and the tables disagree about, in words.
    pub disagreements: Vec<String>,
}

impl Found {
    /// Whether nothing is wrong.
    pub fn holds(&self) -> bool {
        let harmless = [
            self.raw,
            self.rollups,
            self.sketches_wrong,
            self.actor_days_wrong,
            self.ledger_wrong,
        ];
        harmless.iter().all(|harm| *harm == Harm::default())
            && self.foreign == 0
            && self.disagreements.is_empty()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  answered 200      {} events; {} unanswered, of which {} are stored",
            self.acknowledged, self.unanswered, self.unanswered_stored
        )?;
        let mut line = |what: &str, all: u64, of: &str, harm: Harm| {
            writeln!(
                f,
                "  {what:<18}{all} {of}: {} lost, {} doubled",
                harm.lost, harm.doubled
            )
        };
        line("raw", self.rows, "rows", self.raw)?;
        line("rollups", self.counts, "quarter hours", self.rollups)?;
        line("sketches", self.sketches, "sketches", self.sketches_wrong)?;
        line("active days", self.actor_days, "days", self.actor_days_wrong)?;
        line("ledger", self.ledger, "events stored", self.ledger_wrong)?;
        writeln!(f, "  compacted         {} times a day's rollup", self.generations)?;
        writeln!(
            f,
            "  foreign or altered {} rows; bookkeeping {:?}",
            self.foreign, self.disagreements
        )
    }
}

#[derive(Row, Deserialize)]
struct Stored {
    n: u64,
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    event: String,
    distinct_id: String,
    at: i64,
    amount: f64,
    local_day: u16,
}

/// Compares everything. Nothing may wait for the tables.
pub async fn look(cluster: &Cluster, projects: &[Project], truth: &Truth) -> Found {
    let store = store(cluster).await;
    let client = cluster.clickhouse.client().with_database("footfall");
    let mut found = Found::default();
    for (place, project) in projects.iter().enumerate() {
        let sent: HashMap<u64, &Sent> = truth
            .iter()
            .filter(|((of, _), _)| *of == place)
            .map(|((_, number), sent)| (*number, sent))
            .collect();
        let expected = raw(&client, project, &sent, &mut found).await;
        rollups(&store, project, &expected, &mut found).await;
        sketches(&store, project, &expected, &mut found).await;
        actor_days(&client, project, &expected, &mut found).await;
        ledger(&client, project, expected.len() as u64, &mut found).await;
    }
    let generations = client.query("SELECT count() FROM compactions").fetch_one();
    found.generations = generations.await.expect("generations");
    bookkeeping(cluster, &store, projects, &mut found).await;
    found
}

async fn store(cluster: &Cluster) -> Store {
    let account = |user: &str, password: &str| Credentials {
        user: user.into(),
        password: password.into(),
    };
    let options = StoreOptions {
        url: cluster.clickhouse.http(),
        database: "footfall".into(),
        writer: account("rw", "crash-writes"),
        reader: account("ro", "crash-reads"),
    };
    Store::connect(options).await.expect("ClickHouse")
}

/// Compares the raw events; returns those that must be counted.
async fn raw<'a>(
    client: &clickhouse::Client,
    project: &Project,
    sent: &HashMap<u64, &'a Sent>,
    found: &mut Found,
) -> Vec<&'a Sent> {
    let mut rows = client
        .query(
            "SELECT JSONExtractUInt(props, 'n') AS n, id, event, distinct_id, toUnixTimestamp64Milli(ts) AS at, \
             amount, local_day FROM events WHERE project = ?",
        )
        .bind(project.number.0)
        .fetch::<Stored>()
        .expect("a question");
    let mut times: HashMap<u64, u64> = HashMap::new();
    let mut ids = HashSet::new();
    let mut sum = 0.0;
    while let Some(row) = rows.next().await.expect("rows") {
        found.rows += 1;
        sum += row.amount;
        let known = sent.get(&row.n).is_some_and(|sent| is(&row, sent, project));
        if known {
            *times.entry(row.n).or_default() += 1;
            ids.insert(row.id);
        } else {
            found.foreign += 1;
        }
    }
    let stored = |number: &u64| times.get(number).copied().unwrap_or(0);
    let mut expected = Vec::new();
    for (number, sent) in sent {
        let stored = stored(number);
        found.raw.doubled += stored.saturating_sub(1);
        if sent.acknowledged {
            found.acknowledged += 1;
            found.raw.lost += u64::from(stored == 0);
        } else {
            found.unanswered += 1;
            found.unanswered_stored += u64::from(stored > 0);
        }
        if sent.acknowledged || stored > 0 {
            expected.push(*sent);
        }
    }
    // Whole numbers far below 2^53: their sum is exact.
    let value: f64 = expected.iter().map(|sent| f64::from(sent.amount)).sum();
    let whole = found.raw == Harm::default() && found.foreign == 0;
    if whole && (ids.len() != expected.len() || sum != value) {
        found.disagreements.push(format!(
            "project {}: {} ids and value {sum} of {} events and {value}",
            project.number,
            ids.len(),
            expected.len()
        ));
    }
    expected
}

fn is(row: &Stored, sent: &Sent, project: &Project) -> bool {
    (sent.id.is_nil() || row.id == sent.id)
        && row.event == NAMES[usize::from(sent.name)]
        && row.distinct_id == person(sent.person)
        && row.at == sent.ts
        && row.amount == f64::from(sent.amount)
        && Day(row.local_day.into()) == local_day(sent, project)
}

fn local_day(sent: &Sent, project: &Project) -> Day {
    let at = jiff::Timestamp::from_millisecond(sent.ts).expect("a time");
    Day::from_date(at.to_zoned(project.zone.clone()).date())
}

/// Every row of the counts, as readers see them.
async fn rollups(store: &Store, project: &Project, expected: &[&Sent], found: &mut Found) {
    let mut right: BTreeMap<(&str, u32), u64> = BTreeMap::new();
    for sent in expected {
        let second = u32::try_from(sent.ts / 1_000).expect("our century");
        let quarter = (NAMES[usize::from(sent.name)], second - second % 900);
        *right.entry(quarter).or_default() += 1;
    }
    let counts = store.counts(project.number, None, 0, u32::MAX - 900).await;
    let rows = counts.expect("counts").rows;
    let mut stored: BTreeMap<(&str, u32), u64> = BTreeMap::new();
    for row in &rows {
        *stored.entry((&row.event, row.bucket)).or_default() += row.count;
    }
    found.counts += right.len() as u64;
    for quarter in right.keys().chain(stored.keys()).collect::<BTreeSet<_>>() {
        let (right, stored) = (right.get(quarter).copied(), stored.get(quarter).copied());
        let (right, stored) = (right.unwrap_or(0), stored.unwrap_or(0));
        found.rollups.lost += right.saturating_sub(stored);
        found.rollups.doubled += stored.saturating_sub(right);
    }
}

/// Every sketch. The sketch of a set is the same bytes however it was put together.
async fn sketches(store: &Store, project: &Project, expected: &[&Sent], found: &mut Found) {
    let mut people: BTreeMap<(&str, Day), BTreeSet<u32>> = BTreeMap::new();
    for sent in expected {
        let (name, day) = (NAMES[usize::from(sent.name)], local_day(sent, project));
        people.entry((name, day)).or_default().insert(sent.person);
        if is_activity(sent) {
            people.entry(("", day)).or_default().insert(sent.person);
        }
    }
    found.sketches += people.len() as u64;
    for name in NAMES.into_iter().chain([""]) {
        let days = store
            .day_sketches(project.number, name, Day(0), Day(60_000))
            .await;
        let mut stored: BTreeMap<Day, UserSketch> = BTreeMap::new();
        for (day, bytes) in days.expect("sketches").rows {
            let sketch = UserSketch::decode(&bytes).expect("a whole sketch");
            stored.entry(day).or_default().merge(&sketch);
        }
        let right: BTreeMap<Day, &BTreeSet<u32>> = people
            .iter()
            .filter(|((of, _), _)| *of == name)
            .map(|((_, day), who)| (*day, who))
            .collect();
        for day in right.keys().chain(stored.keys()).collect::<BTreeSet<_>>() {
            let mut right: UserSketch = right
                .get(day)
                .into_iter()
                .flat_map(|who| who.iter())
                .map(|&number| actor_of(&person(number)))
                .collect();
            let mut stored = stored.get(day).cloned().unwrap_or_default();
            if right.encode() != stored.encode() {
                let short = stored.count() <= right.count();
                found.sketches_wrong.lost += u64::from(short);
                found.sketches_wrong.doubled += u64::from(!short);
            }
        }
    }
}

async fn actor_days(client: &clickhouse::Client, project: &Project, expected: &[&Sent], found: &mut Found) {
    let stored: Vec<(u64, u16)> = client
        .query("SELECT DISTINCT actor, day FROM actor_days WHERE project = ?")
        .bind(project.number.0)
        .fetch_all()
        .await
        .expect("active days");
    let stored: HashSet<(u64, Day)> = stored
        .into_iter()
        .map(|(actor, day)| (actor, Day(day.into())))
        .collect();
    let right: HashSet<(u64, Day)> = expected
        .iter()
        .filter(|sent| is_activity(sent))
        .map(|sent| (actor_of(&person(sent.person)), local_day(sent, project)))
        .collect();
    found.actor_days += right.len() as u64;
    found.actor_days_wrong.lost += right.difference(&stored).count() as u64;
    found.actor_days_wrong.doubled += stored.difference(&right).count() as u64;
}

/// The ledger's stored events are those of the table, and so are the late ones.
async fn ledger(client: &clickhouse::Client, project: &Project, expected: u64, found: &mut Found) {
    let sum = async |question: &str| -> u64 {
        let sum = client.query(question).bind(project.number.0).fetch_one::<i64>();
        u64::try_from(sum.await.expect(question)).expect("nothing is taken back twice")
    };
    let stored = sum("SELECT sum(count) FROM ledger WHERE project = ? AND outcome = 'stored'").await;
    found.ledger += stored;
    found.ledger_wrong.lost += expected.saturating_sub(stored);
    found.ledger_wrong.doubled += stored.saturating_sub(expected);
    let late = sum("SELECT toInt64(sum(count)) FROM late_days WHERE project = ?").await;
    let right =
        sum("SELECT toInt64(countIf(received_at > ts + INTERVAL 24 HOUR)) FROM events WHERE project = ?")
            .await;
    if late != right {
        let number = project.number;
        found
            .disagreements
            .push(format!("project {number}: {late} late events, not {right}"));
    }
}

fn is_activity(sent: &Sent) -> bool {
    !NAMES[usize::from(sent.name)].starts_with('$')
}

/// Nothing waits, nothing died, and the product's own audit finds nothing either.
async fn bookkeeping(cluster: &Cluster, store: &Store, projects: &[Project], found: &mut Found) {
    let options = StreamOptions {
        url: cluster.redis.url(),
        prefix: "ff:".into(),
        shards: SHARDS,
        max_entries: 1,
        request_key_ttl_s: 1,
        dedup_window_s: 0,
        min_replicas: 0,
    };
    let stream = EventStream::connect(&options).await.expect("Redis");
    for shard in 0..SHARDS {
        let counters = stream.shard_counters(shard).await.expect("counters");
        if counters.rows_waiting != 0 || counters.rows_dead != 0 {
            found.disagreements.push(format!("shard {shard}: {counters:?}"));
        }
    }
    let zones: HashMap<_, _> = projects
        .iter()
        .map(|project| {
            (
                project.number,
                project.zone.iana_name().unwrap_or("UTC").to_owned(),
            )
        })
        .collect();
    let zone_of = move |project| Zone::parse(zones.get(&project)?).ok();
    let auditor = Auditor::new(stream, store.clone(), Arc::new(zone_of));
    let report = auditor
        .audit(&AuditOptions::asked(None, 1))
        .await
        .expect("an audit");
    for check in report.checks {
        if !check.holds() || !check.unjudged.is_empty() {
            let name = check.invariant.as_str();
            found.disagreements.push(format!("{name}: {}", check.detail()));
        }
    }
}
