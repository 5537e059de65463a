//! What has to be kept of all writes of one property.

use std::collections::BTreeMap;

use serde_json::Value;

use super::write::{Op, Position};
use crate::metrics::filter::{canonical, number_of, text_of_number};

/// A value as it is stored: its canonical text, and whether that is the JSON of something else than a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stored {
    Null,
    /// A number, a boolean, a list or an object.
    Json(String),
    Text(String),
}

impl Stored {
    /// The value to store for `value`.
    pub fn of(value: &Value) -> Stored {
        match value {
            Value::String(text) => Stored::Text(text.clone()),
            other => canonical(other).map_or(Stored::Null, Stored::Json),
        }
    }

    /// The canonical text; `None` for null.
    pub fn text(&self) -> Option<&str> {
        match self {
            Stored::Null => None,
            Stored::Json(text) | Stored::Text(text) => Some(text),
        }
    }

    /// The value again. Of a number it is the same number, perhaps written another way.
    pub fn value(&self) -> Value {
        match self {
            Stored::Null => Value::Null,
            Stored::Text(text) => Value::String(text.clone()),
            Stored::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        }
    }
}

/// What decides the value of one property of one person or group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The latest `set`.
    pub set: Option<(Position, Stored)>,
    /// The earliest `set_once`.
    pub once: Option<(Position, Stored)>,
    /// The latest `unset`.
    pub unset: Option<Position>,
    /// Everything that was ever added: an earlier base may turn up later.
    pub adds: BTreeMap<Position, f64>,
}

impl Record {
    /// Takes a write in.
    pub fn write(&mut self, at: Position, op: Op) {
        match op {
            Op::Set(value) => later(&mut self.set, (at, value)),
            Op::SetOnce(value) => earlier(&mut self.once, (at, value)),
            Op::Unset => self.unset = self.unset.max(Some(at)),
            Op::Add(number) => {
                self.adds.insert(at, number);
            }
        }
    }

    /// Whether it knows more than what was added.
    pub fn is_base(&self) -> bool {
        self.set.is_some() || self.once.is_some() || self.unset.is_some()
    }

    /// Takes in what another record of the same property knows.
    pub fn merge(&mut self, other: Record) {
        if let Some(set) = other.set {
            later(&mut self.set, set);
        }
        if let Some(once) = other.once {
            earlier(&mut self.once, once);
        }
        self.unset = self.unset.max(other.unset);
        self.adds.extend(other.adds);
    }

    /// The property's value, and the place of the write that gave it last; `None` when it is missing.
    pub fn value(&self) -> Option<(Stored, Position)> {
        let base = self.set.as_ref().or(self.once.as_ref());
        let cleared = base.map(|(at, _)| *at) <= self.unset;
        let from = self.unset.max(base.map(|(at, _)| *at));
        let mut value = base
            .filter(|(_, value)| !cleared && *value != Stored::Null)
            .map(|(at, value)| (value.clone(), *at));
        for (at, number) in &self.adds {
            if Some(*at) < from {
                continue;
            }
            let before = match &value {
                None => 0.0,
                Some((stored, _)) => match stored.text().and_then(number_of) {
                    Some(number) => number,
                    None => break,
                },
            };
            let sum = before + number;
            if sum.is_finite() {
                value = Some((Stored::Json(text_of_number(sum)), *at));
            }
        }
        value
    }
}

/// Keeps the later one; of one event's copies, the greater value.
fn later(kept: &mut Option<(Position, Stored)>, other: (Position, Stored)) {
    if kept.as_ref().is_none_or(|kept| *kept < other) {
        *kept = Some(other);
    }
}

fn earlier(kept: &mut Option<(Position, Stored)>, other: (Position, Stored)) {
    let precedes = |kept: &(Position, Stored)| (other.0, &kept.1) < (kept.0, &other.1);
    if kept.as_ref().is_none_or(precedes) {
        *kept = Some(other);
    }
}
