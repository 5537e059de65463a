//! What a person did, the latest first.

use std::collections::BTreeSet;

use clickhouse::Row;
use clickhouse::query::Query;
use serde::Deserialize;

use super::current::told;
use super::members::{Member, Theirs};
use crate::event::zone::UTC_DAY_MS;
use crate::event::{Day, ProjectNumber};
use crate::metrics::person::{GROUP_MARKS, Written};
use crate::store::events::{COLUMNS, Place, StoredEvent};
use crate::store::{Facts, Store, StoreError, facts};

/// How long before they were last seen the groups of a person are looked for.
const GROUPS_MS: i64 = 30 * UTC_DAY_MS;

/// Events that are looked at for the groups of a person.
const LOOKED_AT: u32 = 1_000;

#[derive(Row, Deserialize)]
struct Line {
    actor: u64,
    props: String,
}

/// What is looked at first, back from the start of a page.
const WINDOW_MS: i64 = 2 * UTC_DAY_MS;

/// A condition on when events happened.
const SINCE: &str =
    "AND day >= toDate({since_day:UInt16}) AND ts >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')";

/// Where an event of a page lies.
#[derive(Row, Deserialize)]
struct Spot {
    event: String,
    at: i64,
}

/// The statement of a page of somebody's events behind `before`.
fn page_sql(columns: &str, theirs: &Theirs, before: Option<Place>, within: &str) -> String {
    let behind = match before {
        Some(_) => {
            "AND day <= toDate({before_day:UInt16}) AND (ts, seq, UUIDToNum(id)) < \
             (fromUnixTimestamp64Milli({before:Int64}, 'UTC'), {before_seq:UInt32}, UUIDToNum({before_id:UUID}))"
        }
        None => "",
    };
    format!(
        "SELECT {columns} FROM {} {within} {behind} ORDER BY ts DESC, seq DESC, UUIDToNum(id) DESC LIMIT {{limit:UInt32}}",
        theirs.events()
    )
}

/// The query with all that [`page_sql`] and [`SINCE`] name.
fn page_of(query: Query, theirs: &Theirs, (since, before): (i64, Option<Place>), limit: u32) -> Query {
    let query = theirs
        .bind(query)
        .param("limit", limit)
        .param("since", since)
        .param("since_day", Day::of_utc(since).as_u16());
    match before {
        Some(place) => query
            .param("before", place.ts)
            .param("before_day", Day::of_utc(place.ts).as_u16())
            .param("before_seq", place.seq)
            .param("before_id", place.id.to_string()),
        None => query,
    }
}

impl Store {
    /// A page of a person's events, the latest first, under whichever of their ids; behind `before`.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn timeline(
        &self,
        project: ProjectNumber,
        members: &[Member],
        before: Option<Place>,
        limit: u32,
    ) -> Result<Facts<Vec<StoredEvent>>, StoreError> {
        if members.is_empty() {
            return Ok(Facts {
                rows: Vec::new(),
                rows_read: 0,
            });
        }
        let theirs = Theirs::of(members);
        // Whoever comes every day is in every part of the table, and the texts of events take longest to read: first where
        // the page lies, by narrow columns alone, and for most of those who come every day in the last days.
        let newest = before.map_or(theirs.last(), |place| place.ts);
        let mut page: Facts<Vec<Spot>> = Facts {
            rows: Vec::new(),
            rows_read: 0,
        };
        for window in [WINDOW_MS, i64::MAX] {
            let since = newest.saturating_sub(window).max(0);
            let sql = page_sql("event, toUnixTimestamp64Milli(ts) AS at", &theirs, before, SINCE);
            let query = page_of(self.question(project, &sql), &theirs, (since, before), limit);
            let found = facts(query).await?;
            page.rows_read += found.rows_read;
            page.rows = found.rows;
            if page.rows.len() == limit as usize {
                break;
            }
        }
        let Some(oldest) = page.rows.iter().map(|spot| spot.at).min() else {
            return Ok(Facts {
                rows: Vec::new(),
                rows_read: page.rows_read,
            });
        };
        let names: BTreeSet<&str> = page.rows.iter().map(|spot| spot.event.as_str()).collect();
        let within = format!("{SINCE} AND event IN {{names:Array(String)}}");
        let query = self.question(project, &page_sql(COLUMNS, &theirs, before, &within));
        let query = page_of(query, &theirs, (oldest, before), limit)
            .param("names", names.into_iter().collect::<Vec<_>>());
        let mut found: Facts<Vec<StoredEvent>> = facts(query).await?;
        found.rows_read += page.rows_read;
        Ok(found)
    }

    /// The groups that a person's events name, in the 30 days before they were last seen: type and key, each once, the
    /// latest first.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn groups_of(
        &self,
        project: ProjectNumber,
        members: &[Member],
    ) -> Result<Facts<Vec<(String, String)>>, StoreError> {
        let theirs = Theirs::of(members);
        let since = theirs.last().saturating_sub(GROUPS_MS).max(0);
        let sql = format!(
            "SELECT actor, props FROM {} AND day >= toDate({{since_day:UInt16}}) AND ({}) \
             ORDER BY ts DESC, seq DESC, UUIDToNum(id) DESC LIMIT {LOOKED_AT}",
            theirs.events(),
            told(&GROUP_MARKS)
        );
        let query = theirs.bind(self.question(project, &sql));
        let query = query.param("since_day", Day::of_utc(since).as_u16());
        let lines: Facts<Vec<Line>> = facts(query).await?;
        let mut groups: Vec<(String, String)> = Vec::new();
        for line in lines.rows {
            for group in Written::of(&line.props, line.actor).groups {
                if !groups.contains(&group) {
                    groups.push(group);
                }
            }
        }
        Ok(Facts {
            rows: groups,
            rows_read: lines.rows_read,
        })
    }
}
