//! Lists of ids as they are uploaded: JSON, or CSV.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::error::{body_in_time, json_body, read_json};
use crate::event::accept::{MAX_ID_CHARS, printable};
use crate::problem::{FieldError, Problem};

/// Ids of one upload.
pub const MAX_IDS: usize = 20_000;
/// Ids of a list.
pub const MAX_LISTED: u64 = 500_000;
/// Refusals that one answer names.
const MOST_NAMED: usize = 20;

/// Ids to upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CohortIds, example = json!({"distinct_ids": ["u_42", "u_43"]}))]
pub struct IdList {
    /// 1 to 20,000 distinct ids: user ids, or device ids of visitors who never signed in.
    #[schema(min_items = 1, max_items = 20_000)]
    distinct_ids: Vec<String>,
}

/// The ids of a body, as they are stored.
#[derive(Debug)]
pub struct Ids(pub Vec<String>);

impl<S: Send + Sync> FromRequest<S> for Ids {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Ids, Problem> {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("text/csv") {
            let body = json_body(request, state).await?;
            return checked(read_json::<IdList>(&body)?.distinct_ids, "/distinct_ids");
        }
        let body: Bytes = body_in_time(request, state).await?;
        let text = std::str::from_utf8(&body);
        let text = text.map_err(|_| Problem::invalid_field("", "wrong_type", "the list is not UTF-8"))?;
        checked(first_column(text), "")
    }
}

fn checked(ids: Vec<String>, list: &str) -> Result<Ids, Problem> {
    if !(1..=MAX_IDS).contains(&ids.len()) {
        let detail = format!("1 to {MAX_IDS} ids at once");
        return Err(Problem::invalid_field(list, "wrong_length", detail));
    }
    let fits = |id: &str| (1..=MAX_ID_CHARS).contains(&id.chars().count());
    let wrong = ids.iter().enumerate().filter(|(_, id)| !fits(id));
    let wrong: Vec<FieldError> = wrong
        .take(MOST_NAMED)
        .map(|(n, _)| {
            let detail = format!("an id has 1 to {MAX_ID_CHARS} characters");
            FieldError::new(format!("{list}/{n}"), "wrong_length", detail)
        })
        .collect();
    match wrong.is_empty() {
        true => Ok(Ids(ids.into_iter().map(printable).collect())),
        false => Err(Problem::invalid(wrong)),
    }
}

/// The first column of each line that has one, without the line that names the column.
fn first_column(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().map(first_field).filter(|field| !field.is_empty());
    let names = ["distinct_id", "user_id", "id"];
    lines
        .enumerate()
        .filter(|(n, field)| *n > 0 || !names.contains(&field.to_ascii_lowercase().as_str()))
        .map(|(_, field)| field)
        .collect()
}

fn first_field(line: &str) -> String {
    let line = line.trim();
    let Some(quoted) = line.strip_prefix('"') else {
        return line
            .split([',', ';', '\t'])
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
    };
    let mut field = String::new();
    let mut rest = quoted.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if rest.peek() == Some(&'"') => {
                field.push('"');
                rest.next();
            }
            '"' => break,
            c => field.push(c),
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_column_of_a_table_are_its_ids() {
        let text = "\u{feff}Distinct_ID,name\r\nu_1,Ann\r\n\"u,\"\"2\",Bob\n\n  u_3 ;x\nid\n";
        assert_eq!(first_column(text), ["u_1", "u,\"2", "u_3", "id"]);
        assert_eq!(first_column("a\nb"), ["a", "b"]);
    }

    #[test]
    fn ids_have_limits() {
        let code = |ids: Vec<String>| match checked(ids, "/distinct_ids") {
            Ok(Ids(ids)) => ids.len().to_string(),
            Err(problem) => format!("{} {}", problem.errors[0].pointer, problem.errors[0].code),
        };
        assert_eq!(code(vec![]), "/distinct_ids wrong_length");
        assert_eq!(code(vec!["a".into(); MAX_IDS]), "20000");
        assert_eq!(code(vec!["a".into(); MAX_IDS + 1]), "/distinct_ids wrong_length");
        let long = "x".repeat(MAX_ID_CHARS + 1);
        assert_eq!(code(vec!["a".into(), long]), "/distinct_ids/1 wrong_length");
    }
}
