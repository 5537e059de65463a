//! The Lua scripts. Each touches the keys of one shard (or one unsharded key), so Redis Cluster can run it.
//!
//! Scripts of the workers are flagged `allow-oom`: without it nobody could drain a Redis at maxmemory.

use std::sync::LazyLock;

use redis::{ErrorKind, RedisError, Script, ServerErrorKind};

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $($(#[$doc])* pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("scripts/", $file, ".lua"))));)*
    };
}

scripts! {
    /// Takes entries, or says which parts of them were taken before, or that the stream is full.
    INGEST = "ingest";
    ACQUIRE = "acquire";
    RENEW = "renew";
    RELEASE = "release";
    PLAN = "plan";
    TRY = "try";
    SPLIT = "split";
    COMMIT = "commit";
    ANNOUNCED = "announced";
    RAISE = "raise";
    FLOOR = "floor";
    WAITING = "waiting";
    PENDING = "pending";
    HEARTBEAT = "heartbeat";
    FINISH_REBUILD = "finish_rebuild";
    KEEP_REBUILD = "keep_rebuild";
    REWRITE = "rewrite";
    ADOPT = "adopt";
    /// Everything that a shard counts.
    BOOKS = "books";
    GATE = "gate";
    COUNT_REMOVAL = "count_removal";
    FINISH_REMOVAL = "finish_removal";
    FORGET_REMOVAL = "forget_removal";
    /// Puts a dead letter back into the stream.
    REPLAY = "replay";
    /// Gives a dead letter up for good.
    DISCARD = "discard";
    /// Brings the dead letters' index in line with the letters.
    INDEX = "index";
    PAUSE = "pause";
    RESUME = "resume";
    /// Begins or prolongs a roller's note.
    BEGIN_ROLL = "begin_roll";
}

/// Whether Redis does not know a script that was called by its hash: after its start, or a `SCRIPT FLUSH`.
pub(super) fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
