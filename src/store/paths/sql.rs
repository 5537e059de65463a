//! The statement behind paths.

use crate::metrics::path::PathSpec;
use crate::metrics::path::spec::Matcher;
use crate::metrics::time::TimeRange;
use crate::store::filter::{Bind, condition};
use crate::store::funnels::Whose;
use crate::store::funnels::sql::within;
use crate::store::people::{PEOPLE, PERSONS_A_PARAMETER, maybe_of};

/// Selects all events of those who may have a path, with the columns that [`super::read`] reads: person, time, place in
/// the batch, id, whether it passes; session and device where sessions matter; name and page where they do.
pub fn events(spec: &PathSpec, whose: Whose<'_>) -> (String, Bind) {
    let mut bind = Bind::new();
    let passes = match spec.filter.is_everything() {
        true => "1".to_owned(),
        false => condition(&spec.filter, &mut bind),
    };
    let mut columns = format!("person, toUnixTimestamp64Milli(ts), seq, id, CAST({passes}, 'UInt8')");
    if spec.funnel.is_none() {
        columns += ", session, xxh3(device_id)";
    }
    if spec.needs_names() {
        columns += ", CAST(event, 'Nullable(String)')";
    }
    if spec.needs_pages() {
        columns += ", CAST(nullIf(path, ''), 'Nullable(String)')";
    }
    let TimeRange { from_ms, to_ms } = spec.facts_range();
    let (persons, from_ms) = match whose {
        Whose::All => (None, from_ms),
        Whose::Of(persons) => (Some(persons), from_ms),
        Whose::OfAllTime(persons) => (Some(persons), 0),
    };
    let mut conditions = vec![
        "project = {project:UInt32}".to_owned(),
        within(from_ms, to_ms, &mut bind),
    ];
    match persons {
        Some(persons) => {
            let some = persons.chunks(PERSONS_A_PARAMETER);
            let some: Vec<String> = some
                .map(|some| {
                    let some = bind.actors(some);
                    format!("(person IN {some} AND {})", maybe_of(&some))
                })
                .collect();
            conditions.push(format!("({})", some.join(" OR ")));
        }
        None => conditions.extend(who_may(spec, &mut bind)),
    }
    let sql = format!(
        "SELECT {columns} FROM {PEOPLE} WHERE {}",
        conditions.join(" AND ")
    );
    (sql, bind)
}

/// Only those are read who did what a path cannot do without: the anchor, or the step of the funnel. What a page is
/// called is not known here once rules clean it.
fn who_may(spec: &PathSpec, bind: &mut Bind) -> Option<String> {
    let (did, range) = match (&spec.funnel, &spec.anchor) {
        (Some(link), _) => {
            let names = bind.texts(&link.funnel.steps[link.step].names());
            (format!("event IN {names}"), spec.facts_range())
        }
        (None, anchor) => {
            let did = match anchor.as_ref()? {
                Matcher::Event(name) => format!("event = {}", bind.text(name)),
                Matcher::Page(path) if spec.clean.is_empty() && spec.group.is_empty() => {
                    // The start page is nothing but its slash.
                    let trimmed = if path == "/" { "" } else { path };
                    format!(
                        "path != '' AND replaceRegexpOne(path, '/+$', '') = {}",
                        bind.text(trimmed)
                    )
                }
                Matcher::Page(_) => return None,
            };
            // A session of the range is read to its end.
            let range = TimeRange {
                from_ms: spec.range.from_ms,
                to_ms: spec.facts_range().to_ms,
            };
            (did, range)
        }
    };
    let range = within(range.from_ms, range.to_ms, bind);
    Some(format!(
        "person IN (SELECT person FROM {PEOPLE} WHERE project = {{project:UInt32}} AND {did} AND {range})"
    ))
}
