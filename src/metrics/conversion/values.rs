//! What conversions are worth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ConversionSpec;
use crate::event::Zone;
use crate::metrics::time::{Bucket, TimeRange, bucket_of};

/// What converting events are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"events": 18, "sum": 1404.0, "mean": 78.0}))]
pub struct ConversionValue {
    /// Converting events that have a number.
    pub events: u64,
    /// The sum of these numbers.
    pub sum: f64,
    /// Their mean; null without one.
    pub mean: Option<f64>,
}

impl ConversionValue {
    /// Of so many numbers.
    pub fn of(events: u64, sum: f64) -> ConversionValue {
        ConversionValue {
            events,
            sum,
            mean: (events > 0).then(|| sum / events as f64),
        }
    }

    fn add(&mut self, number: Option<f64>) {
        if let Some(number) = number {
            *self = ConversionValue::of(self.events + 1, self.sum + number);
        }
    }
}

/// What was found of a goal without an event that enters, on a day or over the range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GoalCount {
    /// Persons who were active.
    pub active: u64,
    /// Persons who did it.
    pub converted: u64,
    /// What it was worth.
    pub value: ConversionValue,
}

/// What was found of a goal without an event that enters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoalFacts {
    /// By start of the day.
    pub days: BTreeMap<i64, GoalCount>,
    /// Over the range: persons are distinct over it.
    pub total: GoalCount,
}

/// An event that enters or converts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvertingEvent {
    /// Event time, UTC milliseconds.
    pub ts: i64,
    /// Place in the client's batch.
    pub seq: u32,
    /// Event id; its order is that of the UUID.
    pub id: u128,
    /// Whether it enters.
    pub enters: bool,
    /// Whether it converts.
    pub converts: bool,
    /// Its number, where it has one.
    pub number: Option<f64>,
}

/// Finds the converting events of each day's run and of the range's, person by person.
#[derive(Debug)]
pub struct ConversionValues {
    window_ms: i64,
    range: TimeRange,
    days: Vec<Bucket>,
    values: Vec<ConversionValue>,
    total: ConversionValue,
    person: Option<u64>,
    events: Vec<ConvertingEvent>,
}

/// A run of one person that may still convert: those of a day, or all of them.
struct Run {
    /// The day's place; none for the whole range.
    day: Option<usize>,
    /// The latest entry.
    start: i64,
    converted: bool,
}

impl ConversionValues {
    /// Nothing so far.
    pub fn new(spec: &ConversionSpec, zone: &Zone) -> ConversionValues {
        let days = spec.days(zone);
        ConversionValues {
            window_ms: spec.window_ms,
            range: spec.range.instants(zone),
            values: vec![ConversionValue::default(); days.len()],
            total: ConversionValue::default(),
            days,
            person: None,
            events: Vec::new(),
        }
    }

    /// Takes one event. A person's events come together, in any order.
    pub fn push(&mut self, person: u64, event: ConvertingEvent) {
        if self.person != Some(person) {
            self.settle();
            self.person = Some(person);
        }
        self.events.push(event);
    }

    /// What each day's conversions are worth, and the range's.
    pub fn finish(mut self) -> (Vec<ConversionValue>, ConversionValue) {
        self.settle();
        (self.values, self.total)
    }

    /// The first event that converts within the window of the latest entry before it ends a run.
    fn settle(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        // A copy that was delivered again is the same event.
        events.sort_unstable_by_key(|event| (event.ts, event.id, event.seq));
        events.dedup_by_key(|event| (event.ts, event.id));
        events.sort_unstable_by_key(|event| (event.ts, event.seq, event.id));
        let mut runs: Vec<Run> = Vec::new();
        for event in &events {
            // First: one event does not convert itself.
            if event.converts {
                let open = |run: &&mut Run| !run.converted && event.ts - run.start <= self.window_ms;
                for run in runs.iter_mut().filter(open) {
                    run.converted = true;
                    let value = run.day.map_or(&mut self.total, |day| &mut self.values[day]);
                    value.add(event.number);
                }
            }
            if event.enters && self.range.contains(event.ts) {
                for day in [None, bucket_of(&self.days, event.ts)] {
                    match runs.iter_mut().find(|run| run.day == day) {
                        Some(run) => run.start = event.ts,
                        None => runs.push(Run {
                            day,
                            start: event.ts,
                            converted: false,
                        }),
                    }
                }
            }
        }
        events.clear();
        self.events = events;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::conversion::ConversionQuery;

    const HOUR: i64 = 3_600_000;

    fn worth(goal: &str, events: &[(u64, i64, &str, f64)]) -> (Vec<ConversionValue>, ConversionValue) {
        let query = ConversionQuery {
            goal: goal.to_owned(),
            after: Some("look".to_owned()),
            window: Some("24h".to_owned()),
            from: Some("1970-01-01".to_owned()),
            to: Some("1970-01-03".to_owned()),
            ..ConversionQuery::default()
        };
        let spec = query.validate(&Zone::utc(), 0).expect("valid");
        let mut values = ConversionValues::new(&spec, &Zone::utc());
        for (n, (person, hour, name, number)) in events.iter().enumerate() {
            let event = ConvertingEvent {
                ts: hour * HOUR,
                seq: 0,
                id: n as u128,
                enters: *name == "look",
                converts: *name == goal,
                number: (*number > 0.0).then_some(*number),
            };
            values.push(*person, event);
        }
        values.finish()
    }

    #[test]
    fn the_first_goal_in_time_is_worth_something_once_a_run() {
        let (days, total) = worth(
            "buy",
            &[
                (1, 1, "look", 0.0),
                (1, 3, "buy", 10.0),
                (1, 4, "buy", 99.0),
                // Another day, another run; the range's has converted already.
                (1, 30, "look", 0.0),
                (1, 31, "buy", 5.0),
                // Too late.
                (2, 1, "look", 0.0),
                (2, 26, "buy", 7.0),
                // Without a number.
                (3, 2, "look", 0.0),
                (3, 3, "buy", 0.0),
            ],
        );
        assert_eq!(days, [ConversionValue::of(1, 10.0), ConversionValue::of(1, 5.0)]);
        assert_eq!(total, ConversionValue::of(1, 10.0));
        assert_eq!(ConversionValue::of(0, 0.0).mean, None);
    }

    #[test]
    fn an_event_does_not_convert_itself() {
        let looks = [(1, 1, "look", 1.0), (1, 2, "look", 2.0), (1, 3, "look", 4.0)];
        assert_eq!(worth("look", &looks).1, ConversionValue::of(1, 2.0));
    }
}
