//! The rows as tables hold them. Column order is the INSERT's; names must equal the migrations'.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use super::batch::BatchName;
use crate::event::{Day, ProjectNumber};

mod events;
mod names;
mod profiles;

pub(super) use events::{EVENT_COLUMNS, INSERT_COLUMNS};
pub use events::{EventBlock, EventColumns};
pub(super) use profiles::{AddRow, ProfileRow, PropertyRow, RecordRow};
pub use profiles::{Profile, ProfileProperty};

/// A batch's events of one name in one UTC quarter hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountDelta {
    pub project: ProjectNumber,
    pub event: String,
    /// Start of the UTC quarter hour, in seconds.
    pub bucket: u32,
    pub count: u64,
    /// Start of the UTC hour that the table is partitioned by, in seconds: of a receipt within the batch,
    /// so that it is a function of the batch's rows.
    pub received_hour: u32,
}

/// The actors of one event name (`""`: of any activity) on one local day in one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SketchDelta {
    pub project: ProjectNumber,
    pub event: String,
    /// Local day of the project at capture.
    pub day: Day,
    /// An encoded `UserSketch`.
    pub sketch: Vec<u8>,
    /// As [`CountDelta::received_hour`].
    pub received_hour: u32,
}

/// An actor was active on a local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorDay {
    pub project: ProjectNumber,
    pub actor: u64,
    pub day: Day,
}

/// A row of `count_deltas`.
#[derive(Row, Serialize)]
pub(super) struct CountDeltaRow<'a> {
    project: u32,
    event: &'a str,
    bucket: u32,
    count: u64,
    shard: u16,
    batch: u64,
    #[serde(rename = "try")]
    attempt: u8,
    received_hour: u32,
}

impl<'a> CountDeltaRow<'a> {
    pub(super) fn new(name: &BatchName, delta: &'a CountDelta) -> CountDeltaRow<'a> {
        CountDeltaRow {
            project: delta.project.0,
            event: &delta.event,
            bucket: delta.bucket,
            count: delta.count,
            shard: name.shard,
            batch: name.batch,
            attempt: name.attempt,
            received_hour: delta.received_hour,
        }
    }
}

/// A row of `sketch_deltas`.
#[derive(Row, Serialize)]
pub(super) struct SketchDeltaRow<'a> {
    project: u32,
    event: &'a str,
    day: u16,
    sketch: Bytes<'a>,
    shard: u16,
    batch: u64,
    #[serde(rename = "try")]
    attempt: u8,
    received_hour: u32,
}

impl<'a> SketchDeltaRow<'a> {
    pub(super) fn new(name: &BatchName, delta: &'a SketchDelta) -> SketchDeltaRow<'a> {
        SketchDeltaRow {
            project: delta.project.0,
            event: &delta.event,
            day: delta.day.as_u16(),
            sketch: Bytes(&delta.sketch),
            shard: name.shard,
            batch: name.batch,
            attempt: name.attempt,
            received_hour: delta.received_hour,
        }
    }
}

/// A row of `sketches`.
#[derive(Row, Serialize)]
pub(super) struct SketchRow<'a> {
    pub(super) project: u32,
    pub(super) event: &'a str,
    pub(super) day: u16,
    #[serde(rename = "gen")]
    pub(super) generation: u64,
    pub(super) sketch: Bytes<'a>,
}

/// A row of `actor_days`.
#[derive(Row, Serialize)]
pub(super) struct ActorDayRow {
    project: u32,
    actor: u64,
    day: u16,
    deleted: u8,
    version: u64,
}

impl ActorDayRow {
    pub(super) fn new(name: &BatchName, row: &ActorDay) -> ActorDayRow {
        ActorDayRow {
            project: row.project.0,
            actor: row.actor,
            day: row.day.as_u16(),
            deleted: 0,
            version: name.batch,
        }
    }
}

/// Bytes of a `String` column, which need not be UTF-8. (Plain `&[u8]` would be an `Array(UInt8)`.)
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The owned twin of [`Bytes`], for reading.
pub(super) struct ByteBuf(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for ByteBuf {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ByteBuf, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ByteBuf;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<ByteBuf, E> {
                Ok(ByteBuf(bytes.to_vec()))
            }
            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<ByteBuf, E> {
                Ok(ByteBuf(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}
