//! The key of a request: where it may stand, and what it must not be.

use axum::http::{HeaderMap, StatusCode, header};

use crate::meta::{KeyInfo, KeyKind, KeySnapshot};
use crate::problem::{FieldError, Problem};

/// A key with the place where it stood, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Presented {
    pub key: String,
    place: &'static str,
}

impl Presented {
    /// The key in the headers or the query. Schemes other than Bearer belong to whatever proxy stands before
    /// us, not to us.
    pub fn of(headers: &HeaderMap, query_key: Option<&str>) -> Result<Option<Presented>, Problem> {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key);
        let header = headers.get("x-api-key").and_then(|value| value.to_str().ok());
        let mut presented = None;
        for (key, place) in [
            (bearer, "Authorization"),
            (header, "X-Api-Key"),
            (query_key, "?key"),
        ] {
            presented = Presented::join(presented, key, place)?;
        }
        Ok(presented)
    }

    /// Adds the key in the body's `write_key`.
    pub fn with_body(presented: Option<Presented>, key: Option<&str>) -> Result<Option<Presented>, Problem> {
        Presented::join(presented, key, "/write_key")
    }

    /// A request speaks for one project: keys in several places must be the same.
    fn join(
        first: Option<Presented>,
        key: Option<&str>,
        place: &'static str,
    ) -> Result<Option<Presented>, Problem> {
        let Some(key) = key.map(str::trim).filter(|key| !key.is_empty()) else {
            return Ok(first);
        };
        match first {
            None => Ok(Some(Presented {
                key: key.to_owned(),
                place,
            })),
            Some(first) if first.key == key => Ok(Some(first)),
            Some(first) => {
                let detail = format!("the keys in {} and {place} differ", first.place);
                Err(Problem {
                    errors: vec![FieldError::new(place, "unknown_key", detail.clone())],
                    ..Problem::new(StatusCode::UNAUTHORIZED, "unknown_key", detail)
                })
            }
        }
    }

    /// What the key stands for. `browser`: the request comes from a page, where a secret key is no secret.
    pub fn open(&self, keys: &KeySnapshot, browser: bool) -> Result<KeyInfo, Problem> {
        let info = keys.find(&self.key).ok_or_else(|| self.unknown())?;
        if browser && info.kind == KeyKind::Secret {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "secret_key_in_browser",
                "this is a secret key and the request comes from a web page: everybody can read it there; \
                 revoke it and use the project's write key",
            ));
        }
        Ok(info.clone())
    }

    /// 401 for a key that is none of ours.
    fn unknown(&self) -> Problem {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unknown_key",
            format!(
                "the key in {} belongs to no project here; the project's settings show its write key",
                self.place
            ),
        )
    }
}

/// 401 for a request without a key.
pub(super) fn missing() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "missing_key",
        "no key: send the project's write key as `Authorization: Bearer <key>`, `X-Api-Key`, `?key=` or in the \
         body as `write_key`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn key(of: &[(&'static str, &str)], query: Option<&str>) -> Option<String> {
        Presented::of(&headers(of), query)
            .unwrap()
            .map(|presented| presented.key)
    }

    #[test]
    fn a_key_may_stand_in_three_places_of_the_head() {
        assert_eq!(
            key(&[("authorization", "bearer  k ")], None).as_deref(),
            Some("k")
        );
        assert_eq!(key(&[("x-api-key", "k")], None).as_deref(), Some("k"));
        assert_eq!(key(&[], Some("k")).as_deref(), Some("k"));
        assert_eq!(key(&[("authorization", "Basic abc")], None), None);
        assert_eq!(key(&[("x-api-key", "")], Some("")), None);
    }

    #[test]
    fn keys_that_differ_are_refused_and_the_same_one_twice_is_not() {
        let twice = Presented::of(&headers(&[("authorization", "Bearer k")]), Some("k")).unwrap();
        assert!(Presented::with_body(twice.clone(), Some("k")).is_ok());
        let problem = Presented::with_body(twice, Some("other")).unwrap_err();
        assert_eq!((problem.status, problem.code.as_str()), (401, "unknown_key"));
        assert_eq!(problem.errors[0].pointer, "/write_key");
    }
}
