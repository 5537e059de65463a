//! What one event writes.

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::record::Stored;
use crate::event::accept::is_nobody;
use crate::event::actor_of;

/// The place of a write among all of them: the event's time and id, as bytes that sort like `(ts, id)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub [u8; 24]);

impl Position {
    /// The place of the writes of an event.
    pub fn at(ts: i64, id: Uuid) -> Position {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&((ts as u64) ^ (1 << 63)).to_be_bytes());
        bytes[8..].copy_from_slice(id.as_bytes());
        Position(bytes)
    }

    /// The event's time, UTC milliseconds.
    pub fn ts(&self) -> i64 {
        let time: [u8; 8] = self.0[..8].try_into().unwrap_or_default();
        (u64::from_be_bytes(time) ^ (1 << 63)) as i64
    }
}

impl std::fmt::Debug for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "@{}", self.ts())
    }
}

/// Whose property it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The group's type; empty for persons.
    pub kind: String,
    /// The actor, or the number of the group's key.
    pub number: u64,
}

/// What is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Set(Stored),
    SetOnce(Stored),
    Unset,
    /// Finite.
    Add(f64),
}

/// One write of one property.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub owner: Owner,
    pub name: String,
    pub op: Op,
}

/// What an event says of persons and groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    pub writes: Vec<Write>,
    /// Type and key of the groups that it belongs to or tells of.
    pub groups: Vec<(String, String)>,
}

/// What the properties of an event that writes properties of its person hold, one of them at least.
pub const PERSON_MARKS: [&str; 3] = ["\"$set", "\"$unset\"", "\"$add\""];

/// What the properties of an event that speaks of groups hold.
pub const GROUP_MARKS: [&str; 1] = ["\"$group"];

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "$set_once")]
    set_once: Option<Value>,
    #[serde(rename = "$set")]
    set: Option<Value>,
    #[serde(rename = "$unset")]
    unset: Option<Value>,
    #[serde(rename = "$add")]
    add: Option<Value>,
    #[serde(rename = "$groups")]
    groups: Option<Value>,
    #[serde(rename = "$group_type")]
    group_type: Option<Value>,
    #[serde(rename = "$group_key")]
    group_key: Option<Value>,
    #[serde(rename = "$group_set_once")]
    group_set_once: Option<Value>,
    #[serde(rename = "$group_set")]
    group_set: Option<Value>,
    #[serde(rename = "$group_unset")]
    group_unset: Option<Value>,
    #[serde(rename = "$group_add")]
    group_add: Option<Value>,
}

impl Written {
    /// What an event with these properties writes, done by `actor`; mostly nothing.
    pub fn of(props: &str, actor: u64) -> Written {
        let mut written = Written::default();
        if !PERSON_MARKS
            .iter()
            .chain(&GROUP_MARKS)
            .any(|mark| props.contains(mark))
        {
            return written;
        }
        let Ok(told) = serde_json::from_str::<Told>(props) else {
            return written;
        };
        let person = Owner {
            kind: String::new(),
            number: actor,
        };
        written.note(&person, told.set_once, told.set, told.unset, told.add);
        if let (Some(kind), Some(key)) = (text(told.group_type), text(told.group_key)) {
            let group = Owner {
                number: actor_of(&key),
                kind,
            };
            written.note(
                &group,
                told.group_set_once,
                told.group_set,
                told.group_unset,
                told.group_add,
            );
            written.groups.push((group.kind, key));
        }
        for (kind, key) in members(told.groups) {
            let Some(key) = text(Some(key)) else { continue };
            let group = (kind, key);
            if !group.0.is_empty() && !written.groups.contains(&group) {
                written.groups.push(group);
            }
        }
        written
    }

    fn note(
        &mut self,
        owner: &Owner,
        set_once: Option<Value>,
        set: Option<Value>,
        unset: Option<Value>,
        add: Option<Value>,
    ) {
        let mut write = |name: String, op: Op| {
            self.writes.push(Write {
                owner: owner.clone(),
                name,
                op,
            });
        };
        for (name, value) in members(set_once) {
            write(name, Op::SetOnce(Stored::of(&value)));
        }
        for (name, value) in members(set) {
            write(name, Op::Set(Stored::of(&value)));
        }
        match unset {
            Some(Value::Array(names)) => {
                for name in names.iter().filter_map(Value::as_str) {
                    write(name.to_owned(), Op::Unset);
                }
            }
            unset => members(unset).for_each(|(name, _)| write(name, Op::Unset)),
        }
        for (name, value) in members(add) {
            if let Some(number) = value.as_f64().filter(|number| number.is_finite()) {
                write(name, Op::Add(number));
            }
        }
    }
}

fn members(value: Option<Value>) -> impl Iterator<Item = (String, Value)> {
    match value {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
    .into_iter()
}

/// A group's type or key: a text or a whole number that names somebody.
fn text(value: Option<Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text,
        Value::Number(number) if !number.is_f64() => number.to_string(),
        _ => return None,
    };
    (!is_nobody(&text)).then_some(text)
}
