//! Guessing passwords is slow: ten failures per address in 15 minutes, then the address waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Failures per address and window.
const FAILURES: u32 = 10;
/// Length of a window in milliseconds.
const WINDOW_MS: i64 = 15 * 60_000;
/// Addresses remembered at once: what an attacker with invented addresses can make us keep.
const REMEMBERED: usize = 50_000;

#[derive(Clone, Copy, Debug)]
struct Window {
    began: i64,
    attempts: u32,
}

/// Counts login attempts per address, in the memory of this process. Cheap to clone; clones share the count.
#[derive(Clone, Debug, Default)]
pub struct LoginThrottle {
    windows: Arc<Mutex<HashMap<String, Window>>>,
}

impl LoginThrottle {
    /// Counts an attempt *before* it is checked, so that many at once are no way around. `Err`: the seconds to
    /// wait. A success must be told with [`LoginThrottle::forget`].
    pub fn attempt(&self, email: &str, now_ms: i64) -> Result<(), u32> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= REMEMBERED && !windows.contains_key(email) {
            windows.retain(|_, window| now_ms - window.began < WINDOW_MS);
            if windows.len() >= REMEMBERED {
                // Under such an attack forgetting all counts beats locking everybody out or growing.
                windows.clear();
            }
        }
        let window = windows
            .entry(email.to_owned())
            .and_modify(|window| {
                if now_ms - window.began >= WINDOW_MS {
                    *window = Window {
                        began: now_ms,
                        attempts: 0,
                    };
                }
            })
            .or_insert(Window {
                began: now_ms,
                attempts: 0,
            });
        if window.attempts >= FAILURES {
            let wait_ms = (window.began + WINDOW_MS - now_ms).max(1);
            return Err(((wait_ms + 999) / 1000) as u32);
        }
        window.attempts += 1;
        Ok(())
    }

    /// The address's owner has signed in.
    pub fn forget(&self, email: &str) {
        self.windows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(email);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_failure_waits_for_the_window_to_end_and_others_do_not() {
        let throttle = LoginThrottle::default();
        for n in 0..10 {
            assert_eq!(throttle.attempt("ada@example.com", n), Ok(()));
        }
        assert_eq!(throttle.attempt("ada@example.com", 60_000), Err(840));
        assert_eq!(throttle.attempt("grace@example.com", 60_000), Ok(()));
        assert_eq!(throttle.attempt("ada@example.com", WINDOW_MS), Ok(()));
    }

    #[test]
    fn a_success_starts_the_count_again() {
        let throttle = LoginThrottle::default();
        for _ in 0..10 {
            throttle.attempt("ada@example.com", 0).unwrap();
        }
        throttle.forget("ada@example.com");
        assert_eq!(throttle.attempt("ada@example.com", 1), Ok(()));
    }
}
