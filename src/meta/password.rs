//! Passwords: argon2id, off the async threads, a few at a time.

use std::sync::OnceLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use super::{MetaError, Result};

/// Hashes at work at once. Each takes 19 MiB and some 20 ms, so a burst of logins must queue, not pile up.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// Hashes a password with a fresh salt: an argon2id PHC string (19 MiB, 2 passes: OWASP's minimum).
pub async fn hash_password(password: String) -> Result<String> {
    off_thread(move || hash(&password)).await
}

/// Whether `password` is the one behind `hash`. Without a hash (unknown account) the same work is done for
/// nothing, so that the time of the answer does not tell which accounts exist.
pub async fn verify_password(password: String, hash: Option<String>) -> Result<bool> {
    off_thread(move || {
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => decoy()?,
        };
        let parsed = PasswordHash::new(&hash).map_err(|error| MetaError::Password(error.to_string()))?;
        let matches = Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok();
        Ok(matches && known)
    })
    .await
}

fn hash(password: &str) -> Result<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| MetaError::Password(error.to_string()))
}

/// The hash of a password that nobody has.
fn decoy() -> Result<String> {
    static DECOY: OnceLock<String> = OnceLock::new();
    match DECOY.get() {
        Some(hash) => Ok(hash.clone()),
        None => {
            let made = hash(&super::migrate::hex(&super::random_bytes()?))?;
            Ok(DECOY.get_or_init(|| made).clone())
        }
    }
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let _turn = AT_ONCE
        .acquire()
        .await
        .map_err(|error| MetaError::Password(error.to_string()))?;
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| MetaError::Password(error.to_string()))?
}
