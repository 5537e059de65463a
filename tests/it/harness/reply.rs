//! What the product answered.

use std::io::Write;

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::{Value, json};

pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The objects of newline-delimited JSON.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() {
            return Value::Null;
        }
        self.json()
    }

    /// A well-formed problem document with this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{status} {code}, not {}: {}",
            self.status,
            self.text()
        );
        let body = self.json();
        assert_eq!((self.status, &body["code"]), (status, &json!(code)), "{body}");
        assert_eq!(body["status"], status);
        for member in ["type", "title", "detail", "message"] {
            let words = body[member].as_str();
            assert!(words.is_some_and(|words| !words.is_empty()), "{member}: {body}");
        }
        body
    }
}

/// A text of an answer.
#[track_caller]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

/// Status, code, and pointer and code of the first field (both empty when no field is to blame).
pub type Refusal = (u16, &'static str, &'static str, &'static str);

#[track_caller]
pub fn check(reply: Reply, (status, code, pointer, reason): Refusal, what: &str) {
    let text = reply.text();
    assert_eq!(reply.status, status, "{what}: {text}");
    let problem = reply.problem(status, code);
    let first = &problem["errors"][0];
    let named = |member: &str| first[member].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (named("pointer"), named("code")),
        (pointer.to_owned(), reason.to_owned()),
        "{what}: {text}"
    );
    for error in problem["errors"].as_array().into_iter().flatten() {
        assert!(
            error["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
            "{what}: {text}"
        );
    }
}
