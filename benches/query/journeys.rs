//! What people did one after the other.

use anyhow::ensure;
use footfall::event::Day;
use serde_json::json;

use crate::cases::Bench;
use crate::client::{Connection, post};
use crate::table::{line, ms};

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
               SELECT arrayJoin(arraySplit((name, gap) -> gap >= 1800000, es.2, arrayDifference(es.1))) AS one \
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
        let mut connection = Connection::open(&self.api).await?;
        let first = connection.ask(&post(&self.api, &web)).await?;
        ensure!(first.status == 200, "{}", String::from_utf8_lossy(&first.body));
        line("web overview, 30 days: the very first", &ms(first.taken));
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
}
