//! A sample of the newest events: which properties they carry, and with which values. Nothing of it is stored.

use clickhouse::Row;
use serde::Deserialize;

use super::Whose;
use super::look::{NOT_OF_EVENT, OF_PERSON, texts};
use crate::event::{Day, ProjectNumber};
use crate::metrics::filter::{COLUMNS, Property};
use crate::metrics::schema::MAX_VALUE_CHARS;
use crate::store::filter::{Bind, value};
use crate::store::{Facts, Store, StoreError, facts};

/// Names of events that a sample is restricted to at most: a list of them has to fit into a parameter.
pub const MOST_CARRIERS: u32 = 50;

/// Which events a sample is made of.
#[derive(Clone, Copy, Debug)]
pub struct SampleOf<'a> {
    /// Whose properties are looked at. Of persons only events are taken that set some.
    pub whose: Whose,
    /// Only these names, [`MOST_CARRIERS`] at most; all for `None`.
    pub events: Option<&'a [String]>,
    /// No older ones, UTC milliseconds.
    pub since: i64,
    /// The newest so many.
    pub limit: u32,
}

/// What a sample says of a property.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct Carried {
    pub property: String,
    /// Events that carry it.
    pub events: u64,
    /// Distinct values.
    pub distinct: u64,
    /// The most frequent values, each with its events.
    pub values: Vec<(String, u64)>,
}

/// One value of a property and the events that carry it.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct ValueEvents {
    pub value: String,
    pub events: u64,
}

impl SampleOf<'_> {
    /// The sample as a table of (property, value) pairs; each event has the pair ('', '') once.
    fn pairs(self, bind: &mut Bind) -> String {
        let pairs = match self.whose {
            Whose::Event => {
                // What capture finds out stands in columns, whatever a client sends under these names.
                let columns: Vec<String> = COLUMNS.iter().map(|name| format!("${name}")).collect();
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                let found_out = columns.iter().map(|name| {
                    let text = value(&Property::Event((*name).to_owned()), bind);
                    format!("('{name}', {text})")
                });
                format!(
                    "arrayConcat(arrayFilter(p -> NOT has({}, p.1), JSONExtractKeysAndValues(props, 'Nullable(String)')), \
                     [{}])",
                    texts(&[NOT_OF_EVENT.as_slice(), &columns].concat()),
                    found_out.collect::<Vec<_>>().join(", ")
                )
            }
            Whose::Person => format!(
                "arrayFlatten(arrayMap(p -> JSONExtractKeysAndValues(p.2, 'Nullable(String)'), \
                 arrayFilter(p -> has({}, p.1), JSONExtractKeysAndValuesRaw(props))))",
                texts(&OF_PERSON)
            ),
        };
        let columns = COLUMNS.join(", ");
        format!(
            "SELECT pair.1 AS property, assumeNotNull(pair.2) AS value FROM ( \
               SELECT props, {columns} FROM events WHERE {} \
               ORDER BY ts DESC, seq DESC, UUIDToNum(id) DESC LIMIT {{sample:UInt32}} \
             ) ARRAY JOIN arrayConcat([('', '')], {pairs}) AS pair WHERE pair.2 IS NOT NULL",
            self.which(bind)
        )
    }

    /// The events among which the sample is taken.
    fn which(self, bind: &mut Bind) -> String {
        let sets = match self.whose {
            Whose::Event => "",
            // The text first: nearly no event has any of it.
            Whose::Person => {
                "AND position(props, '\"$') > 0 AND length(arrayFlatten(arrayMap(name -> \
                 arrayFilter(p -> p.2 != 'null', JSONExtractKeysAndValuesRaw(props, name)), \
                 ['$set', '$set_once', '$add']))) > 0"
            }
        };
        let names = self
            .events
            .map(|names| format!("AND event IN {}", bind.texts(names)));
        format!(
            "project = {{project:UInt32}} AND day >= toDate({{day:UInt16}}) \
             AND ts >= fromUnixTimestamp64Milli({{since:Int64}}, 'UTC') {} {sets}",
            names.unwrap_or_default()
        )
    }
}

impl Store {
    /// What the sample carries: each property with its `top` most frequent values (ties by bytes). The property '' is
    /// the sample itself: its events are how many were looked at.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn sample_properties(
        &self,
        project: ProjectNumber,
        of: SampleOf<'_>,
        top: u32,
    ) -> Result<Facts<Vec<Carried>>, StoreError> {
        let mut bind = Bind::new();
        let sql = format!(
            "SELECT property, sum(n) AS events, count() AS distinct, \
               arraySlice(arraySort(v -> (-toInt64(v.2), v.1), \
                 groupArrayIf((value, n), lengthUTF8(value) <= {MAX_VALUE_CHARS})), 1, {{top:UInt32}}) AS values \
             FROM (SELECT property, value, count() AS n FROM ({}) GROUP BY property, value) \
             GROUP BY property ORDER BY property",
            of.pairs(&mut bind)
        );
        let query = self.question(project, &sql).param("top", top);
        facts(bind.apply(sampling(query, of))).await
    }

    /// The most frequent values of one property in the sample that hold `search` (any case), at most `limit`; ties by
    /// bytes.
    ///
    /// # Errors
    /// As [`Store::sample_properties`].
    pub async fn sample_values(
        &self,
        project: ProjectNumber,
        of: SampleOf<'_>,
        property: &str,
        search: &str,
        limit: u32,
    ) -> Result<Facts<Vec<ValueEvents>>, StoreError> {
        let mut bind = Bind::new();
        let pairs = of.pairs(&mut bind);
        let sql = format!(
            "SELECT value, count() AS events FROM ({pairs}) \
             WHERE property = {} AND lengthUTF8(value) <= {MAX_VALUE_CHARS} \
               AND (empty({search}) OR positionCaseInsensitiveUTF8(value, {search}) > 0) \
             GROUP BY value ORDER BY events DESC, value LIMIT {{top:UInt32}}",
            bind.text(property),
            search = bind.text(search),
        );
        let query = self.question(project, &sql).param("top", limit);
        facts(bind.apply(sampling(query, of))).await
    }

    /// How many events the sample holds.
    ///
    /// # Errors
    /// As [`Store::sample_properties`].
    pub async fn sample_size(
        &self,
        project: ProjectNumber,
        of: SampleOf<'_>,
    ) -> Result<Facts<u64>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Size {
            events: u64,
        }
        let mut bind = Bind::new();
        let sql = format!(
            "SELECT least(count(), {{sample:UInt32}}) AS events FROM events WHERE {}",
            of.which(&mut bind)
        );
        let query = self.question(project, &sql);
        let found: Facts<Vec<Size>> = facts(bind.apply(sampling(query, of))).await?;
        Ok(Facts {
            rows: found.rows.first().map_or(0, |size| size.events),
            rows_read: found.rows_read,
        })
    }
}

fn sampling(query: clickhouse::query::Query, of: SampleOf<'_>) -> clickhouse::query::Query {
    query
        .param("since", of.since)
        .param("day", Day::of_utc(of.since).as_u16())
        .param("sample", of.limit)
}
