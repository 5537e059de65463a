//! What servers said about ids, as a list for people: who joined whom, who put whom apart, and when.

use clickhouse::Row;
use serde::Deserialize;

use super::{Store, StoreError};
use crate::event::ProjectNumber;
use crate::metrics::identity::Verdict;

/// A ruling with who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Whether `one` is a device; otherwise both are users.
    pub of_device: bool,
    pub one: String,
    pub other: String,
    pub verdict: Verdict,
    /// A user of Footfall, or a key.
    pub by: String,
    pub place: SaidPlace,
}

/// A place in the list, which runs backwards in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaidPlace {
    /// UTC milliseconds.
    pub at: i64,
    /// Of what was said at the same time, one after the other.
    pub mark: u64,
}

#[derive(Row, Deserialize)]
struct SaidRow {
    of_device: u8,
    one: String,
    other: String,
    joins: u8,
    said_by: String,
    at_ms: i64,
    mark: u64,
}

impl Store {
    /// A page of rulings, the latest first; with `id` those that name it. `before` is the last place of the page before.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn rulings(
        &self,
        project: ProjectNumber,
        id: Option<&str>,
        before: Option<SaidPlace>,
        limit: u32,
    ) -> Result<Vec<Said>, StoreError> {
        let mut conditions = String::from("project = {project:UInt32}");
        if id.is_some() {
            conditions.push_str(" AND (one = {id:String} OR other = {id:String})");
        }
        if before.is_some() {
            conditions.push_str(" AND (at_ms, mark) < ({at:Int64}, {mark:UInt64})");
        }
        let mut query = self
            .question(
                project,
                &format!(
                    "SELECT toUInt8(kind = 'device') AS of_device, one, other, toUInt8(verdict = 'join') AS joins, \
                       `by` AS said_by, toUnixTimestamp64Milli(at) AS at_ms, \
                       sipHash64(toInt8(kind), one, other, toInt8(verdict), said_by) AS mark \
                     FROM identity_rulings WHERE {conditions} \
                     ORDER BY at_ms DESC, mark DESC LIMIT 1 BY at_ms, mark LIMIT {{limit:UInt32}}"
                ),
            )
            .param("limit", limit);
        if let Some(id) = id {
            query = query.param("id", id);
        }
        if let Some(place) = before {
            query = query.param("at", place.at).param("mark", place.mark);
        }
        let rows: Vec<SaidRow> = query.fetch_all().await?;
        Ok(rows.into_iter().map(Said::from).collect())
    }
}

impl From<SaidRow> for Said {
    fn from(row: SaidRow) -> Said {
        Said {
            of_device: row.of_device == 1,
            one: row.one,
            other: row.other,
            verdict: if row.joins == 1 {
                Verdict::Join
            } else {
                Verdict::Part
            },
            by: row.said_by,
            place: SaidPlace {
                at: row.at_ms,
                mark: row.mark,
            },
        }
    }
}
