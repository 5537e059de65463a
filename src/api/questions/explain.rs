//! What a question asks of ClickHouse, instead of its answer.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Asked;
use crate::problem::Problem;
use crate::store::explain::{Noted, Statement};

/// The query string of a question.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AskParams {
    /// Answer with the SQL of the question and the rows that it would read, instead of running it.
    #[serde(default)]
    pub explain: bool,
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

/// How a question would be answered if nothing of it were in memory.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"statements": [{"sql": "SELECT actor, ts FROM events WHERE project = {project:UInt32}",
    "parameters": {"project": "1"}, "reads": [{"table": "events", "parts": 2, "rows": 40960}]}], "rows": 40960}))]
pub struct Explanation {
    /// The statements in their order. One that needs the rows of an earlier one is shown as for none.
    pub statements: Vec<Statement>,
    /// The rows that ClickHouse expects to read for all of them.
    pub rows: u64,
}

impl Explanation {
    /// Of the statements that were noted.
    pub async fn of(asked: &Asked, noted: &Noted) -> Result<Explanation, Problem> {
        let statements = asked.store.estimates(noted).await?;
        let reads = statements.iter().flat_map(|statement| &statement.reads);
        Ok(Explanation {
            rows: reads.map(|estimate| estimate.rows).sum(),
            statements,
        })
    }
}
