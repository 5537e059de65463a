//! The last rejected events of each project, so that a developer can see why. Best effort: samples are not
//! part of what is promised, and at maxmemory Redis refuses them without harm.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{EventStream, StreamError};
use crate::event::ProjectNumber;

/// Samples kept of a project; older ones go.
pub const MAX_REJECTIONS: usize = 100;
/// Longest sample, in bytes.
pub const MAX_SAMPLE_BYTES: usize = 2_048;
/// How long a sample is kept.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;

/// An event that was refused at the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedEvent {
    pub id: Uuid,
    /// UTC milliseconds.
    pub received_at: i64,
    /// Protocol and sender.
    pub source: String,
    /// Code of the rejection.
    pub code: String,
    /// JSON pointer from the event to the field to blame.
    pub field: String,
    pub detail: String,
    /// The event as it came, cut at [`MAX_SAMPLE_BYTES`].
    pub sample: String,
}

impl EventStream {
    /// Keeps samples of a project, the newest last.
    ///
    /// # Errors
    /// When Redis does not take them: away, or at maxmemory.
    pub async fn keep_rejections(
        &self,
        project: ProjectNumber,
        samples: &[RejectedEvent],
    ) -> Result<(), StreamError> {
        if samples.is_empty() {
            return Ok(());
        }
        let key = self.keys().rejections(project);
        let texts: Vec<String> = samples
            .iter()
            .filter_map(|sample| serde_json::to_string(sample).ok())
            .collect();
        redis::pipe()
            .cmd("LPUSH")
            .arg(&key)
            .arg(texts)
            .ignore()
            .cmd("LTRIM")
            .arg(&key)
            .arg(0)
            .arg(MAX_REJECTIONS - 1)
            .ignore()
            .cmd("PEXPIRE")
            .arg(&key)
            .arg(KEPT_MS)
            .ignore()
            .exec_async(&mut self.front())
            .await?;
        Ok(())
    }

    /// The project's rejected events that are not too old at `now_ms`, newest first.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn rejections(
        &self,
        project: ProjectNumber,
        now_ms: i64,
    ) -> Result<Vec<RejectedEvent>, StreamError> {
        let texts: Vec<String> = redis::cmd("LRANGE")
            .arg(self.keys().rejections(project))
            .arg(0)
            .arg(MAX_REJECTIONS - 1)
            .query_async(&mut self.front())
            .await?;
        // What another version wrote and this one cannot read is left out: samples are no promise.
        let mut samples: Vec<RejectedEvent> = texts
            .iter()
            .filter_map(|text| serde_json::from_str(text).ok())
            .filter(|sample: &RejectedEvent| sample.received_at > now_ms - KEPT_MS)
            .collect();
        samples.sort_by_key(|sample| std::cmp::Reverse(sample.received_at));
        Ok(samples)
    }

    /// Forgets the project's rejected events, and says how many there were.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn forget_rejections(&self, project: ProjectNumber) -> Result<u64, StreamError> {
        let key = self.keys().rejections(project);
        let (kept, _): (u64, u64) = redis::pipe()
            .atomic()
            .cmd("LLEN")
            .arg(&key)
            .cmd("DEL")
            .arg(&key)
            .query_async(&mut self.back())
            .await?;
        Ok(kept)
    }
}
