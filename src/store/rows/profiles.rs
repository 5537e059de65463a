//! Who and what was seen, and the properties that were written, as tables hold them.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use super::{ByteBuf, Bytes};
use crate::event::ProjectNumber;
use crate::metrics::person::{Owner, Position, Record, Stored};

/// An actor or a group, and when it was seen, by event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub project: ProjectNumber,
    pub owner: Owner,
    /// The distinct id, or the group's key.
    pub id: String,
    /// Whether the application gave the id.
    pub is_user: bool,
    /// UTC milliseconds.
    pub first_seen: i64,
    /// UTC milliseconds.
    pub last_seen: i64,
}

/// What decides one property of one actor or group, as far as a batch knows.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileProperty {
    pub project: ProjectNumber,
    pub owner: Owner,
    pub name: String,
    pub record: Record,
}

/// A row of `profiles`.
#[derive(Row, Serialize)]
pub(in crate::store) struct ProfileRow<'a> {
    project: u32,
    kind: &'a str,
    owner: u64,
    id: &'a str,
    is_user: u8,
    first_seen: i64,
    last_seen: i64,
}

impl<'a> ProfileRow<'a> {
    pub(in crate::store) fn new(profile: &'a Profile) -> ProfileRow<'a> {
        ProfileRow {
            project: profile.project.0,
            kind: &profile.owner.kind,
            owner: profile.owner.number,
            id: &profile.id,
            is_user: profile.is_user.into(),
            first_seen: profile.first_seen,
            last_seen: profile.last_seen,
        }
    }
}

/// A row of `profile_properties`.
#[derive(Row, Serialize)]
pub(in crate::store) struct PropertyRow<'a> {
    project: u32,
    kind: &'a str,
    name: &'a str,
    owner: u64,
    latest: OwnedBytes,
    earliest: OwnedBytes,
    cleared: OwnedBytes,
}

impl<'a> PropertyRow<'a> {
    pub(in crate::store) fn new(property: &'a ProfileProperty) -> PropertyRow<'a> {
        let record = &property.record;
        let set = record.set.as_ref().map(|(at, value)| written(at.0, value));
        let once = record
            .once
            .as_ref()
            .map(|(at, value)| written(inverted(at.0), value));
        PropertyRow {
            project: property.project.0,
            kind: &property.owner.kind,
            name: &property.name,
            owner: property.owner.number,
            latest: OwnedBytes(set.unwrap_or_default()),
            earliest: OwnedBytes(once.unwrap_or_default()),
            cleared: OwnedBytes(record.unset.map(|at| at.0.to_vec()).unwrap_or_default()),
        }
    }
}

/// A row of `profile_adds`.
#[derive(Row, Serialize)]
pub(in crate::store) struct AddRow<'a> {
    project: u32,
    kind: &'a str,
    name: &'a str,
    owner: u64,
    place: OwnedBytes,
    amount: f64,
}

impl<'a> AddRow<'a> {
    /// The rows of what a property's record says was added.
    pub(in crate::store) fn all(property: &'a ProfileProperty) -> impl Iterator<Item = AddRow<'a>> {
        property.record.adds.iter().map(|(at, amount)| AddRow {
            project: property.project.0,
            kind: &property.owner.kind,
            name: &property.name,
            owner: property.owner.number,
            place: OwnedBytes(at.0.to_vec()),
            amount: *amount,
        })
    }
}

/// A row's record, read.
#[derive(Row, Deserialize)]
pub(in crate::store) struct RecordRow {
    pub owner: u64,
    pub name: String,
    latest: ByteBuf,
    earliest: ByteBuf,
    cleared: ByteBuf,
    /// Place and amount, each once.
    adds: Vec<(ByteBuf, f64)>,
}

impl RecordRow {
    pub(in crate::store) fn record(&self) -> Record {
        let adds = self.adds.iter();
        Record {
            set: read(&self.latest.0),
            once: read(&self.earliest.0).map(|(at, value)| (Position(inverted(at.0)), value)),
            unset: place(&self.cleared.0),
            adds: adds
                .filter_map(|(at, amount)| Some((place(&at.0)?, *amount)))
                .collect(),
        }
    }
}

/// Tags of values: what is no text sorts before texts.
const NULL: u8 = b'-';
const JSON: u8 = b'j';
const TEXT: u8 = b't';

fn inverted(place: [u8; 24]) -> [u8; 24] {
    place.map(|byte| !byte)
}

fn written(place: [u8; 24], value: &Stored) -> Vec<u8> {
    let (tag, text) = match value {
        Stored::Null => (NULL, ""),
        Stored::Json(text) => (JSON, text.as_str()),
        Stored::Text(text) => (TEXT, text.as_str()),
    };
    let mut bytes = Vec::with_capacity(25 + text.len());
    bytes.extend_from_slice(&place);
    bytes.push(tag);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn place(bytes: &[u8]) -> Option<Position> {
    bytes.first_chunk().copied().map(Position)
}

fn read(bytes: &[u8]) -> Option<(Position, Stored)> {
    let at = place(bytes)?;
    let text = || String::from_utf8_lossy(&bytes[25..]).into_owned();
    Some((
        at,
        match *bytes.get(24)? {
            JSON => Stored::Json(text()),
            TEXT => Stored::Text(text()),
            _ => Stored::Null,
        },
    ))
}

/// Owned bytes of a `String` column.
struct OwnedBytes(Vec<u8>);

impl Serialize for OwnedBytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes(&self.0).serialize(serializer)
    }
}
