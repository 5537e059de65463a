//! Steps in any order: the window in which the most steps were done.
//!
//! A window begins with an entry and lasts at most the conversion window. Its score is the largest number of
//! different steps done by different events (a matching); the best has the highest score, then the earliest
//! completion, then the latest start. A matched event stays matched when the matching grows, so one matching a
//! start, grown event by event, tells when each score is first reached.

use super::StepEvent;
use super::attempts::Outcome;
use super::matcher::Link;
use super::plan::Plan;
use crate::metrics::time::TimeRange;

/// Which event does each step, as far as any does.
type Matching = Vec<Option<usize>>;

/// The best window of an entity's events; `None`: never entered.
pub fn best_window(plan: &Plan, events: &[StepEvent], entry: TimeRange) -> Option<Outcome> {
    let mut best: Option<(usize, usize, Matching)> = None;
    for start in 0..events.len() {
        if events[start].steps().next().is_none() || !entry.contains(events[start].ts) {
            continue;
        }
        let mut matching: Matching = vec![None; plan.steps];
        let mut score = 0;
        for end in start..events.len() {
            if events[end].ts - events[start].ts > plan.window_ms {
                break;
            }
            if grow(events, &mut matching, end, &mut vec![false; plan.steps]) {
                score += 1;
                let better = best.as_ref().is_none_or(|(other, completion, _)| {
                    score > *other || (score == *other && end <= *completion)
                });
                if better {
                    best = Some((score, end, matching.clone()));
                }
            }
            // What follows lies in windows that an exclusion voids.
            if score == plan.steps || (end > start && plan.excluded_by(&events[end]).next().is_some()) {
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
