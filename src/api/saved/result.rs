//! The answer to a saved question, as if it were asked now.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{SavedContent, SavedQuestion, SavedRange, below_question};
use crate::api::error::{ApiPath, ApiQuery, Named, SignedIn, Validated};
use crate::api::fields::Fields;
use crate::api::questions::{
    AskParams, Asked, Loaded, NotModified, Question, QuestionAnswer, answer, explained,
};
use crate::api::{Accounts, Answered, Caller, Questions};
use crate::event::Zone;
use crate::problem::{FieldError, Problem};

/// The query string of a saved question's answer: other dates than its own.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResultParams {
    /// So many local days, today included: 1 to 366.
    #[serde(default)]
    #[param(minimum = 1, maximum = 366)]
    pub last_days: Option<u32>,
    /// Start: a local date or an instant.
    #[serde(default)]
    pub from: Option<String>,
    /// End, not included: a local date or an instant.
    #[serde(default)]
    pub to: Option<String>,
    /// Answer with the SQL of the question and the rows that it would read, instead of running it.
    #[serde(default)]
    pub explain: bool,
    /// Count only what had been received by then: an instant, or a local date. Default: now.
    #[serde(default)]
    #[param(format = DateTime)]
    pub as_of: Option<String>,
    /// Whose ids are whose, as it was known by this version. Only with `as_of`.
    #[serde(default)]
    pub identity_version: Option<u64>,
}

/// The answer to a saved question: the same as if it were asked by `POST …/query`, with an `ETag`. Dates in the query
/// string take the place of its own, as a dashboard needs; a question without dates ignores them.
#[utoipa::path(get, path = "/v1/projects/{id}/saved/{saved_id}/result", operation_id = "saved_result", tag = "saved",
    params(("id" = Uuid, Path, description = "The project"),
        ("saved_id" = Uuid, Path, description = "A saved question"), ResultParams),
    responses((status = 200, description = "The answer", body = QuestionAnswer), NotModified, SignedIn, Named, Validated,
        Loaded),
    security(("access_token" = []), ("secret_key" = [])))]
pub async fn saved_result(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, saved)): ApiPath<(Uuid, Uuid)>,
    headers: HeaderMap,
    ApiQuery(params): ApiQuery<ResultParams>,
) -> Answered<Response> {
    let project = caller.reads(&accounts, id).await?;
    let item = accounts.meta.saved_item(id, saved).await?;
    let content = item.and_then(|item| serde_json::from_str(&item.body).ok());
    let Some(SavedContent::Question(saved)) = content else {
        return Err(Problem::not_found("saved question"));
    };
    let dates = SavedRange {
        last_days: params.last_days,
        from: params.from,
        to: params.to,
    };
    let zone = project.zone();
    let mut fields = Fields::default();
    dates.check(&mut fields, &zone, |name| format!("?{name}"));
    fields.finish()?;
    let other = (!dates.is_empty()).then_some(&dates);
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.as_of_query(params.as_of.as_deref(), params.identity_version)?;
    // Dates that move along with today are those of then.
    let question = saved.question_at(other, &zone, asked.now_ms)?;
    // What is wrong by now: another version may have other rules, other dates may be too long.
    let named = |problem| below_question_or_query(problem, other.is_some());
    if params.explain {
        let how = AskParams {
            explain: true,
            as_of: params.as_of,
            identity_version: params.identity_version,
        };
        let explanation = explained(&caller, &accounts, &questions, id, (question, &how)).await;
        return explanation.map_err(named);
    }
    let served = answer(asked, question).await.map_err(named)?;
    Ok(served.to_get(&headers).into_response())
}

/// As [`below_question`], but dates that the query string gave are named there.
fn below_question_or_query(problem: Problem, dated: bool) -> Problem {
    let is_date = |error: &FieldError| dated && matches!(error.pointer.as_str(), "/from" | "/to");
    if !problem.errors.iter().any(is_date) {
        return below_question(problem);
    }
    let errors = problem.errors.into_iter().map(|error| {
        let pointer = match is_date(&error) {
            true => format!("?{}", error.pointer.trim_start_matches('/')),
            false => format!("/question{}", error.pointer),
        };
        FieldError { pointer, ..error }
    });
    Problem::invalid(errors.collect())
}

impl SavedQuestion {
    /// The question as it is asked now: of the dates that are given, else of those saved with it, else its own.
    pub fn question_at(
        &self,
        dates: Option<&SavedRange>,
        zone: &Zone,
        now_ms: i64,
    ) -> Result<Question, Problem> {
        let dated = dates.or(self.range.as_ref()).map(|range| {
            let mut members: Map<String, Value> = self.question.clone();
            range.write_into(&mut members, zone, now_ms);
            members
        });
        if let Some(members) = dated {
            match Question::of(members) {
                Ok(question) => return Ok(question),
                // A kind of question that has no dates.
                Err(problem) if is_about_unknown_dates(&problem) => {}
                Err(problem) => return Err(below_question(problem)),
            }
        }
        Question::of(self.question.clone()).map_err(below_question)
    }
}

fn is_about_unknown_dates(problem: &Problem) -> bool {
    problem
        .errors
        .iter()
        .any(|error| error.code == "unknown_field" && matches!(error.pointer.as_str(), "/from" | "/to"))
}
