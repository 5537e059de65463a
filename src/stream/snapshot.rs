//! A copy of everything that Redis holds, made by Redis itself. For backups of the embedded one.

use std::path::PathBuf;
use std::time::Duration;

use super::{EventStream, StreamError};

/// How long Redis may take to write its memory to a file.
const WITHIN: Duration = Duration::from_secs(600);

/// Between two looks at whether it has.
const EVERY: Duration = Duration::from_millis(50);

impl EventStream {
    /// Makes Redis write a snapshot (its RDB format) and answers the file, which is on Redis's machine and the
    /// caller's to move away. It shows one moment after the call.
    ///
    /// # Errors
    /// When Redis does not answer, or could not write the file.
    pub async fn snapshot(&self) -> Result<PathBuf, StreamError> {
        let failed = |detail: String| StreamError::Content {
            key: "snapshot".to_owned(),
            detail,
        };
        // One that began before shows an older moment.
        self.snapshot_ended().await?;
        // SCHEDULE: while the log is being rewritten a snapshot waits for its end.
        redis::cmd("BGSAVE")
            .arg("SCHEDULE")
            .exec_async(&mut self.back())
            .await?;
        let ended = tokio::time::timeout(WITHIN, self.snapshot_ended());
        let info = ended
            .await
            .map_err(|_| failed(format!("not written within {} s", WITHIN.as_secs())))??;
        if !info.contains("rdb_last_bgsave_status:ok") {
            return Err(failed("Redis could not write it; its log says why".to_owned()));
        }
        let place = |name: &'static str| async move {
            let (_, value): (String, String) = redis::cmd("CONFIG")
                .arg("GET")
                .arg(name)
                .query_async(&mut self.back())
                .await?;
            Ok::<_, StreamError>(value)
        };
        Ok(PathBuf::from(place("dir").await?).join(place("dbfilename").await?))
    }

    /// Waits until no snapshot and no rewrite is under way; what INFO says then.
    async fn snapshot_ended(&self) -> Result<String, StreamError> {
        loop {
            let info: String = redis::cmd("INFO")
                .arg("persistence")
                .query_async(&mut self.back())
                .await?;
            let busy = ["rdb_bgsave_in_progress:1", "aof_rewrite_in_progress:1"];
            if !busy.iter().any(|word| info.contains(word)) {
                return Ok(info);
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}
