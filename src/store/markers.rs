//! What is left of erased persons among ids, and how their pairs go.
//!
//! Deletions name numbers only ([`crate::event::actor_of`] of ids): a mutation's text stays in ClickHouse's logs.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use super::remove::{instant, list, which};
use super::{Store, StoreError};
use crate::event::{ProjectNumber, Subject, Which};
use crate::metrics::identity::{Edge, Id, Marker, Salted};

#[derive(Row, Serialize, Deserialize)]
struct MarkerRow {
    project: u32,
    device: u128,
    clear: String,
    user: u128,
    ts: i64,
    first: u8,
    version: u64,
}

impl From<MarkerRow> for Marker {
    fn from(row: MarkerRow) -> Marker {
        Marker {
            device: Salted(row.device),
            clear: Id::read(&row.clear),
            user: Salted(row.user),
            ts: row.ts,
            is_first: row.first == 1,
        }
    }
}

/// Pairs that name one of these as a user.
const EDGES: &str = "xxh3(user) IN (ids)";
const RULINGS: &str = "(xxh3(other) IN (ids) OR (kind = 'users' AND xxh3(one) IN (ids)))";

#[derive(Row, Deserialize)]
struct Left {
    device_id: String,
    user_id: String,
    first: i64,
}

fn of(condition: &str, project: ProjectNumber, actors: &[u64]) -> String {
    let ids: Vec<String> = actors.iter().map(u64::to_string).collect();
    format!(
        "project = {project} AND {}",
        condition.replace("ids", &ids.join(", "))
    )
}

/// The pairs of a subject's persons as conditions on edges and on rulings.
fn pairs_of(subject: &Subject) -> Option<(String, String)> {
    let Which::Persons { actors, until, .. } = &subject.which else {
        return None;
    };
    let project = subject.project;
    if actors.is_empty() {
        return None;
    }
    let until = instant(*until);
    let edges = format!(
        "{} AND (ts <= {until} OR (device, user) NOT IN (SELECT one, other FROM identity_rulings \
           WHERE project = {project} AND kind = 'device' AND at > {until})) \
         AND (device, user, ts) NOT IN (SELECT device_id, user_id, ts FROM events WHERE project = {project} \
         AND actor IN ({}) AND NOT ({}) AND device_id != '' AND user_id != '')",
        of(EDGES, project, actors),
        list(actors),
        which(subject)
    );
    let rulings = format!("{} AND at <= {until}", of(RULINGS, project, actors));
    Some((edges, rulings))
}

impl Store {
    /// Whether anybody of the project was erased who had been seen with others' ids.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn has_markers(&self, project: ProjectNumber) -> Result<bool, StoreError> {
        let sql = "SELECT count() > 0 FROM (SELECT 1 FROM identity_markers WHERE project = {project:UInt32} LIMIT 1)";
        Ok(self.question(project, sql).fetch_one::<bool>().await?)
    }

    /// The markers of these devices.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn markers_of(
        &self,
        project: ProjectNumber,
        devices: &[Salted],
    ) -> Result<Vec<Marker>, StoreError> {
        let mut found = Vec::new();
        for devices in devices.chunks(1_000) {
            let devices: Vec<String> = devices.iter().map(|device| device.0.to_string()).collect();
            let query = self
                .question(
                    project,
                    "SELECT project, device, clear, user, toUnixTimestamp64Milli(ts) AS ts, first, version \
                     FROM identity_markers FINAL \
                     WHERE project = {project:UInt32} \
                       AND device IN (SELECT toUInt128(arrayJoin({devices:Array(String)})))",
                )
                .param("devices", devices);
            let rows: Vec<MarkerRow> = query.fetch_all().await?;
            found.extend(rows.into_iter().map(Marker::from));
        }
        Ok(found)
    }

    /// Writes markers over those there are.
    ///
    /// # Errors
    /// When ClickHouse does not take them; again is harmless.
    pub async fn add_markers(&self, project: ProjectNumber, markers: &[Marker]) -> Result<(), StoreError> {
        if markers.is_empty() {
            return Ok(());
        }
        let latest = "SELECT max(version) + 1 FROM identity_markers WHERE project = {project:UInt32}";
        let version: u64 = self.question(project, latest).fetch_one().await?;
        let mut insert = self.writing().insert::<MarkerRow>("identity_markers").await?;
        for marker in markers {
            insert
                .write(&MarkerRow {
                    project: project.0,
                    device: marker.device.0,
                    clear: marker.clear.as_ref().map(Id::to_string).unwrap_or_default(),
                    user: marker.user.0,
                    ts: marker.ts,
                    first: marker.is_first.into(),
                    version,
                })
                .await?;
        }
        Ok(insert.end().await?)
    }

    /// Pairs of ids that name one of the subject's persons as a user. Not those of somebody new under the same id: what
    /// later events name together, and what was said later.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn id_pairs(&self, subject: &Subject) -> Result<u64, StoreError> {
        let Some((edges, rulings)) = pairs_of(subject) else {
            return Ok(0);
        };
        let sql = format!(
            "SELECT sum(found) FROM (SELECT uniqExact(device, user) AS found FROM identity_edges WHERE {edges} \
               UNION ALL SELECT uniqExact(one, other) FROM identity_rulings WHERE {rulings})"
        );
        Ok(self.statement(&sql).fetch_one().await?)
    }

    /// What events that are none of the subject's name together, with one of its persons as a user where it is about
    /// persons: of each pair the earliest time.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn pairs_left(&self, subject: &Subject) -> Result<Vec<Edge>, StoreError> {
        let whose = match &subject.which {
            Which::Persons { actors, .. } if actors.is_empty() => return Ok(Vec::new()),
            Which::Persons { actors, .. } => format!(" AND actor IN ({})", list(actors)),
            Which::Until { .. } => String::new(),
            Which::Times { .. } => return Ok(Vec::new()),
        };
        let sql = format!(
            "SELECT device_id, user_id, toUnixTimestamp64Milli(min(ts)) AS first FROM events \
             WHERE project = {}{whose} AND NOT ({}) AND device_id != '' AND user_id != '' \
             GROUP BY device_id, user_id",
            subject.project,
            which(subject)
        );
        let left: Vec<Left> = self.statement(&sql).fetch_all().await?;
        Ok(left
            .iter()
            .filter_map(|left| Edge::new(&left.device_id, &left.user_id, left.first))
            .collect())
    }

    /// Deletes the subject's pairs, and the names in clear that markers have of its persons. `users` are those who are
    /// users: where such an id was a device by mistake, that goes too. A newer row of a pair may have gone with the
    /// one that it was merged into: see [`Store::pairs_left`].
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn delete_id_pairs(&self, subject: &Subject, users: &[u64]) -> Result<(), StoreError> {
        let Some((edges, rulings)) = pairs_of(subject) else {
            return Ok(());
        };
        let (project, actors) = (subject.project, subject.actors().unwrap_or_default());
        let mut rows = vec![
            ("identity_edges", edges),
            ("identity_rulings", rulings),
            ("identity_markers", of("xxh3(clear) IN (ids)", project, actors)),
        ];
        if !users.is_empty() {
            rows.push(("identity_edges", of("xxh3(device) IN (ids)", project, users)));
        }
        self.delete_each(&rows).await
    }

    /// Deletes what the override map said earlier of these actors, or of all.
    ///
    /// # Errors
    /// As [`Store::delete_id_pairs`].
    pub async fn forget_overrides(
        &self,
        project: ProjectNumber,
        actors: Option<&[u64]>,
    ) -> Result<(), StoreError> {
        let whose = match actors {
            Some(actors) => of("actor IN (ids)", project, actors),
            None => format!("project = {project}"),
        };
        let older = format!(
            "{whose} AND (actor, version) NOT IN (SELECT actor, max(version) FROM person_map WHERE {whose} GROUP BY actor)"
        );
        self.delete_each(&[("person_changes", older.clone()), ("person_map", older)])
            .await
    }

    /// Deletes all that is known of a project's ids: of pairs that were seen or ruled up to an instant, or all. The
    /// override map stays.
    ///
    /// # Errors
    /// As [`Store::delete_id_pairs`].
    pub async fn delete_all_id_pairs(
        &self,
        project: ProjectNumber,
        until: Option<i64>,
    ) -> Result<(), StoreError> {
        let of = |time: &str| {
            let known = until.map(|until| format!(" AND {time} <= fromUnixTimestamp64Milli({until}, 'UTC')"));
            format!("project = {project}{}", known.unwrap_or_default())
        };
        let rows = [
            ("identity_edges", of("ts")),
            ("identity_rulings", of("at")),
            ("identity_markers", format!("project = {project}")),
        ];
        self.delete_each(&rows).await
    }

    /// Every id that a pair names.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn paired_ids(&self, project: ProjectNumber) -> Result<Vec<String>, StoreError> {
        let query = self.question(
            project,
            "SELECT DISTINCT arrayJoin([device, user]) AS id FROM identity_edges WHERE project = {project:UInt32} \
             UNION DISTINCT SELECT DISTINCT arrayJoin([one, other]) FROM identity_rulings \
             WHERE project = {project:UInt32}",
        );
        Ok(query.fetch_all().await?)
    }

    async fn delete_each(&self, rows: &[(&str, String)]) -> Result<(), StoreError> {
        for (table, rows) in rows {
            let found: u64 = self
                .statement(&format!("SELECT count() FROM {table} WHERE {rows}"))
                .fetch_one()
                .await?;
            if found > 0 {
                self.statement(&format!("DELETE FROM {table} WHERE {rows}"))
                    .with_setting("lightweight_deletes_sync", "2")
                    .execute()
                    .await?;
            }
        }
        Ok(())
    }
}
