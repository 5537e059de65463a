//! What was said about ids.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::error::{ApiPath, ApiQuery, Named, SignedIn, Validated, invalid_query};
use crate::api::events::page_size;
use crate::api::questions::{Asked, Loaded};
use crate::api::{Accounts, Answered, Caller, Questions};
use crate::metrics::identity::Verdict;
use crate::metrics::time::Moment;
use crate::store::rulings::{Said, SaidPlace};

/// What somebody said about two ids.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"verdict": "merge", "device": "9b2e5a1c-0f0e-4a53-8f53-6a3f0f5e7f10", "users": ["u_42"],
    "at": "2026-11-23T10:15:00.250Z", "by": "ada@example.org"}))]
pub struct RulingView {
    /// `merge`: they are one person. `unmerge`: they are not.
    verdict: RulingVerdict,
    /// The device, if it is about one.
    #[schema(required)]
    device: Option<String>,
    /// The user whom the device was seen with, or both users.
    users: Vec<String>,
    /// When it was said. The latest about a pair holds.
    #[schema(value_type = String, format = DateTime)]
    at: Moment,
    /// Who said it: the email of somebody who signed in, or `key` with the id of a secret key.
    by: String,
}

/// What was said.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RulingVerdict {
    Merge,
    Unmerge,
}

impl From<RulingVerdict> for Verdict {
    fn from(verdict: RulingVerdict) -> Verdict {
        match verdict {
            RulingVerdict::Merge => Verdict::Join,
            RulingVerdict::Unmerge => Verdict::Part,
        }
    }
}

impl From<Said> for RulingView {
    fn from(said: Said) -> RulingView {
        let (device, users) = match said.of_device {
            true => (Some(said.one), vec![said.other]),
            false => (None, vec![said.one, said.other]),
        };
        RulingView {
            verdict: match said.verdict {
                Verdict::Join => RulingVerdict::Merge,
                Verdict::Part => RulingVerdict::Unmerge,
            },
            device,
            users,
            at: Moment(said.place.at),
            by: said.by,
        }
    }
}

/// Which rulings to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RulingsParams {
    /// Only those that name this id.
    #[serde(default)]
    distinct_id: Option<String>,
    /// Rulings a page, 1 to 1,000. Default: 100.
    #[serde(default)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// A page of rulings.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Rulings {
    /// The latest first.
    data: Vec<RulingView>,
    /// Where the next page starts; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

/// What servers and members said about ids, the latest first.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/persons/rulings",
    operation_id = "list_rulings",
    tag = "identity",
    params(("id" = Uuid, Path, description = "The project"), RulingsParams),
    responses((status = 200, description = "A page of rulings", body = Rulings), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn list_rulings(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<RulingsParams>,
) -> Answered<Json<Rulings>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let limit = page_size(params.limit)?;
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    let of = params.distinct_id.as_deref();
    let mut rows = asked.store.rulings(asked.number, of, before, limit + 1).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| has_more).map(|last| last.place);
    Ok(Json(Rulings {
        data: rows.into_iter().map(RulingView::from).collect(),
        next_cursor: next.map(|place| format!("{:x}-{:x}", place.at, place.mark)),
        has_more,
    }))
}

fn read_cursor(text: &str) -> Answered<SaidPlace> {
    let place = || {
        let (at, mark) = text.split_once('-')?;
        Some(SaidPlace {
            at: i64::from_str_radix(at, 16).ok()?,
            mark: u64::from_str_radix(mark, 16).ok()?,
        })
    };
    place().ok_or_else(|| {
        let detail = "take the cursor from next_cursor of the page before";
        invalid_query("cursor", "unreadable", detail)
    })
}
