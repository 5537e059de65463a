//! Identical questions that are asked at the same moment are computed once. The computation belongs to all who
//! wait for it: whoever leaves takes nothing from the others, and when all have left it is dropped, and its
//! queries with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use super::answers::{Key, Remembered};
use super::freshness::Revision;
use crate::problem::Problem;

/// What a computation ends with.
pub type Landed = Result<Arc<Remembered>, Problem>;

/// What finds an answer out.
pub type Computation = BoxFuture<'static, Landed>;

/// A computation that its waiters have in common.
pub type Flight = Shared<Computation>;

type Under = (Key, Revision);

/// Computations under way. Cheap to clone.
#[derive(Clone, Default)]
pub struct Flights {
    inner: Arc<Mutex<Airborne>>,
}

#[derive(Default)]
struct Airborne {
    flights: HashMap<Under, (u64, WeakShared<Computation>)>,
    started: u64,
}

impl Flights {
    /// The outcome of the computation under way for this question under this revision, else of `compute`, which
    /// others may join.
    pub fn join(&self, under: (Key, Revision), compute: impl FnOnce() -> Computation) -> Flight {
        let mut airborne = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let found = airborne.flights.get(&under).and_then(|(_, weak)| weak.upgrade());
        if let Some(flight) = found {
            return flight;
        }
        airborne.started += 1;
        let number = airborne.started;
        let landing = Landing {
            flights: self.clone(),
            under: under.clone(),
            number,
        };
        let computation = compute();
        let flight: Flight = async move {
            let _landing = landing;
            computation.await
        }
        .boxed()
        .shared();
        if let Some(weak) = flight.downgrade() {
            airborne.flights.insert(under, (number, weak));
        }
        flight
    }

    /// Computations that were started so far.
    pub fn started(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).started
    }
}

/// Takes a flight off the list when it ends, or when nobody waits for it any more.
struct Landing {
    flights: Flights,
    under: Under,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut airborne = self.flights.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // A later flight of the same question has another number.
        if airborne
            .flights
            .get(&self.under)
            .is_some_and(|(number, _)| *number == self.number)
        {
            airborne.flights.remove(&self.under);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ProjectNumber;
    use crate::metrics::envelope::Envelope;
    use crate::metrics::time::Moment;
    use tokio::sync::Semaphore;

    fn under(rev: u64) -> Under {
        let key = Key::new(ProjectNumber(1), "trends", "UTC", [None; 2], None, "{}");
        (key, Revision { rev, incarnations: 1 })
    }

    fn computation(gate: &Arc<Semaphore>) -> Computation {
        let gate = gate.clone();
        Box::pin(async move {
            gate.acquire().await.map_err(Problem::internal)?.forget();
            let meta = Envelope {
                as_of: Moment(0),
                complete: true,
                approximate: false,
                error: None,
                overcount_bound: None,
                identity_version: 0,
                rows_read: 1,
                elapsed_ms: 1.0,
                cached: false,
                timezone: "UTC".to_owned(),
                warnings: Vec::new(),
                range: None,
            };
            Ok(Arc::new(Remembered::new(b"1".to_vec(), meta)))
        })
    }

    #[tokio::test]
    async fn who_asked_first_may_leave_and_the_others_get_the_one_answer() {
        let (flights, gate) = (Flights::default(), Arc::new(Semaphore::new(0)));
        let mut leader = flights.join(under(1), || computation(&gate));
        let follower = flights.join(under(1), || unreachable!("it is under way"));
        let third = tokio::spawn(flights.join(under(1), || unreachable!("it is under way")));
        assert!(futures_util::poll!(&mut leader).is_pending());
        drop(leader);
        gate.add_permits(1);
        assert_eq!(&follower.await.unwrap().data[..], b"1");
        assert_eq!(&third.await.unwrap().unwrap().data[..], b"1");
        assert_eq!(flights.started(), 1);
        assert!(flights.inner.lock().unwrap().flights.is_empty());
    }

    #[tokio::test]
    async fn another_revision_is_another_question_and_one_that_all_left_starts_anew() {
        let (flights, gate) = (Flights::default(), Arc::new(Semaphore::new(1)));
        let old = flights.join(under(1), || computation(&gate));
        let new = flights.join(under(2), || computation(&gate));
        assert_eq!(flights.started(), 2);
        drop(old);
        assert!(new.await.is_ok());
        gate.add_permits(1);
        assert!(flights.join(under(1), || computation(&gate)).await.is_ok());
        assert_eq!(flights.started(), 3);
    }
}
