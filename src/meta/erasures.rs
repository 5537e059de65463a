//! Erasures: what was asked to be removed, how far it has come, the certificate. The tombstone is written in the
//! transaction of the request, so that nothing comes back from the first moment on.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::migrate::hex;
use super::{Meta, MetaError, Moment, Page, Paged, Result, uuid_at};
use crate::event::{Subject, Which, Zone, actor_of};

mod named;
mod record;
mod request;
mod whole;

pub use named::{MOST_NAMED, NamedIn};
pub use record::{Certificate, ErasureCounts, Progress, RemovedCounts};
pub(super) use request::Request;
pub use whole::TheirId;

/// What is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureKind {
    /// Everything that some distinct ids did up to the request.
    Person,
    /// What happened in a range of time, whoever did it.
    Range,
    /// Everything of the project up to the request.
    Project,
    /// What is beyond the project's retention; nobody asked for it by hand.
    Retention,
}

/// How far an erasure has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// Asked for. Such events are refused from now on.
    Requested,
    /// What was received before is on its way into the tables.
    Waiting,
    /// Rows are being deleted, shard by shard.
    Removing,
    /// The affected days are being counted again.
    Rebuilding,
    /// Deleted rows are being taken off the disk; everything is counted once more.
    Verifying,
    /// Nothing is left; there is a certificate.
    Done,
    /// Given up: `detail` says why. Such events stay refused.
    Failed,
}

macro_rules! as_text {
    ($kind:ty, $($variant:ident = $text:literal),*) => {
        impl $kind {
            /// As stored and as in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            fn read(row: &AnyRow, column: &'static str) -> Result<Self> {
                match row.try_get::<String, _>(column)?.as_str() {
                    $($text => Ok(Self::$variant),)*
                    other => Err(MetaError::Stored(format!("{column}: {other}"))),
                }
            }
        }
    };
}

as_text!(
    ErasureKind,
    Person = "person",
    Range = "range",
    Project = "project",
    Retention = "retention"
);
as_text!(
    ErasureState,
    Requested = "requested",
    Waiting = "waiting",
    Removing = "removing",
    Rebuilding = "rebuilding",
    Verifying = "verifying",
    Done = "done",
    Failed = "failed"
);

/// An erasure as its project's people see it. Distinct ids are nowhere in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// The erasure's id.
    pub id: Uuid,
    /// The project it is about.
    pub project_id: Uuid,
    /// What is removed.
    pub kind: ErasureKind,
    /// Start of the range, of kind `range`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
    /// End of the range, not included; of kinds `range` and `retention`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Moment>,
    /// Number of distinct ids, of kind `person`.
    pub persons: u32,
    /// How far it has come.
    pub state: ErasureState,
    /// The same in words, with what it waits for.
    pub detail: String,
    /// Email of whoever asked for it; null for retention.
    #[schema(required)]
    pub requested_by: Option<String>,
    /// When it was asked for.
    pub requested_at: Moment,
    /// When it ended.
    #[schema(required)]
    pub finished_at: Option<Moment>,
    /// What was found before and after.
    pub counts: ErasureCounts,
    /// Proof that nothing is left; null until then.
    #[schema(required)]
    pub certificate: Option<Certificate>,
}

/// What shall be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewErasure {
    /// 1 to 100 distinct ids.
    Persons(Vec<String>),
    /// UTC milliseconds, `[from, to)`.
    Range { from: i64, to: i64 },
    /// Everything up to the request.
    Project,
}

/// An erasure under way, as the worker sees it.
#[derive(Clone, Debug)]
pub struct Open {
    /// Its id.
    pub id: Uuid,
    /// What is removed.
    pub kind: ErasureKind,
    /// The same as a rule about events.
    pub subject: Subject,
    /// Distinct ids in clear: which shards they live on.
    pub distinct_ids: Vec<String>,
    /// Salted hashes of the distinct ids.
    pub hashes: Vec<String>,
    /// Endpoints must have loaded this version before what they take may pass.
    pub version: i64,
    /// How far it has come.
    pub state: ErasureState,
    /// The same in words.
    pub detail: String,
    /// What was written down on the way.
    pub progress: Progress,
    /// UTC milliseconds.
    pub requested_at: i64,
    /// Whether the project itself is deleted.
    pub project_gone: bool,
    /// The project's zone, in which its sketches' days are.
    pub zone: Zone,
}

impl Open {
    /// Whether this is the erasure as the other was read: nobody moved it on or asked for more.
    pub fn is_where(&self, other: &Open) -> bool {
        (self.state, self.version, self.progress.repeats)
            == (other.state, other.version, other.progress.repeats)
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT e.id, e.project_id, e.project AS number, e.kind, e.distinct_ids, e.hashes, e.from_ms, e.to_ms,
                 e.until_ms, e.version, e.state, e.detail, e.progress, e.certificate, e.requested_by,
                 e.requested_at, e.finished_at, p.deleted_at, p.timezone FROM erasures e JOIN projects p ON p.id = e.project_id ",
            $tail
        )
    };
}

impl Meta {
    /// Asks for an erasure and writes its tombstones. The same one that is under way already is answered instead
    /// (the flag says whether it is new).
    ///
    /// # Errors
    /// [`MetaError::ErasureLimit`].
    pub async fn request_erasure(
        &self,
        project: Uuid,
        what: NewErasure,
        requested_by: &str,
        now_ms: i64,
    ) -> Result<(Erasure, bool)> {
        let mut tx = self.write().await?;
        let row = sqlx::query("SELECT number FROM projects WHERE id = $1 AND deleted_at IS NULL")
            .bind(project.to_string())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(MetaError::NotFound("project"))?;
        let number = super::projects::read_number(&row)?;
        let requested = Request {
            project,
            number,
            what,
            until: now_ms,
            requested_by: Some(requested_by),
            now_ms,
        };
        let (id, new) = requested.write(&mut tx).await?;
        tx.commit().await?;
        let erasure = self.erasure(project, id).await?;
        Ok((erasure.ok_or(MetaError::NotFound("erasure"))?, new))
    }

    /// The erasures of a project, oldest first.
    pub async fn erasures(&self, project: Uuid, page: Page) -> Result<Paged<Erasure>> {
        let rows = sqlx::query(select!(
            "WHERE e.project_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3"
        ))
        .bind(project.to_string())
        .bind(page.after_text())
        .bind(page.fetch())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(read_erasure)
        .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(rows, page, |erasure| erasure.id))
    }

    /// One erasure of a project.
    pub async fn erasure(&self, project: Uuid, id: Uuid) -> Result<Option<Erasure>> {
        let row = sqlx::query(select!("WHERE e.project_id = $1 AND e.id = $2"))
            .bind(project.to_string())
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_erasure).transpose()
    }

    /// The erasures under way, oldest first, at most `limit`. Where there are more, every project's oldest come
    /// before anybody's second: one project cannot keep the others waiting.
    pub async fn open_erasures(&self, limit: u32) -> Result<Vec<Open>> {
        sqlx::query(select!(
            "WHERE e.id IN (SELECT turns.id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY project ORDER BY id)
                 AS nth FROM erasures WHERE finished_at IS NULL) turns ORDER BY turns.nth, turns.id LIMIT $1)
             ORDER BY e.id"
        ))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(read_open)
            .collect()
    }

    /// One erasure, if it is still under way.
    pub async fn open_erasure(&self, id: Uuid) -> Result<Option<Open>> {
        let row = sqlx::query(select!("WHERE e.finished_at IS NULL AND e.id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_open).transpose()
    }

    /// Moves an erasure on, with what was written down, unless somebody else did (then: false).
    pub async fn advance_erasure(
        &self,
        open: &Open,
        state: ErasureState,
        detail: &str,
        progress: &Progress,
    ) -> Result<bool> {
        let moved = sqlx::query(
            "UPDATE erasures SET state = $3, detail = $4, progress = $5
             WHERE id = $1 AND state = $2 AND finished_at IS NULL AND version = $6",
        )
        .bind(open.id.to_string())
        .bind(open.state.as_str())
        .bind(state.as_str())
        .bind(detail)
        .bind(to_json(progress)?)
        .bind(open.version)
        .execute(&self.pool)
        .await?;
        Ok(moved.rows_affected() == 1)
    }

    /// Ends an erasure: with its certificate, or as failed. The distinct ids in clear are taken away.
    pub async fn finish_erasure(
        &self,
        open: &Open,
        progress: &Progress,
        ended: std::result::Result<&Certificate, &str>,
        now_ms: i64,
    ) -> Result<bool> {
        let (state, detail, certificate) = match ended {
            Ok(certificate) => (ErasureState::Done, "nothing is left", Some(to_json(certificate)?)),
            Err(why) => (ErasureState::Failed, why, None),
        };
        let ended = sqlx::query(
            "UPDATE erasures SET state = $3, detail = $4, progress = $5, certificate = $6, finished_at = $7,
                 distinct_ids = NULL
             WHERE id = $1 AND state = $2 AND finished_at IS NULL",
        )
        .bind(open.id.to_string())
        .bind(open.state.as_str())
        .bind(state.as_str())
        .bind(detail)
        .bind(to_json(&progress.without_persons())?)
        .bind(certificate)
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        Ok(ended.rows_affected() == 1)
    }
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| MetaError::Stored(error.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| MetaError::Stored(error.to_string()))
}

fn hashes(row: &AnyRow) -> Result<Vec<String>> {
    from_json(&row.try_get::<String, _>("hashes")?)
}

fn read_erasure(row: &AnyRow) -> Result<Erasure> {
    let progress: Progress = from_json(&row.try_get::<String, _>("progress")?)?;
    let certificate: Option<String> = row.try_get("certificate")?;
    Ok(Erasure {
        id: uuid_at(row, "id")?,
        project_id: uuid_at(row, "project_id")?,
        kind: ErasureKind::read(row, "kind")?,
        from: row.try_get::<Option<i64>, _>("from_ms")?.map(Moment),
        to: row.try_get::<Option<i64>, _>("to_ms")?.map(Moment),
        persons: hashes(row)?.len() as u32,
        state: ErasureState::read(row, "state")?,
        detail: row.try_get("detail")?,
        requested_by: row.try_get("requested_by")?,
        requested_at: Moment(row.try_get("requested_at")?),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(Moment),
        counts: progress.counts,
        certificate: certificate.as_deref().map(from_json).transpose()?,
    })
}

fn read_open(row: &AnyRow) -> Result<Open> {
    let kind = ErasureKind::read(row, "kind")?;
    let ids: Option<String> = row.try_get("distinct_ids")?;
    let distinct_ids: Vec<String> = ids.as_deref().map_or_else(|| Ok(Vec::new()), from_json)?;
    let until: i64 = row.try_get("until_ms")?;
    let progress: Progress = from_json(&row.try_get::<String, _>("progress")?)?;
    let which = match kind {
        ErasureKind::Person => Which::Persons {
            actors: distinct_ids.iter().map(|id| actor_of(id)).collect(),
            until,
            splits: progress.splits.clone(),
        },
        ErasureKind::Range | ErasureKind::Retention => Which::Times {
            from: row.try_get::<Option<i64>, _>("from_ms")?.unwrap_or(i64::MIN),
            to: row.try_get::<Option<i64>, _>("to_ms")?.unwrap_or(i64::MIN),
        },
        ErasureKind::Project => Which::Until { until },
    };
    Ok(Open {
        id: uuid_at(row, "id")?,
        kind,
        subject: Subject {
            project: super::projects::read_number(row)?,
            which,
        },
        distinct_ids,
        hashes: hashes(row)?,
        version: row.try_get("version")?,
        state: ErasureState::read(row, "state")?,
        detail: row.try_get("detail")?,
        progress,
        requested_at: row.try_get("requested_at")?,
        project_gone: row.try_get::<Option<i64>, _>("deleted_at")?.is_some(),
        zone: super::projects::read_zone(row)?,
    })
}

/// The digest of a certificate: over everything else in it.
pub(super) fn digest_of(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}
