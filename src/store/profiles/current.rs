//! The current value of a property of persons or groups, as SQL: what [`crate::metrics::person::Record::value`] says.

use crate::store::filter::{Bind, number};

/// Who of the override map: joined to the owners of properties, which are actors.
const MAP: &str = "(SELECT actor AS mapped, person AS whose, split FROM person_map FINAL \
     WHERE project = {project:UInt32}) AS overrides ON owner = mapped";

/// Instants that no split has.
const NEVER: &str = "9223372036854775807";

/// A statement that gives `who` (a person) and `text` (never NULL): everybody who has the property `name`, a
/// placeholder, and its canonical text. `{project:UInt32}` has to be bound.
///
/// Writes of the few actors that are split between two persons are read from their events, because a write of the
/// table does not tell of the ones that it outlived.
pub(in crate::store) fn of_persons(name: &str, bind: &mut Bind) -> String {
    let stored = stored("''", name);
    let split = split(name);
    let rows = format!(
        "SELECT if(mapped = 0, owner, whose) AS who, latest, earliest, cleared, place, amount \
         FROM ({stored}) AS stored LEFT ANY JOIN {MAP} WHERE mapped = 0 OR split = {NEVER} \
         UNION ALL {split}"
    );
    folded(&rows, bind)
}

/// The rows of one property; both tables in one shape.
fn stored(kind: &str, name: &str) -> String {
    let of = format!("WHERE project = {{project:UInt32}} AND kind = {kind} AND name = {name}");
    format!(
        "SELECT owner, latest, earliest, cleared, '' AS place, 0. AS amount FROM profile_properties {of} \
         UNION ALL SELECT owner, '', '', '', place, amount FROM profile_adds {of}"
    )
}

/// The writes of actors that are split, from their events, in the shape of the tables' rows.
fn split(name: &str) -> String {
    let value = |of: &str| {
        let at = format!("props, '{of}', {name}");
        format!(
            "multiIf((JSONType({at}) AS type_{id}) = 'Null', '-', type_{id} = 'String', \
               concat('t', JSONExtractString({at})), concat('j', if((JSONExtract({at}, 'Nullable(String)') AS json_{id}) \
               = '-0' AND type_{id} = 'Double', '0', assumeNotNull(json_{id}))))",
            id = of.trim_start_matches('$')
        )
    };
    format!(
        "SELECT if(toUnixTimestamp64Milli(ts) < split, whose, bitXor(actor, {fresh})) AS who, \
           if(JSONHas(props, '$set', {name}), concat((concat(unhex(leftPad(hex(bitXor( \
             reinterpretAsUInt64(toUnixTimestamp64Milli(ts)), 9223372036854775808)), 16, '0')), \
             toString(UUIDStringToNum(toString(id)))) AS here), {set}), '') AS latest, \
           if(JSONHas(props, '$set_once', {name}), concat(bitNot(here), {once}), '') AS earliest, \
           if(has(JSONExtract(props, '$unset', 'Array(String)'), {name}) OR JSONHas(props, '$unset', {name}), here, '') \
             AS cleared, \
           if(JSONType(props, '$add', {name}) IN ('Int64', 'UInt64', 'Double'), here, '') AS place, \
           JSONExtractFloat(props, '$add', {name}) AS amount \
         FROM events INNER JOIN (SELECT actor AS mapped, person AS whose, split FROM person_map FINAL \
           WHERE project = {{project:UInt32}} AND split != {NEVER}) AS overrides ON actor = mapped \
         WHERE project = {{project:UInt32}} AND ({told}) AND actor IN ( \
           SELECT actor FROM person_map FINAL WHERE project = {{project:UInt32}} AND split != {NEVER})",
        fresh = crate::metrics::identity::fresh_of(0),
        set = value("$set"),
        once = value("$set_once"),
        told = told(&crate::metrics::person::PERSON_MARKS),
    )
}

/// Whether an event's properties hold one of the marks of what is looked for.
pub(in crate::store) fn told(marks: &[&str]) -> String {
    let marks: Vec<String> = marks
        .iter()
        .map(|mark| format!("position(props, '{mark}') > 0"))
        .collect();
    marks.join(" OR ")
}

/// Rows of `who` and writes, folded: the base, unless it is unset or null, and what was added after it.
fn folded(rows: &str, bind: &mut Bind) -> String {
    let number = number("base", bind);
    format!(
        "SELECT who, assumeNotNull(if(empty(later) OR (base IS NOT NULL AND read IS NULL), base, \
           if((toString(arrayFold((sum, one) -> if(isFinite(sum + one.2), sum + one.2, sum), later, ifNull(read, 0.))) \
             AS total) = '-0', '0', total)) AS value) AS text \
         FROM (SELECT who, max(latest) AS set, max(earliest) AS once, max(cleared) AS unset, \
             groupUniqArrayIf((place, amount), place != '') AS adds, \
             if(set != '', substring(set, 1, 24), bitNot(substring(once, 1, 24))) AS at, \
             if(set != '', substring(set, 25), substring(once, 25)) AS written, \
             if(written = '' OR startsWith(written, '-') OR unset >= at, NULL, substring(written, 2)) AS base, \
             arraySort(arrayFilter(one -> one.1 >= greatest(at, unset), adds)) AS later, {number} AS read \
           FROM ({rows}) GROUP BY who) WHERE value IS NOT NULL"
    )
}
