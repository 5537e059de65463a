//! What these tests do with a [`World`] beside the harness.

use std::time::Duration;

use footfall::engines::Engines;
use footfall::event::ProjectNumber;
use tokio::sync::OnceCell;

use super::harness::{World, start_in};
use super::until;

/// Of all cases in which no engine is killed.
static ENGINES: OnceCell<Engines> = OnceCell::const_new();

/// The engines of all cases in which none of them is killed.
pub async fn engines() -> &'static Engines {
    ENGINES.get_or_init(async || start_in("faults").await).await
}

impl World {
    /// Address of the world's database, with the writer's password.
    pub fn clickhouse_url(&self, engines: &Engines) -> String {
        let at = engines.clickhouse();
        let (user, password) = (&at.writer.user, &at.writer.password);
        let host = at.url.trim_start_matches("http://");
        format!("http://{user}:{password}@{host}/{}", self.database())
    }

    pub fn database(&self) -> String {
        format!("footfall_{}", self.prefix.trim_end_matches(':'))
    }

    /// Waits until ClickHouse answers, as after a kill.
    pub async fn answers(&self) {
        until("ClickHouse is back", Duration::from_secs(60), async || {
            self.admin.query("SELECT 1").fetch_one::<u8>().await.ok()
        })
        .await;
    }

    /// Waits for ClickHouse and names the part at a path `…/store/<abc>/<uuid>/<part>/`, with its table.
    pub async fn part(&self, path: &str) -> String {
        self.answers().await;
        let mut names = path.trim_end_matches('/').rsplit('/');
        let (part, table) = (names.next().unwrap_or(path), names.next().unwrap_or(path));
        let query = "SELECT name FROM system.tables WHERE toString(uuid) = ?";
        let name = self
            .admin
            .query(query)
            .bind(table)
            .fetch_optional::<String>()
            .await;
        format!("{} {part}", name.expect("tables").unwrap_or_default())
    }

    /// The worker that moves erasures on fell silent for longer than its turn.
    pub async fn removing_runs_out(&self) {
        let key = format!("{}remover", self.prefix);
        let mut command = redis::cmd("DEL");
        command.arg(key);
        command.exec_async(&mut self.redis().await).await.expect("del");
    }

    /// The roller of the project fell silent for longer than its lease.
    pub async fn roll_runs_out(&self, project: ProjectNumber) {
        let key = format!("{}roll:{{p{project}}}", self.prefix);
        let mut command = redis::cmd("DEL");
        command.arg(key);
        command.exec_async(&mut self.redis().await).await.expect("del");
    }

    /// Whether the projects of a commit are still to be told.
    pub async fn announces(&self, shard: u16) -> bool {
        let key = format!("{}st:{{s{shard}}}", self.prefix);
        let mut command = redis::cmd("HEXISTS");
        command.arg(key).arg("announce");
        command
            .query_async(&mut self.redis().await)
            .await
            .expect("hexists")
    }
}
