//! The ledger of a project: what became of every event that reached the endpoint.
//!
//! `received = stored + duplicate + rejected + quarantined + discarded + pending`, in the totals, at every
//! point and for every source, at whatever moment it is asked: what waits is seen together with the number of
//! the last committed batch, and the tables are read up to there. The other numbers are "of which" (late,
//! clock_corrected, time_clamped are among the stored) or beside it: what a client gave up, and what is
//! estimated from the gaps in clients' own numbering, never reached us.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::{Bucket, Moment, bucket_of};
use crate::event::ledger::Outcome;

mod spec;

pub use spec::{LedgerInterval, LedgerSpec, MAX_LEDGER_POINTS};

/// Most sources that are listed.
pub const MAX_SOURCES: usize = 100;

/// What engine and stream know of a range.
#[derive(Clone, Debug, Default)]
pub struct LedgerFacts {
    /// Committed events: start of the step in seconds, outcome, events.
    pub points: Vec<(u32, String, i64)>,
    /// Committed events by source, outcome and reason, with the last second.
    pub sources: Vec<SourceFact>,
    /// Events that wait.
    pub pending: Vec<PendingFact>,
    /// Estimate of events that never arrived, by source.
    pub missing: Vec<(String, u64)>,
}

/// Events of a source that wait.
#[derive(Clone, Debug, Default)]
pub struct PendingFact {
    pub source: String,
    /// Start of the minute of receipt, in seconds.
    pub at_s: u32,
    pub events: u64,
    /// Whether they are dead letters that are tried again: then they stand among the committed as quarantined,
    /// and are taken out there.
    pub replayed: bool,
}

impl PendingFact {
    /// What it takes away from the committed events.
    fn quarantined(&self) -> i64 {
        if self.replayed { self.events as i64 } else { 0 }
    }
}

/// Committed events of a source.
#[derive(Clone, Debug, Default)]
pub struct SourceFact {
    pub source: String,
    pub outcome: String,
    pub reason: String,
    pub events: i64,
    /// Start of the last minute with such events, in seconds.
    pub last_s: u32,
}

/// What became of the events received: `received` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Received {
    /// Events that reached the endpoint.
    pub received: u64,
    /// In the tables.
    pub stored: u64,
    /// Known by their id or their request, so not stored again.
    pub duplicate: u64,
    /// Refused, with a reason.
    pub rejected: u64,
    /// Dead letters: the engine refused them.
    pub quarantined: u64,
    /// Dead letters that somebody threw away.
    pub discarded: u64,
    /// Durable, on their way into the tables.
    pub pending: u64,
}

impl Received {
    fn of(counts: &BTreeMap<Outcome, i64>, pending: u64) -> Received {
        let of = |outcome| counts.get(&outcome).map_or(0, |count| (*count).max(0) as u64);
        let mut all = Received {
            received: 0,
            stored: of(Outcome::Stored),
            duplicate: of(Outcome::Duplicate),
            rejected: of(Outcome::Rejected),
            quarantined: of(Outcome::Quarantined),
            discarded: of(Outcome::Discarded),
            pending,
        };
        all.received =
            all.stored + all.duplicate + all.rejected + all.quarantined + all.discarded + all.pending;
        all
    }
}

/// A range's totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerTotals {
    #[serde(flatten)]
    pub events: Received,
    /// Of the stored: arrived more than 24 hours after they happened.
    pub late: u64,
    /// Of the stored: their time was corrected, because the client's clock was off.
    pub clock_corrected: u64,
    /// Of the stored: their time was moved into the range that is stored.
    pub time_clamped: u64,
    /// Beside the received: so many events clients say that they gave up, because too many waited or because
    /// they were refused (those stand among the rejected too).
    pub client_dropped: u64,
    /// Never received, estimated: gaps in the numbers that clients give their events, over the last 7 days.
    /// Includes events under way and those that a client gave up after it had numbered them.
    pub missing_estimate: u64,
}

/// A reason to reject events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RejectedCount {
    /// The rejection's code.
    #[schema(example = "missing_field")]
    pub code: String,
    pub count: u64,
}

/// What a sender sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerSourceTotals {
    /// Protocol and sender.
    #[schema(example = "native footfall-js/0.1.0")]
    pub source: String,
    #[serde(flatten)]
    pub events: Received,
    /// As in the totals.
    pub missing_estimate: u64,
    /// The last minute in which it sent something, to the quarter hour after a week.
    #[schema(value_type = String, format = DateTime)]
    pub last_received_at: Moment,
}

/// What was received within one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerPoint {
    /// Its start.
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
    #[serde(flatten)]
    pub events: Received,
}

/// The ledger of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerReport {
    pub totals: LedgerTotals,
    /// The most frequent first.
    pub rejected_by_reason: Vec<RejectedCount>,
    /// The biggest first, at most 100.
    pub sources: Vec<LedgerSourceTotals>,
    /// Every interval of the range, in order.
    pub series: Vec<LedgerPoint>,
}

#[derive(Default)]
struct OfSource {
    counts: BTreeMap<Outcome, i64>,
    pending: u64,
    missing: u64,
    last_s: u32,
}

impl LedgerReport {
    /// Puts the facts of the spec's range together.
    pub fn of(spec: &LedgerSpec, facts: &LedgerFacts) -> LedgerReport {
        let inside = |second: u32| spec.range.contains(i64::from(second) * 1000);
        let pending = || facts.pending.iter().filter(|waiting| inside(waiting.at_s));
        let (mut all, mut reasons) = (BTreeMap::<Outcome, i64>::new(), BTreeMap::<&str, i64>::new());
        let mut sources: BTreeMap<&str, OfSource> = BTreeMap::new();
        for fact in &facts.sources {
            let Some(outcome) = Outcome::named(&fact.outcome) else {
                continue;
            };
            *all.entry(outcome).or_default() += fact.events;
            if outcome == Outcome::Rejected {
                *reasons.entry(&fact.reason).or_default() += fact.events;
            }
            let of = sources.entry(&fact.source).or_default();
            *of.counts.entry(outcome).or_default() += fact.events;
            of.last_s = of.last_s.max(fact.last_s);
        }
        for waiting in pending() {
            let of = sources.entry(&waiting.source).or_default();
            of.pending += waiting.events;
            of.last_s = of.last_s.max(waiting.at_s);
            *of.counts.entry(Outcome::Quarantined).or_default() -= waiting.quarantined();
            *all.entry(Outcome::Quarantined).or_default() -= waiting.quarantined();
        }
        for (source, missing) in &facts.missing {
            sources.entry(source).or_default().missing += missing;
        }
        let of = |outcome| all.get(&outcome).map_or(0, |count| (*count).max(0) as u64);
        let totals = LedgerTotals {
            events: Received::of(&all, pending().map(|waiting| waiting.events).sum()),
            late: of(Outcome::Late),
            clock_corrected: of(Outcome::ClockCorrected),
            time_clamped: of(Outcome::TimeClamped),
            client_dropped: of(Outcome::ClientDropped),
            missing_estimate: facts.missing.iter().map(|(_, missing)| missing).sum(),
        };
        LedgerReport {
            totals,
            rejected_by_reason: by_reason(reasons),
            sources: by_size(sources),
            series: series(spec, facts),
        }
    }
}

fn by_reason(reasons: BTreeMap<&str, i64>) -> Vec<RejectedCount> {
    let mut listed: Vec<RejectedCount> = reasons
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(code, count)| RejectedCount {
            code: code.to_owned(),
            count: count as u64,
        })
        .collect();
    listed.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    listed
}

fn by_size(sources: BTreeMap<&str, OfSource>) -> Vec<LedgerSourceTotals> {
    let mut listed: Vec<LedgerSourceTotals> = sources
        .into_iter()
        .map(|(source, of)| LedgerSourceTotals {
            source: source.to_owned(),
            events: Received::of(&of.counts, of.pending),
            missing_estimate: of.missing,
            last_received_at: Moment(i64::from(of.last_s) * 1000),
        })
        .collect();
    listed.sort_by_key(|source| std::cmp::Reverse(source.events.received));
    listed.truncate(MAX_SOURCES);
    listed
}

fn series(spec: &LedgerSpec, facts: &LedgerFacts) -> Vec<LedgerPoint> {
    let mut points: Vec<(BTreeMap<Outcome, i64>, u64)> = vec![Default::default(); spec.buckets.len()];
    let place = |second: u32| bucket_of(&spec.buckets, i64::from(second) * 1000);
    for (second, outcome, events) in &facts.points {
        if let (Some(place), Some(outcome)) = (place(*second), Outcome::named(outcome)) {
            *points[place].0.entry(outcome).or_default() += events;
        }
    }
    for waiting in &facts.pending {
        if spec.range.contains(i64::from(waiting.at_s) * 1000)
            && let Some(place) = place(waiting.at_s)
        {
            points[place].1 += waiting.events;
            *points[place].0.entry(Outcome::Quarantined).or_default() -= waiting.quarantined();
        }
    }
    let point = |(bucket, (counts, pending)): (&Bucket, (BTreeMap<Outcome, i64>, u64))| LedgerPoint {
        at: Moment(bucket.start),
        events: Received::of(&counts, pending),
    };
    spec.buckets.iter().zip(points).map(point).collect()
}

#[cfg(test)]
mod tests;
