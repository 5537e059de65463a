//! A property's canonical text.

use super::Bind;
use crate::metrics::filter::{Property, column_of};
use crate::store::people::PEOPLE;

/// The property's canonical text over the columns of `people`: a `Nullable(String)`, NULL when it is missing or
/// null. `{project:UInt32}` has to be bound.
pub fn value(property: &Property, bind: &mut Bind) -> String {
    match property {
        Property::Event(name) => match column_of(name) {
            Some("amount") => "toString(nullIf(amount, 0))".to_owned(),
            Some(column) => format!("nullIf(toString({column}), '')"),
            None => {
                let name = bind.text(name);
                text_in("", &name, bind)
            }
        },
        Property::Person(name) => person(name, bind),
    }
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

/// The text of the member `name` of the object at `path` within the properties; `name` is a placeholder.
fn text_in(path: &str, name: &str, bind: &mut Bind) -> String {
    let (place, text) = (format!("props, {path}{name}"), bind.alias());
    // ClickHouse writes minus zero with its sign.
    format!(
        "if((JSONExtract({place}, 'Nullable(String)') AS {text}) = '-0' AND JSONType({place}) = 'Double', '0', {text})"
    )
}

/// The current value of the person behind the event. The statement within is evaluated once, before the events are
/// read: it finds, for each person who has the property, the latest value of `$set`, else the earliest of
/// `$set_once`.
fn person(name: &str, bind: &mut Bind) -> String {
    let name = bind.text(name);
    let (set, once) = (
        text_in("'$set', ", &name, bind),
        text_in("'$set_once', ", &name, bind),
    );
    let found = bind.alias();
    format!(
        "transform(person, ((SELECT (groupArray(who), groupArray(assumeNotNull(text))) FROM ( \
           SELECT person AS who, \
             if(countIf(JSONHas(props, '$set', {name}) AS has_set) > 0, \
               argMaxIf(tuple({set}), (ts, UUIDToNum(id)), has_set), \
               argMinIf(tuple({once}), (ts, UUIDToNum(id)), has_once)).1 AS text \
           FROM {PEOPLE} WHERE project = {{project:UInt32}} AND position(props, '\"$set') > 0 \
             AND (has_set OR (JSONHas(props, '$set_once', {name}) AS has_once)) \
           GROUP BY person) WHERE text IS NOT NULL) AS {found}).1, {found}.2, NULL)"
    )
}
