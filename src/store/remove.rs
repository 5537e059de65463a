//! Removing rows on purpose: the subject of a removal as SQL, counted, deleted, and off the disk.
//!
//! A lightweight delete only masks rows, in a fraction of the time that rewriting their parts takes; so a shard's
//! owner deletes that way and goes on delivering. The masks of all removals are applied together afterwards
//! ([`Store::apply_masks`]): one rewrite of a partition, however many people were erased in it.
//!
//! The SQL holds numbers only (actors, times): a mutation's text stays in ClickHouse's logs.

use clickhouse::Row;
use serde::Deserialize;

use super::{Store, StoreError};
use crate::event::{Day, ProjectNumber, Subject, Which, flag};

/// Tables whose masked rows hold something of a person.
const MASKED: &str = "('events', 'actor_days', 'profiles', 'profile_properties', 'profile_adds', 'cohort_members', \
                      'identity_edges', 'identity_rulings', 'identity_markers', 'identity_moves', 'person_map', \
                      'person_changes')";

/// Instants beyond are no bound: the year 2149, where ClickHouse's days end.
const END_OF_TIME: i64 = 5_650_000_000_000;

/// Where a subject's events are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Events.
    pub events: u64,
    /// Starts of the UTC quarter hours in which they happened, in seconds.
    pub quarter_hours: Vec<i64>,
    /// Local days that were noted at capture.
    pub local_days: Vec<Day>,
}

pub(super) fn instant(ms: i64) -> String {
    format!("fromUnixTimestamp64Milli({ms}, 'UTC')")
}

/// What was known by then.
fn known_at(until: i64) -> String {
    if until >= END_OF_TIME {
        return "1".to_owned();
    }
    let until = instant(until);
    format!("(ts <= {until} OR received_at <= {until})")
}

pub(super) fn list(actors: &[u64]) -> String {
    let actors: Vec<String> = actors.iter().map(u64::to_string).collect();
    actors.join(", ")
}

/// The subject as a condition on `events`, without the project.
pub(super) fn which(subject: &Subject) -> String {
    match &subject.which {
        Which::Persons {
            actors,
            until,
            splits,
        } => {
            let anothers = splits
                .iter()
                .map(|(device, from)| format!(" AND NOT (actor = {device} AND ts >= {})", instant(*from)));
            format!(
                "actor IN ({}) AND {}{}",
                list(actors),
                known_at(*until),
                anothers.collect::<String>()
            )
        }
        Which::Times { from, to } => {
            let mut bounds = vec!["1".to_owned()];
            if *from > 0 {
                let day = Day::of_utc(*from).as_u16();
                bounds.push(format!("day >= toDate({day}) AND ts >= {}", instant(*from)));
            }
            if *to < END_OF_TIME {
                let (day, to) = (Day::of_utc((*to).max(0)).as_u16(), instant((*to).max(0)));
                bounds.push(format!("day <= toDate({day}) AND ts < {to}"));
            }
            bounds.join(" AND ")
        }
        Which::Until { until } => known_at(*until),
    }
}

/// The subject as a condition on `events`.
fn of(subject: &Subject) -> String {
    format!("project = {} AND {}", subject.project, which(subject))
}

/// The days of a subject's persons, `day` being the column with the local day.
fn days_of(subject: &Subject, days: Option<(Day, Day)>, day: &str) -> String {
    let actors = subject
        .actors()
        .map(|actors| format!(" AND actor IN ({})", list(actors)));
    let days = days.map(|(first, last)| {
        format!(
            " AND {day} >= toDate({}) AND {day} <= toDate({})",
            first.as_u16(),
            last.as_u16()
        )
    });
    format!(
        "project = {}{}{}",
        subject.project,
        actors.unwrap_or_default(),
        days.unwrap_or_default()
    )
}

/// Days of which it is noted that an actor's events changed hands, and on which nothing of that actor is left.
pub(super) fn idle_moves(subject: &Subject, days: Option<(Day, Day)>) -> String {
    format!(
        "{} AND actor != 0 AND (actor, day) NOT IN (SELECT actor, local_day FROM events WHERE {})",
        days_of(subject, days, "day"),
        days_of(subject, days, "local_day")
    )
}

/// Days of activity that nothing but the subject's events stands for. Right before they are deleted and after.
fn idle_days(subject: &Subject, days: Option<(Day, Day)>) -> String {
    let scope = |day: &str| days_of(subject, days, day);
    format!(
        "{} AND (actor, day) NOT IN (SELECT actor, local_day FROM events WHERE {} AND bitAnd(flags, {}) = 0 \
         AND NOT ({}))",
        scope("day"),
        scope("local_day"),
        flag::NOT_ACTIVITY,
        which(subject)
    )
}

impl Store {
    /// Where the subject's events are.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn find_subject(&self, subject: &Subject) -> Result<Found, StoreError> {
        #[derive(Row, Deserialize)]
        struct Place {
            quarter: i64,
            local: u16,
            found: u64,
        }
        let places: Vec<Place> = self
            .statement(&format!(
                "SELECT toInt64(intDiv(toUnixTimestamp64Milli(ts), 900000)) AS quarter, local_day AS local, \
                   count() AS found \
                 FROM events WHERE {} GROUP BY quarter, local ORDER BY quarter, local",
                of(subject)
            ))
            .fetch_all()
            .await?;
        let mut found = Found {
            events: places.iter().map(|place| place.found).sum(),
            quarter_hours: places.iter().map(|place| place.quarter * 900).collect(),
            local_days: places.iter().map(|place| Day(place.local.into())).collect(),
        };
        found.quarter_hours.dedup();
        found.local_days.sort_unstable();
        found.local_days.dedup();
        Ok(found)
    }

    /// The subject's events that a shard brought.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn subject_rows(&self, subject: &Subject, shard: u16) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count() FROM events WHERE {} AND shard = {shard}",
            of(subject)
        );
        Ok(self.statement(&sql).fetch_one().await?)
    }

    /// Deletes the subject's events that a shard brought: masks them, partition by partition, synchronously.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn delete_subject_rows(&self, subject: &Subject, shard: u16) -> Result<(), StoreError> {
        let rows = format!("{} AND shard = {shard}", of(subject));
        let partitions: Vec<String> = self
            .statement(&format!("SELECT DISTINCT _partition_id FROM events WHERE {rows}"))
            .fetch_all()
            .await?;
        for partition in partitions {
            self.statement(&format!(
                "DELETE FROM events IN PARTITION ID '{partition}' WHERE {rows}"
            ))
            .with_setting("lightweight_deletes_sync", "2")
            .execute()
            .await?;
        }
        Ok(())
    }

    /// Days of activity that only the subject's events stand for; `days` bounds the search to local days.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn subject_actor_days(
        &self,
        subject: &Subject,
        days: Option<(Day, Day)>,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(DISTINCT actor, day) FROM actor_days WHERE {}",
            idle_days(subject, days)
        );
        Ok(self.statement(&sql).fetch_one().await?)
    }

    /// Deletes these days. Ask when the events are gone. A batch that brings activity meanwhile inserts its events
    /// first, so its days are never taken for idle.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn delete_actor_days(
        &self,
        subject: &Subject,
        days: Option<(Day, Day)>,
    ) -> Result<(), StoreError> {
        if self.subject_actor_days(subject, days).await? > 0 {
            let sql = format!("DELETE FROM actor_days WHERE {}", idle_days(subject, days));
            self.statement(&sql)
                .with_setting("lightweight_deletes_sync", "2")
                .execute()
                .await?;
        }
        Ok(())
    }

    /// Removes the rollups of a project: those of UTC days and local days before the given ones, or all. Deltas
    /// first and the switches last, so that a reader in between finds less, never a day half. With `ledger` the
    /// ledger of these days goes too.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn forget_rollups(
        &self,
        project: ProjectNumber,
        before: Option<(Day, Day)>,
        ledger: bool,
    ) -> Result<(), StoreError> {
        let [bucket, local, switch, minute, late] = match before {
            None => Default::default(),
            Some((utc, local)) => {
                let (utc, local) = (utc.as_u16(), local.as_u16());
                [
                    format!(" AND toDate(bucket) < toDate({utc})"),
                    format!(" AND day < toDate({local})"),
                    format!(
                        " AND (kind = 'counts' AND day < toDate({utc}) OR kind = 'sketches' AND day < toDate({local}))"
                    ),
                    format!(" AND toDate(minute) < toDate({utc})"),
                    format!(" AND day < toDate({utc})"),
                ]
            }
        };
        let tables = [
            ("count_deltas", &bucket),
            ("sketch_deltas", &local),
            ("counts", &bucket),
            ("sketches", &local),
            ("compactions", &switch),
            ("ledger", &minute),
            ("client_sequences", &minute),
            ("late_days", &late),
        ];
        // The last three are the ledger's.
        for (table, older) in tables.into_iter().take(if ledger { 8 } else { 5 }) {
            let rows = format!("project = {project}{older}");
            let found: u64 = self
                .statement(&format!("SELECT count() FROM {table} WHERE {rows}"))
                .fetch_one()
                .await?;
            if found > 0 {
                self.statement(&format!("ALTER TABLE {table} DELETE WHERE {rows}"))
                    .with_setting("mutations_sync", "2")
                    .execute()
                    .await?;
            }
        }
        Ok(())
    }

    /// Takes masked rows off the disk; true when none is left. Otherwise the rewriting has begun or goes on: ask
    /// again. (The files that were replaced leave the disk some minutes later, as ClickHouse does it.)
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn apply_masks(&self) -> Result<bool, StoreError> {
        #[derive(Row, Deserialize)]
        struct Masked {
            table: String,
            partition: String,
        }
        let running: u64 = self
            .statement(&format!(
                "SELECT count() FROM system.mutations WHERE database = {{database:String}} AND table IN {MASKED} \
                 AND NOT is_done"
            ))
            .param("database", self.database())
            .fetch_one()
            .await?;
        if running > 0 {
            return Ok(false);
        }
        let masked: Vec<Masked> = self
            .statement(&format!(
                "SELECT DISTINCT table, partition_id AS partition FROM system.parts WHERE active \
                 AND database = {{database:String}} AND table IN {MASKED} AND has_lightweight_delete"
            ))
            .param("database", self.database())
            .fetch_all()
            .await?;
        for Masked { table, partition } in &masked {
            self.statement(&format!(
                "ALTER TABLE {table} APPLY DELETED MASK IN PARTITION ID '{partition}'"
            ))
            .with_setting("mutations_sync", "0")
            .execute()
            .await?;
        }
        Ok(masked.is_empty())
    }
}
