//! A batch's own share of every rollup: what its rows add to the counts, who they add to the sketches.
//!
//! A pure function of the rows, in one order, so every re-run of a batch gives the same bytes. Sketches are a function of
//! the rows and of the override maps: see [`Partial::sketch`].
//!
//! **Bounds.** An event adds to one count, to at most two sketches (its name's and, if it is activity, that
//! of any activity) and to at most one actor day; so a batch of n rows gives at most 2n sketches, and only as
//! many as it has different (project, name, local day). A sketch of few actors is tens of bytes. They are made
//! one after the other from plain lists of actors: the memory is the lists', not 16 KB a name. Every name gets
//! its sketches; keeping them for a project's busiest names only is a later matter, and needs a mark in the
//! tables that says which names are left out.

use std::collections::{BTreeMap, HashMap};

use xxhash_rust::xxh3::xxh3_128;

use super::profiles::{ProfileShare, ProfileTally};
use crate::event::zone::UTC_DAY_MS;
use crate::event::{Day, Event, ProjectNumber};
use crate::metrics::sketch::UserSketch;
use crate::store::identity::IdentityPair;
use crate::store::maps::Maps;
use crate::store::rows::{ActorDay, CountDelta, SketchDelta};

/// What the rows of one batch add.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partial {
    /// Events by project, name and UTC quarter hour. The counts add up to the rows.
    pub counts: Vec<CountDelta>,
    /// Persons by project, name ('' for any activity) and local day, once [`Partial::sketch`] was called.
    pub sketches: Vec<SketchDelta>,
    /// Of whom the sketches are to be made.
    seen: Vec<Seen>,
    /// Devices and users that events named together.
    pub pairs: Vec<IdentityPair>,
    received_hour: u32,
    /// Who was active on which local day.
    pub actor_days: Vec<ActorDay>,
    /// Who and what was seen, and what was written of them.
    pub of_profiles: ProfileShare,
    /// Projects of the rows, ascending.
    pub projects: Vec<ProjectNumber>,
}

impl Partial {
    /// The share of these rows; `received_hour` as [`received_hour`] says for the whole batch.
    pub fn of<'a, T: AsRef<str> + 'a>(
        rows: impl IntoIterator<Item = &'a Event<T>>,
        received_hour: u32,
    ) -> Partial {
        let mut tally = Tally::default();
        for row in rows {
            tally.add(row);
        }
        tally.finish(received_hour)
    }

    /// Makes the sketches, of persons by these maps. They have to be read when the batch's pairs are learned and its
    /// active days are in the table: whoever changes a map later finds those days there, and has them made anew.
    ///
    /// Of an actor who may have been split on one of the days both persons are taken. These actors are answered, with
    /// the days, which have to be made anew.
    pub fn sketch(&mut self, maps: &Maps) -> BTreeMap<ProjectNumber, Vec<(u64, Day)>> {
        let mut unclear: BTreeMap<_, Vec<_>> = BTreeMap::new();
        self.sketches.clear();
        for seen in &self.seen {
            let (persons, split) = persons(seen, maps);
            if !split.is_empty() {
                let split = split.into_iter().map(|actor| (actor, seen.day));
                unclear.entry(seen.project).or_default().extend(split);
            }
            self.sketches.push(SketchDelta {
                project: seen.project,
                event: seen.event.clone(),
                day: seen.day,
                sketch: UserSketch::encode_all(persons),
                received_hour: self.received_hour,
            });
        }
        unclear
    }
}

/// The actors of one event name, or of any activity, on one local day.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    project: ProjectNumber,
    event: String,
    day: Day,
    actors: Vec<u64>,
}

/// Local days begin and end within so many milliseconds of UTC's.
const ZONES_MS: i64 = 15 * 3_600_000;

/// The persons behind the actors, and the actors who may be two of them.
fn persons(seen: &Seen, maps: &Maps) -> (Vec<u64>, Vec<u64>) {
    let Some(map) = maps.of(seen.project) else {
        return (seen.actors.clone(), Vec::new());
    };
    let mut split = Vec::new();
    let day = i64::from(seen.day.0) * UTC_DAY_MS;
    let (from, until) = (day - ZONES_MS, day + UTC_DAY_MS + ZONES_MS);
    let of_one = |actor: &u64| match map.get(*actor) {
        None => vec![*actor],
        Some(row) => match row.over(from, until) {
            Some(person) => vec![person],
            None => {
                split.push(*actor);
                vec![row.at(from), row.at(until)]
            }
        },
    };
    let persons = seen.actors.iter().flat_map(of_one).collect();
    (persons, split)
}

/// A share that grows row by row: lists of what occurred, put in order at the end.
#[derive(Debug, Default)]
pub struct Tally {
    names: HashMap<ProjectNumber, HashMap<Box<str>, Name>>,
    active: HashMap<ProjectNumber, HashMap<Day, Vec<u64>>>,
    profiles: ProfileTally,
    /// By a hash of project and ids.
    pairs: HashMap<u128, IdentityPair>,
}

/// What one project's events of one name add.
#[derive(Debug, Default)]
struct Name {
    counts: HashMap<u32, u64>,
    actors: HashMap<Day, Vec<u64>>,
}

impl Tally {
    /// Counts a row.
    pub fn add<T: AsRef<str>>(&mut self, row: &Event<T>) {
        let (actor, day) = (row.actor(), row.local_day);
        self.profiles.add(row);
        let names = self.names.entry(row.project).or_default();
        let name = row.event.as_ref();
        let of_name = match names.get_mut(name) {
            Some(of_name) => of_name,
            None => names.entry(name.into()).or_default(),
        };
        *of_name.counts.entry(row.quarter_hour()).or_default() += 1;
        of_name.actors.entry(day).or_default().push(actor);
        self.pair(row);
        if row.is_activity() {
            let days = self.active.entry(row.project).or_default();
            days.entry(day).or_default().push(actor);
        }
    }

    /// Notes a device and a user that come together.
    fn pair<T: AsRef<str>>(&mut self, row: &Event<T>) {
        let (device, user) = (row.device_id.as_ref(), row.user_id.as_ref());
        if device.is_empty() || user.is_empty() || device == user {
            return;
        }
        let key =
            xxh3_128(user.as_bytes()) ^ xxh3_128(device.as_bytes()).rotate_left(64 - (row.project.0 % 61));
        let pair = self.pairs.entry(key).or_insert_with(|| IdentityPair {
            project: row.project,
            device: device.into(),
            user: user.into(),
            ts: row.ts,
        });
        pair.ts = pair.ts.min(row.ts);
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: Tally) {
        for (project, names) in other.names {
            let ours = self.names.entry(project).or_default();
            for (name, of_name) in names {
                let ours = ours.entry(name).or_default();
                for (bucket, count) in of_name.counts {
                    *ours.counts.entry(bucket).or_default() += count;
                }
                append(&mut ours.actors, of_name.actors);
            }
        }
        for (key, pair) in other.pairs {
            let ours = self.pairs.entry(key).or_insert_with(|| pair.clone());
            ours.ts = ours.ts.min(pair.ts);
        }
        for (project, days) in other.active {
            append(self.active.entry(project).or_default(), days);
        }
        self.profiles.merge(other.profiles);
    }

    /// The share of all rows that were added.
    pub fn finish(mut self, received_hour: u32) -> Partial {
        let mut partial = Partial {
            received_hour,
            of_profiles: self.profiles.finish(),
            ..Partial::default()
        };
        partial.pairs = self.pairs.into_values().collect();
        partial.pairs.sort_unstable();
        partial.projects.extend(self.names.keys());
        partial.projects.sort_unstable();
        for &project in &partial.projects {
            let mut days: Vec<_> = self.active.remove(&project).into_iter().flatten().collect();
            days.sort_unstable_by_key(|(day, _)| *day);
            let mut seen = |event: &str, day: Day, actors: Vec<u64>| {
                partial.seen.push(Seen {
                    project,
                    event: event.to_owned(),
                    day,
                    actors,
                });
            };
            let from = partial.actor_days.len();
            for (day, mut actors) in days {
                actors.sort_unstable();
                actors.dedup();
                let actor_day = |actor: &u64| ActorDay {
                    project,
                    actor: *actor,
                    day,
                };
                partial.actor_days.extend(actors.iter().map(actor_day));
                seen("", day, actors);
            }
            // Already in order unless the batch holds several days.
            partial.actor_days[from..].sort();
            let names: BTreeMap<_, _> = self.names.remove(&project).into_iter().flatten().collect();
            for (event, name) in names {
                let counts: BTreeMap<_, _> = name.counts.into_iter().collect();
                partial
                    .counts
                    .extend(counts.into_iter().map(|(bucket, count)| CountDelta {
                        project,
                        event: event.clone().into(),
                        bucket,
                        count,
                        received_hour,
                    }));
                let actors: BTreeMap<_, _> = name.actors.into_iter().collect();
                for (day, mut actors) in actors {
                    actors.sort_unstable();
                    actors.dedup();
                    seen(&event, day, actors);
                }
            }
        }
        partial
    }
}

fn append(ours: &mut HashMap<Day, Vec<u64>>, theirs: HashMap<Day, Vec<u64>>) {
    for (day, mut actors) in theirs {
        ours.entry(day).or_default().append(&mut actors);
    }
}

/// The hour under which a batch's deltas are filed, in seconds: that of its last receipt, in milliseconds. Also
/// of rows that are not stored in the end, so that it never changes between runs.
pub fn received_hour(last_received_at: i64) -> u32 {
    let hour = last_received_at.div_euclid(3_600_000) * 3_600;
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
        let mut partial = Partial::of(&rows, received_hour(7_199_999));
        partial.sketch(&Maps::default());
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
        let first = Partial::of(&rows, received_hour(7_199_999));
        assert_eq!(Partial::of(&rows.clone(), received_hour(7_199_999)), first);
        assert_eq!(first.counts.iter().map(|delta| delta.count).sum::<u64>(), 5_000);
        let turned: Vec<Event> = rows.iter().rev().cloned().collect();
        assert_eq!(
            Partial::of(&turned, received_hour(7_199_999)),
            first,
            "whatever the order"
        );
    }
}
