//! A property's canonical text.

use super::Bind;
use crate::metrics::filter::{Property, column_of};

/// The property's canonical text over the columns of `events`: a `Nullable(String)`, NULL when it is missing or
/// null. `{project:UInt32}` has to be bound.
pub fn value(property: &Property, bind: &mut Bind) -> String {
    match property {
        Property::Event(name) => match column_of(name) {
            Some("amount") => "toString(nullIf(amount, 0))".to_owned(),
            Some(column) => format!("nullIf(toString({column}), '')"),
            None => text_in("props", &[], name, bind),
        },
        Property::Person(name) => person(name, bind),
    }
}

/// The text of the member `name` of the object at `path` within the JSON text of a column.
fn text_in(column: &str, path: &[&str], name: &str, bind: &mut Bind) -> String {
    let path: String = path.iter().map(|step| format!("'{step}', ")).collect();
    let place = format!("{column}, {path}{}", bind.text(name));
    // ClickHouse writes minus zero with its sign.
    let text = format!("JSONExtract({place}, 'Nullable(String)')");
    format!("if({text} = '-0' AND JSONType({place}) = 'Double', '0', {text})")
}

/// The current value of the person behind the event. The statement within is evaluated once, before the events are
/// read: it finds, for each person who has the property, the latest value of `$set`, else the earliest of
/// `$set_once`.
fn person(name: &str, bind: &mut Bind) -> String {
    let name = bind.text(name);
    let of = |member: &str| {
        format!(
            "if(JSONExtract(props, '{member}', {name}, 'Nullable(String)') = '-0' \
               AND JSONType(props, '{member}', {name}) = 'Double', \
               '0', JSONExtract(props, '{member}', {name}, 'Nullable(String)'))"
        )
    };
    let (set, once) = (of("$set"), of("$set_once"));
    let (has_set, has_once) = (
        format!("JSONHas(props, '$set', {name})"),
        format!("JSONHas(props, '$set_once', {name})"),
    );
    let found = format!(
        "(SELECT (groupArray(who), groupArray(assumeNotNull(text))) FROM ( \
           SELECT actor AS who, \
             if(countIf({has_set}) > 0, argMaxIf(tuple({set}), (ts, UUIDToNum(id)), {has_set}), \
               argMinIf(tuple({once}), (ts, UUIDToNum(id)), {has_once})).1 AS text \
           FROM events WHERE project = {{project:UInt32}} AND position(props, '\"$set') > 0 \
             AND ({has_set} OR {has_once}) \
           GROUP BY actor) WHERE text IS NOT NULL)"
    );
    format!("transform(actor, {found}.1, {found}.2, NULL)")
}
