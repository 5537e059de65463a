//! The dates that something saved looks at: moving along with today, or fixed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::api::fields::Fields;
use crate::event::Zone;
use crate::metrics::time::{DEFAULT_DAYS, MAX_RANGE_DAYS, parse_instant};

/// Dates instead of a question's own. Either `last_days`, which moves along with today, or `from` and `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({"last_days": 7}))]
pub struct SavedRange {
    /// So many local days, today included: 1 to 366.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 366)]
    #[param(minimum = 1, maximum = 366)]
    pub last_days: Option<u32>,
    /// Start: a local date or an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End, not included: a local date or an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl SavedRange {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == SavedRange::default()
    }

    /// Notes what is wrong with it; `pointer` names a member of it.
    pub(super) fn check(&self, fields: &mut Fields, zone: &Zone, pointer: impl Fn(&str) -> String) {
        if let Some(days) = self.last_days {
            if !(1..=MAX_RANGE_DAYS as u32).contains(&days) {
                fields.refuse(&pointer("last_days"), "out_of_range", "1 to 366 days");
            }
            if self.from.is_some() || self.to.is_some() {
                let why = "give either last_days, or from and to";
                fields.refuse(&pointer("last_days"), "conflict", why);
            }
        }
        for (name, text) in [("from", &self.from), ("to", &self.to)] {
            if let Some(text) = text
                && let Err(why) = parse_instant("", text, zone)
            {
                fields.refuse(&pointer(name), why.code, why.detail);
            }
        }
    }

    /// Writes these dates into a question, in place of its own.
    pub fn write_into(&self, question: &mut Map<String, Value>, zone: &Zone, now_ms: i64) {
        let question = dated(question);
        question.remove("from");
        question.remove("to");
        let mut set = |name: &str, text: &str| question.insert(name.to_owned(), Value::from(text));
        match self.last_days {
            // As written when no dates are given, so that both are the same question.
            Some(days) if i64::from(days) == i64::from(DEFAULT_DAYS) => {}
            Some(days) => {
                let first = zone.local_day(now_ms).plus(1 - days as i32);
                set("from", &first.to_string());
            }
            None => {
                for (name, text) in [("from", &self.from), ("to", &self.to)] {
                    if let Some(text) = text {
                        set(name, text);
                    }
                }
            }
        }
    }
}

/// Where a question has its dates: paths between two steps of a funnel have the funnel's.
fn dated(question: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let linked = |question: &Map<String, Value>| Some(question.get("funnel")?.get("query")?.is_object());
    if linked(question) != Some(true) {
        return question;
    }
    match &mut question["funnel"]["query"] {
        Value::Object(funnel) => funnel,
        _ => unreachable!("looked at above"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2026-11-23T10:15:00Z.
    const NOW: i64 = 1_795_428_900_000;

    fn written(range: Value, zone: &str) -> Value {
        let range: SavedRange = serde_json::from_value(range).unwrap();
        let mut question = Map::from_iter([("from".to_owned(), json!("2020-01-01"))]);
        range.write_into(&mut question, &Zone::parse(zone).unwrap(), NOW);
        Value::Object(question)
    }

    #[test]
    fn paths_between_steps_have_the_dates_of_their_funnel() {
        let range: SavedRange = serde_json::from_value(json!({"last_days": 7})).unwrap();
        let mut question = Map::from_iter([(
            "funnel".to_owned(),
            json!({"query": {"steps": [], "from": "2020-01-01"}, "step": 1}),
        )]);
        range.write_into(&mut question, &Zone::parse("UTC").unwrap(), NOW);
        let expected = json!({"query": {"steps": [], "from": "2026-11-17"}, "step": 1});
        assert_eq!(Value::Object(question), json!({"funnel": expected}));
    }

    #[test]
    fn days_end_with_today_where_the_project_is() {
        assert_eq!(
            written(json!({"last_days": 1}), "UTC"),
            json!({"from": "2026-11-23"})
        );
        assert_eq!(
            written(json!({"last_days": 7}), "UTC"),
            json!({"from": "2026-11-17"})
        );
        // It is tomorrow there.
        let kiritimati = written(json!({"last_days": 7}), "Pacific/Kiritimati");
        assert_eq!(kiritimati, json!({"from": "2026-11-18"}));
        assert_eq!(written(json!({"last_days": 30}), "UTC"), json!({}));
        assert_eq!(
            written(json!({"from": "2026-11-01", "to": "2026-11-03"}), "UTC"),
            json!({"from": "2026-11-01", "to": "2026-11-03"})
        );
    }
}
