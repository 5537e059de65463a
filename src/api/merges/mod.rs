//! Merges: what servers and members say about ids. Two ids are one person, or they are not, whatever events say; what that
//! would change is told beforehand, and what was said is listed.

mod persons;
mod preview;
mod rulings;
mod said;

use axum::Json;
use axum::extract::State;
use uuid::Uuid;

use super::error::{ApiJson, ApiPath, Named, SignedIn, WithBody};
use super::questions::Loaded;
use super::{Accounts, Answered, Caller, Questions};
use crate::metrics::identity::Verdict;
use crate::problem::Problem;

pub use persons::Persons;
pub use preview::preview_merge;
pub use rulings::list_rulings;
pub use said::{IdName, IdPair};
// What `routes!` looks for beside a handler.
pub use preview::__path_preview_merge;
pub use rulings::__path_list_rulings;

use said::{Case, not_learned};

/// Says that two ids are one person. A device and a user: as an event that names both, and a tombstone on them is lifted.
/// Two users: a server merge. Two devices cannot be joined; give each an alias to a user. Everything of both, whenever
/// it happened, belongs to one person from now on, in sketches of days that are over within seconds; unmerging takes it
/// back.
#[utoipa::path(
    post,
    path = "/v1/projects/{id}/persons/merge",
    operation_id = "merge_persons",
    tag = "identity",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = IdPair,
    responses(
        (status = 200, description = "Said, and questions that come now are answered so", body = Persons),
        (status = 409, description = "`too_many_devices`: a person has at most 500", body = Problem,
            content_type = "application/problem+json"),
        SignedIn, Named, WithBody, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn merge_persons(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(pair): ApiJson<IdPair>,
) -> Answered<Json<Persons>> {
    say(&caller, &accounts, &questions, id, (&pair, Verdict::Join)).await
}

/// Says that two ids are not one person, whatever events say and whenever they happened, until they are merged again.
/// Events that name a user stay that user's. Where two users are joined in another way too, they stay joined.
#[utoipa::path(
    post,
    path = "/v1/projects/{id}/persons/unmerge",
    operation_id = "unmerge_persons",
    tag = "identity",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = IdPair,
    responses(
        (status = 200, description = "Said, and questions that come now are answered so", body = Persons),
        SignedIn, Named, WithBody, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn unmerge_persons(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(pair): ApiJson<IdPair>,
) -> Answered<Json<Persons>> {
    say(&caller, &accounts, &questions, id, (&pair, Verdict::Part)).await
}

async fn say(
    caller: &Caller,
    accounts: &Accounts,
    questions: &Questions,
    id: Uuid,
    (pair, verdict): (&IdPair, Verdict),
) -> Answered<Json<Persons>> {
    let (project, by) = caller.says(accounts, id).await?;
    let mut case = Case::read(&questions.learner, project.number, pair, verdict).await?;
    let said = case.rule(accounts.clock.now_ms())?;
    if let Some(edge) = &said.edge {
        questions
            .store
            .add_edges(project.number, std::slice::from_ref(edge))
            .await?;
    }
    questions
        .store
        .add_ruling(project.number, &said.ruling, &by)
        .await?;
    let ids = case.ids();
    let learned = questions.learner.learn(project.number, &ids, said.ruling.at);
    learned.await.map_err(not_learned)?;
    Ok(Json(said.persons))
}
