//! Groups of persons, such as companies: their types, lists, properties.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::error::{ApiPath, ApiQuery, Named, SignedIn, Validated, invalid_query};
use super::events::page_size;
use super::questions::{Asked, Loaded, Questions};
use super::{Accounts, Answered, Caller};
use crate::event::actor_of;
use crate::metrics::person::{KnownProperty, Record};
use crate::metrics::time::Moment;
use crate::problem::Problem;

/// The most types of groups that are listed.
const MAX_TYPES: u32 = 100;
/// The longest text to search for, in characters.
const MAX_SEARCH_CHARS: usize = 200;

/// A type of groups.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupTypeView {
    /// Its name.
    #[serde(rename = "type")]
    #[schema(example = "company")]
    kind: String,
    /// Groups of this type.
    groups: u64,
}

/// The types of groups.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupTypes {
    /// The ones with the most groups first, at most 100.
    data: Vec<GroupTypeView>,
}

/// A group of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupRow {
    /// Its key.
    #[schema(example = "acme")]
    key: String,
    /// Time of the first event that names it.
    #[schema(value_type = String, format = DateTime)]
    first_seen: Moment,
    /// Time of the last event that names it.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Moment,
    /// Properties by name.
    #[schema(value_type = Object, example = json!({"name": "Acme", "seats": 40}))]
    properties: BTreeMap<String, Value>,
}

/// A page of groups.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupPage {
    /// By key.
    data: Vec<GroupRow>,
    /// Where the next page starts; null on the last one.
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

/// What is known of a group.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupProfile {
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// Its key.
    key: String,
    /// Time of the first event that names it.
    #[schema(value_type = String, format = DateTime)]
    first_seen: Moment,
    /// Time of the last event that names it.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Moment,
    /// Properties by name.
    properties: Vec<KnownProperty>,
}

/// The types of groups that events name.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/groups",
    operation_id = "group_types",
    tag = "people",
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "Types of groups", body = GroupTypes), SignedIn, Named, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn group_types(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
) -> Answered<Json<GroupTypes>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let types = asked.store.group_types(asked.number, MAX_TYPES).await?.rows;
    let view = |of: crate::store::profiles::GroupType| GroupTypeView {
        kind: of.kind,
        groups: of.groups,
    };
    Ok(Json(GroupTypes {
        data: types.into_iter().map(view).collect(),
    }))
}

/// Which groups to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GroupsParams {
    /// Only groups whose key contains this text, whatever its case. At most 200 characters.
    #[serde(default)]
    #[param(max_length = 200)]
    search: Option<String>,
    /// Groups a page, 1 to 1,000. Default: 100.
    #[serde(default)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// The groups of a type, by key.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/groups/{type}",
    operation_id = "groups",
    tag = "people",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("type" = String, Path, description = "The type of groups"),
        GroupsParams,
    ),
    responses((status = 200, description = "A page of groups", body = GroupPage), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn list_groups(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, kind)): ApiPath<(Uuid, String)>,
    ApiQuery(params): ApiQuery<GroupsParams>,
) -> Answered<Json<GroupPage>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let limit = page_size(params.limit)?;
    let search = params.search.as_deref().unwrap_or_default().trim();
    if search.chars().count() > MAX_SEARCH_CHARS {
        let detail = format!("a search has at most {MAX_SEARCH_CHARS} characters");
        return Err(invalid_query("search", "too_long", detail));
    }
    let after = params.cursor.as_deref();
    let (store, project) = (&asked.store, asked.number);
    let found = store
        .list_groups(project, &kind, (search, after), limit + 1)
        .await?;
    let mut rows = found.rows;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
    let mut properties: BTreeMap<u64, BTreeMap<String, Value>> = BTreeMap::new();
    for (number, name, record) in store.group_records(project, &kind, &numbers).await?.rows {
        if let Some((value, _)) = record.value() {
            properties.entry(number).or_default().insert(name, value.value());
        }
    }
    Ok(Json(GroupPage {
        next_cursor: rows.last().filter(|_| has_more).map(|last| last.key.clone()),
        has_more,
        data: rows
            .into_iter()
            .map(|row| GroupRow {
                properties: properties.remove(&row.number).unwrap_or_default(),
                key: row.key,
                first_seen: Moment(row.first),
                last_seen: Moment(row.last),
            })
            .collect(),
    }))
}

/// What is known of a group.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/groups/{type}/{key}",
    operation_id = "group",
    tag = "people",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("type" = String, Path, description = "The type of groups"),
        ("key" = String, Path, description = "The group's key"),
    ),
    responses((status = 200, description = "The group", body = GroupProfile), SignedIn, Named, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_group(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, kind, key)): ApiPath<(Uuid, String, String)>,
) -> Answered<Json<GroupProfile>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let (store, project) = (&asked.store, asked.number);
    let Some(seen) = store.group(project, &kind, &key).await?.rows else {
        return Err(Problem::not_found("group"));
    };
    let records = store.group_records(project, &kind, &[actor_of(&key)]).await?.rows;
    let records: BTreeMap<String, Record> = records
        .into_iter()
        .map(|(_, name, record)| (name, record))
        .collect();
    Ok(Json(GroupProfile {
        kind,
        key: seen.key,
        first_seen: Moment(seen.first),
        last_seen: Moment(seen.last),
        properties: KnownProperty::all(&records),
    }))
}
