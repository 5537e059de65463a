//! Questions about the tables as they were.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::{Asked, refused_query};
use crate::api::error::read_query;
use crate::metrics::SpecError;
use crate::metrics::time::parse_instant;
use crate::problem::Problem;
use crate::store::past::Past;

/// As of when a question in a query string is asked.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PastParams {
    /// Count only what had been received by then: an instant, or a local date. The answer is exact, is what it was then
    /// but for what was erased since, and never changes. Default: now.
    #[serde(default)]
    #[param(format = DateTime)]
    pub as_of: Option<String>,
    /// Whose ids are whose, as it was known by this version: `identity_version` of an earlier answer. Only with `as_of`;
    /// by default what was known then.
    #[serde(default)]
    pub identity_version: Option<u64>,
}

/// The query string of a question that may be about the past: what is asked, and as of when.
#[derive(Clone, Debug)]
pub struct DatedQuery<T>(pub T, pub PastParams);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for DatedQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let is_past = |member: &&str| {
            let name = member.split('=').next().unwrap_or_default();
            matches!(name, "as_of" | "identity_version")
        };
        let (past, question): (Vec<&str>, Vec<&str>) = query.split('&').partition(is_past);
        Ok(DatedQuery(
            read_query(&question.join("&"))?,
            read_query(&past.join("&"))?,
        ))
    }
}

/// The state of the tables that a question names; `None`: as they are. `pointer` names the members.
pub fn past_of(
    asked: &Asked,
    as_of: Option<&str>,
    identity_version: Option<u64>,
) -> Result<Option<Past>, Vec<SpecError>> {
    let Some(text) = as_of else {
        return match identity_version {
            None => Ok(None),
            Some(_) => Err(vec![SpecError::new(
                "/identity_version",
                "missing_field",
                "say as_of which instant, too",
            )]),
        };
    };
    let received_ms = parse_instant("/as_of", text, &asked.zone).map_err(|error| vec![error])?;
    if received_ms > asked.now_ms {
        let why = "nobody knows yet what will have been received by then";
        return Err(vec![SpecError::new("/as_of", "in_future", why)]);
    }
    Ok(Some(Past {
        received_ms,
        // Versions are the milliseconds at which they were learned.
        identity_version: identity_version.unwrap_or(received_ms.max(0) as u64),
    }))
}

impl Asked {
    /// The same question about the tables as they were.
    pub fn about(mut self, past: Past) -> Asked {
        self.now_ms = past.received_ms;
        self.store = Arc::new(self.store.as_of(past));
        self.past = Some(past);
        self
    }

    /// Refuses a question about the past: what is kept in memory says how things stand now.
    pub fn only_of_now(&self) -> Result<(), Problem> {
        match self.past {
            None => Ok(()),
            Some(_) => Err(no_past()),
        }
    }

    /// The question as of what its query string names.
    pub fn dated(self, past: &PastParams) -> Result<Asked, Problem> {
        self.as_of_query(past.as_of.as_deref(), past.identity_version)
    }

    /// The same of its parts.
    pub fn as_of_query(self, as_of: Option<&str>, identity_version: Option<u64>) -> Result<Asked, Problem> {
        let past = past_of(&self, as_of, identity_version).map_err(refused_query)?;
        Ok(match past {
            Some(past) => self.about(past),
            None => self,
        })
    }
}

/// Why a question cannot be asked of the past.
pub fn no_past() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "no_past",
        "this question reads what is not kept as it was: it cannot be asked as of an earlier time",
    )
}
