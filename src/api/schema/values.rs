//! The values of one property, for whoever chooses one.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::sampled::Sampling;
use super::{PropertyKind, check_texts, volume_days, volume_range};
use crate::api::error::{ApiPath, ApiQuery, Named, SignedIn, Validated, invalid_query};
use crate::api::questions::{Asked, Loaded, Questions};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::envelope::Answer;
use crate::metrics::schema::{Sample, ValueCount};
use crate::problem::Problem;

/// Values that are listed when the caller does not say.
const VALUES: u32 = 30;
/// Values that are listed at most.
const MOST: u32 = 100;

/// The values of a property.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchemaValues {
    /// The most frequent first. Longer ones than 200 characters are left out.
    values: Vec<ValueCount>,
    /// What was looked at: the newest events that may carry the property.
    sample: Sample,
}

/// Which values to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SchemaValuesParams {
    /// A property of events or of persons. Default: `event`.
    #[serde(default)]
    #[param(inline)]
    kind: PropertyKind,
    /// Only of events of this name.
    #[serde(default)]
    #[param(max_length = 200)]
    event: Option<String>,
    /// Only values that hold this text, in any case.
    #[serde(default)]
    #[param(max_length = 200)]
    search: Option<String>,
    /// Values at most, 1 to 100. Default: 30.
    #[serde(default)]
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// The most frequent values of a property in a sample of the newest 10,000 events that may carry it. They are read from
/// the events when asked for and kept nowhere else.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/schema/properties/{name}/values",
    operation_id = "schema_values",
    tag = "schema",
    params(("id" = Uuid, Path, description = "The project"),
        ("name" = String, Path, description = "The property's name"), SchemaValuesParams),
    responses((status = 200, description = "Values", body = Answer<SchemaValues>), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn schema_values(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, name)): ApiPath<(Uuid, String)>,
    ApiQuery(params): ApiQuery<SchemaValuesParams>,
) -> Answered<Json<Answer<SchemaValues>>> {
    let limit = params.limit.unwrap_or(VALUES);
    if !(1..=MOST).contains(&limit) {
        let detail = format!("1 to {MOST} values are listed, not {limit}");
        return Err(invalid_query("limit", "out_of_range", detail));
    }
    check_texts(&[
        ("search", params.search.as_deref()),
        ("event", params.event.as_deref()),
    ])?;
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    if name.contains('\0') {
        return Err(Problem::not_found("property: no name holds a NUL"));
    }
    let whose = params.kind.whose();
    let sampling = Sampling::find(&asked, whose, params.event.as_deref(), Some(&name)).await?;
    let (mut values, mut sample) = (Vec::new(), Sample::default());
    let mut rows_read = sampling.rows_read;
    if !sampling.is_empty() {
        let search = params.search.as_deref().unwrap_or_default();
        let of = sampling.of();
        let (found, whole) = tokio::try_join!(
            asked.store.sample_values(asked.number, of, &name, search, limit),
            asked.store.sample_size(asked.number, of),
        )?;
        rows_read += found.rows_read + whole.rows_read;
        sample = sampling.told(whole.rows);
        values = found
            .rows
            .into_iter()
            .map(|row| ValueCount {
                value: row.value,
                count: row.events,
            })
            .collect();
    }
    let range = volume_range(&volume_days(&asked));
    let data = SchemaValues { values, sample };
    Ok(Json(asked.answer(data, range, rows_read, None).await?))
}
