//! Removals as the stream sees them: the gate that no late event slips through, and the work that is handed to
//! the owner of each shard.
//!
//! **The gate.** An endpoint says with every entry which version of the tombstones it knows. [`EventStream::gate`]
//! writes the least version that a shard accepts, in one step with reading the shard's last entry. Whatever was
//! admitted under older tombstones lies at or before that entry; whatever comes later was judged by the new ones.
//! So nobody waits for clocks, and an endpoint that cannot load the tombstones cannot store anything either.
//!
//! **The work.** Rows are deleted by the shard's owner, between two batches: it holds the lease, no plan is open.
//! The number of rows is written down first, fenced by the owner's epoch, so whoever goes on after a crash adds the
//! same number to `rows_removed`.
//!
//! Gate, number and end must survive a failover of Redis as plans and commits do, so replicas confirm them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use uuid::Uuid;

use super::rebuild::Rebuild;
use super::shard::{Lease, answered};
use super::{EventStream, StreamError, scripts};
use crate::event::{Event, ProjectNumber, Subject};

/// Dead letters that are read at once.
const LETTERS_A_PAGE: usize = 200;

/// A removal that waits for the owner of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The erasure's id.
    pub id: Uuid,
    /// What is removed.
    pub subject: Subject,
}

impl EventStream {
    /// From now on the shard takes events only from endpoints that know `version`. Answers the last entry that was
    /// taken before.
    pub async fn gate(&self, shard: u16, version: i64) -> Result<String, StreamError> {
        let mut call = scripts::GATE.prepare_invoke();
        call.key(self.keys().st(shard)).key(self.keys().ev(shard));
        Ok(self.firm().invoke(&scripts::GATE, call.arg(version)).await?)
    }

    /// Whether everything up to `entry` is in the tables.
    pub async fn has_passed(&self, shard: u16, entry: &str) -> Result<bool, StreamError> {
        let done: Option<String> = redis::cmd("HGET")
            .arg(self.keys().st(shard))
            .arg("done")
            .query_async(&mut self.back())
            .await?;
        Ok(place(done.as_deref().unwrap_or("0-0")) >= place(entry))
    }

    /// Hands a removal to the owner of the shard. Again is harmless.
    pub async fn hand_over(&self, shard: u16, removal: &Removal) -> Result<(), StreamError> {
        let key = self.keys().removal(shard);
        let subject = serde_json::to_string(&removal.subject).map_err(|error| StreamError::Content {
            key: key.clone(),
            detail: error.to_string(),
        })?;
        Ok(redis::cmd("HSETNX")
            .arg(key)
            .arg(removal.id.to_string())
            .arg(subject)
            .exec_async(&mut self.back())
            .await?)
    }

    /// The removals that wait for the owner of the shard. Usually a look at a key that is not there.
    pub async fn removals(&self, shard: u16) -> Result<Vec<Removal>, StreamError> {
        let key = self.keys().removal(shard);
        let fields: Vec<(String, String)> = redis::cmd("HGETALL")
            .arg(&key)
            .query_async(&mut self.back())
            .await?;
        let done = |id: &str| {
            let mark = format!("{id}:done");
            fields.iter().any(|(name, _)| *name == mark)
        };
        let mut waiting = Vec::new();
        for (name, subject) in &fields {
            // Beside each id lie `id:rows` and `id:done`.
            let Ok(id) = Uuid::try_parse(name) else { continue };
            if done(name) {
                continue;
            }
            let subject = serde_json::from_str(subject).map_err(|error| StreamError::Content {
                key: key.clone(),
                detail: format!("removal {id}: {error}"),
            })?;
            waiting.push(Removal { id, subject });
        }
        Ok(waiting)
    }

    /// Shards and projects out of which rows are being removed: from the moment a removal is handed over until the
    /// days that it leaves behind are queued. What is compared meanwhile may differ.
    pub async fn removing(&self) -> Result<BTreeSet<(u16, ProjectNumber)>, StreamError> {
        let mut found = BTreeSet::new();
        for shard in 0..self.shards() {
            let fields: HashMap<String, String> = redis::cmd("HGETALL")
                .arg(self.keys().removal(shard))
                .query_async(&mut self.back())
                .await?;
            let subjects = fields.values().filter_map(|text| serde_json::from_str(text).ok());
            found.extend(subjects.map(|subject: Subject| (shard, subject.project)));
        }
        Ok(found)
    }

    /// Writes down how many rows the removal takes, before the first is deleted. The number that counts is the
    /// answer: one that an earlier owner wrote down wins. `None` while workers are paused.
    pub async fn count_removal(
        &self,
        lease: &Lease,
        id: Uuid,
        rows: u64,
    ) -> Result<Option<u64>, StreamError> {
        let mut call = scripts::COUNT_REMOVAL.prepare_invoke();
        call.key(self.keys().st(lease.shard))
            .key(self.keys().removal(lease.shard))
            .key(self.keys().pause(lease.shard));
        call.arg(lease.epoch).arg(id.to_string()).arg(rows);
        let (word, counted): (String, u64) = self.firm().invoke(&scripts::COUNT_REMOVAL, &call).await?;
        if word == "PAUSED" {
            return Ok(None);
        }
        answered(&word, lease.shard, 0)?;
        Ok(Some(counted))
    }

    /// The removal is carried out: its rows are counted as removed, once.
    pub async fn finish_removal(&self, lease: &Lease, id: Uuid) -> Result<(), StreamError> {
        let mut call = scripts::FINISH_REMOVAL.prepare_invoke();
        call.key(self.keys().st(lease.shard))
            .key(self.keys().removal(lease.shard));
        call.arg(lease.epoch).arg(id.to_string());
        let word: String = self.firm().invoke(&scripts::FINISH_REMOVAL, &call).await?;
        answered(&word, lease.shard, 0)
    }

    /// Rows that the removal took from the shard; `None` while it is not carried out.
    pub async fn removal_done(&self, shard: u16, id: Uuid) -> Result<Option<u64>, StreamError> {
        Ok(redis::cmd("HGET")
            .arg(self.keys().removal(shard))
            .arg(format!("{id}:done"))
            .query_async(&mut self.back())
            .await?)
    }

    /// Removals on the shard's list that were carried out.
    pub async fn carried_out(&self, shard: u16) -> Result<Vec<Uuid>, StreamError> {
        let names: Vec<String> = redis::cmd("HKEYS")
            .arg(self.keys().removal(shard))
            .query_async(&mut self.back())
            .await?;
        let ids = names.iter().filter_map(|name| name.strip_suffix(":done"));
        Ok(ids.filter_map(|id| Uuid::try_parse(id).ok()).collect())
    }

    /// Forgets a removal that was carried out; one that waits or runs stays.
    pub async fn forget_removal(&self, shard: u16, id: Uuid) -> Result<(), StreamError> {
        let mut call = scripts::FORGET_REMOVAL.key(self.keys().removal(shard));
        let _: u64 = call.arg(id.to_string()).invoke_async(&mut self.back()).await?;
        Ok(())
    }

    /// Dead letters of the subject; with `discard` they go, and are counted as discarded.
    pub async fn dead_letters_of(&self, subject: &Subject, discard: bool) -> Result<u64, StreamError> {
        let (project, mut before, mut found) = (subject.project, None, 0);
        loop {
            let page = self.letters(project, before, LETTERS_A_PAGE).await?;
            for letter in page.letters.iter().filter(|letter| subject.takes(&letter.event)) {
                found += 1;
                if discard {
                    self.discard(project, letter.id).await?;
                }
            }
            match page.next {
                Some(next) => before = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// Discards the project's dead letters that are not to be kept.
    pub async fn keep_letters(
        &self,
        project: ProjectNumber,
        keeps: impl Fn(&Event) -> bool,
    ) -> Result<(), StreamError> {
        let mut before = None;
        loop {
            let page = self.letters(project, before, LETTERS_A_PAGE).await?;
            for letter in page.letters.iter().filter(|letter| !keeps(&letter.event)) {
                self.discard(project, letter.id).await?;
            }
            match page.next {
                Some(next) => before = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// The latest version of tombstones that any shard asks for.
    pub async fn latest_tombstones(&self) -> Result<i64, StreamError> {
        let mut latest = 0;
        for shard in 0..self.shards() {
            let version: Option<i64> = redis::cmd("HGET")
                .arg(self.keys().st(shard))
                .arg("tombstones")
                .query_async(&mut self.back())
                .await?;
            latest = latest.max(version.unwrap_or(0));
        }
        Ok(latest)
    }

    /// Takes or keeps the turn to move erasures on; false while another worker has it. Only saves double work: every
    /// step may be done twice.
    pub async fn take_removing(&self, owner: &str, ttl: Duration) -> Result<bool, StreamError> {
        self.take_turn(&self.keys().remover(), owner, ttl).await
    }

    /// Gives the turn up, if it is still `owner`'s.
    pub async fn leave_removing(&self, owner: &str) -> Result<(), StreamError> {
        self.leave_turn(&self.keys().remover(), owner).await
    }

    /// Takes or keeps the ledger, to fold its old days or to remove a project from it; false while somebody else
    /// has it. A fold that began before the removal would bring back what was removed.
    pub async fn take_ledger(&self, owner: &str, ttl: Duration) -> Result<bool, StreamError> {
        self.take_turn(&self.keys().folding(), owner, ttl).await
    }

    /// Gives the ledger back, if it is still `owner`'s.
    pub async fn leave_ledger(&self, owner: &str) -> Result<(), StreamError> {
        self.leave_turn(&self.keys().folding(), owner).await
    }

    pub(super) async fn take_turn(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, StreamError> {
        let ttl = ttl.as_millis() as u64;
        let mut set = redis::cmd("SET");
        set.arg(key).arg(owner).arg("NX").arg("GET").arg("PX").arg(ttl);
        let holder: Option<String> = set.query_async(&mut self.back()).await?;
        if holder.as_deref() == Some(owner) {
            let mut keep = redis::cmd("PEXPIRE");
            keep.arg(key).arg(ttl).exec_async(&mut self.back()).await?;
        }
        Ok(holder.is_none_or(|holder| holder == owner))
    }

    pub(super) async fn leave_turn(&self, key: &str, owner: &str) -> Result<(), StreamError> {
        let mut call = scripts::RESUME.key(key);
        let _: u64 = call.arg(owner).invoke_async(&mut self.back()).await?;
        Ok(())
    }

    /// How many of these rebuilds wait or run.
    pub async fn rebuilds_left(&self, rebuilds: &[Rebuild]) -> Result<u64, StreamError> {
        if rebuilds.is_empty() {
            return Ok(0);
        }
        let mut command = redis::cmd("ZMSCORE");
        command.arg(self.keys().rebuild());
        for rebuild in rebuilds {
            command.arg(rebuild.to_string());
        }
        let scores: Vec<Option<f64>> = command.query_async(&mut self.back()).await?;
        Ok(scores.iter().flatten().count() as u64)
    }

    /// Asks Redis to write its append-only file anew, so that what was removed leaves the disk; false where it may
    /// not or cannot now.
    pub async fn rewrite_log(&self) -> bool {
        let asked: Result<String, _> = redis::cmd("BGREWRITEAOF").query_async(&mut self.back()).await;
        if let Err(error) = &asked {
            tracing::warn!(%error, "Redis does not rewrite its append-only file now");
        }
        asked.is_ok()
    }
}

/// An entry's id as a pair that can be compared.
fn place(entry: &str) -> (u64, u64) {
    let (ms, n) = entry.split_once('-').unwrap_or((entry, "0"));
    (ms.parse().unwrap_or(0), n.parse().unwrap_or(0))
}
