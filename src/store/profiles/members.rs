//! Whose ids are whose: the actors that make a person, and what they wrote.

use std::collections::{BTreeMap, BTreeSet};

use clickhouse::Row;
use clickhouse::query::Query;
use serde::Deserialize;
use uuid::Uuid;

use super::current::told;
use crate::event::{Day, ProjectNumber, actor_of};
use crate::metrics::identity::{NEVER, Override, fresh_of};
use crate::metrics::person::{PERSON_MARKS, Position, Record, Write, Written};
use crate::store::people::{PEOPLE, PERSONS_A_PARAMETER, maybe_of};
use crate::store::rows::RecordRow;
use crate::store::{Facts, Store, StoreError, facts};

/// An actor whose events are a person's, at least some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub person: u64,
    pub actor: u64,
    /// The distinct id.
    pub id: String,
    /// Whether the application gave it.
    pub is_user: bool,
    /// Whether only a part of its events is this person's.
    pub is_split: bool,
    /// First seen, UTC milliseconds; of an actor that is split, whoever it was.
    pub first: i64,
    /// Last seen.
    pub last: i64,
}

#[derive(Row, Deserialize)]
struct Seen {
    actor: u64,
    id: String,
    is_user: u8,
    first: i64,
    last: i64,
}

#[derive(Row, Deserialize)]
struct Mapped {
    actor: u64,
    person: u64,
    split: i64,
}

#[derive(Row, Deserialize)]
struct Whose {
    person: u64,
    split: i64,
}

impl Member {
    /// Whether the person is what happened on this actor's device after a second user was seen on it.
    pub fn is_fresh(&self) -> bool {
        self.is_split && self.person == fresh_of(self.actor)
    }
}

/// When somebody was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Row, Deserialize)]
pub struct Sight {
    /// UTC milliseconds.
    pub first: i64,
    /// UTC milliseconds.
    pub last: i64,
    pub events: u64,
}

#[derive(Row, Deserialize)]
struct Line {
    person: u64,
    actor: u64,
    ts: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    props: String,
}

impl Store {
    /// The person behind a distinct id: of a shared device the one it was first joined to, or with `fresh` what its
    /// own events make after that.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn person_named(
        &self,
        project: ProjectNumber,
        distinct_id: &str,
        fresh: bool,
    ) -> Result<u64, StoreError> {
        let actor = actor_of(distinct_id);
        if fresh {
            return Ok(fresh_of(actor));
        }
        let sql = "SELECT person, split FROM person_map FINAL WHERE project = {project:UInt32} AND actor = {actor:UInt64}";
        let found: Facts<Vec<Whose>> = facts(self.question(project, sql).param("actor", actor)).await?;
        Ok(match found.rows.first() {
            Some(row) if row.split > i64::MIN => row.person,
            _ => actor,
        })
    }

    /// The actors that were seen of these persons; of each person users first, then by id.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn members(
        &self,
        project: ProjectNumber,
        persons: &[u64],
    ) -> Result<Facts<Vec<Member>>, StoreError> {
        let rows = self.rows_of(project, persons).await?;
        let mut rows_read = rows.rows_read;
        let rows: BTreeMap<u64, Override> = rows.rows.into_iter().map(|row| (row.actor, row)).collect();
        // Whose number no row has is an actor of their own, if anybody.
        let actors: BTreeSet<u64> = persons.iter().copied().chain(rows.keys().copied()).collect();
        let sql = "SELECT owner AS actor, any(id) AS id, max(is_user) AS is_user, \
                     toUnixTimestamp64Milli(min(first_seen)) AS first, toUnixTimestamp64Milli(max(last_seen)) AS last \
                   FROM profiles WHERE project = {project:UInt32} AND kind = '' AND owner IN {actors:Array(UInt64)} \
                   GROUP BY owner";
        let actors: Vec<u64> = actors.into_iter().collect();
        let mut all_seen = Vec::new();
        for some in actors.chunks(PERSONS_A_PARAMETER) {
            let query = self.question(project, sql).param("actors", some);
            let found: Facts<Vec<Seen>> = facts(query).await?;
            rows_read += found.rows_read;
            all_seen.extend(found.rows);
        }
        let wanted: BTreeSet<u64> = persons.iter().copied().collect();
        let mut members = Vec::new();
        for seen in all_seen {
            let row = rows.get(&seen.actor).copied();
            let row = row.unwrap_or(Override::own(seen.actor));
            let is_split = row.split != NEVER;
            for person in [Some(row.person), is_split.then(|| fresh_of(seen.actor))]
                .into_iter()
                .flatten()
            {
                if wanted.contains(&person) {
                    members.push(Member {
                        person,
                        actor: seen.actor,
                        id: seen.id.clone(),
                        is_user: seen.is_user != 0,
                        is_split,
                        first: seen.first,
                        last: seen.last,
                    });
                }
            }
        }
        if members.iter().any(|member| member.is_split) {
            let split: Vec<u64> = members.iter().filter(|m| m.is_split).map(|m| m.actor).collect();
            let sides = self.sides(project, &split).await?;
            members.retain(|member| !member.is_split || sides.contains(&(member.person, member.actor)));
        }
        members.sort_by(|a, b| (a.person, !a.is_user, &a.id).cmp(&(b.person, !b.is_user, &b.id)));
        Ok(Facts {
            rows: members,
            rows_read,
        })
    }

    /// The rows of the override map that may make events these persons', or take their own from them.
    async fn rows_of(
        &self,
        project: ProjectNumber,
        persons: &[u64],
    ) -> Result<Facts<Vec<Override>>, StoreError> {
        let sql = format!(
            "SELECT actor, person, split FROM person_map FINAL WHERE project = {{project:UInt32}} AND {}",
            maybe_of("{persons:Array(UInt64)}")
        );
        let query = self.question(project, &sql).param("persons", persons);
        let found: Facts<Vec<Mapped>> = facts(query).await?;
        let rows = found.rows.into_iter().map(|row| Override {
            actor: row.actor,
            person: row.person,
            split: row.split,
        });
        Ok(Facts {
            rows: rows.collect(),
            rows_read: found.rows_read,
        })
    }

    /// Of actors that are split, the persons that have events of them.
    async fn sides(
        &self,
        project: ProjectNumber,
        actors: &[u64],
    ) -> Result<BTreeSet<(u64, u64)>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT person, actor FROM {PEOPLE} WHERE project = {{project:UInt32}} \
             AND actor IN {{actors:Array(UInt64)}}"
        );
        let found: Facts<Vec<(u64, u64)>> =
            facts(self.question(project, &sql).param("actors", actors)).await?;
        Ok(found.rows.into_iter().collect())
    }

    /// What these persons' properties are made of, by person and name; of all properties or of some.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn records_of(
        &self,
        project: ProjectNumber,
        members: &[Member],
        names: Option<&[&str]>,
    ) -> Result<Facts<BTreeMap<u64, BTreeMap<String, Record>>>, StoreError> {
        let whole: BTreeMap<u64, u64> = members
            .iter()
            .filter(|member| !member.is_split)
            .map(|member| (member.actor, member.person))
            .collect();
        let split: BTreeSet<u64> = members
            .iter()
            .filter(|member| member.is_split)
            .map(|member| member.person)
            .collect();
        let mut records: BTreeMap<u64, BTreeMap<String, Record>> = BTreeMap::new();
        let owners: Vec<u64> = whole.keys().copied().collect();
        let mut found = self.records(project, "", &owners, names).await?;
        let mut rows_read = found.rows_read;
        for (owner, name, record) in found.rows.drain(..) {
            let of_person = records.entry(whole[&owner]).or_default();
            of_person.entry(name).or_default().merge(record);
        }
        if !split.is_empty() {
            let persons: Vec<u64> = split.into_iter().collect();
            let actors: Vec<u64> = members.iter().filter(|m| m.is_split).map(|m| m.actor).collect();
            let sql = format!(
                "SELECT person, actor, toUnixTimestamp64Milli(ts) AS ts, id, props FROM {PEOPLE} \
                 WHERE project = {{project:UInt32}} AND actor IN {{actors:Array(UInt64)}} \
                   AND person IN {{persons:Array(UInt64)}} AND ({})",
                told(&PERSON_MARKS)
            );
            let query = self
                .question(project, &sql)
                .param("actors", actors.as_slice())
                .param("persons", persons.as_slice());
            let lines: Facts<Vec<Line>> = facts(query).await?;
            rows_read += lines.rows_read;
            for line in lines.rows {
                let at = Position::at(line.ts, line.id);
                let of_person = records.entry(line.person).or_default();
                for Write { owner, name, op } in Written::of(&line.props, line.actor).writes {
                    if owner.kind.is_empty() && names.is_none_or(|names| names.contains(&name.as_str())) {
                        of_person.entry(name).or_default().write(at, op);
                    }
                }
            }
        }
        Ok(Facts {
            rows: records,
            rows_read,
        })
    }

    /// The records of owners of a kind: owner, property, record.
    pub(in crate::store) async fn records(
        &self,
        project: ProjectNumber,
        kind: &str,
        owners: &[u64],
        names: Option<&[&str]>,
    ) -> Result<Facts<Vec<(u64, String, Record)>>, StoreError> {
        let of =
            "WHERE project = {project:UInt32} AND kind = {kind:String} AND owner IN {owners:Array(UInt64)}";
        let of = match names {
            Some(_) => format!("{of} AND name IN {{names:Array(String)}}"),
            None => of.to_owned(),
        };
        let sql = format!(
            "SELECT owner, name, max(latest) AS latest, max(earliest) AS earliest, max(cleared) AS cleared, \
               groupUniqArrayIf((place, amount), place != '') AS adds \
             FROM (SELECT owner, name, latest, earliest, cleared, '' AS place, 0. AS amount FROM profile_properties {of} \
               UNION ALL SELECT owner, name, '', '', '', place, amount FROM profile_adds {of}) \
             GROUP BY owner, name"
        );
        let query = self
            .question(project, &sql)
            .param("kind", kind)
            .param("owners", owners)
            .param("names", names.unwrap_or_default());
        let found: Facts<Vec<RecordRow>> = facts(query).await?;
        let records = found.rows.into_iter().map(|row| {
            let record = row.record();
            (row.owner, row.name, record)
        });
        Ok(Facts {
            rows: records.collect(),
            rows_read: found.rows_read,
        })
    }

    /// When a person was seen and how often, from the events. Nothing: never.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn sight_of(
        &self,
        project: ProjectNumber,
        members: &[Member],
    ) -> Result<Facts<Option<Sight>>, StoreError> {
        let theirs = Theirs::of(members);
        let sql = format!(
            "SELECT toUnixTimestamp64Milli(min(ts)) AS first, toUnixTimestamp64Milli(max(ts)) AS last, \
               count() AS events FROM {} HAVING events > 0",
            theirs.events()
        );
        let found: Facts<Vec<Sight>> = facts(theirs.bind(self.question(project, &sql))).await?;
        Ok(Facts {
            rows: found.rows.into_iter().next(),
            rows_read: found.rows_read,
        })
    }
}

/// The events of one person, for a statement.
pub(super) struct Theirs {
    actors: Vec<u64>,
    /// The person, where their number has to be looked at: not all events of the actors are theirs.
    person: Option<u64>,
    first: i64,
    last: i64,
}

impl Theirs {
    /// Of the person of these members.
    pub(super) fn of(members: &[Member]) -> Theirs {
        Theirs {
            actors: members.iter().map(|member| member.actor).collect(),
            person: members
                .iter()
                .find(|member| member.is_split)
                .map(|member| member.person),
            first: members.iter().map(|member| member.first).min().unwrap_or(0),
            last: members.iter().map(|member| member.last).max().unwrap_or(0),
        }
    }

    /// When the last of their actors was seen.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// What follows a FROM: the table and a condition that others may be added to. The actors are known, so whose an
    /// event is has to be looked up only where one is split.
    pub(super) fn events(&self) -> String {
        let (table, person) = match self.person {
            Some(_) => (PEOPLE, "AND person = {person:UInt64}"),
            None => ("events", ""),
        };
        format!(
            "{table} WHERE project = {{project:UInt32}} AND actor IN {{actors:Array(UInt64)}} {person} \
             AND day >= toDate({{first_day:UInt16}}) AND day <= toDate({{last_day:UInt16}})"
        )
    }

    /// The query with all that [`Theirs::events`] names.
    pub(super) fn bind(&self, query: Query) -> Query {
        query
            .param("actors", self.actors.as_slice())
            .param("person", self.person.unwrap_or(0))
            .param("first_day", Day::of_utc(self.first).as_u16())
            .param("last_day", Day::of_utc(self.last).as_u16())
    }
}
