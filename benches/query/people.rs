//! Persons: a million who are known, each by two ids, of whom the events are of some.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use footfall::event::{Day, actor_of};
use footfall::metrics::person::{Op, Owner, Position, Record, Stored};
use footfall::store::profiles::Scope;
use footfall::store::rows::{Profile, ProfileProperty};
use footfall::worker::profiles::fill;
use indicatif::ProgressIterator;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cases::{Bench, STEPS, median};
use crate::client::{Connection, get, post, post_to};
use crate::data::first_day;
use crate::table::{Cost, bar, beside, line, ms};

/// Persons in all.
const KNOWN: u64 = 1_000_000;
/// Persons that are inserted at once.
const AT_ONCE: u64 = 50_000;
/// Persons whose timelines are asked for.
const TIMELINES: u64 = 20;

impl Bench<'_> {
    /// Timelines and searches, then what overrides cost and when a merge is seen.
    pub async fn people(&self, from: Day, end: Day) -> anyhow::Result<()> {
        self.fill_people().await?;
        self.timelines(from).await?;
        self.searches().await?;
        self.identified(from, end).await
    }

    /// What events say of their persons, and people who were there long ago, with a name and an address each.
    async fn fill_people(&self) -> anyhow::Result<()> {
        let store = &self.installation.store;
        fill(store, &Scope::Everything).await?;
        let project = self.api.number;
        let sql = format!("SELECT uniqExact(owner) FROM profiles WHERE project = {project}");
        let found: u64 = self.installation.sql(&sql).await?.trim().parse()?;
        let day_ms = 86_400_000;
        let long_ago = i64::from(first_day().as_u16()) * day_ms;
        let more = KNOWN.saturating_sub(found).div_ceil(AT_ONCE);
        for part in (0..more).progress_with(bar(more, "people")) {
            let (mut profiles, mut properties) = (Vec::new(), Vec::new());
            for n in part * AT_ONCE..(part + 1) * AT_ONCE {
                let id = format!("former-{n}");
                let owner = Owner {
                    kind: String::new(),
                    number: actor_of(&id),
                };
                let seen = long_ago - (n % 365) as i64 * day_ms;
                let at = Position::at(seen, Uuid::from_u64_pair(n, n));
                for (name, value) in [
                    ("email", format!("person{n}@mail{}.example", n % 97)),
                    ("name", format!("Person {n}")),
                ] {
                    let mut record = Record::default();
                    record.write(at, Op::Set(Stored::Text(value)));
                    properties.push(ProfileProperty {
                        project,
                        owner: owner.clone(),
                        name: name.to_owned(),
                        record,
                    });
                }
                profiles.push(Profile {
                    project,
                    owner,
                    id,
                    is_user: true,
                    first_seen: seen,
                    last_seen: seen,
                });
            }
            store.fill_told(&profiles, &properties).await?;
        }
        for table in ["profiles", "profile_properties"] {
            self.installation
                .sql(&format!("OPTIMIZE TABLE {table} FINAL"))
                .await?;
        }
        line("\npeople that are known", &format!("{}", found + more * AT_ONCE));
        Ok(())
    }

    /// Timelines of those who came most, and of people in the middle.
    async fn timelines(&self, from: Day) -> anyhow::Result<()> {
        let number = self.api.number;
        for (name, skipped) in [("who came most", 0), ("in the middle", 10_000)] {
            let sql = format!(
                "SELECT any(distinct_id) FROM events WHERE project = {number} AND day >= '{from}' GROUP BY actor \
                 ORDER BY count() DESC, actor LIMIT {TIMELINES} OFFSET {skipped}"
            );
            let ids = self.installation.sql(&sql).await?;
            let mut connection = Connection::open(&self.api).await?;
            let (mut ours, mut theirs, mut profiles) = (Vec::new(), Vec::new(), Vec::new());
            let (mut our_cpu, mut their_cpu) = (Duration::ZERO, Duration::ZERO);
            for id in ids.lines() {
                let before = self.cpu();
                let page = connection
                    .ask(&get(&self.api, &format!("/persons/{id}/events"), None))
                    .await?;
                ensure!(page.status == 200, "{}", String::from_utf8_lossy(&page.body));
                our_cpu += self.cpu() - before;
                ours.push(page.taken);
                let sql = format!(
                    "SELECT event, ts, props FROM events WHERE project = {number} AND actor = xxh3('{id}') \
                     ORDER BY ts DESC LIMIT 100"
                );
                let before = self.cpu();
                let began = Instant::now();
                self.installation.sql(&sql).await?;
                theirs.push(began.elapsed());
                their_cpu += self.cpu() - before;
                let profile = connection
                    .ask(&get(&self.api, &format!("/persons/{id}"), None))
                    .await?;
                ensure!(
                    profile.status == 200,
                    "{}",
                    String::from_utf8_lossy(&profile.body)
                );
                profiles.push(profile.taken);
            }
            let cost = |walls: &mut Vec<Duration>, cpu: Duration| Cost {
                cpu: cpu / walls.len().max(1) as u32,
                wall: median(walls),
            };
            beside(
                &format!("timeline, 100 events, of people {name}"),
                cost(&mut ours, our_cpu),
                cost(&mut theirs, their_cpu),
            );
            line(
                &format!("  the profile of people {name}"),
                &ms(median(&mut profiles)),
            );
        }
        Ok(())
    }

    /// Texts that few and that all have, beside one pass over ids and addresses.
    async fn searches(&self) -> anyhow::Result<()> {
        let number = self.api.number;
        for (name, text) in [
            ("an address that one has", "person123456@"),
            ("an id that ten have", "former-12345"),
            ("an id that nobody has", "nobody-here"),
            ("a text that all have", "example"),
        ] {
            let sql = format!(
                "SELECT DISTINCT owner FROM (SELECT owner FROM profiles WHERE project = {number} AND id ILIKE '%{text}%' \
                   UNION ALL SELECT owner FROM profile_properties WHERE project = {number} AND name IN ('email', 'name') \
                     AND substring(latest, 26) ILIKE '%{text}%') LIMIT 50"
            );
            let question = json!({"kind": "persons", "search": text});
            self.beside(&format!("search: {name}"), &question, &sql).await?;
        }
        let sql = format!(
            "SELECT owner, max(last_seen) AS last FROM profiles WHERE project = {number} AND kind = '' GROUP BY owner \
             ORDER BY last DESC LIMIT 50"
        );
        self.beside(
            "the list of all, the latest first",
            &json!({"kind": "persons"}),
            &sql,
        )
        .await
    }

    /// The same questions when every person was known by another id before: an override each, a million of them. Then two
    /// persons are merged.
    async fn identified(&self, from: Day, end: Day) -> anyhow::Result<()> {
        let steps: Vec<Value> = STEPS[..3].iter().map(|step| json!({"event": step})).collect();
        let funnel = json!({"kind": "funnel", "steps": steps, "window": "7d", "from": from.to_string(),
            "to": end.to_string()});
        let persons = json!({"kind": "trends", "series": [{"event": "page_view", "measure": "persons"}],
            "from": from.to_string(), "to": end.to_string(), "breakdown": [{"property": "$country"}]});
        println!(
            "\nthe same before and after each person has an override (before stands in the place of SQL)"
        );
        let before = [self.alone(&funnel).await?, self.alone(&persons).await?];
        self.fill_overrides(from).await?;
        let after = [self.alone(&funnel).await?, self.alone(&persons).await?];
        for ((name, before), after) in [
            "funnel of 3 steps, 30 days",
            "trend by day, 30 days, persons by country",
        ]
        .iter()
        .zip(before)
        .zip(after)
        {
            beside(name, after, before);
        }
        self.merges(from, end).await
    }

    /// Each actor of the events was somebody else, and so was each device of those who left.
    async fn fill_overrides(&self, from: Day) -> anyhow::Result<()> {
        let number = self.api.number;
        // But for those who are merged afterwards: no event ever said what the others' rows say.
        let found = format!(
            "SELECT DISTINCT actor FROM actor_days WHERE project = {number} AND actor NOT IN ({})",
            self.merged(from)
        );
        for table in ["person_changes", "person_map"] {
            for rows in [
                format!(
                    "actor, xxh3(concat('person of ', toString(actor))), 9223372036854775807, 1 FROM ({found})"
                ),
                format!(
                    "xxh3(concat('device-', toString(number))), xxh3(concat('former-', toString(number))), \
                     9223372036854775807, 1 FROM numbers({KNOWN}) WHERE number >= (SELECT count() FROM ({found}))"
                ),
            ] {
                let sql = format!("INSERT INTO {table} SELECT {number}, {rows}");
                self.installation.sql(&sql).await?;
            }
        }
        let count = format!("SELECT count() FROM person_map WHERE project = {number}");
        line("overrides", self.installation.sql(&count).await?.trim());
        Ok(())
    }

    /// From the request that merges two persons to an answer that counts them once.
    async fn merges(&self, from: Day, end: Day) -> anyhow::Result<()> {
        let number = self.api.number;
        let count = json!({"kind": "trends", "series": [{"event": "page_view", "measure": "persons"}], "interval": "month",
            "from": from.to_string(), "to": end.to_string(), "breakdown": [{"property": "$lib"}]});
        let sql = format!(
            "SELECT any(distinct_id) FROM events WHERE project = {number} AND actor IN ({}) GROUP BY actor",
            self.merged(from)
        );
        let ids = self.installation.sql(&sql).await?;
        let ids: Vec<&str> = ids.lines().collect();
        let mut connection = Connection::open(&self.api).await?;
        let asked = post(&self.api, &count);
        let (mut said, mut seen) = (Vec::new(), Vec::new());
        let mut told = persons_of(&connection.ask(&asked).await?.body)?;
        for pair in ids.chunks_exact(2) {
            let body = json!({"from": {"user": pair[0]}, "into": {"user": pair[1]}});
            let began = Instant::now();
            let reply = connection
                .ask(&post_to(&self.api, "/persons/merge", &body))
                .await?;
            ensure!(reply.status == 200, "{}", String::from_utf8_lossy(&reply.body));
            said.push(began.elapsed());
            loop {
                let now = persons_of(&connection.ask(&asked).await?.body)?;
                if now < told {
                    told = now;
                    break;
                }
                ensure!(began.elapsed() < Duration::from_secs(60), "the merge is not seen");
            }
            seen.push(began.elapsed());
        }
        line("a merge is answered after", &ms(median(&mut said)));
        line(
            "and an answer that counts the two once is there after",
            &ms(median(&mut seen)),
        );
        Ok(())
    }

    /// Those who are merged, as SQL.
    fn merged(&self, from: Day) -> String {
        format!(
            "SELECT actor FROM events WHERE project = {} AND event = 'page_view' AND day >= '{from}' \
             GROUP BY actor ORDER BY actor LIMIT {}",
            self.api.number,
            2 * self.arguments.repeat
        )
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

/// The measure of the first series over the whole range.
fn persons_of(body: &[u8]) -> anyhow::Result<u64> {
    let answer: Value = serde_json::from_slice(body)?;
    let value = answer["data"]["series"][0]["value"].as_f64();
    Ok(value.with_context(|| format!("a value in {answer}"))? as u64)
}
