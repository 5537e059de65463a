//! The numbers of a funnel, gathered person by person.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::matcher::{Plan, Run};
use super::{FunnelSpec, StepEvent};
use crate::metrics::rate;
use crate::metrics::time::Moment;

/// How far persons came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunnelReport {
    /// The steps, in order.
    pub steps: Vec<FunnelStepReport>,
    /// From the first step to the last.
    pub overall: FunnelOverall,
    /// The conversion window, in milliseconds.
    pub window_ms: i64,
    /// The first step lies at or after this instant.
    #[schema(value_type = String, format = DateTime)]
    pub from: Moment,
    /// The first step lies before this instant.
    #[schema(value_type = String, format = DateTime)]
    pub to: Moment,
    /// Whether everybody had their whole window: the range and one window more are over.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// One step of a funnel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "index": 2, "name": "add_to_cart", "events": ["add_to_cart"], "reached": 310, "dropped": 120,
    "rate_from_start": 0.31, "rate_from_previous": 0.31, "drop_off_rate": 0.387,
    "median_from_previous_ms": 94000.0, "median_from_start_ms": 94000.0
}))]
pub struct FunnelStepReport {
    /// The step's number, from 1.
    pub index: usize,
    /// The step's name, else its events.
    pub name: String,
    /// The events of which any satisfies the step.
    pub events: Vec<String>,
    /// Persons who came at least this far.
    pub reached: u64,
    /// Persons who came exactly this far: they did not reach the next step. 0 at the last.
    pub dropped: u64,
    /// `reached` over that of the first step; null when nobody entered.
    pub rate_from_start: Option<f64>,
    /// `reached` over that of the step before; null at the first step, and when nobody reached the one before.
    pub rate_from_previous: Option<f64>,
    /// `dropped / reached`; null at the last step, and when nobody reached this one.
    pub drop_off_rate: Option<f64>,
    /// Median time from the step before, over the chains that reached this step, in milliseconds; the mean of the
    /// two middle ones of an even number. Null at the first step, and when nobody reached this one.
    pub median_from_previous_ms: Option<f64>,
    /// Median time from the first step, likewise.
    pub median_from_start_ms: Option<f64>,
}

/// A funnel from its first step to its last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"entered": 1000, "converted": 190, "rate": 0.19, "median_ms": 1260000.0}))]
pub struct FunnelOverall {
    /// Persons who did the first step in range.
    pub entered: u64,
    /// Persons who completed every step within the window.
    pub converted: u64,
    /// `converted / entered`; null when nobody entered.
    pub rate: Option<f64>,
    /// Median time from the first step to the last; null when nobody converted.
    pub median_ms: Option<f64>,
}

/// Gathers a funnel's numbers, one person at a time. Memory: two numbers a person and step (for the exact
/// median), nothing that grows with events.
#[derive(Debug)]
pub struct FunnelTally {
    spec: FunnelSpec,
    plan: Plan,
    run: Run,
    person: Option<u64>,
    /// `deepest[i]`: persons whose depth is `i + 1`.
    deepest: Vec<u64>,
    from_previous: Vec<Vec<u64>>,
    from_start: Vec<Vec<u64>>,
}

impl FunnelTally {
    /// A tally of nobody so far.
    pub fn new(spec: &FunnelSpec) -> FunnelTally {
        let plan = Plan::new(spec);
        FunnelTally {
            run: Run::new(&plan, spec.entry_range()),
            plan,
            person: None,
            deepest: vec![0; spec.steps.len()],
            from_previous: vec![Vec::new(); spec.steps.len()],
            from_start: vec![Vec::new(); spec.steps.len()],
            spec: spec.clone(),
        }
    }

    /// Takes the next row of a stream ordered by person, then in total order. Events before the range and later
    /// than a window after it are harmless.
    pub fn push(&mut self, person: u64, event: &StepEvent) {
        if self.person != Some(person) {
            self.close();
            self.person = Some(person);
        }
        self.run.feed(&self.plan, event);
    }

    /// Takes all events of one person, in total order.
    pub fn add_person(&mut self, events: &[StepEvent]) {
        self.close();
        for event in events {
            self.run.feed(&self.plan, event);
        }
        self.close();
    }

    /// The report.
    pub fn finish(mut self, now_ms: i64) -> FunnelReport {
        self.close();
        let reached: Vec<u64> = (0..self.deepest.len())
            .map(|step| self.deepest[step..].iter().sum())
            .collect();
        let last = reached.len().saturating_sub(1);
        let (entered, converted) = (
            reached.first().copied().unwrap_or(0),
            reached.last().copied().unwrap_or(0),
        );
        let mut steps = Vec::with_capacity(reached.len());
        for (i, step) in self.spec.steps.iter().enumerate() {
            let dropped = if i == last { 0 } else { self.deepest[i] };
            steps.push(FunnelStepReport {
                index: i + 1,
                name: step.label(),
                events: step.events.clone(),
                reached: reached[i],
                dropped,
                rate_from_start: rate(reached[i], entered),
                rate_from_previous: (i > 0).then(|| rate(reached[i], reached[i - 1])).flatten(),
                drop_off_rate: (i < last).then(|| rate(dropped, reached[i])).flatten(),
                median_from_previous_ms: median(&mut self.from_previous[i]),
                median_from_start_ms: median(&mut self.from_start[i]),
            });
        }
        FunnelReport {
            overall: FunnelOverall {
                entered,
                converted,
                rate: rate(converted, entered),
                median_ms: steps.last().and_then(|step| step.median_from_start_ms),
            },
            steps,
            window_ms: self.spec.window_ms,
            from: Moment(self.spec.from_ms),
            to: Moment(self.spec.to_ms),
            is_final: self.spec.facts_range().to_ms <= now_ms,
        }
    }

    /// Counts the person at hand and forgets them.
    fn close(&mut self) {
        let times = self.run.reported();
        if let Some(depth) = times.len().checked_sub(1) {
            self.deepest[depth] += 1;
            for step in 1..=depth {
                self.from_previous[step].push(times[step].abs_diff(times[step - 1]));
                self.from_start[step].push(times[step].abs_diff(times[0]));
            }
        }
        self.run.reset();
        self.person = None;
    }
}

/// The middle value, or the mean of the two middle ones. Reorders the values.
fn median(values: &mut [u64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable(middle);
    let upper = *upper as f64;
    Some(match below.iter().max() {
        Some(lower) if even => (*lower as f64 + upper) / 2.0,
        _ => upper,
    })
}
