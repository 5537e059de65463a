//! The same database as if the override map said something else: what a merge would do is asked before it is done. Every
//! statement reads the map by the same words, so they are replaced in all of them.

use std::sync::Arc;

use clickhouse::query::Query;

use super::people::maybe_of;
use super::{Store, StoreError};
use crate::event::ProjectNumber;
use crate::metrics::identity::Override;

/// Rows that may be supposed at once: they travel with each statement, which ClickHouse takes up to 128 KiB.
pub const MOST_SUPPOSED: usize = 1_000;

/// The map as statements read it: the latest rows, or rows of any age where too many do no harm.
const MAP: [&str; 2] = [
    "person_map FINAL WHERE project = {project:UInt32}",
    "person_map WHERE project = {project:UInt32}",
];

/// The map with other rows of some actors.
const SUPPOSED: &str = "(SELECT actor, person, split FROM person_map FINAL WHERE project = {project:UInt32} \
     AND actor NOT IN {supposed_actors:Array(UInt64)} \
   UNION ALL SELECT supposed.1 AS actor, supposed.2 AS person, supposed.3 AS split FROM (SELECT arrayJoin(arrayZip( \
     {supposed_actors:Array(UInt64)}, {supposed_persons:Array(UInt64)}, {supposed_splits:Array(Int64)})) AS supposed)) \
   AS imagined WHERE true";

/// Rows that stand in the map's place.
#[derive(Debug)]
pub(super) struct Supposed {
    rows: Vec<Override>,
}

impl Supposed {
    /// The rows.
    pub(super) fn rows(&self) -> &[Override] {
        &self.rows
    }

    /// The statement over the supposed map.
    pub(super) fn said(&self, sql: &str) -> String {
        MAP.iter()
            .fold(sql.to_owned(), |sql, map| sql.replace(map, SUPPOSED))
    }

    /// Binds what [`Supposed::said`] needs.
    pub(super) fn bind(&self, query: Query) -> Query {
        let column = |of: fn(&Override) -> u64| self.rows.iter().map(of).collect::<Vec<_>>();
        let splits: Vec<i64> = self.rows.iter().map(|row| row.split).collect();
        query
            .param("supposed_actors", column(|row| row.actor))
            .param("supposed_persons", column(|row| row.person))
            .param("supposed_splits", splits)
    }
}

impl Store {
    /// The same database with these rows in the map, in the place of those that it has of the same actors; a row that
    /// names its own actor and no split takes one back.
    ///
    /// # Errors
    /// [`StoreError::TooManyRows`]: more than [`MOST_SUPPOSED`].
    pub fn supposing(&self, rows: Vec<Override>) -> Result<Store, StoreError> {
        if rows.len() > MOST_SUPPOSED {
            return Err(StoreError::TooManyRows(format!("{} rows of a map", rows.len())));
        }
        Ok(Store {
            supposed: Some(Arc::new(Supposed { rows })),
            ..self.clone()
        })
    }

    /// How many of these persons have an event.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn persons_among(&self, project: ProjectNumber, persons: &[u64]) -> Result<u64, StoreError> {
        let query = self
            .question(
                project,
                &format!(
                    "SELECT uniqExact(person) FROM {} WHERE project = {{project:UInt32}} \
                     AND person IN {{persons:Array(UInt64)}} AND {}",
                    self.people(),
                    maybe_of("{persons:Array(UInt64)}")
                ),
            )
            .param("persons", persons);
        Ok(query.fetch_one().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::people::{PEOPLE, PEOPLE_DAYS};

    #[test]
    fn no_statement_reads_the_map_in_other_words() {
        let supposed = Supposed { rows: Vec::new() };
        for sql in [PEOPLE, PEOPLE_DAYS, &maybe_of("{persons:Array(UInt64)}")] {
            let said = supposed.said(sql);
            let read = said.replace(SUPPOSED, "");
            assert!(said != sql && !read.contains("person_map"), "{read}");
        }
    }
}
