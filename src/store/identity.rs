//! The tables of identity: what is known of ids, and the override map that is made of it.
//!
//! Pairs of ids come with batches, rulings from the API; `identity` learns from both and writes the map. Reading is by
//! ids: whatever names them, in whichever place.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use super::batch::{BatchName, InsertError, Table};
use super::{Store, StoreError};
use crate::event::accept::NOT_ACTIVITY;
use crate::event::{Day, ProjectNumber};
use crate::metrics::identity::{Edge, Id, Override, Pair, Ruling, Verdict};

/// Bytes of ids that one statement names, quoted: ClickHouse takes 128 KiB.
const BYTES_A_STATEMENT: usize = 100_000;

/// Actors that one statement names: 21 bytes each.
const ACTORS_A_STATEMENT: usize = 4_000;

/// Of an id's pairs so many of the earliest are looked at. More users on a device, or devices of a user, than that are no
/// person's; what decides about them are the earliest.
pub const MOST_PAIRS: u32 = 2_000;

/// A device and a user that a batch saw together, and when first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdentityPair {
    pub project: ProjectNumber,
    pub device: Box<str>,
    pub user: Box<str>,
    /// UTC milliseconds.
    pub ts: i64,
}

#[derive(Row, Serialize)]
struct PairRow<'a> {
    project: u32,
    device: &'a str,
    user: &'a str,
    ts: i64,
    earliness: u64,
}

impl<'a> PairRow<'a> {
    fn new(project: ProjectNumber, device: &'a str, user: &'a str, ts: i64) -> PairRow<'a> {
        PairRow {
            project: project.0,
            device,
            user,
            ts,
            earliness: i64::MAX.wrapping_sub(ts) as u64,
        }
    }
}

#[derive(Row, Deserialize)]
struct Seen {
    device: String,
    user: String,
    ts: i64,
}

#[derive(Row, Deserialize)]
struct Ruled {
    is_device: u8,
    one: String,
    other: String,
    joins: u8,
    at: i64,
}

#[derive(Row, Serialize)]
struct RulingRow<'a> {
    project: u32,
    kind: i8,
    one: &'a str,
    other: &'a str,
    verdict: i8,
    at: i64,
    by: &'a str,
}

#[derive(Row, Serialize, Deserialize)]
struct MapRow {
    project: u32,
    actor: u64,
    person: u64,
    split: i64,
    version: u64,
}

impl MapRow {
    fn row(&self) -> Override {
        Override {
            actor: self.actor,
            person: self.person,
            split: self.split,
        }
    }
}

#[derive(Row, Deserialize)]
struct Active {
    actor: u64,
    day: u16,
}

/// In pieces of a size that one statement can name.
fn pieces<'a>(ids: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut pieces: Vec<Vec<&str>> = Vec::new();
    let mut bytes = 0;
    for id in ids {
        // Quotes and a comma; what is not plain may be written with a backslash or two.
        let plain = |c: &u8| c.is_ascii_alphanumeric() || b"-_.@:".contains(c);
        let of_id = 3 + id.bytes().map(|c| if plain(&c) { 1 } else { 4 }).sum::<usize>();
        if pieces.is_empty() || bytes + of_id > BYTES_A_STATEMENT {
            pieces.push(Vec::new());
            bytes = 0;
        }
        bytes += of_id;
        if let Some(piece) = pieces.last_mut() {
            piece.push(id);
        }
    }
    pieces
}

impl Store {
    /// Inserts a batch's pairs. Idempotent.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_identity_pairs(
        &self,
        name: &BatchName,
        pairs: &[IdentityPair],
    ) -> Result<(), InsertError> {
        let rows = pairs
            .iter()
            .map(|pair| PairRow::new(pair.project, &pair.device, &pair.user, pair.ts));
        self.insert::<PairRow<'_>>(Table::IdentityEdges, name, None, rows)
            .await
    }

    /// The edges that name one of the ids in either place.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn edges_naming(&self, project: ProjectNumber, ids: &[&str]) -> Result<Vec<Edge>, StoreError> {
        let mut found = Vec::new();
        for ids in pieces(ids) {
            for place in ["device", "user"] {
                let query = self
                    .question(
                        project,
                        &format!(
                            "SELECT device, user, toUnixTimestamp64Milli(min(ts)) AS ts FROM identity_edges \
                             WHERE project = {{project:UInt32}} AND {place} IN {{ids:Array(String)}} \
                             GROUP BY device, user ORDER BY {place}, ts, user, device LIMIT {MOST_PAIRS} BY {place}"
                        ),
                    )
                    .param("ids", &ids);
                let rows: Vec<Seen> = query.fetch_all().await?;
                found.extend(
                    rows.iter()
                        .filter_map(|row| Edge::new(&row.device, &row.user, row.ts)),
                );
            }
        }
        Ok(found)
    }

    /// The rulings that name one of the ids in either place.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn rulings_naming(
        &self,
        project: ProjectNumber,
        ids: &[&str],
    ) -> Result<Vec<Ruling>, StoreError> {
        let mut found = Vec::new();
        for ids in pieces(ids) {
            let query = self
                .question(
                    project,
                    "SELECT DISTINCT toUInt8(kind = 'device') AS is_device, one, other, \
                       toUInt8(verdict = 'join') AS joins, toUnixTimestamp64Milli(at) AS at FROM identity_rulings \
                     WHERE project = {project:UInt32} \
                       AND (one IN {ids:Array(String)} OR other IN {ids:Array(String)})",
                )
                .param("ids", &ids);
            let rows: Vec<Ruled> = query.fetch_all().await?;
            found.extend(rows.iter().filter_map(ruling));
        }
        Ok(found)
    }

    /// Writes down what a server said, and who.
    ///
    /// # Errors
    /// When ClickHouse does not take it; again is harmless.
    pub async fn add_ruling(
        &self,
        project: ProjectNumber,
        ruling: &Ruling,
        by: &str,
    ) -> Result<(), StoreError> {
        let (kind, one, other) = match &ruling.pair {
            Pair::Device { device, user } => (1, device, user),
            Pair::Users(one, other) => (2, one, other),
        };
        let row = RulingRow {
            project: project.0,
            kind,
            one: one.as_str(),
            other: other.as_str(),
            verdict: match ruling.verdict {
                Verdict::Join => 1,
                Verdict::Part => 2,
            },
            at: ruling.at,
            by,
        };
        let mut insert = self.writing().insert::<RulingRow<'_>>("identity_rulings").await?;
        insert.write(&row).await?;
        Ok(insert.end().await?)
    }

    /// Writes down edges that no batch brings.
    ///
    /// # Errors
    /// As [`Store::add_ruling`].
    pub async fn add_edges(&self, project: ProjectNumber, edges: &[Edge]) -> Result<(), StoreError> {
        if edges.is_empty() {
            return Ok(());
        }
        let mut insert = self.writing().insert::<PairRow<'_>>("identity_edges").await?;
        for edge in edges {
            let (device, user) = (edge.device.as_str(), edge.user.as_str());
            insert
                .write(&PairRow::new(project, device, user, edge.ts))
                .await?;
        }
        Ok(insert.end().await?)
    }

    /// What the map says of these actors.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn overrides_of(
        &self,
        project: ProjectNumber,
        actors: &[u64],
    ) -> Result<Vec<Override>, StoreError> {
        let mut found = Vec::new();
        for actors in actors.chunks(ACTORS_A_STATEMENT) {
            let query = self
                .question(
                    project,
                    "SELECT project, actor, person, split, version FROM person_map FINAL \
                     WHERE project = {project:UInt32} AND actor IN {actors:Array(UInt64)}",
                )
                .param("actors", actors);
            let rows: Vec<MapRow> = query.fetch_all().await?;
            found.extend(rows.iter().map(MapRow::row));
        }
        Ok(found)
    }

    /// The rows of a project's map that are newer than a version, oldest first, and the latest version.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn overrides_since(
        &self,
        project: ProjectNumber,
        version: u64,
    ) -> Result<(Vec<Override>, u64), StoreError> {
        let query = self
            .question(
                project,
                "SELECT project, actor, person, split, version FROM person_map \
                 WHERE project = {project:UInt32} AND version > {version:UInt64} ORDER BY version",
            )
            .param("version", version);
        let mut cursor = query.fetch::<MapRow>()?;
        let (mut rows, mut latest) = (Vec::new(), version);
        while let Some(row) = cursor.next().await? {
            rows.push(row.row());
            latest = latest.max(row.version);
        }
        Ok((rows, latest))
    }

    /// Writes rows of the map under a version, which has to be larger than any of the project
    /// ([`Store::identity_version`] and one). One writer at a time.
    ///
    /// # Errors
    /// When ClickHouse does not take them; again is harmless.
    pub async fn write_overrides(
        &self,
        project: ProjectNumber,
        rows: &[Override],
        version: u64,
    ) -> Result<(), StoreError> {
        // What is told of earlier times must not lack what answers used.
        for table in ["person_changes", "person_map"] {
            let mut insert = self.writing().insert::<MapRow>(table).await?;
            for row in rows {
                insert
                    .write(&MapRow {
                        project: project.0,
                        actor: row.actor,
                        person: row.person,
                        split: row.split,
                        version,
                    })
                    .await?;
            }
            insert.end().await?;
        }
        Ok(())
    }

    /// The local days (of the zone at capture) on which these actors did anything.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn active_days_of(
        &self,
        project: ProjectNumber,
        actors: &[u64],
    ) -> Result<Vec<(u64, Day)>, StoreError> {
        let mut found = Vec::new();
        for actors in actors.chunks(ACTORS_A_STATEMENT) {
            let query = self
                .question(
                    project,
                    "SELECT DISTINCT actor, day FROM actor_days \
                     WHERE project = {project:UInt32} AND actor IN {actors:Array(UInt64)} AND deleted = 0 \
                     UNION DISTINCT SELECT DISTINCT actor, local_day AS day FROM events \
                     WHERE project = {project:UInt32} AND event IN {quiet:Array(String)} \
                       AND actor IN {actors:Array(UInt64)}",
                )
                .param("actors", actors)
                // They have sketches of their own, and are no activity.
                .param("quiet", NOT_ACTIVITY.as_slice());
            let rows: Vec<Active> = query.fetch_all().await?;
            found.extend(rows.iter().map(|row| (row.actor, Day(row.day.into()))));
        }
        Ok(found)
    }

    pub(super) fn writing(&self) -> clickhouse::Client {
        self.writer.clone().with_setting("async_insert", "0")
    }
}

fn ruling(row: &Ruled) -> Option<Ruling> {
    let (one, other) = (Id::read(&row.one)?, Id::read(&row.other)?);
    let pair = match row.is_device {
        0 => Pair::users(one, other),
        _ => Pair::Device {
            device: one,
            user: other,
        },
    };
    let verdict = match row.joins {
        0 => Verdict::Part,
        _ => Verdict::Join,
    };
    Some(Ruling {
        pair,
        at: row.at,
        verdict,
    })
}
