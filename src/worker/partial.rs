//! A batch's own share of every rollup: what its rows add to the counts, who they add to the sketches.
//!
//! A pure function of the rows, in one order, so every re-run of a batch gives the same bytes.
//!
//! **Bounds.** An event adds to one count, to at most two sketches (its name's and, if it is activity, that
//! of any activity) and to at most one actor day; so a batch of n rows gives at most 2n sketches, and only as
//! many as it has different (project, name, local day). A sketch of few actors is tens of bytes. They are made
//! one after the other from plain lists of actors: the memory is the lists', not 16 KB a name. Every name gets
//! its sketches; keeping them for a project's busiest names only is a later matter, and needs a mark in the
//! tables that says which names are left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Day, Event, ProjectNumber};
use crate::metrics::identity::person_of;
use crate::metrics::sketch::UserSketch;
use crate::store::rows::{ActorDay, CountDelta, SketchDelta};

/// What the rows of one batch add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// Events by project, name and UTC quarter hour. The counts add up to the rows.
    pub counts: Vec<CountDelta>,
    /// Persons by project, name ('' for any activity) and local day.
    pub sketches: Vec<SketchDelta>,
    /// Who was active on which local day.
    pub actor_days: Vec<ActorDay>,
    /// Projects of the rows, ascending.
    pub projects: Vec<ProjectNumber>,
}

impl Partial {
    /// The share of these rows; `received_hour` as [`received_hour`] says for the whole batch.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Event>, received_hour: u32) -> Partial {
        let mut counts: BTreeMap<(ProjectNumber, &str, u32), u64> = BTreeMap::new();
        let mut persons: BTreeMap<(ProjectNumber, &str, Day), Vec<u64>> = BTreeMap::new();
        let mut actor_days = BTreeSet::new();
        let mut projects = BTreeSet::new();
        for row in rows {
            let (project, actor, day) = (row.project, row.actor(), row.local_day);
            let person = person_of(actor);
            projects.insert(project);
            *counts
                .entry((project, &row.event, row.quarter_hour()))
                .or_default() += 1;
            persons
                .entry((project, &row.event, day))
                .or_default()
                .push(person);
            if row.is_activity() {
                persons.entry((project, "", day)).or_default().push(person);
                actor_days.insert(ActorDay { project, actor, day });
            }
        }
        let count_delta = |((project, event, bucket), count): ((_, &str, _), _)| CountDelta {
            project,
            event: event.to_owned(),
            bucket,
            count,
            received_hour,
        };
        let sketch_delta = |((project, event, day), persons): ((_, &str, _), Vec<u64>)| SketchDelta {
            project,
            event: event.to_owned(),
            day,
            sketch: sketch_of(persons),
            received_hour,
        };
        Partial {
            counts: counts.into_iter().map(count_delta).collect(),
            sketches: persons.into_iter().map(sketch_delta).collect(),
            actor_days: actor_days.into_iter().collect(),
            projects: projects.into_iter().collect(),
        }
    }
}

/// The encoded sketch of these persons. Sorted first: equal sets give equal bytes.
pub(super) fn sketch_of(mut persons: Vec<u64>) -> Vec<u8> {
    persons.sort_unstable();
    persons.dedup();
    let mut sketch = UserSketch::new();
    for person in persons {
        sketch.insert(person);
    }
    sketch.encode()
}

/// The hour under which a batch's deltas are filed: that of its last receipt, in seconds. Also of rows that
/// are not stored in the end, so that it never changes between runs.
pub fn received_hour(rows: &[Event]) -> u32 {
    let last = rows.iter().map(|row| row.received_at).max().unwrap_or(0);
    let hour = last.div_euclid(3_600_000) * 3_600;
    hour.clamp(0, i64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::flag;

    fn event(name: &str, person: &str, ts: i64, flags: u16) -> Event {
        let fields = serde_json::json!({
            "project": 7, "event": name, "ts": ts, "seq": 0, "id": uuid::Uuid::nil(), "received_at": 7_199_999,
            "distinct_id": person, "device_id": "", "user_id": "", "session": 0, "path": "", "host": "",
            "referrer_host": "", "utm_source": "", "utm_medium": "", "utm_campaign": "", "country": "",
            "region": "", "city": "", "browser": "", "os": "", "device": "", "lib": "", "amount": 0.0,
            "currency": "", "props": "{}", "flags": flags, "local_day": Day::of_utc(ts),
        });
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn identification_is_counted_and_sketched_by_name_but_is_no_activity() {
        let rows = [
            event("view", "ann", 0, 0),
            event("$identify", "bob", 899_999, flag::NOT_ACTIVITY),
        ];
        let partial = Partial::of(&rows, received_hour(&rows));
        let counts: Vec<_> = partial
            .counts
            .iter()
            .map(|c| (&*c.event, c.bucket, c.count))
            .collect();
        assert_eq!(counts, [("$identify", 0, 1), ("view", 0, 1)]);
        let persons: Vec<_> = partial
            .sketches
            .iter()
            .map(|s| (&*s.event, UserSketch::decode(&s.sketch).unwrap().count()))
            .collect();
        assert_eq!(persons, [("", 1), ("$identify", 1), ("view", 1)]);
        assert_eq!(partial.actor_days.len(), 1);
        assert_eq!(partial.counts[0].received_hour, 3_600);
    }

    #[test]
    fn a_re_run_of_a_batch_gives_the_same_bytes() {
        let rows: Vec<Event> = (0..5_000)
            .map(|i| {
                event(
                    ["view", "buy"][i % 2],
                    &format!("p{}", i % 3_000),
                    i as i64 * 100_000,
                    0,
                )
            })
            .collect();
        let first = Partial::of(&rows, received_hour(&rows));
        assert_eq!(Partial::of(&rows.clone(), received_hour(&rows)), first);
        assert_eq!(first.counts.iter().map(|delta| delta.count).sum::<u64>(), 5_000);
        let turned: Vec<Event> = rows.iter().rev().cloned().collect();
        assert_eq!(
            Partial::of(&turned, received_hour(&rows)),
            first,
            "whatever the order"
        );
    }
}
