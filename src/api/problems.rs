//! The page behind every problem's `type`: `/docs/problems#code`.

use axum::response::Html;

/// Every code with its status and meaning. A code that is missing here fails a test.
const CODES: &[(&str, u16, &str)] = &[
    (
        "already_member",
        409,
        "That person is a member of the organization already.",
    ),
    (
        "body_too_large",
        413,
        "The body is larger than the route takes; <code>detail</code> names the limit.",
    ),
    (
        "changed_meanwhile",
        412,
        "Somebody changed it since the version that If-Match names; <code>detail</code> says which one stands there now.",
    ),
    (
        "cohort_limit",
        409,
        "The project, or the list, has as many as it may have; <code>detail</code> names the limit.",
    ),
    (
        "cross_site_request",
        403,
        "A request with the refresh cookie came from another site.",
    ),
    ("email_taken", 409, "An account with this email exists."),
    ("empty_body", 400, "The request has no body."),
    (
        "erasure_limit",
        409,
        "Too many erasures are under way, or too much is remembered as erased; <code>detail</code> names the limit.",
    ),
    (
        "forbidden",
        403,
        "The caller's role or kind of credential does not suffice.",
    ),
    (
        "incomplete_body",
        400,
        "The body broke off, or did not arrive within 30 seconds. Send it again.",
    ),
    (
        "internal",
        500,
        "Something went wrong on our side; the cause is in the server's log.",
    ),
    (
        "invalid_events",
        422,
        "Not one event could be accepted; <code>errors</code> names each field.",
    ),
    (
        "invalid_field",
        422,
        "A field or parameter cannot be accepted; <code>errors</code> names each.",
    ),
    (
        "invalid_host",
        422,
        "The header Host is not a host name with an optional port.",
    ),
    (
        "invalid_refresh_token",
        401,
        "The refresh token is unknown, expired, or was used before: sign in again.",
    ),
    ("last_owner", 409, "An organization keeps at least one owner."),
    ("malformed_gzip", 400, "The body is not the gzip it claims to be."),
    (
        "malformed_json",
        400,
        "The body is not JSON; <code>detail</code> says where it breaks.",
    ),
    ("malformed_zstd", 400, "The body is not the zstd it claims to be."),
    (
        "mark_limit",
        409,
        "The project has as many marked names as it may: 10,000.",
    ),
    (
        "method_not_allowed",
        405,
        "The route exists, but not for this method; see the header Allow.",
    ),
    ("missing_key", 401, "Events need a project's key."),
    (
        "no_past",
        422,
        "The question reads what is not kept as it was, so it cannot be asked as of an earlier time.",
    ),
    (
        "not_built",
        404,
        "This binary was built without the dashboard or the SDK.",
    ),
    (
        "not_found",
        404,
        "No such route or thing, or none that this caller may see.",
    ),
    (
        "nothing_to_undo",
        409,
        "It is at its oldest version that is kept.",
    ),
    (
        "query_timeout",
        504,
        "The question took longer than 30 seconds: shorten its range.",
    ),
    (
        "query_too_large",
        422,
        "The question needs more memory or rows than one may use: shorten its range.",
    ),
    (
        "registration_closed",
        403,
        "Only invited people get an account here.",
    ),
    (
        "saved_limit",
        409,
        "As many things of this kind are saved as a project may have; <code>detail</code> names the limit.",
    ),
    (
        "secret_key_in_browser",
        403,
        "A secret key came from a web page, where everybody can read it: revoke it.",
    ),
    (
        "stream_full",
        503,
        "Too many events wait to be stored. Send the request again after Retry-After.",
    ),
    ("token_expired", 401, "The access token has expired: refresh it."),
    (
        "too_many_attempts",
        429,
        "Too many failed sign-ins; wait for Retry-After.",
    ),
    (
        "too_many_devices",
        409,
        "The person would have more than 500 devices.",
    ),
    ("too_many_events", 413, "A request has at most 1,000 events."),
    (
        "too_many_questions",
        429,
        "Too many questions or exports of the project are under way; ask again in a moment.",
    ),
    ("unauthenticated", 401, "No credentials, or none that are valid."),
    (
        "unavailable",
        503,
        "An engine does not answer. Send the request again after Retry-After.",
    ),
    (
        "unknown_key",
        401,
        "No project has this key: it has a typo or was revoked.",
    ),
    ("unreadable_body", 400, "The body could not be read."),
    (
        "unsupported_encoding",
        415,
        "Send the body as gzip, zstd, or as it is.",
    ),
    (
        "unsupported_media_type",
        415,
        "Send the body as application/json.",
    ),
    ("wrong_credentials", 401, "Email or password is wrong."),
    ("wrong_password", 403, "The current password is wrong."),
];

/// The list as a page.
pub async fn page() -> Html<String> {
    let rows: String = CODES
        .iter()
        .map(|(code, status, meaning)| {
            format!("<dt id=\"{code}\"><code>{code}</code> ({status})</dt>\n<dd>{meaning}</dd>\n")
        })
        .collect();
    Html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Problems · Footfall</title>\n\
         <h1>Problems</h1>\n<p>Every refusal is a problem document (RFC 9457) whose <code>code</code> is one of these.</p>\n\
         <dl>\n{rows}</dl>\n</html>\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The first text after each place where a problem gets its code.
    fn used(file: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let marks = ["Problem::new(", "Self::new(", "conflict(", "code: "];
        for mark in marks {
            for (at, _) in file.match_indices(mark) {
                let rest = &file[at + mark.len()..];
                let near: String = rest.chars().take(120).collect();
                // `code: "…".to_owned()` of problems; a field's code never owns its text that way.
                let (before, rest) = near.split_once('"').unwrap_or_default();
                let (code, after) = rest.split_once('"').unwrap_or_default();
                let names = if mark == "code: " {
                    before.is_empty() && after.starts_with(".to_owned()")
                } else {
                    !before.contains([';', '{', '}'])
                };
                if names && !code.is_empty() && code.bytes().all(|c| c.is_ascii_lowercase() || c == b'_') {
                    found.insert(code.to_owned());
                }
            }
        }
        found
    }

    fn visit(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.extend(used(&std::fs::read_to_string(&path).unwrap()));
            }
        }
    }

    #[test]
    fn every_code_that_is_answered_is_explained() {
        let mut found = BTreeSet::new();
        visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() > 20 && found.contains("invalid_field"), "{found:?}");
        let explained: BTreeSet<&str> = CODES.iter().map(|(code, ..)| *code).collect();
        assert_eq!(explained.len(), CODES.len(), "each once");
        let missing: Vec<&String> = found
            .iter()
            .filter(|code| !explained.contains(code.as_str()))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
