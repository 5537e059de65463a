//! Properties by name: types, shares, values.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::page::NamePage;
use super::sampled::Sampling;
use super::{PropertyKind, check_texts, is_wanted, marks_of, volume_days, volume_range};
use crate::api::error::{ApiPath, ApiQuery, Named as NamedProblem, SignedIn, Validated};
use crate::api::questions::{Asked, Loaded, Questions};
use crate::api::{Accounts, Answered, Caller};
use crate::meta::Mark;
use crate::metrics::envelope::Answer;
use crate::metrics::filter::column_of;
use crate::metrics::schema::{
    Generated, MOST_PROPERTIES, PropertyFacts, Sample, Share, TOP_VALUES, ValueCount, ValueType, generated,
};
use crate::metrics::time::Moment;
use crate::store::schema::{Carried, Whose};

/// A property's name, and what people say about it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchemaProperty {
    #[serde(flatten)]
    facts: PropertyFacts,
    #[serde(flatten)]
    mark: Mark,
}

impl SchemaProperty {
    pub(super) fn name(&self) -> &str {
        &self.facts.name
    }

    /// Events of the sample that carry it.
    pub(super) fn in_sample(&self) -> u64 {
        self.facts.sample.as_ref().map_or(0, |share| share.events)
    }
}

/// A page of properties.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchemaProperties {
    /// In the order that was asked for.
    properties: Vec<SchemaProperty>,
    /// Where shares and values come from.
    sample: Sample,
    /// Properties that there are; counting ends at 20,000.
    names: u64,
    /// Properties beyond the 5,000 most common, which are not listed.
    unlisted: u64,
    /// Where the next page starts; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

/// How properties are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PropertyOrder {
    /// The most common of the sample first.
    #[default]
    Share,
    /// By name.
    Name,
    /// Those that were seen last first.
    LastSeen,
    /// Verified ones first, then the most common: what a picker offers.
    Suggested,
}

/// Which properties to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SchemaPropertiesParams {
    /// Properties of events or of persons. Default: `event`.
    #[serde(default)]
    #[param(inline)]
    kind: PropertyKind,
    /// Only those that events of this name carry.
    #[serde(default)]
    #[param(max_length = 200)]
    event: Option<String>,
    /// Only names and descriptions that hold this text, in any case.
    #[serde(default)]
    #[param(max_length = 200)]
    search: Option<String>,
    /// Whether hidden properties are listed too. Default: false.
    #[serde(default)]
    hidden: bool,
    /// How they are ordered. Default: `share`.
    #[serde(default)]
    #[param(inline)]
    order: PropertyOrder,
    /// Properties a page, 1 to 200. Default: 100.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// Properties of events or persons: types, first and last seen, share and most frequent values in a sample of the newest
/// 10,000 events.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/schema/properties",
    operation_id = "schema_properties",
    tag = "schema",
    params(("id" = Uuid, Path, description = "The project"), SchemaPropertiesParams),
    responses((status = 200, description = "A page of properties", body = Answer<SchemaProperties>), SignedIn,
        NamedProblem, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn schema_properties(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<SchemaPropertiesParams>,
) -> Answered<Json<Answer<SchemaProperties>>> {
    let page = NamePage::read(params.limit, params.cursor.as_deref())?;
    check_texts(&[
        ("search", params.search.as_deref()),
        ("event", params.event.as_deref()),
    ])?;
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let (mut properties, sample, rows_read) =
        properties_of(&asked, &accounts, id, params.kind, params.event.as_deref()).await?;
    let names = properties.len();
    properties.sort_by_key(|property| std::cmp::Reverse(property.in_sample()));
    properties.truncate(MOST_PROPERTIES);
    properties.retain(|property| {
        let shown = params.hidden || !property.mark.hidden;
        shown && is_wanted(property.name(), &property.mark, params.search.as_deref())
    });
    let cut = page.cut(properties, |row| (order_key(params.order, row), row.name()));
    let data = SchemaProperties {
        properties: cut.rows,
        sample,
        names: names as u64,
        unlisted: names.saturating_sub(MOST_PROPERTIES) as u64,
        has_more: cut.next.is_some(),
        next_cursor: cut.next,
    };
    let range = volume_range(&volume_days(&asked));
    Ok(Json(asked.answer(data, range, rows_read, None).await?))
}

fn order_key(order: PropertyOrder, row: &SchemaProperty) -> u64 {
    match order {
        PropertyOrder::Share => row.in_sample(),
        PropertyOrder::Name => 0,
        PropertyOrder::LastSeen => {
            let last = row.facts.last_seen.map_or(0, |last| last.0);
            u64::try_from(last).unwrap_or(0)
        }
        PropertyOrder::Suggested => u64::from(row.mark.verified) << 63 | row.in_sample(),
    }
}

/// The properties of events (of a name) or of persons (as events of a name set them), by name; the sample, and the rows
/// read.
pub(super) async fn properties_of(
    asked: &Asked,
    accounts: &Accounts,
    project: Uuid,
    kind: PropertyKind,
    event: Option<&str>,
) -> Answered<(Vec<SchemaProperty>, Sample, u64)> {
    let whose = kind.whose();
    let seen = asked.store.seen_properties(asked.number, whose, event).await?;
    let sampling = Sampling::find(asked, whose, event, None).await?;
    let mut rows_read = seen.rows_read + sampling.rows_read;
    let mut carried: HashMap<String, Carried> = HashMap::new();
    if !sampling.is_empty() {
        let found = asked
            .store
            .sample_properties(asked.number, sampling.of(), TOP_VALUES);
        let found = found.await?;
        rows_read += found.rows_read;
        carried = found
            .rows
            .into_iter()
            .map(|row| (row.property.clone(), row))
            .collect();
    }
    let sample = sampling.told(carried.remove("").map_or(0, |whole| whole.events));
    let patterns = generated(seen.rows.iter().map(|seen| seen.name.as_str()));
    let share = |row: Option<Carried>| {
        let row = row?;
        let value = |(value, count)| ValueCount { value, count };
        let values = row.values.into_iter().map(value).collect();
        Some(Share::new(row.events, sample.events, row.distinct, values))
    };
    let mut facts: BTreeMap<String, PropertyFacts> = BTreeMap::new();
    for row in seen.rows {
        // Under these names the columns are meant, whatever a client sends.
        if whose == Whose::Event && column_of(&row.name).is_some() {
            continue;
        }
        let property = PropertyFacts {
            types: ValueType::of_bits(row.types),
            first_seen: Some(Moment(row.first)),
            last_seen: Some(Moment(row.last)),
            events: row.events,
            captured: false,
            sample: share(carried.remove(&row.name)),
            generated: Generated::of(&row.name, &patterns),
            name: row.name,
        };
        facts.insert(property.name.clone(), property);
    }
    for (name, row) in carried {
        let captured = whose == Whose::Event && column_of(&name).is_some();
        let property = PropertyFacts {
            types: match name.as_str() {
                "$amount" => vec![ValueType::Number],
                _ if captured => vec![ValueType::String],
                // Of events since the last look.
                _ => Vec::new(),
            },
            first_seen: None,
            last_seen: None,
            events: 0,
            captured,
            sample: share(Some(row)),
            generated: None,
            name: name.clone(),
        };
        facts.insert(name, property);
    }
    let mut marks = marks_of(accounts, project, kind.named()).await?;
    let properties = facts.into_values().map(|facts| SchemaProperty {
        mark: marks.remove(&facts.name).unwrap_or_default(),
        facts,
    });
    Ok((properties.collect(), sample, rows_read))
}
