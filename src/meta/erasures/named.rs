//! Where a team itself wrote an erased id down: in filters of what it saved, in rules of cohorts, in remarks. An erasure
//! changes none of that, and its certificate lists it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::event::ProjectNumber;
use crate::meta::{Meta, Result, uuid_at};

/// The most things that a certificate lists.
pub const MOST_NAMED: usize = 200;

/// Versions that are read at a time.
const VERSIONS: i64 = 500;

/// Something in which one of the erased ids is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct NamedIn {
    /// `question`, `dashboard`, `annotation` or `cohort`.
    #[schema(example = "question")]
    pub kind: String,
    /// Its id.
    pub id: Uuid,
    /// Whether only a version before the present one names it.
    pub earlier: bool,
}

impl Meta {
    /// What of a project names one of these ids, at most [`MOST_NAMED`] things. What was deleted but can be had back
    /// is among them.
    pub async fn named_in(&self, project: ProjectNumber, ids: &[String]) -> Result<Vec<NamedIn>> {
        let mut found = Vec::new();
        if ids.is_empty() {
            return Ok(found);
        }
        // Of each thing, whether the present version names somebody.
        let mut named: BTreeMap<(String, Uuid), bool> = BTreeMap::new();
        let mut after = (String::new(), 0_i64);
        loop {
            let rows = sqlx::query(
                "SELECT v.saved_id, v.version, v.body, s.kind, s.version AS latest FROM saved_versions v
                 JOIN saved s ON s.id = v.saved_id JOIN projects p ON p.id = s.project_id
                 WHERE p.number = $1 AND (v.saved_id > $2 OR (v.saved_id = $2 AND v.version > $3))
                 ORDER BY v.saved_id, v.version LIMIT $4",
            )
            .bind(i64::from(project.0))
            .bind(&after.0)
            .bind(after.1)
            .bind(VERSIONS)
            .fetch_all(&self.pool)
            .await?;
            for row in &rows {
                let version: i64 = row.try_get("version")?;
                after = (row.try_get("saved_id")?, version);
                if says_one_of(&row.try_get::<String, _>("body")?, ids) {
                    let is_present = version == row.try_get::<i64, _>("latest")?;
                    *named
                        .entry((row.try_get("kind")?, uuid_at(row, "saved_id")?))
                        .or_default() |= is_present;
                }
            }
            if (rows.len() as i64) < VERSIONS {
                break;
            }
        }
        let cohorts = sqlx::query(
            "SELECT c.id, c.name, c.description, c.definition FROM cohorts c JOIN projects p ON p.id = c.project_id
             WHERE p.number = $1",
        )
        .bind(i64::from(project.0))
        .fetch_all(&self.pool)
        .await?;
        for row in &cohorts {
            let definition: Option<String> = row.try_get("definition")?;
            let texts: [String; 2] = [row.try_get("name")?, row.try_get("description")?];
            if texts.iter().any(|text| has_one_of(text, ids))
                || definition.is_some_and(|definition| says_one_of(&definition, ids))
            {
                named.insert(("cohort".to_owned(), uuid_at(row, "id")?), true);
            }
        }
        found.extend(named.into_iter().map(|((kind, id), is_present)| NamedIn {
            kind,
            id,
            earlier: !is_present,
        }));
        found.truncate(MOST_NAMED);
        Ok(found)
    }
}

/// Whether a text anywhere in this JSON has one of the ids. What is no JSON is a text itself.
fn says_one_of(json: &str, ids: &[String]) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(json) else {
        return has_one_of(json, ids);
    };
    let mut rest = vec![&value];
    while let Some(value) = rest.pop() {
        let says = match value {
            Value::String(text) => has_one_of(text, ids),
            Value::Number(number) => ids.contains(&number.to_string()),
            Value::Array(values) => {
                rest.extend(values);
                false
            }
            Value::Object(members) => {
                rest.extend(members.values());
                members.keys().any(|name| has_one_of(name, ids))
            }
            Value::Null | Value::Bool(_) => false,
        };
        if says {
            return true;
        }
    }
    false
}

/// Whether one of the ids stands in the text as a word.
fn has_one_of(text: &str, ids: &[String]) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    ids.iter().any(|id| {
        text.match_indices(id.as_str()).any(|(at, _)| {
            let (before, behind) = (&text[..at], &text[at + id.len()..]);
            !is_part(before.chars().next_back()) && !is_part(behind.chars().next())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_as_a_value_and_as_a_word_of_a_remark_but_not_within_a_word() {
        let says = |json: &str, id: &str| says_one_of(json, &[id.to_owned()]);
        let filter =
            r#"{"query":{"filter":{"and":[{"property":"distinct_id","op":"in","value":["u_4","u_42"]}]}}}"#;
        assert!(says(filter, "u_42") && says(filter, "u_4"));
        assert!(!says(filter, "u_") && !says(filter, "2"));
        assert!(says(
            r#"{"text":"Ann (ann@example.com) tried it."}"#,
            "ann@example.com"
        ));
        assert!(!says(r#"{"text":"Anna tried it."}"#, "Ann"));
        assert!(says(r#"{"value":4242}"#, "4242") && says(r#"{"ann":1}"#, "ann"));
        assert!(says(r#"{"value":"a \"quoted\" id"}"#, r#"a "quoted" id"#));
        assert!(says(r#"{"value":"名前"}"#, "名前"));
    }
}
