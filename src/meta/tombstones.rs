//! Tombstones: what was removed and must not come back. Kept by project, persons only as salted hashes.
//!
//! They travel with the [`super::KeySnapshot`], under the same version: an endpoint that has loaded version `v`
//! knows every tombstone written up to `v`. A project without any costs a request nothing.
//!
//! Limits: [`MOST_PERSONS`] persons in an installation, [`MOST_PERSONS_OF_PROJECT`] and [`MOST_RANGES`] ranges in
//! a project; an endpoint keeps about 40 bytes a person in memory.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sqlx::{Any, Row, Transaction};

use super::migrate::hex;
use super::{Meta, MetaError, Result, random_bytes};
use crate::event::accept::{as_sent, readable_ids};
use crate::event::subject::known_at;
use crate::event::{Event, ProjectNumber, flag};

/// Most persons that an installation remembers as erased.
pub const MOST_PERSONS: i64 = 1_000_000;

/// Most persons that a project remembers as erased, so that one cannot use up the others' room.
pub const MOST_PERSONS_OF_PROJECT: i64 = 100_000;

/// Most ranges that a project remembers as erased.
pub const MOST_RANGES: i64 = 100;

/// Why an event is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its person, its time or its project was erased.
    Erased,
    /// It is older than what the project keeps.
    TooOld,
}

/// What a project must not take again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectTombstones {
    project: ProjectNumber,
    salt: Vec<u8>,
    /// First half of the salted hash -> erased at.
    persons: HashMap<u128, i64>,
    /// Erased ranges of event time, `[from, to)`.
    ranges: Vec<(i64, i64)>,
    /// Everything known by then was erased.
    all_until: Option<i64>,
    /// Events before it are beyond the project's retention.
    kept_from: Option<i64>,
}

impl ProjectTombstones {
    fn none(project: ProjectNumber) -> ProjectTombstones {
        ProjectTombstones {
            project,
            salt: Vec::new(),
            persons: HashMap::new(),
            ranges: Vec::new(),
            all_until: None,
            kept_from: None,
        }
    }

    fn is_empty(&self) -> bool {
        *self == ProjectTombstones::none(self.project)
    }

    /// Whether the event must not be taken, and why. Where its time was corrected or clamped, the time as sent
    /// counts too: an old body that is sent again says when it was sent first, and would be moved to about now.
    pub fn refuses(&self, event: &Event) -> Option<Gone> {
        let sent = as_sent(event);
        // A clock that is off is no reason to call an event too old, but what was moved up to the oldest time is.
        let is_corrected = event.flags & flag::TIME_CORRECTED != 0;
        let happened = sent
            .filter(|_| !is_corrected)
            .map_or(event.ts, |sent| sent.min(event.ts));
        if self.kept_from.is_some_and(|from| happened < from) {
            return Some(Gone::TooOld);
        }
        let erased = self.erased(event, event.ts) || sent.is_some_and(|sent| self.erased(event, sent));
        erased.then_some(Gone::Erased)
    }

    /// Whether the person of this text, an event that is refused for another reason, was erased: then it is not
    /// kept aside either. When it happened cannot be told, so what is new of them goes too.
    pub fn was_erased(&self, event: &str) -> bool {
        let known = |id: &String| {
            let hash = short(&person_hash(&self.salt, self.project, id));
            self.persons.contains_key(&hash)
        };
        !self.persons.is_empty() && readable_ids(event).iter().any(known)
    }

    fn erased(&self, event: &Event, ts: i64) -> bool {
        let received = event.received_at;
        let person = || {
            let hash = short(&person_hash(&self.salt, self.project, &event.distinct_id));
            self.persons.get(&hash).copied()
        };
        self.all_until.is_some_and(|until| known_at(until, ts, received))
            || self.ranges.iter().any(|(from, to)| (*from..*to).contains(&ts))
            || (!self.persons.is_empty() && person().is_some_and(|until| known_at(until, ts, received)))
    }

    /// The first instant that the project keeps, if retention removed anything.
    pub fn kept_from(&self) -> Option<i64> {
        self.kept_from
    }
}

/// The tombstones of every project that has any.
pub type Tombstones = HashMap<ProjectNumber, Arc<ProjectTombstones>>;

/// SHA-256 of salt, project and distinct id: what stands for an erased person.
pub(super) fn person_hash(salt: &[u8], project: ProjectNumber, distinct_id: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(project.0.to_be_bytes());
    hash.update(distinct_id.as_bytes());
    hash.finalize().into()
}

/// The first half: 128 bits tell a million persons apart.
fn short(hash: &[u8; 32]) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(half)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// The salt of a project's hashes, made at the first use.
pub(super) async fn salt(tx: &mut Transaction<'static, Any>, project: ProjectNumber) -> Result<Vec<u8>> {
    sqlx::query("INSERT INTO salts (project, salt) VALUES ($1, $2) ON CONFLICT (project) DO NOTHING")
        .bind(i64::from(project.0))
        .bind(hex(&random_bytes()?))
        .execute(&mut **tx)
        .await?;
    let row = sqlx::query("SELECT salt FROM salts WHERE project = $1")
        .bind(i64::from(project.0))
        .fetch_one(&mut **tx)
        .await?;
    read_salt(&row.try_get::<String, _>("salt")?)
}

fn read_salt(text: &str) -> Result<Vec<u8>> {
    from_hex(text).ok_or_else(|| MetaError::Stored("a salt is not hexadecimal".to_owned()))
}

/// What a tombstone stands for.
pub(super) enum Stone<'a> {
    /// The salted hash in hexadecimal.
    Person(&'a str),
    Range(i64, i64),
    All,
}

/// Writes a tombstone. One that is there already only grows.
pub(super) async fn bury(
    tx: &mut Transaction<'static, Any>,
    project: ProjectNumber,
    stone: Stone<'_>,
    erased_at: i64,
    version: i64,
) -> Result<()> {
    let (kind, subject, from, to) = match stone {
        Stone::Person(hash) => ("person", hash.to_owned(), None, None),
        Stone::Range(from, to) => ("range", format!("{from}..{to}"), Some(from), Some(to)),
        Stone::All => ("all", String::new(), None, None),
    };
    sqlx::query(
        "INSERT INTO tombstones (project, kind, subject, from_ms, to_ms, erased_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (project, kind, subject) DO UPDATE SET version = excluded.version, erased_at =
             CASE WHEN excluded.erased_at > tombstones.erased_at THEN excluded.erased_at
                  ELSE tombstones.erased_at END",
    )
    .bind(i64::from(project.0))
    .bind(kind)
    .bind(subject)
    .bind(from)
    .bind(to)
    .bind(erased_at)
    .bind(version)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A project's tombstones at one moment: what a replay or an import has to pass.
#[derive(Clone, Debug)]
pub struct Known {
    /// [`Meta::version`], read before them.
    pub version: i64,
    stones: Option<Arc<ProjectTombstones>>,
}

impl Known {
    /// Whether the event may be stored.
    pub fn keeps(&self, event: &Event) -> bool {
        self.stones
            .as_ref()
            .is_none_or(|stones| stones.refuses(event).is_none())
    }
}

impl Meta {
    /// The project's tombstones as they are now.
    pub async fn tombstones_of(&self, project: ProjectNumber) -> Result<Known> {
        let version = self.version().await?;
        let all = self.read_tombstones(&Tombstones::new(), 0, Some(project)).await?;
        Ok(Known {
            version,
            stones: all.get(&project).cloned(),
        })
    }

    /// The tombstones with everything newer than version `after` in them. `before` are those of that version.
    pub(super) async fn tombstones_after(&self, before: &Tombstones, after: i64) -> Result<Tombstones> {
        self.read_tombstones(before, after, None).await
    }

    async fn read_tombstones(
        &self,
        before: &Tombstones,
        after: i64,
        only: Option<ProjectNumber>,
    ) -> Result<Tombstones> {
        let mut all = before.clone();
        let mut changed: HashMap<ProjectNumber, ProjectTombstones> = HashMap::new();
        let rows = sqlx::query(
            "SELECT t.project AS number, t.kind, t.subject, t.from_ms, t.to_ms, t.erased_at, s.salt
             FROM tombstones t JOIN salts s ON s.project = t.project
             WHERE t.version > $1 AND (t.project = $2 OR $2 < 0)",
        )
        .bind(after)
        .bind(only.map_or(-1, |project| i64::from(project.0)))
        .fetch_all(&self.pool)
        .await?;
        for row in &rows {
            let number = super::projects::read_number(row)?;
            let erased_at: i64 = row.try_get("erased_at")?;
            let of = match changed.entry(number) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    let known = all.get(&number).map(|known| (**known).clone());
                    let of = entry.insert(known.unwrap_or_else(|| ProjectTombstones::none(number)));
                    of.salt = read_salt(&row.try_get::<String, _>("salt")?)?;
                    of
                }
            };
            let subject: String = row.try_get("subject")?;
            match row.try_get::<String, _>("kind")?.as_str() {
                "person" => {
                    let hash = from_hex(&subject).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                    let hash = hash.ok_or_else(|| MetaError::Stored(format!("tombstone {subject}")))?;
                    of.persons.insert(short(&hash), erased_at);
                }
                "range" => {
                    let range = (row.try_get("from_ms")?, row.try_get("to_ms")?);
                    if !of.ranges.contains(&range) {
                        of.ranges.push(range);
                    }
                }
                "all" => of.all_until = Some(erased_at),
                other => return Err(MetaError::Stored(format!("tombstone of kind {other}"))),
            }
        }
        for (number, of) in changed {
            all.insert(number, Arc::new(of));
        }
        self.with_retention(all).await
    }

    /// What each project keeps may also go back, so it is read whole: a row for each project that has a limit.
    async fn with_retention(&self, mut all: Tombstones) -> Result<Tombstones> {
        let rows = sqlx::query("SELECT number, kept_from FROM projects WHERE kept_from IS NOT NULL")
            .fetch_all(&self.pool)
            .await?;
        let mut kept: HashMap<ProjectNumber, i64> = HashMap::with_capacity(rows.len());
        for row in &rows {
            kept.insert(super::projects::read_number(row)?, row.try_get("kept_from")?);
        }
        for (number, of) in &mut all {
            let from = kept.remove(number);
            if of.kept_from != from {
                Arc::make_mut(of).kept_from = from;
            }
        }
        for (project, from) in kept {
            let of = ProjectTombstones {
                project,
                kept_from: Some(from),
                ..ProjectTombstones::none(project)
            };
            all.insert(project, Arc::new(of));
        }
        all.retain(|_, of| !of.is_empty());
        Ok(all)
    }
}
