//! What people did one after the other, and who they are.

use std::time::Duration;

use anyhow::ensure;
use footfall::event::Day;
use serde_json::{Value, json};

use crate::cases::{Bench, STEPS, median};
use crate::client::{Connection, post};
use crate::table::{Cost, beside};

impl Bench<'_> {
    pub async fn paths(&self, from: Day, end: Day) -> anyhow::Result<()> {
        let question = json!({"kind": "paths", "anchor": {"event": "signup"}, "count": "total", "from": from.to_string(),
            "to": end.to_string()});
        let events = format!(
            "FROM events WHERE project = {} AND day >= '{from}' AND day < '{end}'",
            self.api.number
        );
        let sql = format!(
            "SELECT arraySlice(arrayCompact(arraySlice(one, indexOf(one, 'signup'))), 1, 5) AS path, count() FROM ( \
               SELECT arrayJoin(arraySplit((name, begins) -> begins, arrayMap(e -> e.2, es), \
                 arrayMap((e, n) -> n > 1 AND e.1 - es[n - 1].1 >= 1800000, es, arrayEnumerate(es)))) AS one \
               FROM (SELECT actor, arraySort(groupArray((toUnixTimestamp64Milli(ts), toString(event)))) AS es {events} \
                 AND actor IN (SELECT actor {events} AND event = 'signup') GROUP BY actor) \
             ) WHERE has(one, 'signup') GROUP BY path ORDER BY count() DESC"
        );
        self.beside(
            "paths after signup, 30 days, beside arrays of sessions",
            &question,
            &sql,
        )
        .await
    }

    /// Beside what only a client that numbers its sessions allows: a group for each of them, without the two days before.
    pub async fn visits(&self, from: Day, end: Day) -> anyhow::Result<()> {
        let number = self.api.number;
        let range = json!({"from": from.to_string(), "to": end.to_string()});
        let web = json!({"kind": "web", "from": range["from"], "to": range["to"]});
        let dimensions = [
            "source", "campaign", "entry", "exit", "country", "device", "browser", "os",
        ];
        let sets: Vec<String> = dimensions.iter().map(|name| format!("({name})")).collect();
        let sql = format!(
            "SELECT {names}, uniqExact(actor), count(), sum(views), countIf(views = 1 AND last - first < 10000), sum(last - first) \
             FROM (SELECT actor, session, device_id, min(toUnixTimestamp64Milli(ts)) AS first, max(toUnixTimestamp64Milli(ts)) AS last, \
                 countIf(event = 'page_view') AS views, argMin(if(utm_source != '', utm_source, referrer_host), ts) AS source, \
                 argMin(utm_campaign, ts) AS campaign, argMinIf(path, ts, event = 'page_view') AS entry, \
                 argMaxIf(path, ts, event = 'page_view') AS exit, argMin(country, ts) AS country, argMin(device, ts) AS device, \
                 argMin(browser, ts) AS browser, argMin(os, ts) AS os \
               FROM events WHERE project = {number} AND day >= '{from}' AND day < '{end}' GROUP BY actor, session, device_id \
               HAVING views > 0) GROUP BY GROUPING SETS ({sets}, ()) FORMAT Null",
            names = dimensions.join(", "),
            sets = sets.join(", ")
        );
        self.beside("web overview, 30 days", &web, &sql).await?;
        let mut question = json!({"kind": "sessions", "from": range["from"], "to": range["to"]});
        let sql = format!(
            "SELECT toDate(first, 'UTC') AS on, count(), avg(last - first), median(last - first) FROM (SELECT min(ts) AS first, max(ts) AS last \
               FROM events WHERE project = {number} AND day >= '{from}' AND day < '{end}' GROUP BY actor, session, device_id) GROUP BY on"
        );
        self.beside("sessions by day, 30 days", &question, &sql).await?;
        question["breakdown"] = json!("country");
        self.beside("sessions by day and country, 30 days", &question, &sql)
            .await
    }

    /// The same questions when every person was known by another id before: an override each, at most a million.
    pub async fn identified(&self, from: Day, end: Day) -> anyhow::Result<()> {
        let number = self.api.number;
        let sql = |table: &str| {
            format!(
                "INSERT INTO {table} SELECT {number}, actor, xxh3(concat('person of ', toString(actor))), \
                   9223372036854775807, 1 FROM (SELECT DISTINCT actor FROM actor_days WHERE project = {number} LIMIT 1000000)"
            )
        };
        let steps: Vec<Value> = STEPS[..3].iter().map(|step| json!({"event": step})).collect();
        let funnel = json!({"kind": "funnel", "steps": steps, "window": "7d", "from": from.to_string(),
            "to": end.to_string()});
        let persons = json!({"kind": "trends", "series": [{"event": "page_view", "measure": "persons"}],
            "from": from.to_string(), "to": end.to_string()});
        println!(
            "\nthe same before and after each person has an override (before stands in the place of SQL)"
        );
        let before = [self.alone(&funnel).await?, self.alone(&persons).await?];
        for table in ["person_changes", "person_map"] {
            self.installation.sql(&sql(table)).await?;
        }
        let after = [self.alone(&funnel).await?, self.alone(&persons).await?];
        for ((name, before), after) in ["funnel of 3 steps, 30 days", "persons by day, 30 days"]
            .iter()
            .zip(before)
            .zip(after)
        {
            beside(name, after, before);
        }
        Ok(())
    }

    /// Asks a question, each time computed anew.
    async fn alone(&self, question: &Value) -> anyhow::Result<Cost> {
        let request = post(&self.api, question);
        let mut connection = Connection::open(&self.api).await?;
        let (mut walls, mut spent) = (Vec::new(), Duration::ZERO);
        for turn in 0..=self.arguments.repeat {
            self.change().await?;
            let before = self.cpu();
            let reply = connection.ask(&request).await?;
            ensure!(reply.status == 200, "{}", String::from_utf8_lossy(&reply.body));
            if turn > 0 {
                walls.push(reply.taken);
                spent += self.cpu() - before;
            }
        }
        Ok(Cost {
            wall: median(&mut walls),
            cpu: spent / self.arguments.repeat.max(1) as u32,
        })
    }
}
