//! The statement behind a funnel.

use crate::event::Day;
use crate::metrics::funnel::plan::mark;
use crate::metrics::funnel::spec::{Alternative, Entity, FunnelSpec, Order};
use crate::store::filter::{Bind, condition, value};

/// Whether the rows carry more than who, when and what.
pub fn is_wide(spec: &FunnelSpec) -> bool {
    spec.uses_sessions() || !spec.hold.is_empty() || spec.breakdown.is_some() || spec.group.is_some()
}

/// Selects the events that matter, with the columns that [`super::rows`] reads: actor, ts, seq, marks, id; in wide
/// rows also session, device, and the texts of held properties, breakdown and group, in that order.
pub fn statement(spec: &FunnelSpec) -> (String, Bind) {
    let mut bind = Bind::new();
    let marks = marks(spec, &mut bind);
    let mut columns = format!("actor, toUnixTimestamp64Milli(ts), seq, {marks} AS marks, id");
    if is_wide(spec) {
        let properties = spec.hold.iter();
        let properties = properties.chain(spec.breakdown.as_ref().map(|breakdown| &breakdown.property));
        let texts: Vec<String> = properties
            .chain(&spec.group)
            .map(|property| value(property, &mut bind))
            .collect();
        let texts = match texts.is_empty() {
            true => "CAST([], 'Array(Nullable(String))')".to_owned(),
            false => format!("CAST([{}], 'Array(Nullable(String))')", texts.join(", ")),
        };
        let session = if spec.uses_sessions() {
            "session, xxh3(device_id)"
        } else {
            "0::UInt64, 0::UInt64"
        };
        columns = format!("{columns}, {session}, {texts}");
    }
    let facts = spec.facts_range();
    let mut conditions = vec![
        "project = {project:UInt32}".to_owned(),
        within(facts.from_ms, facts.to_ms, &mut bind),
    ];
    if spec.needs_every_event() {
        conditions.extend(who_entered(spec, &mut bind));
    } else {
        conditions.push(format!("event IN {}", bind.texts(&spec.event_names())));
        conditions.push("marks != 0".to_owned());
    }
    (
        format!("SELECT {columns} FROM events WHERE {}", conditions.join(" AND ")),
        bind,
    )
}

/// A half-open range of instants. The day prunes, the time decides.
fn within(from_ms: i64, to_ms: i64, bind: &mut Bind) -> String {
    let (first, last) = (Day::of_utc(from_ms).as_u16(), Day::of_utc(to_ms - 1).as_u16());
    format!(
        "day >= toDate({}) AND day <= toDate({}) AND ts >= fromUnixTimestamp64Milli({}, 'UTC') \
         AND ts < fromUnixTimestamp64Milli({}, 'UTC')",
        bind.integer(first.into()),
        bind.integer(last.into()),
        bind.integer(from_ms),
        bind.integer(to_ms),
    )
}

/// Where every event of a person counts, only those are read who may have entered. A map of persons has to be
/// applied on both sides when there is one.
fn who_entered(spec: &FunnelSpec, bind: &mut Bind) -> Option<String> {
    let first = spec.steps.first().filter(|_| spec.entity != Entity::Group)?;
    let names = bind.texts(&first.names());
    let range = within(spec.from_ms, spec.to_ms, bind);
    Some(format!(
        "actor IN (SELECT actor FROM events WHERE project = {{project:UInt32}} AND event IN {names} AND {range})"
    ))
}

/// The bits of [`mark`] that an event has.
fn marks(spec: &FunnelSpec, bind: &mut Bind) -> String {
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
        // The CAST sheds LowCardinality, which transform keeps.
        let names = bind.texts(&names);
        terms.push(format!(
            "CAST(transform(event, {names}, [{}], 0::UInt32), 'UInt32')",
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
        true => format!("toUInt32({joined})"),
        false => format!(
            "toUInt32(if({}, {joined}, 0::UInt32))",
            condition(&spec.filter, bind)
        ),
    }
}
