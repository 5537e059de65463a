//! What can be saved, and its rules.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::range::SavedRange;
use crate::api::error::read_value;
use crate::api::fields::Fields;
use crate::event::{Day, Zone};
use crate::meta::{Draft, SavedKind};
use crate::metrics::time::{FIRST_DAY, LAST_DAY, Moment, parse_instant};
use crate::problem::Problem;

/// Bytes of something saved, as JSON.
const MOST_BYTES: usize = 32 << 10;
/// Bytes of display settings, as JSON.
const DISPLAY_BYTES: usize = 4 << 10;
/// Characters of a description, and of a tile's text.
const DESCRIPTION_CHARS: usize = 2_000;
/// Characters of an annotation.
const REMARK_CHARS: usize = 500;
/// Tiles of a dashboard.
const MOST_TILES: usize = 50;

/// What is saved, by `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(example = json!({"kind": "question", "name": "Checkout", "question": {"kind": "funnel",
    "steps": [{"event": "view_item"}, {"event": "purchase"}]}, "range": {"last_days": 7}}))]
pub enum SavedContent {
    /// A question with a name.
    Question(SavedQuestion),
    /// Several of them on a page.
    Dashboard(Dashboard),
    /// A remark about a moment or some days, shown on charts.
    Annotation(Annotation),
}

/// A question with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedQuestion {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Up to 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub description: String,
    /// The question, as `POST …/query` takes it.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    pub question: Map<String, Value>,
    /// Dates in place of the question's own: with `last_days` they move along with today.
    #[serde(default)]
    pub range: Option<SavedRange>,
    /// How a program shows it. Kept as it is: an object of up to 4 KiB.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    pub display: Map<String, Value>,
}

/// Several saved questions on a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Up to 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub description: String,
    /// Dates for all tiles, in place of their own.
    #[serde(default)]
    pub range: Option<SavedRange>,
    /// Up to 50, in their order: row by row in a grid of 12 columns.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub tiles: Vec<Tile>,
}

/// A part of a dashboard: a saved question, or a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// A saved question of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Uuid>,
    /// Or up to 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub text: Option<String>,
    /// Columns, 1 to 12.
    #[serde(default = "half")]
    #[schema(minimum = 1, maximum = 12, default = 6)]
    pub width: u32,
    /// Rows, 1 to 12.
    #[serde(default = "third")]
    #[schema(minimum = 1, maximum = 12, default = 4)]
    pub height: u32,
}

fn half() -> u32 {
    6
}

fn third() -> u32 {
    4
}

/// A remark: about a moment (`at`), or about days (`from`, `to`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Annotation {
    /// 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub text: String,
    /// The moment, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// The first local day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    pub from: Option<String>,
    /// The local day after the last. Default: the one after `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    pub to: Option<String>,
}

impl SavedContent {
    /// Reads a body: the kind first and then the content of that kind, which names the place of what is wrong.
    pub fn read(mut members: Map<String, Value>) -> Result<SavedContent, Problem> {
        let known = "question, dashboard or annotation";
        let kind = match members.remove("kind") {
            Some(Value::String(kind)) => kind,
            None => {
                let detail = format!("say what is saved: {known}");
                return Err(Problem::invalid_field("/kind", "missing_field", detail));
            }
            Some(_) => {
                let detail = format!("must be a string: {known}");
                return Err(Problem::invalid_field("/kind", "wrong_type", detail));
            }
        };
        let members = Value::Object(members);
        match kind.as_str() {
            "question" => read_value(members).map(SavedContent::Question),
            "dashboard" => read_value(members).map(SavedContent::Dashboard),
            "annotation" => read_value(members).map(SavedContent::Annotation),
            _ => {
                let detail = format!("{kind:?} cannot be saved: {known}");
                Err(Problem::invalid_field("/kind", "unknown_value", detail))
            }
        }
    }

    /// What is to be written down, by the rules that need nothing but the content.
    pub fn draft(&mut self, zone: &Zone) -> Result<Draft, Problem> {
        let mut fields = Fields::default();
        let (kind, span) = match self {
            SavedContent::Question(question) => {
                question.name = fields.name("/name", &question.name);
                check_text(&mut fields, "/description", &question.description);
                check_range(&mut fields, question.range.as_ref(), zone);
                let display = serde_json::to_string(&question.display).unwrap_or_default();
                if display.len() > DISPLAY_BYTES {
                    let why = "display settings have at most 4 KiB";
                    fields.refuse("/display", "too_large", why);
                }
                (SavedKind::Question, None)
            }
            SavedContent::Dashboard(dashboard) => {
                dashboard.name = fields.name("/name", &dashboard.name);
                check_text(&mut fields, "/description", &dashboard.description);
                check_range(&mut fields, dashboard.range.as_ref(), zone);
                dashboard.check_tiles(&mut fields);
                (SavedKind::Dashboard, None)
            }
            SavedContent::Annotation(annotation) => {
                (SavedKind::Annotation, annotation.check(&mut fields, zone))
            }
        };
        fields.finish()?;
        let body = serde_json::to_string(self).map_err(Problem::internal)?;
        if body.len() > MOST_BYTES {
            let why = "this is larger than 32 KiB, the most that is saved as one thing";
            return Err(Problem::invalid_field("", "too_large", why));
        }
        Ok(Draft { kind, body, span })
    }
}

impl Dashboard {
    fn check_tiles(&self, fields: &mut Fields) {
        if self.tiles.len() > MOST_TILES {
            fields.refuse("/tiles", "too_many", "a dashboard has at most 50 tiles");
        }
        for (n, tile) in self.tiles.iter().enumerate().take(MOST_TILES) {
            let at = |member: &str| format!("/tiles/{n}{member}");
            if tile.saved.is_some() == tile.text.is_some() {
                fields.refuse(&at(""), "conflict", "a tile is either a saved question or a text");
            }
            check_text(fields, &at("/text"), tile.text.as_deref().unwrap_or_default());
            for (member, size) in [("/width", tile.width), ("/height", tile.height)] {
                if !(1..=12).contains(&size) {
                    fields.refuse(&at(member), "out_of_range", "1 to 12");
                }
            }
        }
    }
}

impl Annotation {
    /// The instants that it speaks of.
    fn check(&mut self, fields: &mut Fields, zone: &Zone) -> Option<(i64, i64)> {
        self.text = self.text.trim().to_owned();
        if !(1..=REMARK_CHARS).contains(&self.text.chars().count()) {
            fields.refuse("/text", "wrong_length", "a remark has 1 to 500 characters");
        }
        if let Some(at) = &self.at {
            if self.from.is_some() || self.to.is_some() {
                let why = "a remark is about a moment or about days, not both";
                fields.refuse("/at", "conflict", why);
            }
            return match parse_instant("/at", at, zone) {
                Ok(ms) => {
                    self.at = Some(Moment(ms).to_string());
                    Some((ms, ms + 1))
                }
                Err(why) => {
                    fields.refuse(&why.pointer, why.code, why.detail);
                    None
                }
            };
        }
        let Some(from) = &self.from else {
            let why = "say when: at (a moment), or from and to (days)";
            fields.refuse("/at", "missing_field", why);
            return None;
        };
        let from = day(fields, "/from", from)?;
        let to = match &self.to {
            Some(to) => day(fields, "/to", to)?,
            None => from.plus(1),
        };
        if to <= from {
            fields.refuse(
                "/to",
                "empty_range",
                "the days end before they begin: `to` is not included",
            );
            return None;
        }
        self.to = Some(to.to_string());
        Some((zone.day_start(from), zone.day_start(to)))
    }
}

fn day(fields: &mut Fields, pointer: &str, text: &str) -> Option<Day> {
    let day: Option<Day> = (text.len() == 10).then(|| text.parse().ok()).flatten();
    let supported = day.filter(|day| (FIRST_DAY..=LAST_DAY).contains(day));
    if supported.is_none() {
        let why = format!("must be a date (2026-11-01) between {FIRST_DAY} and {LAST_DAY}");
        fields.refuse(pointer, "invalid_time", why);
    }
    supported
}

fn check_text(fields: &mut Fields, pointer: &str, text: &str) {
    if text.chars().count() > DESCRIPTION_CHARS {
        fields.refuse(pointer, "wrong_length", "at most 2,000 characters");
    }
}

fn check_range(fields: &mut Fields, range: Option<&SavedRange>, zone: &Zone) {
    if let Some(range) = range {
        range.check(fields, zone, |member| format!("/range/{member}"));
    }
}
