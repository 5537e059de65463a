//! Secrets that an installation makes for itself and keeps in its data directory.

use std::path::Path;

use anyhow::Context;

/// Bytes of the secret that signs access tokens.
const SECRET_BYTES: usize = 32;

/// The secret that signs access tokens, made at the first start. Every node of an installation with several
/// needs the same file.
pub fn signing_secret(data_dir: &Path) -> anyhow::Result<Vec<u8>> {
    let path = data_dir.join("signing-secret");
    match std::fs::read(&path) {
        Ok(secret) if secret.len() == SECRET_BYTES => Ok(secret),
        Ok(secret) => anyhow::bail!(
            "{} holds {} bytes instead of {SECRET_BYTES}; remove it to make a new one (everybody signs in again)",
            path.display(),
            secret.len()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut secret = vec![0; SECRET_BYTES];
            getrandom::fill(&mut secret).context("asking the system for random bytes")?;
            super::write_private(&path, &secret)?;
            Ok(secret)
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}
