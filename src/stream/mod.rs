//! Transport: Redis streams. An event that [`EventStream::append`] took is durable; workers read it shard by
//! shard through [`shard`].
//!
//! Rules kept here: a request that is sent again is stored once ([`append`]); an event repacked into another
//! request within the dedup window is dropped once and for all, the decision lying in the entry; a batch's
//! boundary is written down before its rows are sent anywhere; a commit is one atomic step; whoever lost a
//! shard's lease can neither plan nor commit. Deliberately absent: consumer groups (their pending lists
//! re-deliver other batches after a crash than before it) and `MAXLEN` trimming (it drops unread rows).

pub mod adopt;
pub mod append;
pub mod books;
pub mod codec;
pub mod entry;
pub mod ledger;
pub mod letters;
pub mod pause;
pub mod rebuild;
pub mod rejections;
pub mod removal;
pub mod rev;
pub mod shard;
pub mod snapshot;
pub mod workers;

mod call;
mod group;
mod identity;
mod keys;
mod replicas;
mod scripts;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncConnectionConfig, Client, RedisError};
use xxhash_rust::xxh3::Xxh3;

use crate::event::ProjectNumber;
use crate::fault::Fault;
use call::Settings;
use group::Intake;
use keys::Keys;
use replicas::Replicated;

pub use append::{AppendError, Appended, Request};
pub use rev::{AsOf, ShardCounters, Standing};

/// How long an append may take before the request is refused with 503. Also how far behind "now" an answer's
/// `as_of` stays, because a request that was received then may still become an entry.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Redis answers workers later than this only when it is gone.
const WORKER_TIMEOUT: Duration = Duration::from_secs(20);

/// Where the stream is, and the limits that an installation sets.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// `redis://host:6379/0`, or `redis+unix:///path?db=0` for a Unix socket.
    pub url: String,
    /// Prefix of every key, `[a-z0-9:_-]*`.
    pub prefix: String,
    /// Number of shards; the first connect fixes it for the life of the installation.
    pub shards: u16,
    /// Entries a shard may hold before appends are refused as full. An entry holds one request, or several
    /// small ones that came together.
    pub max_entries: u64,
    /// Seconds during which a request that is sent again is recognised.
    pub request_key_ttl_s: u64,
    /// Seconds during which an event id that comes again in another request is dropped; 0 turns it off.
    pub dedup_window_s: u64,
    /// Replicas that must have confirmed an append, and each step of a worker, before it counts as done.
    pub min_replicas: u16,
}

/// Why the stream cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// Redis is away, refuses, or answers something unexpected.
    #[error("redis: {0}")]
    Redis(#[from] RedisError),
    /// The prefix would break key names.
    #[error("key prefix {0:?}: only a-z, 0-9, ':', '_' and '-' may occur")]
    Prefix(String),
    /// The installation was made with another number of shards.
    #[error("this installation has {stored} stream shards, not {asked}: the number cannot change")]
    ShardsDiffer { stored: u16, asked: u16 },
    /// Somebody else owns the shard by now.
    #[error("shard {0} belongs to another worker by now")]
    Fenced(u16),
    /// The batch is not the planned one any more: it is committed already.
    #[error("batch {seq} of shard {shard} is not the planned one")]
    Stale { shard: u16, seq: u64 },
    /// No room for another dead letter: the batch that has one waits.
    #[error(
        "shard {0} holds as many dead letters as it may ({most}): replay or discard some",
        most = letters::MOST_LETTERS
    )]
    LettersFull(u16),
    /// What lies in Redis is not what this version writes.
    #[error("unexpected content in {key}: {detail}")]
    Content { key: String, detail: String },
}

impl From<Fault> for StreamError {
    fn from(fault: Fault) -> StreamError {
        StreamError::Redis(fault.into())
    }
}

impl From<Fault> for RedisError {
    fn from(fault: Fault) -> RedisError {
        std::io::Error::other(fault).into()
    }
}

/// The installation's stream. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct EventStream {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    /// Endpoint and questions: many small calls, pipelined over one connection, short time-out.
    front: ConnectionManager,
    /// Workers: large reads that must not stand before an append.
    back: ConnectionManager,
    /// Workers: steps that must survive a failover.
    firm: Replicated,
    keys: Keys,
    options: StreamOptions,
    /// Where appends are handed in, for each shard.
    intakes: Vec<Intake>,
}

impl EventStream {
    /// Connects, and fixes the number of shards if this is the first time.
    pub async fn connect(options: &StreamOptions) -> Result<EventStream, StreamError> {
        let keys = Keys::new(&options.prefix).ok_or_else(|| StreamError::Prefix(options.prefix.clone()))?;
        let client = Client::open(options.url.as_str())?;
        // The crate's default response time-out of 500 ms would fail calls that Redis carried out.
        let manager = |timeout| {
            ConnectionManagerConfig::new()
                .set_connection_timeout(Some(Duration::from_secs(2)))
                .set_response_timeout(Some(timeout))
                .set_max_delay(Duration::from_millis(500))
        };
        let mut front = ConnectionManager::new_with_config(client.clone(), manager(APPEND_TIMEOUT)).await?;
        let back = ConnectionManager::new_with_config(client.clone(), manager(WORKER_TIMEOUT)).await?;
        let stored = settle_shards(&mut front, &keys.shards(), options.shards).await?;
        if stored != options.shards {
            return Err(StreamError::ShardsDiffer {
                stored,
                asked: options.shards,
            });
        }
        let options = options.clone();
        // Where replicas are waited for, everything behind the wait does too: those connections stand alone.
        let replicas = options.min_replicas;
        let firm = match replicas {
            0 => back.clone(),
            _ => ConnectionManager::new_with_config(client.clone(), manager(WORKER_TIMEOUT)).await?,
        };
        let firm = Replicated::new(firm, replicas);
        let mut intakes = Vec::with_capacity(usize::from(options.shards));
        for shard in 0..options.shards {
            let connection = match replicas {
                0 => front.clone(),
                _ => ConnectionManager::new_with_config(client.clone(), manager(APPEND_TIMEOUT)).await?,
            };
            let (keys, options) = (keys.clone(), options.clone());
            let settings = Settings { shard, keys, options };
            intakes.push(Intake::open(settings, Replicated::new(connection, replicas)));
        }
        Ok(EventStream {
            inner: Arc::new(Inner {
                client,
                front,
                back,
                firm,
                keys,
                options,
                intakes,
            }),
        })
    }

    /// Number of shards.
    pub fn shards(&self) -> u16 {
        self.inner.options.shards
    }

    /// The shard that holds everything a distinct id does in a project.
    pub fn shard_of(&self, project: ProjectNumber, distinct_id: &str) -> u16 {
        (person_hash(project, distinct_id) % u64::from(self.shards())) as u16
    }

    fn front(&self) -> ConnectionManager {
        self.inner.front.clone()
    }

    fn firm(&self) -> &Replicated {
        &self.inner.firm
    }

    fn back(&self) -> ConnectionManager {
        self.inner.back.clone()
    }

    /// A connection of one's own, for reads that block: behind a blocked read on a shared one all calls wait.
    async fn dedicated(&self) -> Result<redis::aio::MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_response_timeout(None);
        self.inner
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    fn keys(&self) -> &Keys {
        &self.inner.keys
    }
}

/// The number of shards that is written down; the first to ask writes it. It is read before anything is written:
/// at its memory limit Redis refuses every write, and a worker that starts then is the one to make room.
async fn settle_shards(connection: &mut ConnectionManager, key: &str, asked: u16) -> Result<u16, RedisError> {
    let stored: Option<u16> = redis::cmd("GET").arg(key).query_async(connection).await?;
    if let Some(stored) = stored {
        return Ok(stored);
    }
    let mut set = redis::cmd("SET");
    set.arg(key).arg(asked).arg("NX").exec_async(connection).await?;
    redis::cmd("GET").arg(key).query_async(connection).await
}

/// One number for a person of a project, by which shard and window sets are chosen.
fn person_hash(project: ProjectNumber, distinct_id: &str) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&project.0.to_be_bytes());
    hash.update(distinct_id.as_bytes());
    hash.digest()
}
