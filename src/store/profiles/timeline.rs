//! What a person did, the latest first.

use clickhouse::Row;
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
        let behind = match before {
            Some(_) => {
                "AND day <= toDate({before_day:UInt16}) AND (ts, seq, UUIDToNum(id)) < \
                 (fromUnixTimestamp64Milli({before:Int64}, 'UTC'), {before_seq:UInt32}, UUIDToNum({before_id:UUID}))"
            }
            None => "",
        };
        // ClickHouse finds the page by time, place and id alone, and reads the other columns of its rows only.
        let sql = format!(
            "SELECT {COLUMNS} FROM {} {behind} ORDER BY ts DESC, seq DESC, UUIDToNum(id) DESC LIMIT {{limit:UInt32}}",
            theirs.events()
        );
        let query = theirs.bind(self.question(project, &sql)).param("limit", limit);
        facts(match before {
            Some(place) => query
                .param("before", place.ts)
                .param("before_day", Day::of_utc(place.ts).as_u16())
                .param("before_seq", place.seq)
                .param("before_id", place.id.to_string()),
            None => query,
        })
        .await
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
