//! What is stored, read line by line, and every answer that must agree with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use super::client::{Client, text};
use super::writers::Ledger;

/// The bit of an event that counts as no activity.
const NOT_ACTIVITY: u64 = 8;

/// `from=…&to=…` over this many days before today, and a few beyond it.
pub fn range(days: i64) -> String {
    let today = jiff::Timestamp::now().as_millisecond() / 86_400_000;
    let date = |day: i64| {
        let at = jiff::Timestamp::from_millisecond(day * 86_400_000).expect("a day of our time");
        at.strftime("%Y-%m-%d").to_string()
    };
    format!("from={}&to={}", date(today - days - 1), date(today + 3))
}

/// A stored event, as the export shows it.
pub struct Row {
    pub id: Uuid,
    pub event: String,
    pub person: String,
    /// Local day, `YYYY-MM-DD`.
    pub day: String,
    pub ts: i64,
    pub seq: u64,
    active: bool,
}

/// What a comparison of the clients' knowledge with the tables found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub acknowledged: usize,
    /// Of those that were given up, how many are stored.
    pub given_up_stored: usize,
    pub lost: usize,
    pub doubled: usize,
    /// Stored, but never sent.
    pub foreign: usize,
}

/// Exports everything.
pub async fn stored(client: &Client) -> Vec<Row> {
    // The zone of the demo, and of the project that the clients make.
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone");
    let instant = |line: &Value| {
        let text = text(&line["timestamp"]);
        text.parse::<jiff::Timestamp>().expect("an instant")
    };
    let row = |line: &Value| Row {
        id: text(&line["id"]).parse().expect("a UUID"),
        event: text(&line["event"]),
        person: text(&line["distinct_id"]),
        day: instant(line).to_zoned(zone.clone()).date().to_string(),
        ts: instant(line).as_millisecond(),
        seq: line["seq"].as_u64().expect("a number"),
        active: line["flags"].as_u64().expect("bits") & NOT_ACTIVITY == 0,
    };
    let lines = client.export().await;
    let mut rows: Vec<Row> = lines.iter().map(row).collect();
    // A device's events are its first user's, until somebody else signs in on it.
    let mut users: HashMap<String, BTreeSet<(i64, String)>> = HashMap::new();
    for (line, row) in lines.iter().zip(&rows) {
        let (device, user) = (&line["device_id"], &line["user_id"]);
        let named = [device, user]
            .iter()
            .all(|id| id.as_str().is_some_and(|id| !id.is_empty()));
        if named && device != user {
            users
                .entry(text(device))
                .or_default()
                .insert((row.ts, text(user)));
        }
    }
    for (line, row) in lines.iter().zip(&mut rows) {
        let is_device = line["user_id"].as_str().is_none_or(str::is_empty);
        if let Some(seen) = users.get(&row.person).filter(|_| is_device)
            && let Some((_, first)) = seen.first()
        {
            let split = seen.iter().find(|(_, user)| user != first);
            row.person = match split.is_some_and(|(at, _)| *at <= row.ts) {
                true => format!("whoever uses {}", row.person),
                false => first.clone(),
            };
        }
    }
    rows
}

/// Compares what is stored with what the clients were told.
pub fn compare(rows: &[Row], ledger: &Ledger) -> Found {
    let mut times: HashMap<Uuid, usize> = HashMap::new();
    for row in rows {
        *times.entry(row.id).or_default() += 1;
    }
    let known = |id: &Uuid| ledger.acknowledged.contains(id) || ledger.given_up.contains(id);
    Found {
        acknowledged: ledger.acknowledged.len(),
        given_up_stored: ledger.given_up.iter().filter(|id| times.contains_key(id)).count(),
        lost: ledger
            .acknowledged
            .iter()
            .filter(|id| !times.contains_key(id))
            .count(),
        doubled: times.values().filter(|&&n| n > 1).count(),
        foreign: times.keys().filter(|id| !known(id)).count(),
    }
}

/// Every answer from rollups, sketches and raw events agrees with the rows, and the audit finds nothing.
pub async fn agrees(client: &Client, rows: &[Row]) {
    let audit = client.audit().await;
    assert_eq!(audit["holds"], true, "{audit}");
    let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
    let mut by_day: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut active: BTreeMap<String, HashSet<&str>> = BTreeMap::new();
    for row in rows {
        *by_name.entry(row.event.clone()).or_default() += 1;
        *by_day.entry((row.event.clone(), row.day.clone())).or_default() += 1;
        if row.active {
            active.entry(row.day.clone()).or_default().insert(&row.person);
        }
    }
    let active: BTreeMap<String, u64> = active
        .into_iter()
        .map(|(day, who)| (day, who.len() as u64))
        .collect();

    let answer = client.ask("events/names?limit=1000").await.expect("names");
    let names = answer["data"]["events"].as_array().expect("events");
    let names: BTreeMap<String, u64> = names
        .iter()
        .map(|name| (text(&name["event"]), number(&name["count"])))
        .collect();
    assert_eq!(names, by_name, "events/names counts what is stored");

    let query: Vec<String> = by_name
        .keys()
        .map(|name| format!("event={}", name.replace('$', "%24")))
        .collect();
    let answer = client
        .ask(&format!("trends?interval=day&{}", query.join("&")))
        .await
        .expect("trends");
    let mut points = BTreeMap::new();
    for series in answer["data"]["series"].as_array().expect("series") {
        for point in series["points"].as_array().expect("points") {
            if number(&point["count"]) > 0 {
                points.insert(
                    (text(&series["event"]), text(&point["date"])),
                    number(&point["count"]),
                );
            }
        }
    }
    assert_eq!(points, by_day, "trends count what is stored, day by day");

    let (exact, _) = daily(client, true).await;
    assert_eq!(exact, active, "the exact DAU is the number of distinct people");
    let (sketched, bound) = daily(client, false).await;
    let days: BTreeSet<&String> = exact.keys().chain(sketched.keys()).collect();
    let missed: Vec<i64> = days
        .iter()
        .map(|day| count(&exact, day) - count(&sketched, day))
        .collect();
    // Two people in one cell of a sparse sketch happen once in some hundred runs; a lost sketch misses many.
    // Days that somebody just signed in on may count them twice, and say so.
    let collided = missed.iter().all(|&n| n >= -bound) && missed.iter().sum::<i64>() <= 1;
    assert!(
        collided,
        "the sketches know every person of every day: {exact:?} {sketched:?}"
    );
}

/// Active people by day, and by how many the days may be too high.
async fn daily(client: &Client, exact: bool) -> (BTreeMap<String, u64>, i64) {
    let answer = client
        .ask(&format!("active-users?exact={exact}"))
        .await
        .expect("active users");
    let days = answer["data"]["days"].as_array().expect("days");
    let days = days.iter().map(|day| (text(&day["date"]), number(&day["dau"])));
    let bound = answer["meta"]["overcount_bound"].as_i64().unwrap_or(0);
    (days.filter(|(_, dau)| *dau > 0).collect(), bound)
}

fn count(days: &BTreeMap<String, u64>, day: &str) -> i64 {
    days.get(day).copied().unwrap_or(0).cast_signed()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number, not {value}"))
}

/// How many people reach each step of a funnel, counted naively: from every entry as far as it leads.
pub fn funnel(rows: &[Row], steps: &[&str], window_ms: i64) -> Vec<u64> {
    let mut people: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in rows {
        people.entry(&row.person).or_default().push(row);
    }
    let mut reached = vec![0; steps.len()];
    for rows in people.values_mut() {
        rows.sort_by_key(|row| (row.ts, row.seq, row.id));
        let mut deepest = 0;
        for (first, entry) in rows.iter().enumerate().filter(|(_, row)| row.event == steps[0]) {
            let mut step = 1;
            for row in &rows[first + 1..] {
                if step < steps.len() && row.event == steps[step] && row.ts - entry.ts <= window_ms {
                    step += 1;
                }
            }
            deepest = deepest.max(step);
        }
        reached[..deepest].iter_mut().for_each(|n| *n += 1);
    }
    reached
}
