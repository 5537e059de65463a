//! Where a ClickHouse is and who we are there.

use serde::{Deserialize, Serialize};

use super::EngineError;

/// A user of ClickHouse.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Name.
    pub user: String,
    /// Password; may be empty on an external server.
    pub password: String,
}

impl Credentials {
    pub(super) fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:***", self.user)
    }
}

/// Everything that a client of ClickHouse needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClickHouseAddress {
    /// `http://host:port`, nothing after it.
    pub url: String,
    /// Database.
    pub database: String,
    /// For worker and migrations.
    pub writer: Credentials,
    /// For questions. An external server has the one user that its URL names.
    pub reader: Credentials,
}

impl ClickHouseAddress {
    /// Takes `http://user:password@host:8123/database` apart. Left out: port 8123, user `default` without a
    /// password, database `footfall`. Names and passwords are percent-encoded where they need it.
    ///
    /// # Errors
    /// [`EngineError::Url`] with what is wrong, never with the password.
    pub fn parse(text: &str) -> Result<Self, EngineError> {
        let wrong = |why: String| EngineError::Url(why);
        let url = reqwest::Url::parse(text).map_err(|error| wrong(format!("not a URL ({error})")))?;
        if url.scheme() != "http" {
            return Err(wrong(format!(
                "the scheme must be http, not {} (TLS to ClickHouse ends at a proxy beside it)",
                url.scheme()
            )));
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("it names no host".into()))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("nothing may follow the database".into()));
        }
        let database = decode(url.path().trim_matches('/')).map_err(wrong)?;
        if database.contains('/') {
            return Err(wrong("the path must be one database name".into()));
        }
        // The parser drops `:80`, http's default; here that is another port than none.
        let authority = text
            .split("//")
            .nth(1)
            .and_then(|rest| rest.split('/').next())
            .unwrap_or_default();
        let port = url
            .port()
            .unwrap_or(if authority.ends_with(":80") { 80 } else { 8123 });
        let user = decode(url.username()).map_err(wrong)?;
        let who = Credentials {
            user: if user.is_empty() { "default".into() } else { user },
            password: decode(url.password().unwrap_or_default()).map_err(wrong)?,
        };
        Ok(Self {
            url: format!("http://{host}:{port}"),
            database: if database.is_empty() {
                "footfall".into()
            } else {
                database
            },
            writer: who.clone(),
            reader: who,
        })
    }

    /// Host and port of [`ClickHouseAddress::url`].
    pub(super) fn host_and_port(&self) -> Option<(String, u16)> {
        let url = reqwest::Url::parse(&self.url).ok()?;
        Some((
            url.host_str()?.trim_matches(['[', ']']).to_owned(),
            url.port_or_known_default()?,
        ))
    }
}

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap_or(0), rest.next().unwrap_or(0)];
        let digits = std::str::from_utf8(&digits)
            .ok()
            .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(value.ok_or("a % must be followed by two hexadecimal digits")?);
    }
    String::from_utf8(bytes).map_err(|_| "a part of it is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let full = ClickHouseAddress::parse("http://ann:p%40ss%2Fword@db.internal:9123/shop").expect("valid");
        assert_eq!(full.url, "http://db.internal:9123");
        assert_eq!(full.database, "shop");
        assert_eq!(full.writer, Credentials::new("ann", "p@ss/word"));
        assert_eq!(full.reader, full.writer);
        assert!(
            !format!("{full:?}").contains("p@ss"),
            "a password must not reach a log"
        );

        let short = ClickHouseAddress::parse("http://localhost").expect("valid");
        assert_eq!(short.url, "http://localhost:8123");
        assert_eq!(short.database, "footfall");
        assert_eq!(short.writer, Credentials::new("default", ""));

        let proxied = ClickHouseAddress::parse("http://ann:x@proxy:80/shop").expect("valid");
        assert_eq!(proxied.url, "http://proxy:80");

        let six = ClickHouseAddress::parse("http://[::1]:8124/").expect("valid");
        assert_eq!(six.url, "http://[::1]:8124");
        assert_eq!(six.host_and_port(), Some(("::1".into(), 8124)));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_the_password() {
        for (text, word) in [
            ("https://u:secret@h/db", "scheme"),
            ("clickhouse://u:secret@h:9000/db", "scheme"),
            ("http://u:secret@h/a/b", "one database"),
            ("http://u:secret@h/db?secure=1", "nothing may follow"),
            ("h:8123", "scheme"),
            ("not a url secret", "not a URL"),
        ] {
            let message = ClickHouseAddress::parse(text).expect_err(text).to_string();
            assert!(message.contains(word), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
