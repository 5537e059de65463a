//! Persons: a list that is filtered, searched and ordered, page by page.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use uuid::Uuid;

use super::{Asked, Loaded, NotModified, Questions, Served, refused, refused_query};
use crate::api::error::{ApiPath, ApiQuery, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::envelope::{Answer, Warning};
use crate::metrics::person::{
    PersonOrder, PersonPlace, PersonRow, PersonsQuery, PersonsReport, PersonsSpec, Record,
};
use crate::metrics::time::Moment;
use crate::problem::Problem;
use crate::store::profiles::Member;

/// The most properties of a person in a list.
const MAX_PROPERTIES: usize = 100;

/// Persons: search, order, page by page.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/persons",
    operation_id = "persons",
    tag = "people",
    params(("id" = Uuid, Path, description = "The project"), PersonsQuery),
    responses((status = 200, description = "A page of persons", body = Answer<PersonsReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_persons(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<PersonsQuery>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let spec = query.validate(&asked.zone).map_err(refused_query)?;
    Ok(serve(asked, spec).await?.to_get(&headers))
}

/// Validates and answers.
pub async fn answer(asked: Asked, query: &PersonsQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone).map_err(refused)?;
    Ok(serve(asked, spec).await?.tagged("persons"))
}

async fn serve(asked: Asked, spec: PersonsSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { list(&asked, &spec).await };
    asked.serve("persons", spec, compute).await
}

async fn list(asked: &Asked, spec: &PersonsSpec) -> Result<Answer<PersonsReport>, Problem> {
    let (store, project) = (&asked.store, asked.number);
    let mut rows_read = 0;
    let mut warnings = Vec::new();
    let mut of = None;
    if !spec.search.is_empty() {
        let found = store.search_persons(project, &spec.search).await?;
        rows_read += found.rows_read;
        if found.rows.truncated {
            warnings.push(Warning::new(
                "search_truncated",
                "more ids and properties contain the text than one search looks at: persons may be missing, a longer \
                 text finds them",
            ));
        }
        of = Some(found.rows.persons);
    }
    let of = of.as_deref();
    let is_first = spec.after.is_none();
    let counted = async {
        match is_first {
            true => store.count_persons(project, spec, of).await.map(Some),
            false => Ok(None),
        }
    };
    let (page, counted) = tokio::try_join!(store.list_persons(project, spec, of), counted)?;
    rows_read += page.rows_read + counted.as_ref().map_or(0, |counted| counted.rows_read);
    let mut rows = page.rows;
    let has_more = rows.len() > spec.limit as usize;
    rows.truncate(spec.limit as usize);
    let next_cursor = rows.last().filter(|_| has_more).map(|last| {
        let at_ms = match spec.order {
            PersonOrder::LastSeen => last.last,
            PersonOrder::FirstSeen => last.first,
            PersonOrder::Id => 0,
        };
        let place = PersonPlace {
            at_ms,
            id: last.name.clone(),
            person: last.person,
        };
        place.cursor()
    });
    let numbers: Vec<u64> = rows.iter().map(|row| row.person).collect();
    let members = store.members(project, &numbers).await?;
    let records = store.records_of(project, &members.rows, None).await?;
    rows_read += members.rows_read + records.rows_read;
    let mut by_person: BTreeMap<u64, Vec<Member>> = BTreeMap::new();
    for member in members.rows {
        by_person.entry(member.person).or_default().push(member);
    }
    let mut records = records.rows;
    let persons = rows.into_iter().filter_map(|row| {
        let members = by_person.get(&row.person)?;
        let called = called(row.person, members)?;
        Some(PersonRow {
            id: called.id.clone(),
            identified: called.is_user,
            fresh: called.is_fresh(),
            ids: members.len() as u64,
            first_seen: Moment(row.first),
            last_seen: Moment(row.last),
            properties: properties(&records.remove(&row.person).unwrap_or_default()),
        })
    });
    let report = PersonsReport {
        count: counted.map(|counted| counted.rows),
        persons: persons.collect(),
        next_cursor,
        has_more,
    };
    let mut answer = asked.told(report, rows_read);
    answer.meta.warnings.extend(warnings);
    Ok(answer)
}

/// The id that a person is called by: the one that has the person's number, else the first user, else the first.
pub(in crate::api) fn called(person: u64, members: &[Member]) -> Option<&Member> {
    let own = members.iter().find(|member| member.actor == person);
    own.or(members.first())
}

fn properties(records: &BTreeMap<String, Record>) -> BTreeMap<String, serde_json::Value> {
    records
        .iter()
        .filter_map(|(name, record)| Some((name.clone(), record.value()?.0.value())))
        .take(MAX_PROPERTIES)
        .collect()
}
