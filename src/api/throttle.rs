//! Guessing passwords is slow: ten failures for an address from one place in 15 minutes, a hundred from
//! everywhere. So who knows an address keeps its owner out only by asking from ten places or more.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::problem::Problem;

/// Failures per address, peer and window.
const FAILURES: u32 = 10;
/// Failures per address and window, from all peers together.
const FAILURES_FROM_ALL: u32 = 100;
/// Length of a window in milliseconds.
const WINDOW_MS: i64 = 15 * 60_000;
/// Windows remembered at once: what an attacker with invented addresses can make us keep.
const REMEMBERED: usize = 50_000;

/// Where a request comes from: the other end of the connection. Behind a proxy that is the proxy, for all alike:
/// a header could say anything. An extractor; without a connection (a test) everybody is in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Peer(Option<IpAddr>);

impl From<IpAddr> for Peer {
    /// Of an IPv6 address the network, /64: a customer has at least one, with more addresses than we could count.
    fn from(address: IpAddr) -> Peer {
        Peer(Some(match address.to_canonical() {
            IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
            four => four,
        }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Peer, Infallible> {
        let connection = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(connection.map_or_else(Peer::default, |ConnectInfo(from)| from.ip().into()))
    }
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: i64,
    attempts: u32,
}

#[derive(Debug, Default)]
struct Windows {
    from_peer: HashMap<(String, Peer), Window>,
    from_all: HashMap<String, Window>,
}

/// Counts attempts at a password per address, in the memory of this process. Cheap to clone; clones share the
/// count.
#[derive(Clone, Debug, Default)]
pub struct LoginThrottle {
    windows: Arc<Mutex<Windows>>,
}

impl LoginThrottle {
    /// Counts an attempt *before* it is checked, so that many at once are no way around. `Err`: the seconds to
    /// wait. A success must be told with [`LoginThrottle::forget`].
    pub fn attempt(&self, email: &str, peer: Peer, now_ms: i64) -> Result<(), u32> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let Windows { from_peer, from_all } = &mut *windows;
        let here = window(from_peer, (email.to_owned(), peer), now_ms);
        here.room(FAILURES, now_ms)?;
        let everywhere = window(from_all, email.to_owned(), now_ms);
        everywhere.room(FAILURES_FROM_ALL, now_ms)?;
        here.attempts += 1;
        everywhere.attempts += 1;
        Ok(())
    }

    /// The address's owner has signed in from there. What others tried from elsewhere stays counted.
    pub fn forget(&self, email: &str, peer: Peer) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let own = windows.from_peer.remove(&(email.to_owned(), peer));
        if let (Some(own), Some(all)) = (own, windows.from_all.get_mut(email)) {
            all.attempts = all.attempts.saturating_sub(own.attempts);
        }
    }
}

impl Window {
    fn room(&self, allowed: u32, now_ms: i64) -> Result<(), u32> {
        if self.attempts < allowed {
            return Ok(());
        }
        let wait_ms = (self.began + WINDOW_MS - now_ms).max(1);
        Err(((wait_ms + 999) / 1000) as u32)
    }
}

/// The window of a key that is running now, begun if need be.
fn window<K: Eq + Hash>(windows: &mut HashMap<K, Window>, key: K, now_ms: i64) -> &mut Window {
    if windows.len() >= REMEMBERED && !windows.contains_key(&key) {
        windows.retain(|_, window| now_ms - window.began < WINDOW_MS);
        if windows.len() >= REMEMBERED {
            // Under such an attack forgetting all counts beats locking everybody out or growing.
            windows.clear();
        }
    }
    let fresh = Window {
        began: now_ms,
        attempts: 0,
    };
    let window = windows.entry(key).or_insert(fresh);
    if now_ms - window.began >= WINDOW_MS {
        *window = fresh;
    }
    window
}

/// The refusal of somebody who has to wait.
pub fn too_many_attempts(wait_s: u32) -> Problem {
    Problem {
        retry_after: Some(wait_s),
        ..Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            format!("too many wrong passwords for this address: try again in {wait_s} seconds"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn the_eleventh_failure_waits_for_the_window_to_end_and_others_do_not() {
        let throttle = LoginThrottle::default();
        let (home, elsewhere) = (peer("192.0.2.1"), peer("192.0.2.2"));
        for n in 0..10 {
            assert_eq!(throttle.attempt("ada@example.com", home, n), Ok(()));
        }
        assert_eq!(throttle.attempt("ada@example.com", home, 60_000), Err(840));
        assert_eq!(throttle.attempt("grace@example.com", home, 60_000), Ok(()));
        assert_eq!(throttle.attempt("ada@example.com", elsewhere, 60_000), Ok(()));
        assert_eq!(throttle.attempt("ada@example.com", home, WINDOW_MS), Ok(()));
    }

    #[test]
    fn a_success_starts_the_count_again() {
        let throttle = LoginThrottle::default();
        for _ in 0..30 {
            for _ in 0..10 {
                throttle.attempt("ada@example.com", Peer::default(), 0).unwrap();
            }
            throttle.forget("ada@example.com", Peer::default());
        }
        assert_eq!(throttle.attempt("ada@example.com", Peer::default(), 1), Ok(()));
    }

    #[test]
    fn a_hundred_failures_from_many_places_close_an_address_and_a_success_elsewhere_does_not_reopen_it() {
        let throttle = LoginThrottle::default();
        let home = peer("192.0.2.1");
        throttle.attempt("ada@example.com", home, 0).unwrap();
        for n in 0..99 {
            let from = peer(&format!("198.51.100.{n}"));
            assert_eq!(throttle.attempt("ada@example.com", from, 0), Ok(()), "{n}");
        }
        let last = peer("203.0.113.1");
        assert_eq!(throttle.attempt("ada@example.com", last, 0), Err(900));
        throttle.forget("ada@example.com", home);
        assert_eq!(throttle.attempt("ada@example.com", last, 0), Ok(()));
        assert_eq!(throttle.attempt("ada@example.com", home, 0), Err(900));
    }

    #[test]
    fn a_network_of_ipv6_addresses_is_one_place() {
        assert_eq!(peer("2001:db8:1:2:3::4"), peer("2001:db8:1:2::9"));
        assert_ne!(peer("2001:db8:1:2::9"), peer("2001:db8:1:3::9"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
    }
}
