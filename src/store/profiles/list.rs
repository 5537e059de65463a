//! Persons page by page: those that pass a filter, or that a search finds.

use std::collections::{BTreeMap, BTreeSet};

use clickhouse::Row;
use serde::Deserialize;

use crate::event::ProjectNumber;
use crate::metrics::identity::{NEVER, fresh_of};
use crate::metrics::person::{MAX_FOUND, PersonOrder, PersonsSpec, Record, SEARCHED};
use crate::store::filter::{Bind, condition};
use crate::store::people::{PEOPLE, actors_of};
use crate::store::{Facts, Store, StoreError, facts};

/// A person of a page.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct Listed {
    pub person: u64,
    /// First seen, UTC milliseconds.
    pub first: i64,
    /// Last seen, UTC milliseconds.
    pub last: i64,
    /// The id that the person is called by, in the order of ids; else empty.
    pub name: String,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The persons, ascending.
    pub persons: Vec<u64>,
    /// Whether there may be more.
    pub truncated: bool,
}

#[derive(Row, Deserialize)]
struct Override {
    actor: u64,
    person: u64,
    split: i64,
}

/// Who was seen when: `person`, `begun`, `ended`, with `owner`, `id` and `is_user`. The few actors that are split
/// between two persons are looked up in the events. `of` is a placeholder of persons that are looked for.
fn seen(of: Option<&str>) -> String {
    let (owners, persons) = match of {
        Some(persons) => (
            format!("AND {}", actors_of("owner", persons)),
            format!("AND person IN {persons}"),
        ),
        None => Default::default(),
    };
    format!(
        "SELECT if(mapped = 0, owner, whose) AS person, owner, id, is_user, first_seen AS begun, last_seen AS ended \
         FROM profiles LEFT ANY JOIN (SELECT actor AS mapped, person AS whose, split FROM person_map FINAL \
           WHERE project = {{project:UInt32}}) AS overrides ON owner = mapped \
         WHERE project = {{project:UInt32}} AND kind = '' AND (mapped = 0 OR split = {NEVER}) {owners} {persons} \
         UNION ALL SELECT person, actor, distinct_id, toUInt8(user_id != ''), ts, ts FROM {PEOPLE} \
         WHERE project = {{project:UInt32}} {persons} AND actor IN (SELECT actor FROM person_map FINAL \
           WHERE project = {{project:UInt32}} AND split != {NEVER})"
    )
}

/// The statement of all persons that pass, with what they are ordered by.
fn passing(spec: &PersonsSpec, of: Option<&[u64]>, bind: &mut Bind) -> String {
    let of = of.map(|persons| bind.actors(persons));
    let name = match spec.order {
        PersonOrder::Id => "argMin(id, (owner != person, 1 - is_user, id))",
        PersonOrder::LastSeen | PersonOrder::FirstSeen => "''",
    };
    let mut seen_when = Vec::new();
    if let Some(from) = spec.seen_from {
        seen_when.push(format!("last >= {}", bind.integer(from)));
    }
    if let Some(to) = spec.seen_to {
        seen_when.push(format!("last < {}", bind.integer(to)));
    }
    let having = match seen_when.is_empty() {
        true => String::new(),
        false => format!("HAVING {}", seen_when.join(" AND ")),
    };
    format!(
        "SELECT person, toUnixTimestamp64Milli(min(begun)) AS first, toUnixTimestamp64Milli(max(ended)) AS last, \
           {name} AS name FROM ({}) WHERE {} GROUP BY person {having}",
        seen(of.as_deref()),
        condition(&spec.filter, bind)
    )
}

impl Store {
    /// A page of the persons that pass, and one more where there is one; among `of` where it is given.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn list_persons(
        &self,
        project: ProjectNumber,
        spec: &PersonsSpec,
        of: Option<&[u64]>,
    ) -> Result<Facts<Vec<Listed>>, StoreError> {
        let mut bind = Bind::new();
        let passing = passing(spec, of, &mut bind);
        let (order, behind) = match spec.order {
            PersonOrder::LastSeen => ("last DESC, person DESC", "(last, person) <"),
            PersonOrder::FirstSeen => ("first DESC, person DESC", "(first, person) <"),
            PersonOrder::Id => ("name, person", "(name, person) >"),
        };
        let after = spec.after.as_ref().map(|place| {
            let person = format!("toUInt64({})", bind.text(place.person.to_string()));
            let at = match spec.order {
                PersonOrder::Id => bind.text(&place.id),
                PersonOrder::LastSeen | PersonOrder::FirstSeen => bind.integer(place.at_ms),
            };
            format!("WHERE {behind} ({at}, {person})")
        });
        let sql = format!(
            "SELECT person, first, last, name FROM ({passing}) {} ORDER BY {order} LIMIT {}",
            after.unwrap_or_default(),
            spec.limit + 1
        );
        facts(bind.apply(self.question(project, &sql))).await
    }

    /// How many persons pass, whatever the page.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn count_persons(
        &self,
        project: ProjectNumber,
        spec: &PersonsSpec,
        of: Option<&[u64]>,
    ) -> Result<Facts<u64>, StoreError> {
        let mut bind = Bind::new();
        // names are not needed to count
        let spec = PersonsSpec {
            order: PersonOrder::LastSeen,
            ..spec.clone()
        };
        let sql = format!("SELECT count() FROM ({})", passing(&spec, of, &mut bind));
        let found: Facts<Vec<u64>> = facts(bind.apply(self.question(project, &sql))).await?;
        Ok(Facts {
            rows: found.rows.into_iter().sum(),
            rows_read: found.rows_read,
        })
    }

    /// The persons one of whose ids, or the current value of one of whose searched properties, contains a text,
    /// whatever its case.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn search_persons(
        &self,
        project: ProjectNumber,
        text: &str,
    ) -> Result<Facts<Search>, StoreError> {
        let sql = "SELECT DISTINCT owner FROM ( \
               SELECT owner FROM profiles WHERE project = {project:UInt32} AND kind = '' \
                 AND positionCaseInsensitiveUTF8(id, {text:String}) > 0 \
               UNION ALL SELECT owner FROM profile_properties WHERE project = {project:UInt32} AND kind = '' \
                 AND name IN {names:Array(String)} AND (positionCaseInsensitiveUTF8(substring(latest, 26), {text:String}) > 0 \
                   OR positionCaseInsensitiveUTF8(substring(earliest, 26), {text:String}) > 0)) \
             LIMIT {most:UInt32}";
        let query = self
            .question(project, sql)
            .param("text", text)
            .param("names", SEARCHED.as_slice())
            .param("most", MAX_FOUND + 1);
        let mut owners: Facts<Vec<u64>> = facts(query).await?;
        let truncated = owners.rows.len() > MAX_FOUND as usize;
        owners.rows.truncate(MAX_FOUND as usize);
        let mut rows_read = owners.rows_read;
        let sql = "SELECT actor, person, split FROM person_map FINAL WHERE project = {project:UInt32} \
             AND actor IN {actors:Array(UInt64)}";
        let query = self
            .question(project, sql)
            .param("actors", owners.rows.as_slice());
        let overrides: Facts<Vec<Override>> = facts(query).await?;
        rows_read += overrides.rows_read;
        let mut candidates: BTreeSet<u64> = owners.rows.iter().copied().collect();
        for Override { actor, person, split } in overrides.rows {
            candidates.remove(&actor);
            candidates.insert(person);
            if split != NEVER {
                candidates.insert(fresh_of(actor));
            }
        }
        let candidates: Vec<u64> = candidates.into_iter().collect();
        // What rows of old parts say, or those of one of several ids, need not be what holds.
        let members = self.members(project, &candidates).await?;
        let records = self.records_of(project, &members.rows, Some(&SEARCHED)).await?;
        rows_read += members.rows_read + records.rows_read;
        let sought = text.to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&sought);
        let mut persons: BTreeSet<u64> = members
            .rows
            .iter()
            .filter(|member| holds(&member.id))
            .map(|member| member.person)
            .collect();
        let is_found = |records: &BTreeMap<String, Record>| {
            let mut texts = records.values().filter_map(|record| Some(record.value()?.0));
            texts.any(|value| value.text().is_some_and(holds))
        };
        persons.extend(
            records
                .rows
                .iter()
                .filter(|(_, records)| is_found(records))
                .map(|(person, _)| *person),
        );
        Ok(Facts {
            rows: Search {
                persons: persons.into_iter().collect(),
                truncated,
            },
            rows_read,
        })
    }
}
