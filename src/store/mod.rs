//! ClickHouse: raw events, rollups, and the questions asked of them. The only room that knows its SQL.
//!
//! Writing: [`migrate`] lays the tables, [`batch`] brings a worker's batch in exactly once, [`compact`]
//! turns the small rows of many batches into generations. Reading: [`rollups`] is the only reader of rollup
//! tables, [`events`], [`funnels`] and [`visits`] read the raw ones, [`audit`] compares the two. [`ledger`] keeps
//! what became of every event received.
//!
//! Rules that hold everywhere here:
//! - every question binds the project first, and every value travels as a server-side parameter;
//! - questions use the `reader` account, which cannot write; [`Facts`] say how many rows were read;
//! - numbers mean nothing here: `metrics` gives them their meaning.

pub mod actives;
pub mod adopt;
pub mod audit;
pub mod backup;
pub mod batch;
mod breakdown;
pub mod buckets;
pub mod cohorts;
pub mod compact;
pub mod conversions;
pub mod error;
pub mod events;
pub mod explain;
pub mod export;
pub mod filter;
pub mod funnels;
pub mod identity;
pub mod installation;
pub mod ledger;
pub mod maps;
mod markers;
pub mod migrate;
pub mod moves;
mod native;
mod parts;
pub mod past;
pub mod paths;
mod people;
pub mod profiles;
mod received;
pub mod remove;
pub mod retention;
pub mod rollups;
pub mod rows;
pub mod rulings;
pub mod schema;
mod selection;
pub mod supposed;
pub mod tail;
pub mod trends;
pub mod visits;

use std::sync::Arc;

use clickhouse::query::{Query, RowCursor};
use clickhouse::{Client, Compression, Row, RowOwned, RowRead};
use tokio::sync::OnceCell;

use crate::event::ProjectNumber;
pub use batch::{BatchName, InsertError, Table, Verdict};
pub use error::StoreError;
pub use rows::{ActorDay, CountDelta, SketchDelta};

/// Seconds after which ClickHouse gives a question up.
pub const QUESTION_SECONDS: u64 = 30;

/// Bytes of memory after which ClickHouse gives a question up.
pub const QUESTION_BYTES: u64 = 8 << 30;

/// A ClickHouse account.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.user)
    }
}

/// Where ClickHouse is and who may do what.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `http://host:port`.
    pub url: String,
    /// Name of our database: letters, digits and underscores, not starting with a digit.
    pub database: String,
    /// May create the database and write it.
    pub writer: Credentials,
    /// May only SELECT. Its profile must allow settings in a query (`readonly = 2`, not 1): the limits of a
    /// question travel as settings.
    pub reader: Credentials,
}

/// What a question found, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts<T> {
    pub rows: T,
    /// Rows that ClickHouse read to find them.
    pub rows_read: u64,
}

/// A ClickHouse database. Cheap to clone; clones share the connection pool.
#[derive(Clone)]
pub struct Store {
    writer: Client,
    reader: Client,
    database: String,
    /// Of batches and answers on their way: none on our own machine, where the socket is faster than any compression.
    compression: Compression,
    /// Override maps in memory.
    maps: maps::KeptMaps,
    /// Set once the table of events was found to have our columns.
    checked: Arc<OnceCell<()>>,
    /// Whether questions read the tables as they were ([`past`]).
    past: bool,
    /// What the override map is supposed to say, where somebody asks what would be.
    supposed: Option<Arc<supposed::Supposed>>,
}

impl Store {
    /// Connects: checks the options and that ClickHouse answers. Tables come from [`Store::migrate`].
    ///
    /// # Errors
    /// [`StoreError::InvalidDatabaseName`], or why ClickHouse does not answer.
    pub async fn connect(options: StoreOptions) -> Result<Store, StoreError> {
        let name = &options.database;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(StoreError::InvalidDatabaseName(name.clone()));
        }
        let account = |who: &Credentials| {
            Client::default()
                .with_url(&options.url)
                .with_database(name)
                .with_user(&who.user)
                .with_password(&who.password)
        };
        let compression = if is_local(&options.url) {
            Compression::None
        } else {
            Compression::Lz4
        };
        let store = Store {
            writer: account(&options.writer),
            reader: account(&options.reader)
                .with_compression(compression)
                .with_setting("max_execution_time", QUESTION_SECONDS.to_string())
                .with_setting("max_memory_usage", QUESTION_BYTES.to_string())
                // every test of a property of persons is a statement of its own
                .with_setting("max_query_size", "1048576")
                // a question whose asker went away is stopped
                .with_setting("cancel_http_readonly_queries_on_client_close", "1"),
            compression,
            checked: Arc::default(),
            past: false,
            supposed: None,
            maps: maps::KeptMaps::default(),
            database: options.database,
        };
        store.ping().await?;
        Ok(store)
    }

    /// Whether ClickHouse answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.version().await.map(drop)
    }

    /// The version of ClickHouse, such as `26.7.2.1`.
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn version(&self) -> Result<String, StoreError> {
        // ours may not exist yet
        let unbound = self.writer.clone().with_database("system");
        Ok(unbound
            .query_raw("SELECT version()")
            .fetch_one::<String>()
            .await?)
    }

    /// Questions that ClickHouse is working on.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn questions_under_way(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count() FROM system.processes WHERE current_database = {database:String} \
                   AND startsWith(query, 'SELECT') AND query NOT LIKE '%system.processes%'";
        let query = self.statement(sql).param("database", &self.database);
        Ok(query.fetch_one().await?)
    }

    /// The name of our database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// A question of one project, by the reader account. `{project:UInt32}` is bound.
    fn question(&self, project: ProjectNumber, sql: &str) -> Query {
        self.by(&self.reader, project, sql)
    }

    /// A question whose answer is millions of narrow rows: without the check of column names and types, which
    /// costs a third of the reading. A test holds the columns.
    fn stream(&self, project: ProjectNumber, sql: &str) -> Query {
        let unchecked = self.reader.clone().with_validation(false);
        self.by(&unchecked, project, sql)
    }

    fn by(&self, reader: &Client, project: ProjectNumber, sql: &str) -> Query {
        let sql = self.worded(sql);
        let query = match &self.supposed {
            Some(supposed) => supposed.bind(reader.query_raw(&supposed.said(&sql))),
            None => reader.query_raw(&sql),
        };
        query.param("project", project.0)
    }

    /// A statement by the writer account.
    fn statement(&self, sql: &str) -> Query {
        self.writer.query_raw(sql)
    }
}

/// Whether a URL leads to this machine.
fn is_local(url: &str) -> bool {
    let authority = url.split("//").nth(1).unwrap_or(url);
    ["127.", "localhost", "[::1]"]
        .iter()
        .any(|host| authority.starts_with(host))
}

/// Runs a question whose answer is small, and counts the rows it read.
async fn facts<T>(query: Query) -> Result<Facts<Vec<T>>, StoreError>
where
    T: RowOwned + RowRead,
{
    // The counts stand in a header, which is complete only if it is sent after the query ended.
    let mut cursor: RowCursor<T> = query.with_setting("wait_end_of_query", "1").fetch()?;
    let mut rows = Vec::new();
    while let Some(row) = cursor.next().await? {
        rows.push(row);
    }
    let rows_read = read_rows(&cursor);
    Ok(Facts { rows, rows_read })
}

/// The rows that a query had read when its headers were sent.
fn read_rows<T: Row>(cursor: &RowCursor<T>) -> u64 {
    cursor.summary().and_then(|s| s.read_rows()).unwrap_or(0)
}
