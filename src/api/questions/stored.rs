//! Questions that are looked at, not asked: explained, or checked before they are saved.

use axum::Json;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::{AskParams, Asked, Explanation, Question, QuestionAnswer, Questions, answer};
use crate::api::{Accounts, Answered, Caller};
use crate::problem::Problem;

/// The statements of a question and what they would read.
pub async fn explained(
    caller: &Caller,
    accounts: &Accounts,
    questions: &Questions,
    project: Uuid,
    (question, params): (Question, &AskParams),
) -> Answered<Response> {
    // It takes a place: ClickHouse plans each statement.
    let asked = Asked::placed(caller, accounts, questions, project).await?;
    let (explaining, noted) = questions.explaining();
    let instead = Asked::by(caller, accounts, &explaining, project).await?;
    let instead = instead.as_of_query(params.as_of.as_deref(), params.identity_version)?;
    answer(instead, question).await?;
    let explanation = Explanation::of(&asked, &noted).await?;
    Ok(Json(QuestionAnswer::Explanation(explanation)).into_response())
}

/// What would be wrong with a question if it were asked now. It goes the whole way but for ClickHouse, so no kind of
/// question needs a second list of its rules.
pub async fn check(
    caller: &Caller,
    accounts: &Accounts,
    questions: &Questions,
    project: Uuid,
    question: Question,
) -> Result<(), Problem> {
    let (explaining, _) = questions.explaining();
    let asked = Asked::by(caller, accounts, &explaining, project).await?;
    answer(asked, question).await.map(drop)
}
