//! A property's canonical text.

use uuid::Uuid;

use super::Bind;
use crate::metrics::filter::{IN_COHORT, NOT_IN_COHORT, Property, column_of, group_type_of};
use crate::store::profiles::of_persons;

/// The property's canonical text over the columns of `people`: a `Nullable(String)`, NULL when it is missing or
/// null. `{project:UInt32}` has to be bound.
pub fn value(property: &Property, bind: &mut Bind) -> String {
    match property {
        Property::Event(name) => match column_of(name) {
            Some("amount") => "toString(nullIf(amount, 0))".to_owned(),
            Some(column) => format!("nullIf(toString({column}), '')"),
            None => {
                let (path, name) = path(name, bind);
                text_in(path, &name, bind)
            }
        },
        Property::Person(name) => person(name, bind),
        Property::Cohort(cohort) => format!(
            "toNullable(if({}, '{IN_COHORT}', '{NOT_IN_COHORT}'))",
            member(*cohort, bind)
        ),
    }
}

/// Whether the person of the event (the column `person`) was a member of the cohort when its members were last written
/// down. The set is built once a statement.
pub(super) fn member(cohort: Uuid, bind: &mut Bind) -> String {
    let cohort = bind.text(cohort.to_string());
    format!(
        "(person IN (SELECT person FROM cohort_members WHERE project = {{project:UInt32}} AND cohort = toUUID({cohort}) \
           AND generation = (SELECT max(generation) FROM cohort_sizes \
             WHERE project = {{project:UInt32}} AND cohort = toUUID({cohort}))))"
    )
}

/// What to group events by for the same, and the canonical text of such a group's `key`: columns are grouped as they are
/// stored, which is cheaper than by their texts.
pub fn grouping(property: &Property, key: &str, bind: &mut Bind) -> (String, String) {
    if let Property::Event(name) = property
        && let Some(column) = column_of(name)
    {
        let text = match column {
            "amount" => format!("toString(nullIf({key}, 0))"),
            _ => format!("nullIf(toString({key}), '')"),
        };
        return (column.to_owned(), text);
    }
    (value(property, bind), key.to_owned())
}

/// Where within the properties of an event a name leads: what comes before the placeholder, and that.
pub(super) fn path(name: &str, bind: &mut Bind) -> (&'static str, String) {
    match group_type_of(name) {
        Some(kind) => ("'$groups', ", bind.text(kind)),
        None => ("", bind.text(name)),
    }
}

/// The text of the member `name` of the object at `path` within the properties; `name` is a placeholder.
fn text_in(path: &str, name: &str, bind: &mut Bind) -> String {
    let (place, text) = (format!("props, {path}{name}"), bind.alias());
    // ClickHouse writes minus zero with its sign.
    format!(
        "if((JSONExtract({place}, 'Nullable(String)') AS {text}) = '-0' AND JSONType({place}) = 'Double', '0', {text})"
    )
}

/// The current value of the person behind the event. The statement within is evaluated once, before the events are
/// read.
fn person(name: &str, bind: &mut Bind) -> String {
    let current = current_of_person(name, bind);
    let found = bind.alias();
    format!(
        "transform(person, ((SELECT (groupArray(who), groupArray(text)) FROM ({current})) AS {found}).1, {found}.2, NULL)"
    )
}

/// A statement of `who` has the person property `name` and its `text`.
pub(super) fn current_of_person(name: &str, bind: &mut Bind) -> String {
    let name = bind.text(name);
    of_persons(&name, bind)
}
