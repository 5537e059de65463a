//! What changes of identity mean for what is stored: which days have to be made anew, and by how much their
//! sketches are off until then.
//!
//! Raw events and counts hold no persons, so nothing happens to them. A day's sketches hold persons as they were
//! when the day was rebuilt last and, since then, plain actors: a batch knows no persons.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Move};
use super::overrides::Overrides;
use crate::event::{Day, Zone};

/// The local days on which somebody's events changed hands, of the days on which they were active.
///
/// `active` are (actor, local day): of the actors of [`Change::id`] at least. Others are left out.
pub fn affected_days(
    changes: &[Change],
    zone: &Zone,
    active: impl IntoIterator<Item = (u64, Day)>,
) -> BTreeSet<(u64, Day)> {
    let moves = moves_by_actor(changes);
    let is_affected = |(actor, day): &(u64, Day)| {
        let of_them = moves.get(actor).into_iter().flatten();
        of_them.into_iter().any(|one| overlaps(one, zone, *day))
    };
    active.into_iter().filter(is_affected).collect()
}

/// By how much a number of persons may be off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// At most so many too many: ids that lost events, as themselves or as who they stood for.
    pub overcount: u64,
    /// At most so many too few: persons who got events. Only an unmerge, or a device that others use too, makes
    /// one who was not counted at all.
    pub undercount: u64,
}

/// How far a number of distinct persons may be off that was read from days which do not know of the changes yet.
/// `active` are the (actor, local day) in its range on such days.
pub fn bounds(changes: &[Change], zone: &Zone, active: impl IntoIterator<Item = (u64, Day)>) -> Bounds {
    let moves = moves_by_actor(changes);
    let (mut losing, mut getting) = (BTreeSet::new(), BTreeSet::new());
    for (actor, day) in active {
        let of_them = moves.get(&actor).into_iter().flatten();
        for one in of_them.filter(|one| overlaps(one, zone, day)) {
            losing.extend([actor, one.before.number()]);
            getting.insert(one.after.number());
        }
    }
    Bounds {
        overcount: losing.len() as u64,
        undercount: getting.len() as u64,
    }
}

/// The same for days whose sketches hold actors: ids that stand for nobody, or not for themselves alone.
pub fn bounds_of_actors(
    map: &Overrides,
    zone: &Zone,
    active: impl IntoIterator<Item = (u64, Day)>,
) -> Bounds {
    let (mut losing, mut getting) = (BTreeSet::new(), BTreeSet::new());
    for (actor, day) in active {
        let Some(row) = map.get(actor) else { continue };
        let persons = [
            row.at(zone.day_start(day)),
            row.at(zone.day_start(day.plus(1)) - 1),
        ];
        if persons.iter().any(|person| *person != actor) {
            losing.insert(actor);
            getting.extend(persons.into_iter().filter(|person| *person != actor));
        }
    }
    Bounds {
        overcount: losing.len() as u64,
        undercount: getting.len() as u64,
    }
}

fn moves_by_actor(changes: &[Change]) -> BTreeMap<u64, Vec<Move>> {
    let one = |change: &Change| (change.id.actor(), change.moves());
    changes.iter().map(one).collect()
}

/// Whether any instant of a local day is part of a move.
fn overlaps(one: &Move, zone: &Zone, day: Day) -> bool {
    one.from < zone.day_start(day.plus(1)) && zone.day_start(day) < one.until
}
