//! What a question asks of ClickHouse, instead of its answer.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Asked;
use crate::problem::Problem;
use crate::store::explain::{Noted, Statement};

/// The query string of a question.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AskParams {
    /// Answer with the SQL of the question and the rows that it would read, instead of running it.
    #[serde(default)]
    pub explain: bool,
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
