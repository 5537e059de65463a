//! Whose an event is: the one place where the override map meets SQL.

use super::Store;
use crate::event::ProjectNumber;

/// What questions about persons read instead of `events`: all its columns, and `person`. Actors without an override are
/// persons of their own; a device that users of two persons were seen on has a fresh person from its split on
/// ([`crate::metrics::identity::fresh_of`] makes the same number). `{project:UInt32}` has to be bound.
///
/// ClickHouse reads no column that is not asked for and looks at the primary key through it. Where a project has no
/// overrides it costs nothing that could be measured; a million of them cost a tenth of a second for the join's table,
/// and 10 to 20 ns an event (20 million events, four threads).
pub(super) const PEOPLE: &str = "(SELECT *, if(mapped = 0, actor, if(toUnixTimestamp64Milli(ts) < split, whose, \
     bitXor(actor, 2611923443488327891))) AS person \
   FROM events LEFT ANY JOIN (SELECT actor AS mapped, person AS whose, split FROM person_map FINAL \
     WHERE project = {project:UInt32}) AS overrides ON actor = mapped)";

/// The most persons of one parameter: 21 bytes each, of 128 KiB.
pub(super) const PERSONS_A_PARAMETER: usize = 4_000;

/// Who was active on which local day of the zone at capture: `person`, `day`, with `project` and `deleted`. Of an actor
/// who is split a day does not tell whose it is, so the events of these few are looked at. The same day of a person may
/// stand there several times.
pub(super) const PEOPLE_DAYS: &str = "(SELECT if(mapped = 0, actor, whose) AS person, day, deleted, project \
   FROM actor_days LEFT ANY JOIN (SELECT actor AS mapped, person AS whose, split FROM person_map FINAL \
     WHERE project = {project:UInt32}) AS overrides ON actor = mapped \
   WHERE project = {project:UInt32} AND (mapped = 0 OR split = 9223372036854775807) \
   UNION ALL \
   SELECT if(toUnixTimestamp64Milli(ts) < split, whose, bitXor(actor, 2611923443488327891)), local_day, toUInt8(0), project \
   FROM events INNER JOIN (SELECT actor AS mapped, person AS whose, split FROM person_map FINAL \
     WHERE project = {project:UInt32} AND split != 9223372036854775807) AS overrides ON actor = mapped \
   WHERE project = {project:UInt32} AND bitAnd(flags, 8) = 0 AND actor IN ( \
     SELECT actor FROM person_map FINAL WHERE project = {project:UInt32} AND split != 9223372036854775807))";

/// The actors whose events may be these persons', as a condition that lets ClickHouse skip what cannot be theirs. Whose
/// an event really is, `person` says. `persons` is a placeholder of an `Array(UInt64)`.
pub(super) fn maybe_of(persons: &str) -> String {
    actors_of("actor", persons)
}

/// The same about another column that holds actors.
pub(super) fn actors_of(column: &str, persons: &str) -> String {
    format!(
        "{column} IN (SELECT arrayJoin(arrayConcat({persons}, arrayMap(p -> bitXor(p, 2611923443488327891), {persons}))) \
           UNION ALL SELECT actor FROM person_map WHERE project = {{project:UInt32}} AND person IN {persons})"
    )
}

/// The same for statements that name the project in their text, as those of the roller do.
pub(super) fn people_of(project: ProjectNumber) -> String {
    PEOPLE.replace("{project:UInt32}", &project.to_string())
}

impl Store {
    /// What statements about persons read: [`PEOPLE`].
    pub(super) fn people(&self) -> &'static str {
        PEOPLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::identity::fresh_of;

    #[test]
    fn the_fresh_person_is_the_same_number_here_as_in_rust() {
        let number = format!("bitXor(actor, {})", fresh_of(0));
        assert!(PEOPLE.contains(&number), "{number}");
        let never = format!("split != {}", crate::metrics::identity::NEVER);
        assert!(PEOPLE_DAYS.contains(&never), "{never}");
        let quiet = format!("bitAnd(flags, {}) = 0", crate::event::flag::NOT_ACTIVITY);
        assert!(PEOPLE_DAYS.contains(&quiet), "{quiet}");
        assert!(maybe_of("x").contains(&fresh_of(0).to_string()));
    }
}
