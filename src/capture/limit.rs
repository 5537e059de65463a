//! How much one process takes at a time. What is over it is refused at once with 503 and `Retry-After`, which
//! every SDK retries; queueing it would only move the memory here.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Seconds that a refused client is asked to wait.
const RETRY_AFTER_S: u32 = 2;

/// Limits of one process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body with a public key, in bytes, before and again after decompression.
    pub public_body: usize,
    /// Largest body with a secret key.
    pub secret_body: usize,
    /// Requests that may be under way at once.
    pub requests: usize,
    /// Bytes of bodies, compressed and decompressed, that may be in memory at once.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            public_body: 1 << 20,
            secret_body: 20 << 20,
            requests: 1024,
            bytes: 256 << 20,
        }
    }
}

/// What is under way.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl InFlight {
    pub fn new(limits: &Limits) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(limits.requests)),
            bytes: Arc::new(Semaphore::new(limits.bytes)),
        }
    }

    /// Room for one more request, given back when the claim is dropped.
    pub fn admit(&self) -> Result<Claim, Problem> {
        let request = self.requests.clone().try_acquire_owned().map_err(|_| busy())?;
        Ok(Claim {
            _request: request,
            source: self.bytes.clone(),
            held: None,
        })
    }
}

/// One request's share of the process.
#[derive(Debug)]
pub(super) struct Claim {
    _request: OwnedSemaphorePermit,
    source: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Claim {
    /// Claims `bytes` more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let more = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| self.source.clone().try_acquire_many_owned(bytes).ok())
            .ok_or_else(busy)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            held => *held = Some(more),
        }
        Ok(())
    }
}

fn busy() -> Problem {
    Problem::unavailable(
        "too much is being received at this moment; send the same request again",
        RETRY_AFTER_S,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_limit_is_told_to_come_back() {
        let in_flight = InFlight::new(&Limits {
            requests: 2,
            bytes: 100,
            ..Limits::default()
        });
        let mut first = in_flight.admit().unwrap();
        let mut second = in_flight.admit().unwrap();
        let refused = in_flight.admit().unwrap_err();
        assert_eq!((refused.status, refused.retry_after), (503, Some(RETRY_AFTER_S)));

        first.grow(60).unwrap();
        first.grow(20).unwrap();
        assert_eq!(second.grow(21).unwrap_err().status, 503);
        drop(first);
        second.grow(100).unwrap();
        assert!(in_flight.admit().is_ok());
    }
}
