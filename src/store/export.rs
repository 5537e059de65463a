//! Raw events as newline-delimited JSON, streamed as ClickHouse writes it.

use clickhouse::query::BytesCursor;

use super::{Store, StoreError};
use crate::event::{Day, ProjectNumber};

/// A stream of NDJSON bytes. Chunks end anywhere, not at line ends. Dropping it ends the query.
pub struct Export {
    cursor: BytesCursor,
}

impl Store {
    /// The project's events with event time in `[from_ms, to_ms)`, in no particular order, one JSON object a
    /// line: `id, event, timestamp, received_at` (RFC 3339, UTC), ids, typed columns, `properties` (object).
    /// Without `local_day`: it is the day in the zone that the project had at receipt.
    ///
    /// # Errors
    /// When ClickHouse does not accept the question.
    pub async fn export(
        &self,
        project: ProjectNumber,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Export, StoreError> {
        // The engine's JSON row, reopened for the properties, which are JSON already. Raw line breaks can
        // stand in them only between tokens, where a blank means the same.
        let cursor = self
            .question(
                project,
                "SELECT concat(substring(json, 1, length(json) - 1), ',\"properties\":', \
                   if(props = '', '{}', replaceRegexpAll(props, '[\\\\r\\\\n]', ' ')), '}') \
                 FROM (SELECT props, formatRowNoNewline('JSONEachRow', id, event, ts AS timestamp, seq, received_at, \
                     distinct_id, device_id, user_id, path, host, referrer_host, utm_source, utm_medium, \
                     utm_campaign, country, region, city, browser, os, device, lib, amount, currency, flags) \
                     AS json \
                   FROM events WHERE project = {project:UInt32} \
                   AND day >= toDate({from_day:UInt16}) AND day <= toDate({to_day:UInt16}) \
                   AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') \
                   AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC'))",
            )
            .param("from", from_ms)
            .param("to", to_ms)
            .param("from_day", Day::of_utc(from_ms).as_u16())
            .param("to_day", Day::of_utc(to_ms).as_u16())
            .with_setting("date_time_output_format", "iso")
            // an export takes as long as its reader
            .with_setting("max_execution_time", "0")
            .fetch_bytes("TSVRaw")?;
        Ok(Export { cursor })
    }
}

impl Export {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When ClickHouse stops within the answer: what came so far is incomplete.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.cursor.next().await?.map(|bytes| bytes.to_vec()))
    }
}
