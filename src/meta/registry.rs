//! Every valid key in memory: a lookup takes no lock for longer than the clone of an `Arc`, and no I/O.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{KeyInfo, KeySnapshot, Meta, Result, parse_key};

/// How often the version is looked at while nobody asks.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// The keys of the installation as of at most a second ago. Cheap to clone; all clones share one snapshot.
#[derive(Clone, Debug)]
pub struct KeyRegistry {
    meta: Meta,
    snapshot: Arc<RwLock<Arc<KeySnapshot>>>,
    /// When the last successful look at the version began. Held while looking, so that a burst of misses looks once.
    looked: Arc<Mutex<Option<Instant>>>,
}

impl KeyRegistry {
    /// A registry that knows no key until [`KeyRegistry::refresh`].
    pub fn new(meta: Meta) -> KeyRegistry {
        KeyRegistry {
            meta,
            snapshot: Arc::default(),
            looked: Arc::default(),
        }
    }

    /// The snapshot in use.
    pub fn snapshot(&self) -> Arc<KeySnapshot> {
        match self.snapshot.read() {
            Ok(snapshot) => snapshot.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    /// What a presented key stands for, from memory.
    pub fn lookup(&self, presented: &str) -> Option<KeyInfo> {
        self.snapshot().find(presented).cloned()
    }

    /// Like [`KeyRegistry::lookup`]; for a well-formed key that is not in memory the version is looked at, and
    /// everything is read when it moved. So a key works from the moment it was shown, and an invented one costs
    /// one small read.
    pub async fn find(&self, presented: &str) -> Result<Option<KeyInfo>> {
        if let Some(info) = self.lookup(presented) {
            return Ok(Some(info));
        }
        if parse_key(presented).is_none() {
            return Ok(None);
        }
        let asked = Instant::now();
        let mut looked = self.looked.lock().await;
        // Who looked after we asked has looked for us too.
        if looked.is_none_or(|then| then < asked) {
            let now = Instant::now();
            if self.meta.version().await? != self.snapshot().version {
                self.read().await?;
            }
            *looked = Some(now);
        }
        drop(looked);
        Ok(self.lookup(presented))
    }

    /// Reads everything, unless somebody did since `version` was the latest, or does so now: requests that find
    /// themselves behind at once read once.
    pub async fn catch_up(&self, version: i64) -> Result<()> {
        let asked = Instant::now();
        if self.snapshot().version > version {
            return Ok(());
        }
        let mut looked = self.looked.lock().await;
        if looked.is_none_or(|then| then < asked) {
            let now = Instant::now();
            self.read().await?;
            *looked = Some(now);
        }
        Ok(())
    }

    /// Reads everything now.
    pub async fn refresh(&self) -> Result<()> {
        let mut looked = self.looked.lock().await;
        let now = Instant::now();
        self.read().await?;
        *looked = Some(now);
        Ok(())
    }

    /// Follows [`Meta::version`] until `shutdown` is done. An unreachable database leaves the last snapshot in
    /// use: tracking goes on.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let mut tick = tokio::time::interval(REFRESH_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = tick.tick() => {}
            }
            let behind = match self.meta.version().await {
                Ok(version) if version == self.snapshot().version => Ok(()),
                Ok(_) => self.refresh().await,
                Err(error) => Err(error),
            };
            if let Err(error) = behind {
                tracing::warn!(%error, "keys could not be refreshed; the ones in memory stay in use");
            }
        }
    }

    async fn read(&self) -> Result<()> {
        let fresh = Arc::new(self.meta.key_snapshot(&self.snapshot()).await?);
        match self.snapshot.write() {
            Ok(mut snapshot) => *snapshot = fresh,
            Err(poisoned) => *poisoned.into_inner() = fresh,
        }
        Ok(())
    }
}
