//! The questions, each measured in its own way.

use std::time::{Duration, Instant};

use anyhow::ensure;
use footfall::event::Day;
use serde_json::{Value, json};

use crate::Arguments;
use crate::client::{Connection, get, load, post};
use crate::data::{DAYS, fill, first_day};
use crate::engines::process::{Process, cpu};
use crate::installation::{Api, Installation};
use crate::table::{Cost, beside, head, line, ms};

/// The steps of funnels.
pub const STEPS: [&str; 5] = [
    "page_view",
    "view_item",
    "add_to_cart",
    "begin_checkout",
    "purchase",
];

/// What is measured, and with what.
pub struct Bench<'a> {
    pub installation: &'a Installation,
    pub api: Api,
    pub arguments: &'a Arguments,
    /// ClickHouse, Redis, footfall.
    processes: Vec<Process>,
}

/// Fills the tables and measures everything.
pub async fn measure(installation: &Installation, arguments: &Arguments) -> anyhow::Result<()> {
    let api = installation.api().await?;
    let began = Instant::now();
    fill(installation, api.number, arguments.events).await?;
    let mut processes = installation.engines();
    processes.push(api.process());
    let bench = Bench {
        installation,
        api,
        arguments,
        processes,
    };
    let number = bench.api.number;
    let sql = format!("SELECT count(), uniqExact(actor) FROM events WHERE project = {number}");
    let found = installation.sql(&sql).await?;
    let found: Vec<&str> = found.split_whitespace().collect();
    line("events, all projects", &arguments.events.to_string());
    line(
        "events and people of the project asked about",
        &found.join(" and "),
    );
    let sql = "SELECT formatReadableSize(sum(bytes_on_disk)) FROM system.parts WHERE active AND database = currentDatabase()";
    let disk = installation.sql(sql).await?;
    line(
        "filled in, and on disk",
        &format!("{:.0} s, {}", began.elapsed().as_secs_f64(), disk.trim()),
    );
    if arguments.wants("users") {
        bench.active_users().await?;
    }
    bench.computed().await
}

impl Bench<'_> {
    /// Something changes in the project: nothing that is remembered counts any more.
    pub async fn change(&self) -> anyhow::Result<()> {
        Ok(self.installation.stream.raise_rev(&[self.api.number]).await?)
    }

    /// CPU time of all processes so far.
    pub fn cpu(&self) -> Duration {
        cpu(&self.processes).iter().sum()
    }

    async fn active_users(&self) -> anyhow::Result<()> {
        let (first, end) = (first_day(), first_day().plus(DAYS));
        let mut connection = Connection::open(&self.api).await?;
        let path = |from: Day| format!("/active-users?from={from}&to={end}");
        let request = get(&self.api, &path(first), None);
        println!(
            "\nDAU, WAU, MAU of {DAYS} days, time at the server (median of {})",
            200
        );
        let told = at_server(&connection.ask(&request).await?.body)?;
        line("  the very first question", &ms(told));
        let mut warm = Vec::new();
        for _ in 0..200 {
            warm.push(at_server(&connection.ask(&request).await?.body)?);
        }
        line("  the same again", &ms(median(&mut warm)));
        let mut other = Vec::new();
        for n in 1..60 {
            let request = get(&self.api, &path(first.plus(n)), None);
            other.push(at_server(&connection.ask(&request).await?.body)?);
        }
        line(
            "  another range, nothing changed: days from memory",
            &ms(median(&mut other)),
        );
        let mut changed = Vec::new();
        for _ in 0..50 {
            self.change().await?;
            changed.push(at_server(&connection.ask(&request).await?.body)?);
        }
        line(
            "  after a change: only what is new is read",
            &ms(median(&mut changed)),
        );

        let time = Duration::from_secs(self.arguments.seconds);
        let tag = connection.tag(&request).await?;
        let held = get(&self.api, &path(first), Some(&tag));
        let post = post(
            &self.api,
            &json!({"kind": "active_users", "from": first.to_string(), "to": end.to_string()}),
        );
        println!(
            "\nquestions a second over HTTP with a secret key, {} kept connections, {} s; the load shares the cores",
            self.arguments.connections, self.arguments.seconds
        );
        for (name, request, status) in [
            ("  GET, whole answer", &request, 200),
            ("  POST query, whole answer", &post, 200),
            ("  GET, If-None-Match", &held, 304),
        ] {
            let before = cpu(&self.processes);
            let own_before = cpu(&[own()]);
            let load = load(&self.api, request, status, self.arguments.connections, time).await?;
            let (after, own_after) = (cpu(&self.processes), cpu(&[own()]));
            let each = |time: Duration| time.as_secs_f64() * 1e6 / load.answers as f64;
            let spent: Vec<String> = self
                .processes
                .iter()
                .zip(before.iter().zip(&after))
                .map(|(process, (before, after))| format!("{} {:.0}", process.name, each(*after - *before)))
                .collect();
            line(
                name,
                &format!(
                    "{:.0}/s, p50 {:.1} ms, p99 {:.1} ms; CPU us each: {}, load {:.0}",
                    load.rate(),
                    load.percentile(50),
                    load.percentile(99),
                    spent.join(", "),
                    each(own_after[0] - own_before[0])
                ),
            );
        }
        Ok(())
    }

    async fn computed(&self) -> anyhow::Result<()> {
        let end = first_day().plus(DAYS);
        let from = end.plus(-30);
        head();
        if self.arguments.wants("counts") {
            self.counts(from, end).await?;
        }
        if self.arguments.wants("visits") {
            self.visits(from, end).await?;
        }
        if self.arguments.wants("retention") {
            self.retention(end.plus(-56), end).await?;
        }
        if self.arguments.wants("paths") {
            self.paths(from, end).await?;
        }
        if self.arguments.wants("people") {
            self.people(from, end).await?;
        }
        Ok(())
    }

    async fn counts(&self, from: Day, end: Day) -> anyhow::Result<()> {
        let first = first_day();
        let number = self.api.number;
        let trend = json!({"kind": "trends", "events": ["page_view"], "from": first.to_string(), "to": end.to_string()});
        let sql = format!(
            "SELECT day, count() FROM events WHERE project = {number} AND event = 'page_view' AND day >= '{first}' \
             AND day < '{end}' GROUP BY day ORDER BY day"
        );
        self.beside("trend by day, 90 days, from rollups", &trend, &sql)
            .await?;
        for count in [3, 5] {
            let steps: Vec<Value> = STEPS[..count].iter().map(|step| json!({"event": step})).collect();
            let funnel = json!({"kind": "funnel", "steps": steps, "window": "7d", "from": from.to_string(),
                "to": end.to_string()});
            let conditions: Vec<String> = STEPS[..count]
                .iter()
                .map(|step| format!("event = '{step}'"))
                .collect();
            let names: Vec<String> = STEPS[..count].iter().map(|step| format!("'{step}'")).collect();
            let sql = format!(
                "SELECT level, count() FROM (SELECT actor, windowFunnel(604800000)(toUInt64(toUnixTimestamp64Milli(ts)), {}) \
                 AS level FROM events WHERE project = {number} AND event IN ({}) AND day >= '{from}' AND day < '{end}' \
                 GROUP BY actor) GROUP BY level ORDER BY level",
                conditions.join(", "),
                names.join(", ")
            );
            self.beside(
                &format!("funnel of {count} steps, 30 days, beside windowFunnel"),
                &funnel,
                &sql,
            )
            .await?;
        }
        let filtered = json!({"kind": "trends", "events": ["page_view"], "from": from.to_string(), "to": end.to_string(),
            "filter": {"property": "plan", "op": "is_not", "value": "free"}, "breakdown": [{"property": "$browser"}]});
        let sql = format!(
            "SELECT browser, day, count() FROM events WHERE project = {number} AND event = 'page_view' AND day >= '{from}' \
             AND day < '{end}' AND JSONExtractString(props, 'plan') != 'free' GROUP BY browser, day ORDER BY browser, day"
        );
        self.beside("trend by day, 30 days, filter and breakdown", &filtered, &sql)
            .await?;
        let persons = json!({"kind": "trends", "series": [{"event": "page_view", "measure": "persons"}],
            "from": from.to_string(), "to": end.to_string(), "breakdown": [{"property": "$country"}]});
        let sql = format!(
            "SELECT country, day, uniqExact(actor) FROM events WHERE project = {number} AND event = 'page_view' \
             AND day >= '{from}' AND day < '{end}' GROUP BY GROUPING SETS ((country, day), (country))"
        );
        self.beside("trend by day, 30 days, persons by country", &persons, &sql)
            .await
    }

    async fn retention(&self, from: Day, end: Day) -> anyhow::Result<()> {
        let number = self.api.number;
        let asked = |more: Value| {
            let mut question = json!({"kind": "retention", "unit": "week", "periods": 8, "from": from.to_string(),
                "to": end.to_string()});
            for (name, value) in more.as_object().into_iter().flatten() {
                question[name] = value.clone();
            }
            question
        };
        let sql = format!(
            "SELECT mask, count() FROM (SELECT actor, groupBitOr(bitShiftLeft(toUInt16(1), toUInt16(intDiv(day - toDate('{from}'), 7)))) \
             AS mask FROM actor_days WHERE project = {number} AND day >= '{from}' AND day < '{end}' GROUP BY actor) GROUP BY mask"
        );
        self.beside(
            "retention, 8 weeks, beside masks of actor_days",
            &asked(json!({})),
            &sql,
        )
        .await?;
        let of_events = format!("FROM events WHERE project = {number} AND day >= '{from}' AND day < '{end}'");
        let sql = format!(
            "SELECT first, p - first AS k, count() FROM (SELECT actor, p, count() AS c, min(p) OVER (PARTITION BY actor) AS first \
             FROM (SELECT actor, intDiv(day - toDate('{from}'), 7) AS p {of_events}) GROUP BY actor, p) WHERE c >= 2 \
             GROUP BY first, k"
        );
        self.beside(
            "retention, 8 weeks, twice a week",
            &asked(json!({"minimum": 2})),
            &sql,
        )
        .await?;
        let sql = format!(
            "SELECT cohort, k, count() FROM (SELECT arrayMin(at) AS t, intDiv(t, 604800000) AS cohort, \
               arrayJoin(arrayDistinct(arrayMap(x -> intDiv(x - t, 604800000), at))) AS k \
             FROM (SELECT actor, groupArray(toUnixTimestamp64Milli(ts)) AS at {of_events} GROUP BY actor)) GROUP BY cohort, k"
        );
        self.beside(
            "retention, 8 weeks, rolling clock",
            &asked(json!({"clock": "rolling"})),
            &sql,
        )
        .await?;
        let sql = format!(
            "SELECT intDiv(toDate(t) - toDate('{from}'), 7) AS cohort, intDiv(day - toDate(t), 7) AS k, uniqExact(actor) \
             FROM (SELECT actor, day, ts {of_events} AND actor IN (SELECT actor {of_events} AND event = 'signup')) AS e \
             INNER JOIN (SELECT actor, min(ts) AS t {of_events} AND event = 'signup' GROUP BY actor) AS s USING actor \
             WHERE ts > t GROUP BY cohort, k"
        );
        self.beside(
            "retention, 8 weeks, of those who signed up",
            &asked(json!({"start": {"event": "signup"}})),
            &sql,
        )
        .await
    }

    /// Asks ours and theirs in turn, each computed anew.
    pub async fn beside(&self, name: &str, question: &Value, sql: &str) -> anyhow::Result<()> {
        let request = post(&self.api, question);
        let mut connection = Connection::open(&self.api).await?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut our_cpu, mut their_cpu) = (Duration::ZERO, Duration::ZERO);
        for turn in 0..=self.arguments.repeat {
            self.change().await?;
            let before = self.cpu();
            let reply = connection.ask(&request).await?;
            if reply.status == 422 {
                line(name, "(not in this build)");
                return Ok(());
            }
            ensure!(reply.status == 200, "{}", String::from_utf8_lossy(&reply.body));
            let between = self.cpu();
            let started = Instant::now();
            self.installation.sql(sql).await?;
            let taken = started.elapsed();
            // The first of each warms up.
            if turn > 0 {
                ours.push(reply.taken);
                theirs.push(taken);
                our_cpu += between - before;
                their_cpu += self.cpu() - between;
            }
        }
        let cost = |wall: &mut Vec<Duration>, cpu: Duration| Cost {
            wall: median(wall),
            cpu: cpu / self.arguments.repeat.max(1) as u32,
        };
        beside(name, cost(&mut ours, our_cpu), cost(&mut theirs, their_cpu));
        Ok(())
    }
}

/// This process, which asks.
fn own() -> Process {
    Process {
        name: "load",
        pid: std::process::id(),
    }
}

/// The middle one.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What the envelope says that it took.
fn at_server(body: &[u8]) -> anyhow::Result<Duration> {
    let answer: Value = serde_json::from_slice(body)?;
    let taken = answer["meta"]["elapsed_ms"].as_f64();
    ensure!(taken.is_some(), "{answer}");
    Ok(Duration::from_secs_f64(taken.unwrap_or(0.0) / 1e3))
}
