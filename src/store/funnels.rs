//! The events that matter to a funnel, marked with what they are, gathered person by person.
//!
//! ClickHouse selects and marks; rows come in no order, are spread over partitions by person as they arrive, and
//! each partition is put into total order when it is read. Sorting here costs a fraction of sorting there.

mod rows;
mod sql;

use std::collections::BTreeMap;

use clickhouse::query::BytesCursor;

use super::{Facts, Store, StoreError, facts};
use crate::event::{Day, ProjectNumber};
use crate::metrics::funnel::{FunnelSpec, StepEvent, Values};
use crate::metrics::identity::person_of;
use crate::metrics::time::TimeRange;
use rows::{Reader, Row};

/// Partitions of persons. More than threads, so that they even out.
const PARTITIONS: usize = 64;

/// The most events of one funnel: a row is 48 bytes, so these are 1.9 GB.
pub const MAX_ROWS: usize = 40_000_000;

/// The events of a funnel.
pub struct FunnelEvents {
    partitions: Vec<Partition>,
    /// The texts behind the numbers of values.
    pub values: Values,
    /// Rows that ClickHouse read, as far as it told, at least those that came.
    pub rows_read: u64,
}

/// The events of some persons.
pub struct Partition {
    rows: Vec<Found>,
    extras: Vec<Extra>,
}

/// A row, as small as it can be kept. Compares in order of person, then in total order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    person: u64,
    ts: i64,
    seq: u32,
    marks: u32,
    id: [u64; 2],
    /// Place among the partition's extras.
    extra: u32,
}

/// What only some questions need.
#[derive(Clone, Copy, Default)]
struct Extra {
    session: u64,
    device: u64,
    held: [u32; 3],
    value: u32,
}

impl Store {
    /// The project's events that matter to the funnel.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits, or the events are more than [`MAX_ROWS`].
    pub async fn funnel_events(
        &self,
        project: ProjectNumber,
        spec: &FunnelSpec,
    ) -> Result<FunnelEvents, StoreError> {
        let (sql, bind) = sql::statement(spec);
        let query = bind.apply(self.stream(project, &sql));
        let mut cursor = query.with_setting("max_threads", "4").fetch_bytes("RowBinary")?;
        let mut found = FunnelEvents {
            partitions: (0..PARTITIONS)
                .map(|_| Partition {
                    rows: Vec::new(),
                    extras: Vec::new(),
                })
                .collect(),
            values: Values::default(),
            rows_read: 0,
        };
        found.read(spec, &mut cursor).await?;
        Ok(found)
    }
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct Named {
    actor: u64,
    distinct_id: String,
}

impl Store {
    /// The ids under which actors sent their events of a range.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn distinct_ids(
        &self,
        project: ProjectNumber,
        actors: &[u64],
        range: TimeRange,
    ) -> Result<BTreeMap<u64, String>, StoreError> {
        if actors.is_empty() {
            return Ok(BTreeMap::new());
        }
        let query = self
            .question(
                project,
                "SELECT actor, any(distinct_id) AS distinct_id FROM events \
                 WHERE project = {project:UInt32} AND actor IN {actors:Array(UInt64)} \
                   AND day >= toDate({from:UInt16}) AND day <= toDate({to:UInt16}) GROUP BY actor",
            )
            .param("actors", actors)
            .param("from", Day::of_utc(range.from_ms).as_u16())
            .param("to", Day::of_utc(range.to_ms - 1).as_u16());
        let found: Facts<Vec<Named>> = facts(query).await?;
        Ok(found
            .rows
            .into_iter()
            .map(|row| (row.actor, row.distinct_id))
            .collect())
    }
}

impl FunnelEvents {
    async fn read(&mut self, spec: &FunnelSpec, cursor: &mut BytesCursor) -> Result<(), StoreError> {
        let mut reader = Reader::new(sql::is_wide(spec));
        let mut rows = 0;
        while let Some(bytes) = cursor.next().await? {
            reader.push(&bytes);
            while let Some(row) = reader.next_row()? {
                rows += 1;
                if rows > MAX_ROWS {
                    let message = format!("more than {MAX_ROWS} events in one funnel");
                    return Err(StoreError::TooManyRows(message));
                }
                self.take(spec, row);
            }
        }
        reader.finish()?;
        let told = cursor
            .summary()
            .and_then(|summary| summary.read_rows())
            .unwrap_or(0);
        self.rows_read = told.max(rows as u64);
        Ok(())
    }

    fn take(&mut self, spec: &FunnelSpec, row: Row) {
        let values = &mut self.values;
        let mut number = |place: usize| values.number(row.texts.get(place).and_then(|text| text.as_deref()));
        let mut extra = Extra {
            session: row.session,
            device: row.device,
            ..Extra::default()
        };
        for (place, held) in extra.held.iter_mut().enumerate().take(spec.hold.len()) {
            *held = number(place);
        }
        let mut place = spec.hold.len();
        if spec.breakdown.is_some() {
            extra.value = number(place);
            place += 1;
        }
        let owner = match spec.group {
            // who has no value is in no group
            Some(_) => match number(place) {
                0 => return,
                group => u64::from(group),
            },
            None => person_of(row.actor),
        };
        let spread = owner.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
        let partition = &mut self.partitions[spread as usize % PARTITIONS];
        let mut found = Found {
            person: owner,
            ts: row.ts,
            seq: row.seq,
            marks: row.marks,
            id: row.id,
            extra: 0,
        };
        if sql::is_wide(spec) {
            found.extra = partition.extras.len() as u32;
            partition.extras.push(extra);
        }
        partition.rows.push(found);
    }

    /// The partitions, each to be folded on its own.
    pub fn partitions(&mut self) -> Vec<Partition> {
        std::mem::take(&mut self.partitions)
    }
}

impl Partition {
    /// Calls `each` with every person and all their events, in total order. A copy of an event that was delivered
    /// again is left out.
    pub fn persons(mut self, mut each: impl FnMut(u64, &[StepEvent])) {
        self.rows
            .sort_unstable_by_key(|row| (row.person, row.ts, row.seq, row.id));
        let mut events: Vec<StepEvent> = Vec::new();
        for person in self.rows.chunk_by(|a, b| a.person == b.person) {
            events.clear();
            for row in person {
                let extra = self.extras.get(row.extra as usize).copied().unwrap_or_default();
                let id = u128::from(row.id[0]) << 64 | u128::from(row.id[1]);
                let same_time = events
                    .iter()
                    .rev()
                    .take_while(|other: &&StepEvent| other.ts == row.ts);
                if same_time.into_iter().any(|other| other.id == id) {
                    continue;
                }
                events.push(StepEvent {
                    ts: row.ts,
                    seq: row.seq,
                    id,
                    marks: row.marks,
                    session: extra.session,
                    device: extra.device,
                    held: extra.held,
                    value: extra.value,
                });
            }
            each(person[0].person, &events);
        }
    }
}
