//! The text of a key: `ffp_live_` (write) or `ffs_live_` (secret), 27 random base62 characters (160 bits) and
//! 6 characters of checksum (base62 of the CRC32 of what stands before), so that a typo or an invention is
//! refused without a lookup.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::migrate::hex;
use super::{Result, random_bytes};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 27;
const CHECKSUM_CHARS: usize = 6;

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Sends events. Public: it stands in every page that is tracked.
    Write,
    /// Reads its project through the API, and sends events from servers. Never for browsers.
    Secret,
}

impl KeyKind {
    /// What every key of this kind starts with.
    pub fn prefix(self) -> &'static str {
        match self {
            KeyKind::Write => "ffp_live_",
            KeyKind::Secret => "ffs_live_",
        }
    }

    /// As stored and as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyKind::Write => "write",
            KeyKind::Secret => "secret",
        }
    }
}

/// What of a key may be shown when the key itself may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicPart {
    /// `ffs_live_` and the first four random characters.
    pub prefix: String,
    /// The last four characters.
    pub last4: String,
}

/// The kind of a well-formed key: prefix, length, alphabet and checksum are right. Says nothing about whether
/// such a key was ever given out.
pub fn parse_key(text: &str) -> Option<KeyKind> {
    let kind = [KeyKind::Write, KeyKind::Secret]
        .into_iter()
        .find(|kind| text.starts_with(kind.prefix()))?;
    let body = &text[kind.prefix().len()..];
    if body.len() != RANDOM_CHARS + CHECKSUM_CHARS || !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (before, sum) = text.split_at(text.len() - CHECKSUM_CHARS);
    (checksum(before) == sum).then_some(kind)
}

/// SHA-256 of a secret in lower-case hex. A key has 160 random bits, a refresh token 256: no slow hash needed.
pub fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// A new key.
pub(super) fn generate(kind: KeyKind) -> Result<String> {
    let mut text = kind.prefix().to_owned();
    let whole = text.len() + RANDOM_CHARS;
    while text.len() < whole {
        // Bytes from 248 on would favour the first eight characters of the alphabet.
        for byte in random_bytes()?.into_iter().filter(|byte| *byte < 248) {
            if text.len() < whole {
                text.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
    }
    let sum = checksum(&text);
    Ok(text + &sum)
}

pub(super) fn public_part(key: &str, kind: KeyKind) -> PublicPart {
    PublicPart {
        prefix: key[..kind.prefix().len() + 4].to_owned(),
        last4: key[key.len() - 4..].to_owned(),
    }
}

fn checksum(before: &str) -> String {
    let mut rest = crc32fast::hash(before.as_bytes());
    let mut sum = [b'0'; CHECKSUM_CHARS];
    for place in sum.iter_mut().rev() {
        *place = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    sum.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_well_formed_and_a_typo_is_not() {
        for kind in [KeyKind::Write, KeyKind::Secret] {
            let key = generate(kind).unwrap();
            assert_eq!(key.len(), 9 + 27 + 6);
            assert_eq!(parse_key(&key), Some(kind));
            for place in 9..key.len() {
                let mut typo = key.clone().into_bytes();
                typo[place] = if typo[place] == b'x' { b'y' } else { b'x' };
                assert_eq!(parse_key(std::str::from_utf8(&typo).unwrap()), None);
            }
            let other = match kind {
                KeyKind::Write => key.replacen("ffp", "ffs", 1),
                KeyKind::Secret => key.replacen("ffs", "ffp", 1),
            };
            assert_eq!(parse_key(&other), None, "the checksum covers the prefix");
        }
    }

    #[test]
    fn nonsense_is_no_key() {
        for text in [
            "",
            "ffp_live_",
            "ffp_live_é",
            "Bearer",
            concat!("ffs", "_live_000000000000000000000000000000000"),
        ] {
            assert_eq!(parse_key(text), None, "{text}");
        }
    }

    #[test]
    fn the_shown_part_does_not_give_the_key_away() {
        let key = generate(KeyKind::Secret).unwrap();
        let shown = public_part(&key, KeyKind::Secret);
        assert_eq!(shown.prefix.len() + shown.last4.len(), 17);
        assert!(key.starts_with(&shown.prefix) && key.ends_with(&shown.last4));
    }
}
