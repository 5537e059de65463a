//! Sketches of a day: united from stored ones, or made from raw events. ClickHouse streams, Rust folds.

use clickhouse::Row;
use serde::Deserialize;

use super::{Base, array};
use crate::event::{Day, ProjectNumber, Zone, flag};
use crate::metrics::sketch::UserSketch;
use crate::store::people::people_of;
use crate::store::rows::{ByteBuf, Bytes, SketchRow};
use crate::store::{Store, StoreError};

/// Rows of the new generation that are sent at a time.
const CHUNK: usize = 1_000;

#[derive(Row, Deserialize)]
struct Stored {
    event: String,
    sketch: ByteBuf,
}

#[derive(Row, Deserialize)]
struct Seen {
    event: String,
    person: u64,
    activity: u8,
}

/// The rows of a new generation on their way into `sketches`.
struct Writer<'a> {
    store: &'a Store,
    project: ProjectNumber,
    day: Day,
    generation: u64,
    waiting: Vec<(String, Vec<u8>)>,
    written: u64,
}

impl Writer<'_> {
    async fn add(&mut self, event: String, mut sketch: UserSketch) -> Result<(), StoreError> {
        self.waiting.push((event, sketch.encode()));
        if self.waiting.len() >= CHUNK {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut insert = self
            .store
            .writer
            .clone()
            .with_setting("async_insert", "0")
            .insert::<SketchRow<'_>>("sketches")
            .await?;
        for (event, sketch) in &self.waiting {
            insert
                .write(&SketchRow {
                    project: self.project.0,
                    event,
                    day: self.day.as_u16(),
                    generation: self.generation,
                    sketch: Bytes(sketch),
                })
                .await?;
        }
        insert.end().await?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

impl Store {
    fn sketch_writer(&self, project: ProjectNumber, day: Day, generation: u64) -> Writer<'_> {
        Writer {
            store: self,
            project,
            day,
            generation,
            waiting: Vec::new(),
            written: 0,
        }
    }

    /// Writes the union of the base and the deltas up to `next` as `generation`; returns its rows.
    pub(super) async fn unite(
        &self,
        project: ProjectNumber,
        day: Day,
        generation: u64,
        base: &Base,
        next: &[u64],
    ) -> Result<u64, StoreError> {
        let within = format!("project = {project} AND day = toDate({})", day.as_u16());
        let mut stored = self
            .compaction(&format!(
                "SELECT event, sketch FROM ( \
                   SELECT event, sketch FROM sketches \
                   WHERE {within} AND gen = {latest} AND gen != 0 \
                   UNION ALL \
                   SELECT event, sketch FROM sketch_deltas WHERE {within} \
                     AND batch > {passed}[shard + 1] AND batch <= {next}[shard + 1] \
                 ) ORDER BY event",
                latest = base.generation,
                passed = array(&base.cuts),
                next = array(next),
            ))
            .fetch::<Stored>()?;
        let mut writer = self.sketch_writer(project, day, generation);
        let mut open: Option<(String, UserSketch)> = None;
        while let Some(row) = stored.next().await? {
            let sketch = UserSketch::decode(&row.sketch.0).map_err(|error| StoreError::DamagedSketch {
                project: project.0,
                event: row.event.clone(),
                day: day.to_string(),
                reason: error.to_string(),
            })?;
            match &mut open {
                Some((event, union)) if *event == row.event => union.merge(&sketch),
                _ => {
                    if let Some((event, union)) = open.replace((row.event, sketch)) {
                        writer.add(event, union).await?;
                    }
                }
            }
        }
        if let Some((event, union)) = open {
            writer.add(event, union).await?;
        }
        writer.flush().await?;
        Ok(writer.written)
    }

    /// Writes the sketches of the local day's raw events up to `next` as `generation`; returns its rows.
    pub(super) async fn sketch_raw(
        &self,
        project: ProjectNumber,
        day: Day,
        zone: &Zone,
        generation: u64,
        next: &[u64],
    ) -> Result<u64, StoreError> {
        if !zone.day_exists(day) {
            return Ok(0);
        }
        let (start, end) = (zone.day_start(day), zone.day_start(day.plus(1)));
        let mut seen = self
            .compaction(&format!(
                "SELECT event, person, max(bitAnd(flags, {quiet}) = 0) AS activity FROM {people} \
                 WHERE project = {project} \
                   AND day >= toDate({first}) AND day <= toDate({last}) \
                   AND ts >= fromUnixTimestamp64Milli({start}, 'UTC') \
                   AND ts < fromUnixTimestamp64Milli({end}, 'UTC') \
                   AND batch <= {next}[shard + 1] \
                 GROUP BY event, person ORDER BY event",
                people = people_of(project),
                quiet = flag::NOT_ACTIVITY,
                first = Day::of_utc(start).as_u16(),
                last = Day::of_utc(end - 1).as_u16(),
                next = array(next),
            ))
            .fetch::<Seen>()?;
        let mut writer = self.sketch_writer(project, day, generation);
        let mut any: Option<UserSketch> = None;
        let mut open: Option<(String, UserSketch)> = None;
        while let Some(row) = seen.next().await? {
            if row.activity != 0 {
                any.get_or_insert_with(UserSketch::new).insert(row.person);
            }
            match &mut open {
                Some((event, sketch)) if *event == row.event => sketch.insert(row.person),
                _ => {
                    let mut sketch = UserSketch::new();
                    sketch.insert(row.person);
                    if let Some((event, full)) = open.replace((row.event, sketch)) {
                        writer.add(event, full).await?;
                    }
                }
            }
        }
        if let Some((event, full)) = open {
            writer.add(event, full).await?;
        }
        if let Some(any) = any {
            writer.add(String::new(), any).await?;
        }
        writer.flush().await?;
        Ok(writer.written)
    }
}
