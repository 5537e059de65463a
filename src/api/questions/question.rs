//! The typed query language: one question, tagged by its `kind`.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::error::{json_body, read_json, read_value};
use crate::metrics::active::ActiveUsersQuery;
use crate::metrics::conversion::ConversionQuery;
use crate::metrics::funnel::FunnelQuery;
use crate::metrics::lifecycle::LifecycleQuery;
use crate::metrics::path::PathsQuery;
use crate::metrics::retention::RetentionQuery;
use crate::metrics::stickiness::StickinessQuery;
use crate::metrics::trend::TrendsQuery;
use crate::metrics::visit::{SessionsQuery, WebQuery};
use crate::problem::Problem;

/// The kinds, in words.
const KNOWN: &str =
    "active_users, trends, funnel, conversion, retention, lifecycle, stickiness, paths, sessions or web";

/// A question, tagged by `kind`. Unknown members are refused.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Question {
    /// DAU, WAU, MAU, weeks, months, stickiness.
    ActiveUsers(ActiveUsersQuery),
    /// Events over time.
    Trends(TrendsQuery),
    /// An ordered funnel.
    Funnel(FunnelQuery),
    /// Conversion of a goal after an event, by day of entry.
    Conversion(ConversionQuery),
    /// Who came back, by cohort and period.
    Retention(Box<RetentionQuery>),
    /// New, returning, resurrecting and dormant people of each interval.
    Lifecycle(LifecycleQuery),
    /// On how many days people were active.
    Stickiness(StickinessQuery),
    /// What people did after something, before it, or between two things.
    Paths(Box<PathsQuery>),
    /// Sessions over time, and which they were.
    Sessions(Box<SessionsQuery>),
    /// The overview of a web site.
    Web(Box<WebQuery>),
}

impl Question {
    /// Reads a body. The kind first and then the question of that kind: serde's own way with tagged enums would
    /// lose the place of what is wrong. Refusals: as [`read_json`].
    pub fn read(body: &[u8]) -> Result<Question, Problem> {
        Question::of(read_json(body)?)
    }

    /// Reads the members of a question, as [`Question::read`] does.
    pub fn of(mut members: Map<String, Value>) -> Result<Question, Problem> {
        let known = KNOWN;
        let kind = match members.remove("kind") {
            Some(Value::String(kind)) => kind,
            None => {
                let detail = format!("say what is asked: {known}");
                return Err(Problem::invalid_field("/kind", "missing_field", detail));
            }
            Some(_) => {
                let detail = format!("must be a string: {known}");
                return Err(Problem::invalid_field("/kind", "wrong_type", detail));
            }
        };
        match kind.as_str() {
            "active_users" => of_kind(members).map(Question::ActiveUsers),
            "trends" => of_kind(members).map(Question::Trends),
            "funnel" => of_kind(members).map(Question::Funnel),
            "conversion" => of_kind(members).map(Question::Conversion),
            "retention" => of_kind(members).map(Question::Retention),
            "lifecycle" => of_kind(members).map(Question::Lifecycle),
            "stickiness" => of_kind(members).map(Question::Stickiness),
            "paths" => of_kind(members).map(Question::Paths),
            "sessions" => of_kind(members).map(Question::Sessions),
            "web" => of_kind(members).map(Question::Web),
            _ => {
                let detail = format!("{kind:?} is no kind of question: {known}");
                Err(Problem::invalid_field("/kind", "unknown_value", detail))
            }
        }
    }
}

fn of_kind<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Problem> {
    read_value(Value::Object(members))
}

impl<S: Send + Sync> FromRequest<S> for Question {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Question, Problem> {
        Question::read(&json_body(request, state).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> (String, String, String) {
        let error = Question::read(body.as_bytes()).unwrap_err().errors.remove(0);
        (error.pointer, error.code, error.detail)
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place_and_in_words() {
        let (pointer, code, detail) = error(r#"{"kind":"funnel","steps":[{"event":"a"},{"event":5}]}"#);
        assert_eq!((&*pointer, &*code), ("/steps/1/event", "wrong_type"));
        assert_eq!(detail, "must be a string, not integer `5`");
        let (pointer, code, detail) = error(r#"{"steps":[{"event":"a"},"b"],"kind":"funnel"}"#);
        assert_eq!((&*pointer, &*code), ("/steps/1", "wrong_type"));
        assert_eq!(detail, "must be an object, not string \"b\"");
        let (pointer, code, _) = error(r#"{"kind":"trends","events":"a"}"#);
        assert_eq!((&*pointer, &*code), ("/events", "wrong_type"));
        let (pointer, code, _) = error(r#"{"kind":"funnel","steps":[{"evnt":"a"}]}"#);
        assert_eq!((&*pointer, &*code), ("/steps/0/evnt", "unknown_field"));
        assert_eq!(error("[]").0, "");
    }

    #[test]
    fn a_kind_that_is_missing_or_unknown_is_answered_with_those_that_exist() {
        for (body, expected) in [
            ("{}", "missing_field"),
            (r#"{"kind":5}"#, "wrong_type"),
            (r#"{"kind":"horoscope"}"#, "unknown_value"),
        ] {
            let (pointer, code, detail) = error(body);
            assert_eq!((&*pointer, &*code), ("/kind", expected));
            assert!(detail.contains(KNOWN), "{detail}");
        }
    }
}
