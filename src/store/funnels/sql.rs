//! The statement behind a funnel.

use super::Whose;
use crate::event::Day;
use crate::metrics::funnel::plan::mark;
use crate::metrics::funnel::spec::{Alternative, Entity, FunnelSpec, FunnelStep, Order};
use crate::store::filter::{Bind, condition, value};
use crate::store::people::{PEOPLE, PERSONS_A_PARAMETER, maybe_of};

const MS_A_DAY: i64 = 86_400_000;

/// The longest range whose milliseconds are numbers of four bytes.
const SHORT_MS: i64 = u32::MAX as i64;

/// Selects the events that matter with the columns that [`super::marks`] reads: person, milliseconds since the range of
/// facts began, place in the batch, marks, and the breakdown's text if there is one.
///
/// With it comes whether these are actors, whom the reader has to resolve: where nothing else asks for persons that costs
/// less than ClickHouse's join.
pub fn marks(spec: &FunnelSpec) -> (String, Bind, bool) {
    let mut bind = Bind::new();
    let marks = marked(spec, &mut bind);
    let facts = spec.facts_range();
    let since = bind.integer(facts.from_ms);
    let width = if facts.to_ms - facts.from_ms < SHORT_MS {
        32
    } else {
        64
    };
    // The CAST sheds LowCardinality, which the format would send as a dictionary. No batch has 65,535 events: those
    // beyond are told apart by their ids.
    let mut columns = format!(
        "toUInt{width}(toUnixTimestamp64Milli(ts) - {since}), toUInt16(least(seq, 65535)), \
         CAST({marks}, 'UInt{}') AS marks",
        width_of_marks(spec)
    );
    for property in spec.texts() {
        let text = value(property, &mut bind);
        columns += &format!(", CAST({text}, 'Nullable(String)')");
    }
    let conditions = conditions(spec, Whose::All, &mut bind);
    // Filters of persons, and who entered, name them; what people wrote hides behind placeholders.
    let of_actors = ![&columns, &conditions].iter().any(|sql| sql.contains("person"));
    let (whose, source) = if of_actors {
        ("actor", "events")
    } else {
        ("person", PEOPLE)
    };
    let sql = format!("SELECT {whose}, {columns} FROM {source} WHERE {conditions}");
    (sql, bind, of_actors)
}

/// Selects the events that matter with the columns that [`super::rows`] reads: person, time, place in the batch, marks,
/// id; session and device where sessions matter; the texts of held properties, breakdown and group. Of everybody or of
/// those named.
pub fn rows(spec: &FunnelSpec, whose: Whose<'_>) -> (String, Bind) {
    let mut bind = Bind::new();
    let marks = marked(spec, &mut bind);
    let mut columns =
        format!("person, toUnixTimestamp64Milli(ts), seq, CAST({marks}, 'UInt32') AS marks, id");
    if spec.uses_sessions() {
        columns += ", session, xxh3(device_id)";
    }
    for property in spec.texts() {
        let text = value(property, &mut bind);
        columns += &format!(", CAST({text}, 'Nullable(String)')");
    }
    let conditions = conditions(spec, whose, &mut bind);
    (format!("SELECT {columns} FROM {PEOPLE} WHERE {conditions}"), bind)
}

fn conditions(spec: &FunnelSpec, whose: Whose<'_>, bind: &mut Bind) -> String {
    let facts = spec.facts_range();
    let (persons, from_ms) = match whose {
        Whose::All => (None, facts.from_ms),
        Whose::Of(persons) => (Some(persons), facts.from_ms),
        Whose::OfAllTime(persons) => (Some(persons), 0),
    };
    let mut conditions = vec![
        "project = {project:UInt32}".to_owned(),
        within(from_ms, facts.to_ms, bind),
    ];
    if spec.needs_every_event() {
        conditions.extend(persons.is_none().then(|| who_entered(spec, bind)).flatten());
    } else {
        conditions.push(format!("event IN {}", bind.texts(&spec.event_names())));
        if !spec.is_told_by_names() {
            conditions.push("marks != 0".to_owned());
        }
    }
    conditions.extend(persons.map(|persons| {
        // A parameter holds some thousands.
        let some = persons.chunks(PERSONS_A_PARAMETER);
        let some: Vec<String> = some
            .map(|some| {
                let some = bind.actors(some);
                format!("(person IN {some} AND {})", maybe_of(&some))
            })
            .collect();
        format!("({})", some.join(" OR "))
    }));
    conditions.join(" AND ")
}

/// The fewest bits that hold every mark of the funnel.
fn width_of_marks(spec: &FunnelSpec) -> usize {
    match spec.steps.len() {
        _ if !spec.exclusions.is_empty() || spec.order == Order::Strict => 32,
        0..=8 => 8,
        9..=16 => 16,
        _ => 32,
    }
}

/// A half-open range of instants. The day prunes; the time decides where an end is not a day's.
pub fn within(from_ms: i64, to_ms: i64, bind: &mut Bind) -> String {
    let (first, last) = (Day::of_utc(from_ms).as_u16(), Day::of_utc(to_ms - 1).as_u16());
    let mut conditions = format!(
        "day >= toDate({}) AND day <= toDate({})",
        bind.integer(first.into()),
        bind.integer(last.into())
    );
    if from_ms % MS_A_DAY != 0 {
        let from = bind.integer(from_ms);
        conditions += &format!(" AND ts >= fromUnixTimestamp64Milli({from}, 'UTC')");
    }
    if to_ms % MS_A_DAY != 0 {
        let to = bind.integer(to_ms);
        conditions += &format!(" AND ts < fromUnixTimestamp64Milli({to}, 'UTC')");
    }
    conditions
}

/// Where every event of a person counts, only those are read who may have entered.
fn who_entered(spec: &FunnelSpec, bind: &mut Bind) -> Option<String> {
    if spec.entity == Entity::Group {
        return None;
    }
    let entries = match spec.order {
        Order::Any => &spec.steps[..],
        Order::Sequential | Order::Strict => &spec.steps[..1],
    };
    let names: Vec<String> = entries.iter().flat_map(FunnelStep::names).collect();
    let names = bind.texts(&names);
    let range = within(spec.from_ms, spec.to_ms, bind);
    Some(format!(
        "person IN (SELECT person FROM {PEOPLE} WHERE project = {{project:UInt32}} AND event IN {names} AND {range})"
    ))
}

/// The bits of [`mark`] that an event has.
fn marked(spec: &FunnelSpec, bind: &mut Bind) -> String {
    let steps = spec
        .steps
        .iter()
        .enumerate()
        .map(|(i, step)| (mark::step(i), &step.events));
    let exclusions = spec.exclusions.iter().enumerate();
    let exclusions = exclusions.map(|(i, exclusion)| (mark::exclusion(i), &exclusion.events));
    let all: Vec<(u32, &Alternative)> = steps
        .chain(exclusions)
        .flat_map(|(bit, alternatives)| alternatives.iter().map(move |one| (bit, one)))
        .collect();
    let (plain, filtered): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, one)| one.filter.is_everything());
    let mut names: Vec<String> = Vec::new();
    let mut bits: Vec<u32> = Vec::new();
    for (bit, one) in plain {
        match names.iter().position(|name| *name == one.event) {
            Some(place) => bits[place] |= bit,
            None => {
                names.push(one.event.clone());
                bits.push(bit);
            }
        }
    }
    let mut terms = Vec::new();
    if !names.is_empty() {
        let numbers: Vec<String> = bits.iter().map(|bits| format!("{bits}::UInt32")).collect();
        let names = bind.texts(&names);
        terms.push(format!(
            "transform(event, {names}, [{}], 0::UInt32)",
            numbers.join(", ")
        ));
    }
    for (bit, one) in filtered {
        let name = bind.text(&one.event);
        let passes = condition(&one.filter, bind);
        terms.push(format!(
            "if(event = {name} AND ({passes}), {bit}::UInt32, 0::UInt32)"
        ));
    }
    if spec.order == Order::Strict {
        let ignored = bind.texts(&spec.ignore_events);
        terms.push(format!(
            "if(event IN {ignored}, 0::UInt32, {}::UInt32)",
            mark::COUNTS
        ));
    }
    let joined = terms
        .into_iter()
        .reduce(|all, term| format!("bitOr({all}, {term})"))
        .unwrap_or_else(|| "0::UInt32".to_owned());
    match spec.filter.is_everything() {
        true => joined,
        false => format!("if({}, {joined}, 0::UInt32)", condition(&spec.filter, bind)),
    }
}
