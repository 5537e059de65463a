//! Steps in any order: the window in which the most steps were done.
//!
//! A window begins with an entry and lasts at most the conversion window. Its score is the largest number of
//! different steps done by different events (a matching); the best has the highest score, then the earliest
//! completion, then the latest start. A matched event stays matched when the matching grows, so one matching a
//! start, grown event by event, tells when each score is first reached.
//!
//! Events of the same steps are as good as each other, and one that cannot make a matching grow never will: so of each
//! kind of event only the next ones are looked at, until one does not help. That keeps the work of a start
//! independent of how many events its window has.

use super::StepEvent;
use super::attempts::Outcome;
use super::matcher::Link;
use super::plan::{Plan, mark};
use crate::metrics::time::TimeRange;

/// Which event does each step, as far as any does.
type Matching = Vec<Option<usize>>;

/// The events that do the same steps.
struct Kind {
    /// Bits of [`mark::step`].
    steps: u32,
    /// Their places, in order.
    places: Vec<usize>,
    /// The first of them that does not lie before the start at hand.
    head: usize,
    /// The first of them that was not looked at for that start.
    next: usize,
    /// One of them did not help.
    is_spent: bool,
}

/// The best window of an entity's events; `None`: never entered.
pub fn best_window(plan: &Plan, events: &[StepEvent], entry: TimeRange) -> Option<Outcome> {
    let mut kinds = kinds(events);
    let is_voiding = |place: &usize| plan.excluded_by(&events[*place]).next().is_some();
    let voiding: Vec<usize> = (0..events.len()).filter(is_voiding).collect();
    let mut best: Option<(usize, usize, Matching)> = None;
    for start in 0..events.len() {
        if events[start].steps().next().is_none() || !entry.contains(events[start].ts) {
            continue;
        }
        // What follows an exclusion lies in windows that it voids.
        let voided = voiding.partition_point(|place| *place <= start);
        let last = voiding.get(voided).copied().unwrap_or(events.len() - 1);
        let in_window =
            |place: &usize| *place <= last && events[*place].ts - events[start].ts <= plan.window_ms;
        for kind in &mut kinds {
            kind.begin(start);
        }
        let mut matching: Matching = vec![None; plan.steps];
        let mut score = 0;
        while let Some(kind) = earliest(&mut kinds)
            && let Some(end) = kind.next().filter(in_window)
        {
            if !grow(events, &mut matching, end, &mut vec![false; plan.steps]) {
                kind.is_spent = true;
                continue;
            }
            kind.next += 1;
            score += 1;
            let better = best.as_ref().is_none_or(|(other, completion, _)| {
                score > *other || (score == *other && end <= *completion)
            });
            if better {
                best = Some((score, end, matching.clone()));
            }
            if score == plan.steps {
                break;
            }
        }
    }
    best.map(|(score, _, matching)| Outcome {
        depth: score,
        chain: chain(&matching),
        shortest_ms: None,
    })
}

fn kinds(events: &[StepEvent]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let steps = event.marks & mark::STEPS;
        match kinds.iter_mut().find(|kind| kind.steps == steps) {
            Some(kind) => kind.places.push(place),
            None if steps == 0 => {}
            None => kinds.push(Kind {
                steps,
                places: vec![place],
                head: 0,
                next: 0,
                is_spent: false,
            }),
        }
    }
    kinds
}

/// The kind whose next event comes first.
fn earliest(kinds: &mut [Kind]) -> Option<&mut Kind> {
    let left = kinds.iter_mut().filter(|kind| kind.next().is_some());
    left.min_by_key(|kind| kind.next())
}

impl Kind {
    /// Back to the first event that does not lie before the start. Starts come in order.
    fn begin(&mut self, start: usize) {
        while self.places.get(self.head).is_some_and(|place| *place < start) {
            self.head += 1;
        }
        (self.next, self.is_spent) = (self.head, false);
    }

    /// The place of the next event, if it may help.
    fn next(&self) -> Option<usize> {
        self.places.get(self.next).copied().filter(|_| !self.is_spent)
    }
}

/// Finds the event a step, moving others to another step where that helps.
fn grow(events: &[StepEvent], matching: &mut Matching, event: usize, tried: &mut Vec<bool>) -> bool {
    for step in events[event].steps() {
        if tried[step] {
            continue;
        }
        tried[step] = true;
        let is_same = |other: usize| events[other].id == events[event].id;
        let free = match matching[step] {
            None => true,
            Some(other) => !is_same(other) && grow(events, matching, other, tried),
        };
        if free {
            matching[step] = Some(event);
            return true;
        }
    }
    false
}

fn chain(matching: &Matching) -> Vec<Link> {
    let done = matching.iter().enumerate();
    let mut links: Vec<Link> = done
        .filter_map(|(step, event)| event.map(|event| Link::new(step, event)))
        .collect();
    links.sort_by_key(|link| link.event);
    links
}
