//! A person is more than the ids that a request names: the others are taken in before anything is removed.

use super::{Open, Progress, to_json};
use crate::event::{Which, actor_of};
use crate::meta::migrate::hex;
use crate::meta::tombstones::{Stone, bury, person_hash, salt};
use crate::meta::{Meta, Result, raise_version};

/// An id of a person, and from when on its events are somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TheirId {
    pub id: String,
    /// Devices only: UTC milliseconds.
    pub split: Option<i64>,
}

impl Meta {
    /// Takes all ids of a person into an erasure that nothing was done about yet, with their tombstones; false when it
    /// has them already, or somebody moved it on. The limits of what is remembered do not hold here: half of a person
    /// would be left.
    pub async fn widen_erasure(&self, open: &Open, ids: &[TheirId]) -> Result<bool> {
        let Which::Persons { until, splits, .. } = &open.subject.which else {
            return Ok(false);
        };
        let mut ids = ids.to_vec();
        let known = open.distinct_ids.iter();
        let known = known.filter(|known| ids.iter().all(|one| one.id != **known));
        let known: Vec<TheirId> = known
            .map(|id| TheirId {
                id: id.clone(),
                split: None,
            })
            .collect();
        ids.extend(known);
        ids.sort_unstable();
        let of_split = |one: &TheirId| Some((actor_of(&one.id), one.split?));
        let now: Vec<(u64, i64)> = ids.iter().filter_map(of_split).collect();
        let texts: Vec<&str> = ids.iter().map(|one| one.id.as_str()).collect();
        if open.distinct_ids == texts && *splits == now {
            return Ok(false);
        }
        let project = open.subject.project;
        let mut tx = self.write().await?;
        let salt = salt(&mut tx, project).await?;
        let version = raise_version(&mut tx).await?;
        let mut hashes = Vec::new();
        for one in &ids {
            let hash = hex(&person_hash(&salt, project, &one.id));
            // What somebody else did on the device later may still arrive.
            let until = one.split.map_or(*until, |split| (*until).min(split - 1));
            bury(&mut tx, project, Stone::Person(&hash), until, version).await?;
            hashes.push(hash);
        }
        let progress = Progress {
            splits: now,
            ..open.progress.clone()
        };
        let widened = sqlx::query(
            "UPDATE erasures SET distinct_ids = $3, hashes = $4, progress = $5, version = $6
             WHERE id = $1 AND state = $2 AND finished_at IS NULL AND version = $7",
        )
        .bind(open.id.to_string())
        .bind(open.state.as_str())
        .bind(to_json(&texts)?)
        .bind(to_json(&hashes)?)
        .bind(to_json(&progress)?)
        .bind(version)
        .bind(open.version)
        .execute(&mut *tx)
        .await?;
        if widened.rows_affected() != 1 {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The secret with which a project's erased ids are salted.
    pub async fn salt_of(&self, project: crate::event::ProjectNumber) -> Result<Vec<u8>> {
        let mut tx = self.write().await?;
        let salt = salt(&mut tx, project).await?;
        tx.commit().await?;
        Ok(salt)
    }
}
