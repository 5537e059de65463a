//! The data: five projects of very different size, ninety days that end today, some thirty event names, people who come
//! often at first and seldom later. Each row is a hash of its number, so every run has the same ones. The rows are made
//! inside ClickHouse; rollups and sketches come from them by the product's own rebuild.

use footfall::event::{Day, ProjectNumber, Zone};
use indicatif::ProgressIterator;

use crate::installation::Installation;

/// Days with events.
pub const DAYS: i32 = 90;

/// Event names and how often they come.
const NAMES: [(&str, u32); 18] = [
    ("page_view", 20),
    ("click", 10),
    ("view_item", 8),
    ("scroll", 5),
    ("search", 4),
    ("add_to_cart", 3),
    ("login", 2),
    ("share", 2),
    ("video_play", 2),
    ("error", 2),
    ("notification", 2),
    ("like", 2),
    ("begin_checkout", 1),
    ("purchase", 1),
    ("signup", 1),
    ("invite", 1),
    ("download", 1),
    ("comment", 1),
];

/// The first of the days.
pub fn first_day() -> Day {
    let today = jiff::Timestamp::now().as_millisecond();
    Day::of_utc(today).plus(1 - DAYS)
}

/// Fills the tables with so many events, and makes the rollups of the project that is asked about.
pub async fn fill(installation: &Installation, project: ProjectNumber, events: u64) -> anyhow::Result<()> {
    let list = |values: Vec<String>| format!("[{}]", values.join(","));
    let names = list(
        NAMES
            .iter()
            .flat_map(|(name, times)| (0..*times).map(move |_| format!("'{name}'")))
            .collect(),
    );
    let first = first_day();
    // Eight events of one person on one day belong together.
    let sql = format!(
        "INSERT INTO events (project, event, day, actor, ts, seq, id, received_at, distinct_id, device_id, user_id, session, \
           path, host, country, browser, os, device, lib, amount, currency, props, flags, local_day, shard, batch, try) \
         WITH intDiv(number, 8) AS visit, number % 8 AS nth, \
           intHash64(visit * 5 + 1) AS a, intHash64(visit * 5 + 2) AS b, intHash64(visit * 5 + 3) AS c, \
           intHash64(number + 700000000000) AS e, intHash64(number + 900000000000) AS f, \
           a % 100 AS share, multiIf(share < 60, 0, share < 80, 1, share < 90, 2, share < 97, 3, 4) AS tenant, \
           [2000000, 700000, 350000, 250000, 100000][tenant + 1] * {scale} AS people, \
           toUInt64(people * pow((b % 1000000007) / 1000000007, 2.5)) AS rank, \
           intHash64(rank * 8 + tenant) AS u, intHash64(rank * 8 + tenant + 500000000000) AS v, \
           if(rank < people / 20, {days}, 1 + {days} * pow((v % 1000003) / 1000003, 2)) AS life, \
           positiveModulo(toInt64(u % 150) - 60 + toInt64(floor(life * pow((c % 1000003) / 1000003, 1.5))), {days}) AS on, \
           {names} AS names, \
           toDateTime64(toDate({first}), 3, 'UTC') + toIntervalMillisecond(on * 86400000 + (c % 82000) * 1000 + nth * (1000 + e % 60000)) AS at, \
           concat('u', toString(tenant), '-', toString(rank)) AS who, \
           if(nth = 0, 'session_start', names[1 + f % length(names)]) AS name, \
           ['free', 'free', 'free', 'free', 'free', 'free', 'pro', 'pro', 'team', 'enterprise'][1 + v % 10] AS plan \
         SELECT {project} + tenant, name, toDate(at), xxh3(who), at, nth, reinterpretAsUUID(sipHash128(number)), at, who, '', who, visit, \
           multiIf(name IN ('view_item', 'add_to_cart'), concat('/products/', toString(e % 2000)), f % 5 = 0, '/', f % 5 = 1, '/pricing', \
             concat('/docs/', toString(e % 300))), 'shop.example', \
           ['US', 'US', 'US', 'US', 'DE', 'DE', 'GB', 'FR', 'IN', 'IN', 'BR', 'JP', 'CA', 'ES', 'IT', 'PL', 'AU', 'KR'][1 + u % 18], \
           ['Chrome', 'Chrome', 'Chrome', 'Safari', 'Safari', 'Firefox', 'Edge', 'Opera'][1 + c % 8], 'macOS', 'desktop', 'bench/1', \
           if(name IN ('purchase', 'add_to_cart', 'begin_checkout'), round(exp(1 + 4 * (e % 1000) / 1000), 2), 0), '', \
           concat('{{\"plan\":\"', plan, '\"}}'), 0, toDate(at), 0, 1, 0 \
         FROM numbers_mt({events}) SETTINGS max_insert_threads = 4, max_threads = 4",
        days = DAYS,
        first = first.as_u16(),
        scale = events as f64 / 1e8,
    );
    installation.sql(&sql).await?;
    installation
        .sql("INSERT INTO actor_days SELECT DISTINCT project, actor, local_day, 0, 1 FROM events")
        .await?;
    for table in ["events", "actor_days"] {
        installation.sql(&format!("OPTIMIZE TABLE {table} FINAL")).await?;
    }
    let (zone, cuts) = (Zone::utc(), [1, 0, 0, 0]);
    let bar = crate::table::bar(DAYS as u64, "rollups");
    for n in (0..=DAYS).progress_with(bar) {
        // A visit may end after midnight.
        let day = first.plus(n);
        let generation = installation.stream.next_generation().await?;
        let store = &installation.store;
        store.rebuild_counts(project, day, generation, &cuts).await?;
        let generation = installation.stream.next_generation().await?;
        store
            .rebuild_sketches(project, day, &zone, generation, &cuts)
            .await?;
    }
    Ok(())
}
