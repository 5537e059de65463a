//! Writing a request down: the erasure and its tombstones, in one transaction.

use sqlx::{Any, Row, Transaction};
use uuid::Uuid;

use super::{ErasureKind, NewErasure, to_json};
use crate::event::ProjectNumber;
use crate::meta::migrate::hex;
use crate::meta::tombstones::{
    MOST_PERSONS, MOST_PERSONS_OF_PROJECT, MOST_RANGES, Stone, bury, person_hash, salt,
};
use crate::meta::{MetaError, Result, new_id, raise_version, uuid_at};

/// Most erasures of a project that may be under way.
const MOST_OPEN: i64 = 100;

/// A request for an erasure, within a transaction.
pub(in crate::meta) struct Request<'a> {
    pub project: Uuid,
    pub number: ProjectNumber,
    pub what: NewErasure,
    /// Events known by then are taken; the end of time for a project that is deleted.
    pub until: i64,
    pub requested_by: Option<&'a str>,
    pub now_ms: i64,
}

impl Request<'_> {
    /// Writes erasure and tombstones; answers the erasure's id, and whether it is new.
    pub async fn write(self, tx: &mut Transaction<'static, Any>) -> Result<(Uuid, bool)> {
        let salt = salt(tx, self.number).await?;
        let (kind, ids, bounds) = match &self.what {
            NewErasure::Persons(ids) => {
                let mut ids = ids.clone();
                ids.sort_unstable();
                ids.dedup();
                (ErasureKind::Person, ids, None)
            }
            NewErasure::Range { from, to } => (ErasureKind::Range, Vec::new(), Some((*from, *to))),
            NewErasure::Project => (ErasureKind::Project, Vec::new(), None),
        };
        let hashes: Vec<String> = ids
            .iter()
            .map(|id| hex(&person_hash(&salt, self.number, id)))
            .collect();
        let stored_hashes = to_json(&hashes)?;
        let same = sqlx::query(
            "SELECT id FROM erasures WHERE project_id = $1 AND finished_at IS NULL AND kind = $2 AND hashes = $3
             AND COALESCE(from_ms, 0) = $4 AND COALESCE(to_ms, 0) = $5 AND state = 'requested'",
        )
        .bind(self.project.to_string())
        .bind(kind.as_str())
        .bind(&stored_hashes)
        .bind(bounds.map_or(0, |(from, _)| from))
        .bind(bounds.map_or(0, |(_, to)| to))
        .fetch_optional(&mut **tx)
        .await?;
        if same.is_none() {
            self.within_limits(tx, kind, &hashes).await?;
        }
        let version = raise_version(tx).await?;
        for hash in &hashes {
            bury(tx, self.number, Stone::Person(hash), self.until, version).await?;
        }
        match (kind, bounds) {
            (ErasureKind::Range, Some((from, to))) => {
                bury(tx, self.number, Stone::Range(from, to), self.until, version).await?;
            }
            (ErasureKind::Project, _) => {
                bury(tx, self.number, Stone::All, self.until, version).await?;
            }
            _ => {}
        }
        if let Some(row) = same {
            // Nothing was done about it yet: it takes what happened since, too. On PostgreSQL a worker may have
            // moved it on since it was looked up; then it is too late for that, and a new one begins.
            let id = uuid_at(&row, "id")?;
            let extended = sqlx::query(
                "UPDATE erasures SET until_ms = $2, version = $3 WHERE id = $1 AND state = 'requested'",
            )
            .bind(id.to_string())
            .bind(self.until)
            .bind(version)
            .execute(&mut **tx)
            .await?;
            if extended.rows_affected() == 1 {
                return Ok((id, false));
            }
        }
        let id = new_id(self.now_ms);
        sqlx::query(
            "INSERT INTO erasures (id, project_id, project, kind, distinct_ids, hashes, from_ms, to_ms, until_ms,
                 version, state, detail, progress, requested_by, requested_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'requested', $11, '{}', $12, $13)",
        )
        .bind(id.to_string())
        .bind(self.project.to_string())
        .bind(i64::from(self.number.0))
        .bind(kind.as_str())
        .bind(if ids.is_empty() { None } else { Some(to_json(&ids)?) })
        .bind(stored_hashes)
        .bind(bounds.map(|(from, _)| from))
        .bind(bounds.map(|(_, to)| to))
        .bind(self.until)
        .bind(version)
        .bind("such events are refused from now on")
        .bind(self.requested_by)
        .bind(self.now_ms)
        .execute(&mut **tx)
        .await?;
        Ok((id, true))
    }

    async fn within_limits(
        &self,
        tx: &mut Transaction<'static, Any>,
        kind: ErasureKind,
        persons: &[String],
    ) -> Result<()> {
        if self.until == i64::MAX {
            // A project that is deleted: refusing would keep its events for ever.
            return Ok(());
        }
        let open =
            sqlx::query("SELECT count(*) AS n FROM erasures WHERE project = $1 AND finished_at IS NULL");
        let open = open.bind(i64::from(self.number.0)).fetch_one(&mut **tx).await?;
        if open.try_get::<i64, _>("n")? >= MOST_OPEN {
            let why =
                format!("{MOST_OPEN} erasures of this project are under way: ask again when some are done");
            return Err(MetaError::ErasureLimit(why));
        }
        if kind == ErasureKind::Range {
            let ranges =
                sqlx::query("SELECT count(*) AS n FROM tombstones WHERE kind = 'range' AND project = $1");
            let ranges = ranges.bind(i64::from(self.number.0)).fetch_one(&mut **tx).await?;
            if ranges.try_get::<i64, _>("n")? >= MOST_RANGES {
                let why = format!("a project remembers at most {MOST_RANGES} erased ranges");
                return Err(MetaError::ErasureLimit(why));
            }
        }
        let new = self.not_remembered(tx, persons).await?;
        if new == 0 {
            return Ok(());
        }
        let known = sqlx::query("SELECT count(*) AS n FROM tombstones WHERE kind = 'person'");
        let known: i64 = known.fetch_one(&mut **tx).await?.try_get("n")?;
        if known + new > MOST_PERSONS {
            let why = format!("an installation remembers at most {MOST_PERSONS} erased persons");
            return Err(MetaError::ErasureLimit(why));
        }
        let own = sqlx::query("SELECT count(*) AS n FROM tombstones WHERE kind = 'person' AND project = $1");
        let own = own.bind(i64::from(self.number.0)).fetch_one(&mut **tx).await?;
        if own.try_get::<i64, _>("n")? + new > MOST_PERSONS_OF_PROJECT {
            let why = format!("a project remembers at most {MOST_PERSONS_OF_PROJECT} erased persons");
            return Err(MetaError::ErasureLimit(why));
        }
        Ok(())
    }

    /// How many of these persons have no tombstone yet. Who asks again for somebody takes no more room.
    async fn not_remembered(&self, tx: &mut Transaction<'static, Any>, persons: &[String]) -> Result<i64> {
        let mut new = 0;
        for hash in persons {
            let known = sqlx::query(
                "SELECT 1 FROM tombstones WHERE project = $1 AND kind = 'person' AND subject = $2",
            );
            let known = known.bind(i64::from(self.number.0)).bind(hash);
            new += i64::from(known.fetch_optional(&mut **tx).await?.is_none());
        }
        Ok(new)
    }
}
