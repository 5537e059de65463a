//! Every Redis key, by name. All keys of a shard carry the hash tag `{sN}`: one Redis Cluster slot.

use crate::event::ProjectNumber;

/// Key names under an installation's prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// `None` when the prefix has other characters than `[a-z0-9:_-]`.
    pub(super) fn new(prefix: &str) -> Option<Keys> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, ':' | '_' | '-');
        prefix.chars().all(allowed).then(|| Keys {
            prefix: prefix.to_owned(),
        })
    }

    fn of_shard(&self, kind: &str, shard: u16) -> String {
        format!("{}{kind}:{{s{shard}}}", self.prefix)
    }

    /// Stream: an entry is one request's events of this shard.
    pub(super) fn ev(&self, shard: u16) -> String {
        self.of_shard("ev", shard)
    }

    /// String: the entry that a request's rows of this shard became.
    pub(super) fn idem(&self, shard: u16, request: u128) -> String {
        format!("{}:{request:032x}", self.of_shard("idem", shard))
    }

    /// Start of the names of the event-id window's sets; `<generation>:<bucket>` follows.
    pub(super) fn seen(&self, shard: u16) -> String {
        format!("{}:", self.of_shard("seen", shard))
    }

    /// String: `owner:epoch` of the shard's owner.
    pub(super) fn lease(&self, shard: u16) -> String {
        self.of_shard("lease", shard)
    }

    /// Hash: epoch, incarnation, last commit, plan, counters.
    pub(super) fn st(&self, shard: u16) -> String {
        self.of_shard("st", shard)
    }

    /// Hash: rows that wait, by `project:minute:source`; with a `z` before it of dead letters tried again.
    pub(super) fn pend(&self, shard: u16) -> String {
        self.of_shard("pend", shard)
    }

    /// Sorted set: the dead letters by project, all scores 0.
    pub(super) fn dead(&self, shard: u16) -> String {
        self.of_shard("dead", shard)
    }

    /// String: the entry that a dead letter became when it was replayed.
    pub(super) fn idem_letter(&self, shard: u16, letter: &str) -> String {
        format!("{}:letter:{letter}", self.of_shard("idem", shard))
    }

    /// Stream: rows that ClickHouse refuses.
    pub(super) fn dlq(&self, shard: u16) -> String {
        self.of_shard("dlq", shard)
    }

    /// Hash: removals that wait for the shard's owner, with the rows each takes, and those that are carried out.
    pub(super) fn removal(&self, shard: u16) -> String {
        self.of_shard("removal", shard)
    }

    /// String: the worker that moves erasures on.
    pub(super) fn remover(&self) -> String {
        format!("{}remover", self.prefix)
    }

    /// List: the project's last rejected events.
    pub(super) fn rejections(&self, project: ProjectNumber) -> String {
        format!("{}rejected:{{p{project}}}", self.prefix)
    }

    /// String: who asked the shard's owner to begin no batch.
    pub(super) fn pause(&self, shard: u16) -> String {
        self.of_shard("pause", shard)
    }

    /// String: who asked the rollers to begin nothing.
    pub(super) fn pause_rollers(&self) -> String {
        format!("{}pause:{{roll}}", self.prefix)
    }

    /// Sorted set: rollers at work by the time their note runs out.
    pub(super) fn rolling(&self) -> String {
        format!("{}rolling:{{roll}}", self.prefix)
    }

    /// String: who folds the ledger's old days, or removes a project from it, at the moment.
    pub(super) fn folding(&self) -> String {
        format!("{}folding", self.prefix)
    }

    /// String: the worker that compacts and rebuilds the project at the moment.
    pub(super) fn roll(&self, project: ProjectNumber) -> String {
        format!("{}roll:{{p{project}}}", self.prefix)
    }

    /// String: who learns the project's identity at the moment.
    pub(super) fn identity(&self, project: ProjectNumber) -> String {
        format!("{}identity:{{p{project}}}", self.prefix)
    }

    /// Counter: raised after anything that changes the project's answers.
    pub(super) fn rev(&self, project: ProjectNumber) -> String {
        format!("{}rev:{{p{project}}}", self.prefix)
    }

    /// Sorted set: `project:kind:day` by the time it is due.
    pub(super) fn rebuild(&self) -> String {
        format!("{}rebuild", self.prefix)
    }

    /// Counter: generations of rollups.
    pub(super) fn generations(&self) -> String {
        format!("{}gen", self.prefix)
    }

    /// Sorted set: living workers by the time their heartbeat runs out.
    pub(super) fn workers(&self) -> String {
        format!("{}workers", self.prefix)
    }

    /// String: the number of shards, for the life of the installation.
    pub(super) fn shards(&self) -> String {
        format!("{}shards", self.prefix)
    }
}
