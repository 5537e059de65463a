//! Who may ask, from memory: what a secret key stands for, whether an account exists, what a project looks like to
//! its reader. Everything is remembered under the control database's version, which every revocation, removal and
//! change of these things moves in its own transaction, and that version is read anew for each question (once for all
//! that come together). So a revoked key stops at once, and a question costs one small read at most.

use std::time::Duration;

use moka::future::Cache;
use uuid::Uuid;

use crate::meta::{KeyInfo, Meta, MetaError, Project, digest, parse_key};
use crate::serving::together::Together;

/// Remembered things of each sort.
const MOST: u64 = 10_000;
/// Nothing is remembered for longer, whatever the version says: a control database that is restored from a copy
/// while we run may come back to a version that it had.
const AT_MOST: Duration = Duration::from_secs(60);

/// The version under which something was read.
type Under<T> = (i64, T);

/// Remembers who may ask. Cheap to clone.
#[derive(Clone)]
pub struct Authority {
    meta: Meta,
    /// `None` when the database does not answer.
    version: Together<(), Option<i64>>,
    /// By the digest of the key.
    keys: Cache<String, Under<KeyInfo>>,
    users: Cache<Uuid, Under<()>>,
    /// By project and who reads it; nobody is its own secret key.
    projects: Cache<(Uuid, Option<Uuid>), Under<Project>>,
}

impl Authority {
    /// Remembers nothing yet.
    pub fn new(meta: Meta) -> Authority {
        let asked = meta.clone();
        let version = Together::new(move |_: Vec<()>| {
            let meta = asked.clone();
            async move { meta.version().await.ok() }
        });
        Authority {
            meta,
            version,
            keys: remembering(),
            users: remembering(),
            projects: remembering(),
        }
    }

    /// As [`Meta::find_key`].
    ///
    /// # Errors
    /// When the control database does not answer.
    pub async fn find_key(&self, presented: &str) -> Result<Option<KeyInfo>, MetaError> {
        // A malformed key costs a checksum.
        if parse_key(presented).is_none() {
            return Ok(None);
        }
        self.known(&self.keys, digest(presented), self.meta.find_key(presented))
            .await
    }

    /// Whether there is such an account.
    ///
    /// # Errors
    /// As [`Authority::find_key`].
    pub async fn knows_user(&self, user: Uuid) -> Result<bool, MetaError> {
        let read = async { Ok(self.meta.user(user).await?.map(drop)) };
        Ok(self.known(&self.users, user, read).await?.is_some())
    }

    /// The project as a member sees it, or as its own secret key does (no user).
    ///
    /// # Errors
    /// As [`Authority::find_key`].
    pub async fn project(&self, project: Uuid, user: Option<Uuid>) -> Result<Option<Project>, MetaError> {
        let read = async {
            match user {
                Some(user) => self.meta.project_for(project, user).await,
                None => self.meta.project(project).await,
            }
        };
        self.known(&self.projects, (project, user), read).await
    }

    /// What is remembered under the version of now, else what `read` finds. What does not exist is not remembered:
    /// it may begin to without a new version.
    async fn known<K, T>(
        &self,
        cache: &Cache<K, Under<T>>,
        key: K,
        read: impl Future<Output = Result<Option<T>, MetaError>>,
    ) -> Result<Option<T>, MetaError>
    where
        K: std::hash::Hash + Eq + Send + Sync + 'static,
        T: Clone + Send + Sync + 'static,
    {
        // Before anything else is read: a change in between is one more move, never missed.
        let Some(version) = self.version.ask(()).await.flatten() else {
            return read.await;
        };
        if let Some((under, known)) = cache.get(&key).await
            && under == version
        {
            return Ok(Some(known));
        }
        let found = read.await?;
        if let Some(found) = &found {
            cache.insert(key, (version, found.clone())).await;
        }
        Ok(found)
    }
}

fn remembering<K, T>() -> Cache<K, T>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(MOST).time_to_live(AT_MOST).build()
}
