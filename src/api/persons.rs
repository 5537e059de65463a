//! One person: what is known, and what they did.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::error::{ApiPath, ApiQuery, Named, SignedIn, Validated};
use super::events::{EventPage, page_of, page_size, read_cursor};
use super::questions::persons::called;
use super::questions::{Asked, Loaded, Questions};
use super::{Accounts, Answered, Caller};
use crate::metrics::envelope::Answer;
use crate::metrics::person::{GroupKey, KnownId, KnownProperty, PersonProfile};
use crate::metrics::time::Moment;
use crate::problem::Problem;

/// The most ids of a person that are listed.
const MAX_IDS: usize = 1_000;
/// The most groups of a person that are listed.
const MAX_GROUPS: usize = 100;

/// Which person of a shared device.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PersonParams {
    /// Of a shared device: what happened on it without a user after a second user was seen on it. Default: the person
    /// whom the id belonged to first.
    #[serde(default)]
    fresh: bool,
}

/// What is known of a person.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/persons/{distinct_id}",
    operation_id = "person",
    tag = "people",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("distinct_id" = String, Path, description = "Any id of the person"),
        PersonParams,
    ),
    responses((status = 200, description = "The person", body = Answer<PersonProfile>), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_person(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, distinct_id)): ApiPath<(Uuid, String)>,
    ApiQuery(PersonParams { fresh }): ApiQuery<PersonParams>,
) -> Answered<Json<Answer<PersonProfile>>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let (store, project) = (&asked.store, asked.number);
    let person = store.person_named(project, &distinct_id, fresh).await?;
    let members = store.members(project, &[person]).await?;
    let (sight, records, groups) = tokio::try_join!(
        store.sight_of(project, &members.rows),
        store.records_of(project, &members.rows, None),
        store.groups_of(project, &members.rows),
    )?;
    let (Some(sight), Some(called)) = (sight.rows, called(person, &members.rows)) else {
        return Err(Problem::not_found("person"));
    };
    let known = records.rows.into_values().next().unwrap_or_default();
    let profile = PersonProfile {
        id: called.id.clone(),
        identified: called.is_user,
        fresh: called.is_fresh(),
        ids: members
            .rows
            .iter()
            .take(MAX_IDS)
            .map(|member| KnownId {
                id: member.id.clone(),
                is_user: member.is_user,
            })
            .collect(),
        first_seen: Moment(sight.first),
        last_seen: Moment(sight.last),
        events: sight.events,
        properties: KnownProperty::all(&known),
        groups: groups
            .rows
            .into_iter()
            .take(MAX_GROUPS)
            .map(|(kind, key)| GroupKey { kind, key })
            .collect(),
    };
    let rows_read = members.rows_read + records.rows_read + groups.rows_read;
    Ok(Json(asked.told(profile, rows_read)))
}

/// Which events of a person.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TimelineParams {
    /// As for the person.
    #[serde(default)]
    fresh: bool,
    /// Events a page, 1 to 1,000. Default: 100.
    #[serde(default)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// What a person did, under whichever of their ids, the latest first.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/persons/{distinct_id}/events",
    operation_id = "person_events",
    tag = "people",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("distinct_id" = String, Path, description = "Any id of the person"),
        TimelineParams,
    ),
    responses((status = 200, description = "A page of events", body = EventPage), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_person_events(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, distinct_id)): ApiPath<(Uuid, String)>,
    ApiQuery(params): ApiQuery<TimelineParams>,
) -> Answered<Json<EventPage>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let limit = page_size(params.limit)?;
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    let (store, project) = (&asked.store, asked.number);
    let person = store.person_named(project, &distinct_id, params.fresh).await?;
    let members = store.members(project, &[person]).await?.rows;
    let found = store.timeline(project, &members, before, limit + 1).await?;
    Ok(Json(page_of(found.rows, limit)))
}
