//! Cohorts: evaluating a definition, writing its members down, and reading them.
//!
//! An evaluation writes members under a new generation; one row in `cohort_sizes` makes it valid. Whoever reads takes the
//! largest generation that has such a row. The generation before stays until the next evaluation, for questions that
//! began with it; of an evaluation that died half-way nobody reads.

mod listing;
mod sql;

use clickhouse::Row;
use clickhouse::query::Query;
use serde::Deserialize;
use uuid::Uuid;

use super::filter::Bind;
use super::people::PEOPLE;
use super::{Facts, QUESTION_BYTES, QUESTION_SECONDS, Store, StoreError, facts};
use crate::event::{ProjectNumber, Zone};
use crate::metrics::cohort::{CohortSpec, Evidence};

pub use listing::{DaySize, Latest};

/// Ids that one statement brings: ClickHouse takes parameters of 128 KiB.
const IDS_A_STATEMENT: usize = 5_000;

/// Whom a cohort means.
#[derive(Clone, Copy, Debug)]
pub enum Meant<'a> {
    /// Those of whom this holds at the evaluation.
    Rules(&'a CohortSpec, &'a Zone, i64),
    /// Those who did anything under an id of the uploaded list.
    Listed,
}

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Members.
    pub size: u64,
    /// Whether they are others than before.
    pub changed: bool,
}

#[derive(Row, Deserialize)]
struct Known {
    times: Vec<u64>,
    firsts: Vec<i64>,
    lasts: Vec<i64>,
    values: Vec<Option<String>>,
}

impl Store {
    /// A number for the next generation of a cohort: larger than all before. Draw it before reading the definition, so
    /// that of two evaluations at once the one that knows the newer definition wins.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn next_cohort_generation(
        &self,
        project: ProjectNumber,
        cohort: Uuid,
        now_ms: i64,
    ) -> Result<u64, StoreError> {
        let latest = self.cohort_generation(project, cohort).await?;
        // Two evaluations within a millisecond must not write under one number.
        let draw = Uuid::new_v4().as_u128() as u64 & 0xffff;
        Ok((now_ms.unsigned_abs() << 16 | draw).max(latest + 1))
    }

    /// The valid generation; 0: none.
    async fn cohort_generation(&self, project: ProjectNumber, cohort: Uuid) -> Result<u64, StoreError> {
        let query = self.of_cohort(
            project,
            cohort,
            "SELECT max(generation) FROM cohort_sizes \
             WHERE project = {project:UInt32} AND cohort = toUUID({cohort:String})",
        );
        Ok(query.fetch_one().await?)
    }

    /// Writes the members down as they are now, under `generation`, and makes them valid.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits of a question; then the members before stay valid.
    pub async fn refresh_cohort(
        &self,
        project: ProjectNumber,
        cohort: Uuid,
        meant: Meant<'_>,
        generation: u64,
        now_ms: i64,
    ) -> Result<Refreshed, StoreError> {
        let before = self.cohort_generation(project, cohort).await?;
        let mut bind = Bind::new();
        let members = self.meant(meant, &mut bind);
        let insert = format!(
            "INSERT INTO cohort_members (project, cohort, generation, person) \
             SELECT {{project:UInt32}}, toUUID({{cohort:String}}), {{generation:UInt64}}, person FROM ({members})"
        );
        let insert = self
            .of_cohort(project, cohort, &insert)
            .param("generation", generation);
        bind.apply(limited(insert)).execute().await?;
        let different = self
            .of_cohort(
                project,
                cohort,
                "SELECT countIf(new), countIf(new != old) FROM (SELECT max(generation = {generation:UInt64}) AS new, \
                   max(generation = {before:UInt64}) AS old FROM cohort_members WHERE project = {project:UInt32} \
                   AND cohort = toUUID({cohort:String}) AND generation IN ({generation:UInt64}, {before:UInt64}) \
                   AND generation > 0 GROUP BY person)",
            )
            .param("generation", generation)
            .param("before", before);
        let (size, different): (u64, u64) = different.fetch_one().await?;
        self.of_cohort(
            project,
            cohort,
            "INSERT INTO cohort_sizes (project, cohort, generation, computed_at, size) SELECT {project:UInt32}, \
               toUUID({cohort:String}), {generation:UInt64}, fromUnixTimestamp64Milli({now:Int64}, 'UTC'), {size:UInt64}",
        )
        .param("generation", generation)
        .param("now", now_ms)
        .param("size", size)
        .execute()
        .await?;
        self.drop_generations_before(project, cohort, before).await?;
        Ok(Refreshed {
            size,
            changed: before == 0 || different > 0,
        })
    }

    /// How many would be members.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn count_cohort(
        &self,
        project: ProjectNumber,
        spec: &CohortSpec,
        zone: &Zone,
        now_ms: i64,
    ) -> Result<Facts<u64>, StoreError> {
        let mut bind = Bind::new();
        let members = self.meant(Meant::Rules(spec, zone, now_ms), &mut bind);
        let query = self.question(project, &format!("SELECT count() AS size FROM ({members})"));
        let found: Facts<Vec<u64>> = facts(bind.apply(query)).await?;
        Ok(Facts {
            rows: found.rows.first().copied().unwrap_or(0),
            rows_read: found.rows_read,
        })
    }

    /// What is known of a person, rule by rule; `None`: nobody has this number.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn cohort_evidence(
        &self,
        project: ProjectNumber,
        person: u64,
        spec: &CohortSpec,
        (zone, now_ms): (&Zone, i64),
    ) -> Result<Facts<Option<Vec<Evidence>>>, StoreError> {
        let mut bind = Bind::new();
        let sql = sql::evidence(spec, zone, now_ms, &mut bind);
        let query = bind.apply(self.question(project, &sql).param("persons", &[person][..]));
        let found: Facts<Vec<Known>> = facts(query).await?;
        let known = found.rows.into_iter().next().map(|known| {
            let times = known.times.into_iter().zip(known.values);
            let moments = known.firsts.into_iter().zip(known.lasts);
            times
                .zip(moments)
                .map(|((times, value), (first, last))| Evidence {
                    times,
                    first_ms: (times > 0).then_some(first),
                    last_ms: (times > 0).then_some(last),
                    value,
                })
                .collect()
        });
        Ok(Facts {
            rows: known,
            rows_read: found.rows_read,
        })
    }

    fn meant(&self, meant: Meant<'_>, bind: &mut Bind) -> String {
        match meant {
            Meant::Rules(spec, zone, now_ms) => sql::members(spec, zone, now_ms, bind),
            Meant::Listed => format!(
                "SELECT DISTINCT person FROM {PEOPLE} WHERE project = {{project:UInt32}} \
                   AND actor IN (SELECT person FROM cohort_members WHERE project = {{project:UInt32}} \
                     AND cohort = toUUID({{cohort:String}}) AND generation = 0)"
            ),
        }
    }

    /// A statement about one cohort, by the writer.
    fn of_cohort(&self, project: ProjectNumber, cohort: Uuid, sql: &str) -> Query {
        let query = self.statement(sql).param("project", project.0);
        query.param("cohort", cohort.to_string())
    }
}

/// What a question may use.
fn limited(query: Query) -> Query {
    query
        .with_setting("max_execution_time", QUESTION_SECONDS.to_string())
        .with_setting("max_memory_usage", QUESTION_BYTES.to_string())
        .with_setting("max_threads", "4")
}
