//! What can go wrong with ClickHouse, as callers must tell it apart.

use crate::fault::Fault;

/// ClickHouse did not do what was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// No answer: network, connection refused, client-side time-out.
    #[error("ClickHouse cannot be reached: {0}")]
    Unreachable(String),
    /// The question ran into its time limit (code 159 or 160).
    #[error("the question took longer than it may: {0}")]
    TooSlow(String),
    /// The question ran into its memory limit (code 241).
    #[error("the question needs more memory than it may use: {0}")]
    TooMuchMemory(String),
    /// The question ran into its limit of rows or bytes (codes 158, 307, 396).
    #[error("the question reads more rows than it may: {0}")]
    TooManyRows(String),
    /// ClickHouse is at its limit of simultaneous queries (code 202); the same question later is fine.
    #[error("ClickHouse is busy: {0}")]
    Busy(String),
    /// A table that keeps no history was asked how it was (code 395).
    #[error("this is not kept as it was: {0}")]
    NoPast(String),
    /// Any other refusal, with ClickHouse's error code.
    #[error("ClickHouse answered with code {code}: {message}")]
    Server { code: u32, message: String },
    /// The answer could not be read, or the question could not be built: a fault of ours.
    #[error("ClickHouse's answer cannot be read: {0}")]
    Unreadable(String),
    /// A stored sketch is damaged.
    #[error("the stored sketch of project {project}, {event:?}, {day} cannot be read: {reason}")]
    DamagedSketch {
        project: u32,
        event: String,
        day: String,
        reason: String,
    },
    /// A migration that ran here has another text now.
    #[error(
        "migrations/clickhouse/{file} was changed after it ran on this database: \
         restore its text and put the change into a new file"
    )]
    ChangedMigration { file: String },
    /// The database's name would need quoting.
    #[error("{0:?} is no database name: use letters, digits and underscores, not starting with a digit")]
    InvalidDatabaseName(String),
    /// The installation was set up with another number of shards.
    #[error("this ClickHouse belongs to an installation of {recorded} shards, not {asked}")]
    ShardsDiffer { recorded: u64, asked: u64 },
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> StoreError {
        StoreError::Unreachable(fault.to_string())
    }
}

impl From<clickhouse::error::Error> for StoreError {
    fn from(error: clickhouse::error::Error) -> StoreError {
        use clickhouse::error::Error;
        match error {
            Error::BadResponse(message) => from_response(message),
            Error::Network(_) | Error::TimedOut => StoreError::Unreachable(chain(&error)),
            other => StoreError::Unreadable(chain(&other)),
        }
    }
}

/// An answer other than 200, or an exception within an answer.
fn from_response(message: String) -> StoreError {
    match code_of(&message) {
        Some(159 | 160) => StoreError::TooSlow(message),
        Some(241) => StoreError::TooMuchMemory(message),
        // A statement or parameter beyond its 128 KiB.
        Some(1000) if message.contains("Field value too long") => StoreError::TooManyRows(message),
        Some(158 | 307 | 396) => StoreError::TooManyRows(message),
        Some(202) => StoreError::Busy(message),
        Some(super::past::NO_PAST) => StoreError::NoPast(message),
        Some(code) => StoreError::Server { code, message },
        // a proxy's page, an empty answer
        None => StoreError::Unreachable(message),
    }
}

/// The number in `Code: 241. DB::Exception: …`.
fn code_of(message: &str) -> Option<u32> {
    let digits = message.split_once("Code: ")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// The error with its causes: hyper's own text names none of them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_a_question_are_told_apart() {
        let of = |code: u32| from_response(format!("Code: {code}. DB::Exception: x. (Y) (version 26.7)"));
        assert!(matches!(of(159), StoreError::TooSlow(_)));
        assert!(matches!(of(241), StoreError::TooMuchMemory(_)));
        assert!(matches!(of(158), StoreError::TooManyRows(_)));
        assert!(matches!(of(202), StoreError::Busy(_)));
        assert!(matches!(of(60), StoreError::Server { code: 60, .. }));
        assert!(matches!(
            from_response("502 Bad Gateway".into()),
            StoreError::Unreachable(_)
        ));
    }
}
