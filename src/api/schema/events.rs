//! Events by name: how many, since when, and what one of them carries.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::page::NamePage;
use super::properties::{SchemaProperty, properties_of};
use super::{PropertyKind, check_texts, is_wanted, marks_of, volume_days, volume_range};
use crate::api::error::{ApiPath, ApiQuery, Named as NamedProblem, SignedIn, Validated};
use crate::api::questions::{Asked, Loaded, Questions};
use crate::api::{Accounts, Answered, Caller};
use crate::meta::{Mark, Named};
use crate::metrics::envelope::Answer;
use crate::metrics::schema::{Generated, MOST_NAMES, NameFacts, Sample, generated};
use crate::metrics::time::Moment;
use crate::problem::Problem;
use crate::store::rollups::{NameSpan, quarter_hours};
use crate::store::schema::MOST_READ;

/// An event's name, and what people say about it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchemaEvent {
    #[serde(flatten)]
    facts: NameFacts,
    #[serde(flatten)]
    mark: Mark,
}

/// A page of events.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchemaEvents {
    /// In the order that was asked for.
    events: Vec<SchemaEvent>,
    /// Names that the project has; counting ends at 20,000.
    names: u64,
    /// Names beyond the 2,000 most frequent, which are not listed.
    unlisted: u64,
    /// Patterns of names that a program makes up.
    generated: Vec<Generated>,
    /// Where the next page starts; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

/// An event in full.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchemaEventDetail {
    /// The event.
    event: SchemaEvent,
    /// Its properties, the most common first.
    properties: Vec<SchemaProperty>,
    /// Where shares and values come from.
    sample: Sample,
}

/// How events are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventOrder {
    /// The most frequent of the last 30 days first.
    #[default]
    Volume,
    /// By name.
    Name,
    /// Those that happened last first.
    LastSeen,
    /// Verified ones first, then the most frequent: what a picker offers.
    Suggested,
}

/// Which events to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SchemaEventsParams {
    /// Only names and descriptions that hold this text, in any case.
    #[serde(default)]
    #[param(max_length = 200)]
    search: Option<String>,
    /// Whether hidden events are listed too. Default: false.
    #[serde(default)]
    hidden: bool,
    /// How they are ordered. Default: `volume`.
    #[serde(default)]
    #[param(inline)]
    order: EventOrder,
    /// Events a page, 1 to 200. Default: 100.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// Events by name: how often they happened in the last 30 days, first and last seen, and what people say about them.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/schema/events",
    operation_id = "schema_events",
    tag = "schema",
    params(("id" = Uuid, Path, description = "The project"), SchemaEventsParams),
    responses((status = 200, description = "A page of events", body = Answer<SchemaEvents>), SignedIn, NamedProblem,
        Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn schema_events(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<SchemaEventsParams>,
) -> Answered<Json<Answer<SchemaEvents>>> {
    let page = NamePage::read(params.limit, params.cursor.as_deref())?;
    check_texts(&[("search", params.search.as_deref())])?;
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let days = volume_days(&asked);
    let mut known = Known::read(&asked, &days).await?;
    let mut marks = marks_of(&accounts, id, Named::Event).await?;
    let wanted = known.names.iter().take(MOST_NAMES).filter_map(|facts| {
        let mark = marks.remove(&facts.event).unwrap_or_default();
        let shown = params.hidden || !mark.hidden;
        let wanted = shown && is_wanted(&facts.event, &mark, params.search.as_deref());
        wanted.then(|| SchemaEvent {
            facts: facts.clone(),
            mark,
        })
    });
    let cut = page.cut(wanted.collect(), |row| {
        (order_key(params.order, row), &row.facts.event)
    });
    let mut events = cut.rows;
    known
        .fill_days(&asked, &days, events.iter_mut().map(|event| &mut event.facts))
        .await?;
    let names = known.names.len() as u64;
    let data = SchemaEvents {
        events,
        names,
        unlisted: names.saturating_sub(MOST_NAMES as u64),
        generated: known.generated,
        has_more: cut.next.is_some(),
        next_cursor: cut.next,
    };
    Ok(Json(
        asked
            .answer(data, volume_range(&days), known.rows_read, None)
            .await?,
    ))
}

/// One event: its volume by day, its properties with types, shares and the most frequent values.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/schema/events/{name}",
    operation_id = "schema_event",
    tag = "schema",
    params(("id" = Uuid, Path, description = "The project"), ("name" = String, Path, description = "The event's name")),
    responses((status = 200, description = "The event", body = Answer<SchemaEventDetail>), SignedIn, NamedProblem,
        Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn schema_event(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, name)): ApiPath<(Uuid, String)>,
) -> Answered<Json<Answer<SchemaEventDetail>>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let days = volume_days(&asked);
    let mut known = Known::read(&asked, &days).await?;
    let mut facts = known
        .names
        .iter()
        .find(|facts| facts.event == name)
        .cloned()
        .ok_or_else(|| Problem::not_found("event: no event of this name was received yet"))?;
    known
        .fill_days(&asked, &days, std::iter::once(&mut facts))
        .await?;
    let mark = marks_of(&accounts, id, Named::Event)
        .await?
        .remove(&name)
        .unwrap_or_default();
    let (mut properties, sample, read) =
        properties_of(&asked, &accounts, id, PropertyKind::Event, Some(&name)).await?;
    properties.sort_by(|one, other| {
        let by_share = other.in_sample().cmp(&one.in_sample());
        by_share.then_with(|| one.name().cmp(other.name()))
    });
    let data = SchemaEventDetail {
        event: SchemaEvent { facts, mark },
        properties,
        sample,
    };
    Ok(Json(
        asked
            .answer(data, volume_range(&days), known.rows_read + read, None)
            .await?,
    ))
}

fn order_key(order: EventOrder, row: &SchemaEvent) -> u64 {
    match order {
        EventOrder::Volume => row.facts.volume,
        EventOrder::Name => 0,
        EventOrder::LastSeen => u64::try_from(row.facts.last_seen.0).unwrap_or(0),
        EventOrder::Suggested => u64::from(row.mark.verified) << 63 | row.facts.volume >> 1,
    }
}

/// Every name of a project.
struct Known {
    names: Vec<NameFacts>,
    generated: Vec<Generated>,
    rows_read: u64,
}

impl Known {
    async fn read(asked: &Asked, days: &[i64]) -> Answered<Known> {
        let range = volume_range(days);
        let range = quarter_hours(range.from_ms, range.to_ms);
        let (spans, seen) = tokio::try_join!(
            asked.store.name_spans(asked.number, range, MOST_READ),
            asked.store.seen_events(asked.number),
        )?;
        let patterns = generated(spans.rows.iter().map(|span| span.event.as_str()));
        let mut times: HashMap<String, (i64, i64)> = seen
            .rows
            .into_iter()
            .map(|row| (row.name, (row.first, row.last)))
            .collect();
        let names = spans.rows.into_iter().map(|span| {
            let NameSpan {
                event,
                first,
                last,
                total,
                volume,
            } = span;
            // What came since the last look is known to its quarter hour.
            let unlooked = (i64::from(first) * 1000, i64::from(last) * 1000);
            let (first, last) = times.remove(&event).unwrap_or(unlooked);
            NameFacts {
                generated: Generated::of(&event, &patterns),
                event,
                volume,
                total,
                first_seen: Moment(first),
                last_seen: Moment(last),
                daily: Vec::new(),
            }
        });
        Ok(Known {
            names: names.collect(),
            rows_read: spans.rows_read + seen.rows_read,
            generated: patterns
                .into_iter()
                .map(|(pattern, names)| Generated { pattern, names })
                .collect(),
        })
    }

    /// Finds out the volume by day of some of them.
    async fn fill_days<'a>(
        &mut self,
        asked: &Asked,
        days: &[i64],
        names: impl Iterator<Item = &'a mut NameFacts>,
    ) -> Answered<()> {
        let mut names: HashMap<String, &mut NameFacts> = names
            .map(|facts| {
                facts.daily = vec![0; days.len().saturating_sub(1)];
                (facts.event.clone(), facts)
            })
            .collect();
        let hashes: Vec<u64> = names.keys().map(|name| xxh3_64(name.as_bytes())).collect();
        let starts: Vec<u32> = days.iter().map(|&ms| quarter_hours(ms, ms).0).collect();
        let found = asked.store.name_days(asked.number, &hashes, &starts).await?;
        self.rows_read += found.rows_read;
        for row in found.rows {
            let facts = names.get_mut(&row.event);
            if let Some(day) = facts.and_then(|facts| facts.daily.get_mut(usize::from(row.at))) {
                *day = row.count;
            }
        }
        Ok(())
    }
}
