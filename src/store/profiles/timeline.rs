//! What a person did, the latest first.

use clickhouse::Row;
use serde::Deserialize;

use super::current::told;
use crate::event::{Day, ProjectNumber};
use crate::metrics::person::{GROUP_MARKS, Written};
use crate::store::events::{COLUMNS, Place, StoredEvent};
use crate::store::people::{PEOPLE, maybe_of};
use crate::store::{Facts, Store, StoreError, facts};

#[derive(Row, Deserialize)]
struct Known {
    first: i64,
    last: i64,
}

impl Store {
    /// A page of a person's events, the latest first, under whichever of their ids; behind `before`.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn timeline(
        &self,
        project: ProjectNumber,
        person: u64,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Facts<Vec<StoredEvent>>, StoreError> {
        // The days on which they were seen at all spare most of the table.
        let sql = format!(
            "SELECT toUnixTimestamp64Milli(min(first_seen)) AS first, toUnixTimestamp64Milli(max(last_seen)) AS last \
             FROM profiles WHERE project = {{project:UInt32}} AND kind = '' AND {}",
            crate::store::people::actors_of("owner", "{persons:Array(UInt64)}")
        );
        let query = self.question(project, &sql).param("persons", [person].as_slice());
        let known: Facts<Vec<Known>> = facts(query).await?;
        let Some(Known { first, last }) = known.rows.first().filter(|known| known.last > 0) else {
            return Ok(Facts {
                rows: Vec::new(),
                rows_read: known.rows_read,
            });
        };
        let last = before.map_or(*last, |place| place.ts.min(*last));
        let behind = match before {
            Some(_) => {
                "AND (ts, seq, UUIDToNum(id)) < \
                 (fromUnixTimestamp64Milli({before:Int64}, 'UTC'), {before_seq:UInt32}, UUIDToNum({before_id:UUID}))"
            }
            None => "",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM {PEOPLE} WHERE project = {{project:UInt32}} \
               AND day >= toDate({{first:UInt16}}) AND day <= toDate({{last:UInt16}}) \
               AND {} AND person = {{person:UInt64}} {behind} \
             ORDER BY ts DESC, seq DESC, UUIDToNum(id) DESC LIMIT {{limit:UInt32}}",
            maybe_of("{persons:Array(UInt64)}")
        );
        let mut query = self
            .question(project, &sql)
            .param("persons", [person].as_slice())
            .param("person", person)
            .param("first", Day::of_utc(*first).as_u16())
            .param("last", Day::of_utc(last).as_u16())
            .param("limit", limit);
        if let Some(place) = before {
            query = query
                .param("before", place.ts)
                .param("before_seq", place.seq)
                .param("before_id", place.id.to_string());
        }
        let mut page: Facts<Vec<StoredEvent>> = facts(query).await?;
        page.rows_read += known.rows_read;
        Ok(page)
    }
}

/// Events that are looked at for the groups of a person.
const LOOKED_AT: u32 = 1_000;

#[derive(Row, Deserialize)]
struct Line {
    actor: u64,
    props: String,
}

impl Store {
    /// The groups that a person's last events name, the latest first: type and key, each once.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn groups_of(
        &self,
        project: ProjectNumber,
        person: u64,
    ) -> Result<Facts<Vec<(String, String)>>, StoreError> {
        let sql = format!(
            "SELECT actor, props FROM {PEOPLE} WHERE project = {{project:UInt32}} AND {} \
               AND person = {{person:UInt64}} AND ({}) \
             ORDER BY ts DESC, seq DESC, UUIDToNum(id) DESC LIMIT {LOOKED_AT}",
            maybe_of("{persons:Array(UInt64)}"),
            told(&GROUP_MARKS)
        );
        let query = self
            .question(project, &sql)
            .param("persons", [person].as_slice())
            .param("person", person);
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
