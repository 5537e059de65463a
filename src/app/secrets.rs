//! Secrets that an installation makes for itself and keeps in its data directory.

use std::path::Path;

use anyhow::Context;

/// Bytes of the secret that signs access tokens.
const SECRET_BYTES: usize = 32;

/// The secret that signs access tokens: the one that was set, else the one made at the first start. All nodes of
/// an installation need the same.
pub fn signing_secret(set: Option<&str>, data_dir: &Path) -> anyhow::Result<Vec<u8>> {
    if let Some(secret) = set {
        anyhow::ensure!(
            secret.len() >= SECRET_BYTES,
            "FOOTFALL_SIGNING_SECRET has {} characters; it needs at least {SECRET_BYTES}",
            secret.len()
        );
        return Ok(secret.as_bytes().to_vec());
    }
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
