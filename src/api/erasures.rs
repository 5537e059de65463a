//! Erasures: forgetting a person, a range of time, or everything; how far that has come, and the certificate.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::{Caller, Need};
use super::error::{ApiJson, ApiPath, ApiQuery, Named, SignedIn, Validated, WithBody, read_value};
use super::fields::{Fields, ListQuery, Listed, listed};
use super::{Accounts, Answered};
use crate::event::Zone;
use crate::event::accept::{MAX_ID_CHARS, printable};
use crate::meta::{Erasure, NewErasure};
use crate::metrics::time::parse_instant;
use crate::problem::Problem;

/// Distinct ids of one erasure.
const MOST_IDS: usize = 100;

/// What to erase, by `kind`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(example = json!({"kind": "person", "distinct_ids": ["u_42", "9b2e5a1c-0f0e-4a53-8f53-6a3f0f5e7f10"]}))]
pub enum ErasureRequest {
    /// A person.
    Person(PersonRequest),
    /// A range of time.
    Range(RangeRequest),
    /// Everything of the project so far. The project, its keys and settings stay; to end it too, delete it.
    Project(ProjectRequest),
}

/// Everything that somebody did up to now, under all of these ids.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonRequest {
    /// 1 to 100 distinct ids: user ids, or device ids of visitors who never signed in.
    #[schema(min_items = 1, max_items = 100)]
    distinct_ids: Vec<String>,
}

/// Whatever happened in a range of time. What has not happened yet cannot be erased: such events would be refused
/// for ever.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeRequest {
    /// Start: a local date, or an instant.
    from: String,
    /// End, not included; at most the end of today, which is taken as now.
    to: String,
}

/// Nothing else is needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectRequest {}

/// Asks for an erasure (owners). Such events are refused from now on (`erased`); those that are stored go within
/// seconds to minutes, then the affected days are counted again, and a certificate says what was found and that
/// nothing is left. Asking again while nothing was done yet answers the same erasure.
///
/// What the team itself wrote down is left as it is: the certificate of somebody's erasure lists the saved questions,
/// dashboards, annotations and cohorts that name one of the ids (`named_in`, at most 200).
///
/// ClickHouse deletes the files that were replaced about eight minutes later.
#[utoipa::path(post, path = "/v1/projects/{id}/erasures", operation_id = "request_erasure", tag = "privacy",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = ErasureRequest,
    responses(
        (status = 202, description = "Asked for; `Location` names the erasure", body = Erasure),
        (status = 409, description = "`erasure_limit`: too many are under way, or too much is remembered as erased",
            body = Problem, content_type = "application/problem+json"),
        SignedIn, Named, WithBody))]
pub async fn request_erasure(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(body): ApiJson<Map<String, Value>>,
) -> Answered<(StatusCode, [(HeaderName, String); 1], Json<Erasure>)> {
    let project = caller.project(&accounts.meta, id, Need::Own).await?;
    let now_ms = accounts.clock.now_ms();
    let what = validated(read(body)?, &project.zone(), now_ms)?;
    let email = caller.email(&accounts.meta).await?;
    let (erasure, _) = accounts.meta.request_erasure(id, what, &email, now_ms).await?;
    let location = format!("/v1/projects/{id}/erasures/{}", erasure.id);
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(erasure),
    ))
}

/// Lists the erasures of a project (admins), oldest first, those of retention too. Owners see those of a deleted
/// project.
#[utoipa::path(get, path = "/v1/projects/{id}/erasures", operation_id = "list_erasures", tag = "privacy",
    params(("id" = Uuid, Path, description = "The project"), ListQuery),
    responses((status = 200, description = "Erasures", body = Listed<Erasure>), SignedIn, Named, Validated))]
pub async fn list_erasures(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(list): ApiQuery<ListQuery>,
) -> Answered<Json<Listed<Erasure>>> {
    caller
        .project_even_deleted(&accounts.meta, id, Need::Admin)
        .await?;
    listed(accounts.meta.erasures(id, list.page()?).await?)
}

/// Answers an erasure (admins): how far it has come, and its certificate.
#[utoipa::path(get, path = "/v1/projects/{id}/erasures/{erasure_id}", operation_id = "get_erasure", tag = "privacy",
    params(("id" = Uuid, Path, description = "The project"),
        ("erasure_id" = Uuid, Path, description = "The erasure")),
    responses((status = 200, description = "The erasure", body = Erasure), SignedIn, Named))]
pub async fn get_erasure(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, erasure)): ApiPath<(Uuid, Uuid)>,
) -> Answered<Json<Erasure>> {
    caller
        .project_even_deleted(&accounts.meta, id, Need::Admin)
        .await?;
    let found = accounts.meta.erasure(id, erasure).await?;
    Ok(Json(found.ok_or_else(|| Problem::not_found("erasure"))?))
}

/// The kind first and then the request of that kind: serde's own way with tagged enums would lose the place of
/// what is wrong.
fn read(mut members: Map<String, Value>) -> Result<ErasureRequest, Problem> {
    let known = "person, range or project";
    let kind = match members.remove("kind") {
        Some(Value::String(kind)) => kind,
        None => {
            let detail = format!("say what is to be erased: {known}");
            return Err(Problem::invalid_field("/kind", "missing_field", detail));
        }
        Some(_) => {
            let detail = format!("must be a string: {known}");
            return Err(Problem::invalid_field("/kind", "wrong_type", detail));
        }
    };
    let members = Value::Object(members);
    match kind.as_str() {
        "person" => read_value(members).map(ErasureRequest::Person),
        "range" => read_value(members).map(ErasureRequest::Range),
        "project" => read_value(members).map(ErasureRequest::Project),
        _ => {
            let detail = format!("{kind:?} cannot be erased: {known}");
            Err(Problem::invalid_field("/kind", "unknown_value", detail))
        }
    }
}

fn validated(request: ErasureRequest, zone: &Zone, now_ms: i64) -> Result<NewErasure, Problem> {
    let mut fields = Fields::default();
    let what = match request {
        ErasureRequest::Person(PersonRequest { distinct_ids }) => {
            if !(1..=MOST_IDS).contains(&distinct_ids.len()) {
                fields.refuse("/distinct_ids", "wrong_length", "1 to 100 ids at once");
            }
            for (n, id) in distinct_ids.iter().enumerate().take(MOST_IDS) {
                if !(1..=MAX_ID_CHARS).contains(&id.chars().count()) {
                    let pointer = format!("/distinct_ids/{n}");
                    fields.refuse(&pointer, "wrong_length", "an id has 1 to 200 characters");
                }
            }
            // As they are stored.
            NewErasure::Persons(distinct_ids.into_iter().map(printable).collect())
        }
        ErasureRequest::Range(RangeRequest { from, to }) => {
            let mut instant = |pointer: &str, text: &str| {
                let read = parse_instant(pointer, text, zone);
                read.map_err(|why| fields.refuse(&why.pointer, why.code, why.detail))
                    .ok()
            };
            let (from, to) = (instant("/from", &from), instant("/to", &to));
            let (from, to) = from.zip(to).unwrap_or((0, 1));
            // People erase whole days, today too.
            let tomorrow = zone.day_start(zone.local_day(now_ms).plus(1));
            if to > tomorrow {
                let why = "the range ends in the future: events that have not happened yet would be refused for ever";
                fields.refuse("/to", "in_future", why);
            } else if from >= to.min(now_ms) {
                fields.refuse("/to", "empty_range", "the range ends before it begins");
            }
            NewErasure::Range {
                from,
                to: to.min(now_ms),
            }
        }
        ErasureRequest::Project(ProjectRequest {}) => NewErasure::Project,
    };
    fields.finish()?;
    Ok(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T10:15:00Z.
    const NOW: i64 = 1_795_428_900_000;

    fn refused(body: Value) -> (String, String) {
        let Value::Object(members) = body else {
            panic!("an object")
        };
        let refused = read(members).and_then(|request| validated(request, &Zone::utc(), NOW));
        let error = refused.unwrap_err().errors.remove(0);
        (error.pointer, error.code)
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        for (body, pointer, code) in [
            (serde_json::json!({}), "/kind", "missing_field"),
            (serde_json::json!({"kind": "cookie"}), "/kind", "unknown_value"),
            (serde_json::json!({"kind": 5}), "/kind", "wrong_type"),
            (
                serde_json::json!({"kind": "person"}),
                "/distinct_ids",
                "missing_field",
            ),
            (
                serde_json::json!({"kind": "person", "distinct_ids": []}),
                "/distinct_ids",
                "wrong_length",
            ),
            (
                serde_json::json!({"kind": "person", "distinct_ids": ["a", ""]}),
                "/distinct_ids/1",
                "wrong_length",
            ),
            (
                serde_json::json!({"kind": "person", "distinct_ids": ["a", 5]}),
                "/distinct_ids/1",
                "wrong_type",
            ),
            (
                serde_json::json!({"kind": "person", "distinct_ids": ["a"], "from": "2026-11-01"}),
                "/from",
                "unknown_field",
            ),
            (
                serde_json::json!({"kind": "range", "from": "2026-11-01", "to": "soon"}),
                "/to",
                "invalid_time",
            ),
            (
                serde_json::json!({"kind": "range", "from": "2026-11-02", "to": "2026-11-02"}),
                "/to",
                "empty_range",
            ),
            (
                serde_json::json!({"kind": "range", "from": "2026-11-23T10:15:00Z", "to": "2026-11-24"}),
                "/to",
                "empty_range",
            ),
            (
                serde_json::json!({"kind": "range", "from": "2026-11-23", "to": "2026-11-25"}),
                "/to",
                "in_future",
            ),
            (
                serde_json::json!({"kind": "range", "from": "2026-11-23", "to": "2026-11-24T00:00:01Z"}),
                "/to",
                "in_future",
            ),
        ] {
            let text = body.to_string();
            assert_eq!(refused(body), (pointer.to_owned(), code.to_owned()), "{text}");
        }
    }

    #[test]
    fn ids_are_looked_for_as_they_are_stored() {
        let distinct_ids = vec!["a\0b".to_owned()];
        let request = ErasureRequest::Person(PersonRequest { distinct_ids });
        let what = validated(request, &Zone::utc(), NOW).ok();
        let stored = NewErasure::Persons(vec!["a\u{fffd}b".to_owned()]);
        assert_eq!(what, Some(stored));
    }

    #[test]
    fn a_range_through_today_ends_now() {
        let range = |to: &str| {
            let (from, to) = ("2026-11-22".to_owned(), to.to_owned());
            let request = ErasureRequest::Range(RangeRequest { from, to });
            match validated(request, &Zone::utc(), NOW) {
                Ok(NewErasure::Range { to, .. }) => to,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(range("2026-11-24"), NOW);
        assert_eq!(range("2026-11-23T10:14:59Z"), NOW - 1_000);
    }
}
