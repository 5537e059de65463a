//! Events by the values of a breakdown that are shown.

use clickhouse::Row;
use clickhouse::query::Query;
use serde::Deserialize;

use super::filter::{Bind, value};
use super::{Facts, StoreError, facts};
use crate::metrics::filter::Property;
use crate::metrics::trend::{Group, group_key};

/// The number of an event's group: [`group_key`] looked up among those that are shown.
pub(super) fn grouped(breakdown: &[Property], bind: &mut Bind) -> String {
    if breakdown.is_empty() {
        return "toUInt16(0)".to_owned();
    }
    let key = match breakdown {
        [property] => format!("ifNull(xxh3({}), 0)", value(property, bind)),
        properties => {
            let texts: Vec<String> = properties
                .iter()
                .enumerate()
                .map(|(n, property)| {
                    let value = value(property, bind);
                    format!(
                        "if(isNull({value} AS v{n}), 'n', \
                         concat('v', toString(length(v{n})), ':', assumeNotNull(v{n})))"
                    )
                })
                .collect();
            format!("xxh3(concat({}))", texts.join(", "))
        }
    };
    format!("transform({key}, {{keys:Array(UInt64)}}, {{places:Array(UInt16)}}, toUInt16(0))")
}

/// The statement that ranks the values of a breakdown: the rows of `people` that are `from` (columns `{select}`) by `rank`, ties by
/// text, missing last; rows that lack every property left out. `{limit:UInt32}` has to be bound.
pub(super) fn ranking(
    breakdown: &[Property],
    (select, from, rank): (&str, &str, &str),
    people: &str,
    bind: &mut Bind,
) -> String {
    let values: Vec<String> = breakdown
        .iter()
        .enumerate()
        .map(|(n, property)| format!("{} AS v{n}", value(property, bind)))
        .collect();
    let names: Vec<String> = (0..values.len()).map(|n| format!("v{n}")).collect();
    let order: Vec<String> = names
        .iter()
        .map(|name| format!("isNull({name}), {name}"))
        .collect();
    let some: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    format!(
        "SELECT CAST([{listed}], 'Array(Nullable(String))') AS shown FROM ( \
           SELECT {values}, {select} FROM {people} WHERE {from}) \
         WHERE {some} GROUP BY {listed} ORDER BY {rank} DESC, {order} LIMIT {{limit:UInt32}}",
        listed = names.join(", "),
        values = values.join(", "),
        some = some.join(" OR "),
        order = order.join(", "),
    )
}

/// A value of a breakdown, as [`ranking`] gives it.
#[derive(Row, Deserialize)]
pub(super) struct Ranked {
    pub shown: Group,
}

/// The values that a [`ranking`] finds.
pub(super) async fn ranked(query: Query, limit: u32) -> Result<Facts<Vec<Group>>, StoreError> {
    let found: Facts<Vec<Ranked>> = facts(query.param("limit", limit)).await?;
    Ok(Facts {
        rows: found.rows.into_iter().map(|row| row.shown).collect(),
        rows_read: found.rows_read,
    })
}

/// Binds what [`grouped`] looks up, for a breakdown by so many properties.
pub(super) fn bind_groups(query: Query, properties: usize, groups: &[Group]) -> Query {
    if properties == 0 {
        return query;
    }
    let none = vec![None; properties];
    let keys: Vec<u64> = groups
        .iter()
        .chain([&none])
        .map(|group| group_key(group))
        .collect();
    let places: Vec<u16> = (1..).take(keys.len()).collect();
    query.param("keys", keys).param("places", places)
}
