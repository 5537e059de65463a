//! The one place that reads the wall clock. Everything else is given the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A source of "now" in milliseconds since 1970-01-01 UTC.
///
/// Cheap to clone. Tests hand a [`Clock::fixed`] one to the roles and move it by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `now_ms` until [`Clock::set`] moves it.
    pub fn fixed(now_ms: i64) -> Self {
        Self {
            fixed: Some(Arc::new(AtomicI64::new(now_ms))),
        }
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now_ms(&self) -> i64 {
        match &self.fixed {
            Some(ms) => ms.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| d.as_millis() as i64),
        }
    }

    /// Moves a fixed clock (and every clone of it). The machine's clock ignores the call.
    pub fn set(&self, now_ms: i64) {
        if let Some(ms) = &self.fixed {
            ms.store(now_ms, Ordering::Relaxed);
        }
    }
}
