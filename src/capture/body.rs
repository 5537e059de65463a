//! From the bytes on the wire to text: size limits, encodings, and what browsers do to JSON.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;

use super::limit::Claim;
use crate::problem::{FieldError, Problem};

/// How long a client may take to send its body.
const PATIENCE: Duration = Duration::from_secs(30);

/// Largest zstd window that is decoded; level 19 needs this much.
const ZSTD_WINDOW_LOG: u32 = 23;

const CHUNK: usize = 64 * 1024;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

impl Encoding {
    /// Reads `Content-Encoding`. Anything but gzip, zstd and identity is 415.
    pub fn of(headers: &HeaderMap) -> Result<Encoding, Problem> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else {
            return Ok(Encoding::Plain);
        };
        let name = String::from_utf8_lossy(value.as_bytes())
            .trim()
            .to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Ok(Encoding::Plain),
            "gzip" | "x-gzip" => Ok(Encoding::Gzip),
            "zstd" => Ok(Encoding::Zstd),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_encoding",
                format!("Content-Encoding {name:?} is not understood: send gzip, zstd or nothing"),
            )),
        }
    }
}

/// Reads a body of at most `cap` bytes as they come.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: Body,
    cap: usize,
    claim: &mut Claim,
) -> Result<Vec<u8>, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > cap) {
        return Err(too_large(cap));
    }
    let receive = async {
        let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| incomplete("the connection broke off inside the body"))?;
            if bytes.len() + chunk.len() > cap {
                return Err(too_large(cap));
            }
            claim.grow(chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    tokio::time::timeout(PATIENCE, receive)
        .await
        .unwrap_or_else(|_| Err(incomplete("the body did not arrive within 30 seconds")))
}

/// Decompresses a body to at most `cap` bytes. Gzip is recognised by its first bytes too: several SDKs do
/// not label it.
pub(super) fn decompress(
    bytes: Vec<u8>,
    encoding: Encoding,
    cap: usize,
    claim: &mut Claim,
) -> Result<Vec<u8>, Problem> {
    match encoding {
        Encoding::Plain if bytes.starts_with(&[0x1f, 0x8b]) => {
            inflate(flate2::read::MultiGzDecoder::new(&bytes[..]), "gzip", cap, claim)
        }
        Encoding::Plain => Ok(bytes),
        Encoding::Gzip => inflate(flate2::read::MultiGzDecoder::new(&bytes[..]), "gzip", cap, claim),
        Encoding::Zstd => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(&bytes[..]).map_err(|e| malformed("zstd", &e))?;
            decoder
                .window_log_max(ZSTD_WINDOW_LOG)
                .map_err(|e| malformed("zstd", &e))?;
            inflate(decoder, "zstd", cap, claim)
        }
    }
}

fn inflate(mut from: impl Read, format: &str, cap: usize, claim: &mut Claim) -> Result<Vec<u8>, Problem> {
    let mut plain = Vec::new();
    loop {
        let start = plain.len();
        plain.resize(start + CHUNK, 0);
        let read = from
            .read(&mut plain[start..])
            .map_err(|e| malformed(format, &e))?;
        plain.truncate(start + read);
        if plain.len() > cap {
            return Err(too_large(cap));
        }
        if read == 0 {
            return Ok(plain);
        }
        claim.grow(read)?;
    }
}

/// The body as text: UTF-8, without byte order mark, and free of escapes that stand for no character. Browsers
/// write half of a cut emoji as a lone surrogate; that and NUL become U+FFFD instead of costing the event.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, Problem> {
    let mut text = String::from_utf8(bytes).map_err(|error| {
        malformed_json(format!(
            "the body is not UTF-8: byte {} starts no character",
            error.utf8_error().valid_up_to()
        ))
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    if text.contains("\\u") {
        let mut bytes = text.into_bytes();
        mend_escapes(&mut bytes);
        text = String::from_utf8(bytes).expect("only ASCII was written over ASCII");
    }
    Ok(text)
}

/// Overwrites `\u0000` and lone surrogates with `\ufffd`, which is as long.
fn mend_escapes(json: &mut [u8]) {
    let mut at = 0;
    while at + 1 < json.len() {
        if json[at] != b'\\' {
            at += 1;
            continue;
        }
        match (unit(json, at), unit(json, at + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => at += 12,
            (Some(0 | 0xd800..0xe000), _) => {
                json[at + 2..at + 6].copy_from_slice(b"fffd");
                at += 6;
            }
            (Some(_), _) => at += 6,
            (None, _) => at += 2,
        }
    }
}

/// The UTF-16 unit of the escape `\uXXXX` at a place.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    match json.get(at..at + 6)? {
        [b'\\', b'u', digits @ ..] => digits.iter().try_fold(0u16, |unit, digit| {
            Some(unit << 4 | char::from(*digit).to_digit(16)? as u16)
        }),
        _ => None,
    }
}

pub(super) fn malformed_json(detail: String) -> Problem {
    Problem {
        errors: vec![FieldError::new("", "malformed_json", detail.clone())],
        ..Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
    }
}

fn malformed(format: &str, error: &std::io::Error) -> Problem {
    let detail = if error.kind() == std::io::ErrorKind::UnexpectedEof {
        format!("the {format} body breaks off before its end")
    } else {
        format!("the body is not {format}: {error}")
    };
    Problem::new(StatusCode::BAD_REQUEST, &format!("malformed_{format}"), detail)
}

fn too_large(cap: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!(
            "a body has at most {cap} bytes, also after decompression; send the events in several requests"
        ),
    )
}

fn incomplete(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", detail)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::limit::{InFlight, Limits};
    use super::*;

    const CAP: usize = 1 << 20;

    fn claim() -> Claim {
        InFlight::new(&Limits::default()).admit().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(bytes: Vec<u8>, encoding: Encoding) -> Result<Vec<u8>, (u16, String)> {
        decompress(bytes, encoding, CAP, &mut claim()).map_err(|problem| (problem.status, problem.code))
    }

    #[test]
    fn gzip_is_understood_with_and_without_a_label() {
        assert_eq!(unpack(gzip(b"[]"), Encoding::Gzip).unwrap(), b"[]");
        assert_eq!(unpack(gzip(b"[]"), Encoding::Plain).unwrap(), b"[]");
        assert_eq!(unpack(b"[]".to_vec(), Encoding::Plain).unwrap(), b"[]");
    }

    #[test]
    fn zstd_is_understood() {
        let packed = zstd::bulk::compress(b"[1]", 3).unwrap();
        assert_eq!(unpack(packed, Encoding::Zstd).unwrap(), b"[1]");
    }

    #[test]
    fn a_bomb_is_too_large_and_never_unpacked() {
        let zeros = vec![b' '; 50 << 20];
        let refused = Err((413, "body_too_large".to_owned()));
        assert_eq!(unpack(gzip(&zeros), Encoding::Gzip), refused);
        assert_eq!(
            unpack(zstd::bulk::compress(&zeros, 3).unwrap(), Encoding::Zstd),
            refused
        );
    }

    #[test]
    fn broken_compression_is_named() {
        let mut cut = gzip(b"{\"event\":\"a\"}");
        cut.truncate(cut.len() - 9);
        assert_eq!(
            unpack(cut, Encoding::Gzip),
            Err((400, "malformed_gzip".to_owned()))
        );
        assert_eq!(
            unpack(b"{}".to_vec(), Encoding::Gzip),
            Err((400, "malformed_gzip".to_owned()))
        );
        assert_eq!(
            unpack(b"{}".to_vec(), Encoding::Zstd),
            Err((400, "malformed_zstd".to_owned()))
        );
    }

    #[test]
    fn other_encodings_are_refused_by_name() {
        let of = |name: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, name.parse().unwrap());
            Encoding::of(&headers).map_err(|problem| (problem.status, problem.detail))
        };
        assert_eq!(of("GZIP"), Ok(Encoding::Gzip));
        assert_eq!(of("zstd"), Ok(Encoding::Zstd));
        assert_eq!(of("identity"), Ok(Encoding::Plain));
        let (status, detail) = of("br").unwrap_err();
        assert_eq!(status, 415);
        assert!(detail.contains("br"));
    }

    #[test]
    fn escapes_that_stand_for_no_character_are_replaced() {
        let mended = |json: &str| text(json.as_bytes().to_vec()).unwrap();
        assert_eq!(mended(r#""cut \ud83d""#), r#""cut \ufffd""#);
        assert_eq!(mended(r#""\ude00\u0000x""#), r#""\ufffd\ufffdx""#);
        assert_eq!(mended(r#""\ud83d\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);
        for whole in [
            r#""\ud83d\ude00\u00e9""#,
            r#""\\u0000""#,
            r#""\\\\u0000""#,
            "\\",
            "\\u00",
        ] {
            assert_eq!(mended(whole), whole);
        }
    }

    #[test]
    fn a_byte_order_mark_is_dropped_and_other_charsets_are_refused() {
        assert_eq!(text(b"\xef\xbb\xbf[]".to_vec()).unwrap(), "[]");
        let problem = text(b"{\"a\":\"\xe9\"}".to_vec()).unwrap_err();
        assert_eq!(problem.code, "malformed_json");
        assert!(problem.detail.contains("byte 6"), "{}", problem.detail);
    }

    #[tokio::test]
    async fn a_body_is_read_no_further_than_its_limit() {
        let receive_of = async |body: Body, headers: &HeaderMap| {
            receive(headers, body, 10, &mut claim())
                .await
                .map_err(|problem| problem.code)
        };
        let none = HeaderMap::new();
        assert_eq!(
            receive_of(Body::from("0123456789"), &none).await.unwrap(),
            b"0123456789"
        );
        assert_eq!(
            receive_of(Body::from("0123456789a"), &none).await.unwrap_err(),
            "body_too_large"
        );
        let mut announced = HeaderMap::new();
        announced.insert(header::CONTENT_LENGTH, 11.into());
        assert_eq!(
            receive_of(Body::empty(), &announced).await.unwrap_err(),
            "body_too_large"
        );
    }
}
