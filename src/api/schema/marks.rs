//! What people say about a name.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::PropertyKind;
use crate::api::caller::{Caller, Need};
use crate::api::error::{ApiJson, ApiPath, ApiQuery, Named as NamedProblem, SignedIn, WithBody};
use crate::api::fields::Fields;
use crate::api::{Accounts, Answered};
use crate::meta::{Mark, MarkChange, Named};
use crate::metrics::MAX_NAME_CHARS;
use crate::problem::Problem;

/// Characters of a description.
const DESCRIPTION_CHARS: usize = 500;

/// What to say about a name. Members that are not given stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"description": "An order was paid", "verified": true}))]
pub struct MarkPatch {
    /// What it means, at most 500 characters; empty takes it away.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// Whether it is left out where names are offered for choice.
    hidden: Option<bool>,
    /// Whether somebody vouches for it.
    verified: Option<bool>,
}

/// Refusals of marks.
#[derive(utoipa::IntoResponses)]
pub enum Marked {
    /// The project has as many marked names as it may: `mark_limit`.
    #[response(status = 409, content_type = "application/problem+json")]
    Limit(Problem),
}

/// Whose property it is.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MarkParams {
    /// A property of events or of persons. Default: `event`.
    #[serde(default)]
    #[param(inline)]
    kind: PropertyKind,
}

/// Describes an event, hides it where names are offered, or vouches for it (members). It need not have been seen yet.
#[utoipa::path(
    patch,
    path = "/v1/projects/{id}/schema/events/{name}",
    operation_id = "mark_event",
    tag = "schema",
    params(("id" = Uuid, Path, description = "The project"), ("name" = String, Path, description = "The event's name")),
    request_body = MarkPatch,
    responses((status = 200, description = "What is said about it now", body = Mark), SignedIn, NamedProblem, Marked,
        WithBody)
)]
pub async fn mark_event(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, name)): ApiPath<(Uuid, String)>,
    ApiJson(patch): ApiJson<MarkPatch>,
) -> Answered<Json<Mark>> {
    mark(&accounts, &caller, id, (Named::Event, &name), patch).await
}

/// Describes a property, hides it where names are offered, or vouches for it (members). It need not have been seen yet.
#[utoipa::path(
    patch,
    path = "/v1/projects/{id}/schema/properties/{name}",
    operation_id = "mark_property",
    tag = "schema",
    params(("id" = Uuid, Path, description = "The project"),
        ("name" = String, Path, description = "The property's name"), MarkParams),
    request_body = MarkPatch,
    responses((status = 200, description = "What is said about it now", body = Mark), SignedIn, NamedProblem, Marked,
        WithBody)
)]
pub async fn mark_property(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, name)): ApiPath<(Uuid, String)>,
    ApiQuery(params): ApiQuery<MarkParams>,
    ApiJson(patch): ApiJson<MarkPatch>,
) -> Answered<Json<Mark>> {
    mark(&accounts, &caller, id, (params.kind.named(), &name), patch).await
}

async fn mark(
    accounts: &Accounts,
    caller: &Caller,
    id: Uuid,
    (named, name): (Named, &str),
    patch: MarkPatch,
) -> Answered<Json<Mark>> {
    let project = caller.project(&accounts.meta, id, Need::Write).await?;
    let mut fields = Fields::default();
    if name.chars().count() > MAX_NAME_CHARS || name.contains('\0') {
        return Err(Problem::not_found("name: names have 1 to 200 characters"));
    }
    let description = patch.description.map(|text| text.trim().to_owned());
    if let Some(text) = &description {
        if text.chars().count() > DESCRIPTION_CHARS {
            fields.refuse(
                "/description",
                "wrong_length",
                "a description has at most 500 characters",
            );
        }
        if text.contains('\0') {
            fields.refuse(
                "/description",
                "control_character",
                "a description has no NUL characters",
            );
        }
    }
    fields.finish()?;
    let change = MarkChange {
        description,
        hidden: patch.hidden,
        verified: patch.verified,
    };
    let by = caller.email(&accounts.meta).await?;
    let now_ms = accounts.clock.now_ms();
    let mark = accounts
        .meta
        .mark(project.id, (named, name), &change, (&by, now_ms));
    Ok(Json(mark.await?))
}
