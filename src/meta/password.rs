//! Passwords: argon2id, off the async threads, a few at a time, in memory that is kept.

use std::sync::{Mutex, OnceLock, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

use super::{MetaError, Result};

/// Hashes at work at once. Each takes 19 MiB and some 20 ms, so a burst of logins must queue, not pile up.
const TURNS: usize = 4;
static AT_ONCE: Semaphore = Semaphore::const_new(TURNS);

/// The memory of hashes that are done, for the next ones: at most one for each turn. Given back to the allocator
/// instead, it would stay behind in the arena of every thread that ever hashed, a gigabyte after a burst.
static IDLE: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// Hashes a password with a fresh salt: an argon2id PHC string (19 MiB, 2 passes: OWASP's minimum).
pub async fn hash_password(password: String) -> Result<String> {
    off_thread(move |memory| hash(&password, memory)).await
}

/// Whether `password` is the one behind `hash`. Without a hash (unknown account) the same work is done for
/// nothing, so that the time of the answer does not tell which accounts exist.
pub async fn verify_password(password: String, hash: Option<String>) -> Result<bool> {
    off_thread(move |memory| {
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => decoy(memory)?,
        };
        Ok(matches(&password, &hash, memory)? && known)
    })
    .await
}

fn hash(password: &str, memory: &mut Vec<Block>) -> Result<String> {
    let params = Params::default();
    let salt = Salt::new(&super::random_bytes()?[..Salt::RECOMMENDED_LENGTH]).map_err(unusable)?;
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    fill(&argon2, password, &salt, &mut output, memory)?;
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(unusable)?,
        salt: Some(salt),
        hash: Some(Output::new(&output).map_err(unusable)?),
    };
    Ok(phc.to_string())
}

/// Whether `password` gives `hash`, with the parameters that the hash names.
fn matches(password: &str, hash: &str, memory: &mut Vec<Block>) -> Result<bool> {
    let stored = PasswordHash::new(hash).map_err(unusable)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Err(MetaError::Password("it lacks its salt or its output".to_owned()));
    };
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(unusable)?;
    let version = stored.version.map_or(Ok(Version::V0x13), Version::try_from);
    let params = Params::try_from(&stored).map_err(unusable)?;
    let argon2 = Argon2::new(algorithm, version.map_err(unusable)?, params);
    let mut output = vec![0; expected.len()];
    fill(&argon2, password, salt, &mut output, memory)?;
    // `Output` compares in constant time.
    Ok(Output::new(&output).map_err(unusable)? == *expected)
}

fn fill(argon2: &Argon2, password: &str, salt: &Salt, out: &mut [u8], memory: &mut Vec<Block>) -> Result<()> {
    let blocks = argon2.params().block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, out, &mut memory[..blocks])
        .map_err(unusable)
}

/// The hash of a password that nobody has.
fn decoy(memory: &mut Vec<Block>) -> Result<String> {
    static DECOY: OnceLock<String> = OnceLock::new();
    match DECOY.get() {
        Some(hash) => Ok(hash.clone()),
        None => {
            let made = hash(&super::migrate::hex(&super::random_bytes()?), memory)?;
            Ok(DECOY.get_or_init(|| made).clone())
        }
    }
}

fn unusable(error: impl std::fmt::Display) -> MetaError {
    MetaError::Password(error.to_string())
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce(&mut Vec<Block>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let turn = AT_ONCE.acquire().await.map_err(unusable)?;
    let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::task::spawn_blocking(move || {
        // The turn ends with the work, not with the request: one that hangs up leaves its hash running.
        let _turn = turn;
        let mut memory = idle().pop().unwrap_or_default();
        let outcome = work(&mut memory);
        idle().push(memory);
        outcome
    })
    .await
    .map_err(unusable)?
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[tokio::test]
    async fn a_hash_is_the_phc_string_that_every_argon2_reads_and_writes() {
        let ours = hash_password("correct horse".to_owned()).await.unwrap();
        assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{ours}");
        let parsed = PasswordHash::new(&ours).unwrap();
        Argon2::default()
            .verify_password(b"correct horse", &parsed)
            .unwrap();
        let theirs = Argon2::default()
            .hash_password(b"correct horse")
            .unwrap()
            .to_string();
        for hash in [ours, theirs] {
            let verify = |password: &str| verify_password(password.to_owned(), Some(hash.clone()));
            assert!(verify("correct horse").await.unwrap());
            assert!(!verify("a wrong horse").await.unwrap());
        }
        assert!(!verify_password("correct horse".to_owned(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_burst_of_logins_shares_the_memory_of_four_hashes() {
        let burst = (0..40).map(|n| tokio::spawn(verify_password(format!("guess {n}"), None)));
        for guess in burst.collect::<Vec<_>>() {
            assert!(!guess.await.unwrap().unwrap());
        }
        let idle = IDLE.lock().unwrap();
        assert!((1..=TURNS).contains(&idle.len()), "{}", idle.len());
        assert!(idle.iter().all(|memory| memory.len() == 19_456));
    }
}
