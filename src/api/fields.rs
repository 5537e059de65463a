//! Rules for the texts that people give: names, addresses, passwords, zones. Every refusal is collected, so
//! that a form learns about all its mistakes at once.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Answered;
use super::error::invalid_query;
use crate::event::Zone;
use crate::meta::{Page, Paged};
use crate::problem::{FieldError, Problem};

/// Characters of a password. The upper limit bounds the work of hashing.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 10..=200;
/// Characters of a name.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 1..=100;
/// Rows of a page: by default, and at most.
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// Checks fields one after the other and keeps what is wrong with each.
#[derive(Debug, Default)]
pub(super) struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    /// A name, trimmed.
    pub fn name(&mut self, pointer: &str, text: &str) -> String {
        let text = text.trim();
        if !NAME_CHARS.contains(&text.chars().count()) {
            self.refuse(pointer, "wrong_length", "a name has 1 to 100 characters");
        } else if text.chars().any(char::is_control) {
            self.refuse(pointer, "control_character", "a name has no control characters");
        }
        text.to_owned()
    }

    /// An e-mail address, in lower case. Only its shape is checked: no mail is sent.
    pub fn email(&mut self, pointer: &str, text: &str) -> String {
        let text = text.trim().to_lowercase();
        let well_formed = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
        });
        if !well_formed || text.len() > 254 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.refuse(pointer, "not_an_email", "this is not an email address");
        }
        text
    }

    /// A new password.
    pub fn password(&mut self, pointer: &str, text: &str) {
        if !PASSWORD_CHARS.contains(&text.chars().count()) {
            self.refuse(pointer, "wrong_length", "a password has 10 to 200 characters");
        }
    }

    /// A time zone by IANA name; UTC when none is given.
    pub fn zone(&mut self, pointer: &str, name: Option<&str>) -> Zone {
        match name.map(Zone::parse) {
            None => Zone::utc(),
            Some(Ok(zone)) => zone,
            Some(Err(unknown)) => {
                self.refuse(pointer, "unknown_zone", unknown.to_string());
                Zone::utc()
            }
        }
    }

    /// Months to keep.
    pub fn months(&mut self, pointer: &str, months: u32) {
        if !(1..=120).contains(&months) {
            self.refuse(
                pointer,
                "out_of_range",
                "1 to 120 months are kept, or everything with null",
            );
        }
    }

    /// The refusal, if anything was refused.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.errors))
        }
    }

    /// Notes a refusal.
    pub fn refuse(&mut self, pointer: &str, code: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, code, detail));
    }
}

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Rows of a page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl ListQuery {
    /// The page that is asked for.
    pub fn page(&self) -> Result<Page, Problem> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid_query("limit", "out_of_range", "limit is 1 to 1000"));
        }
        let after = match &self.cursor {
            None => None,
            Some(text) => Some(read_cursor(text).ok_or_else(|| {
                invalid_query(
                    "cursor",
                    "unknown_cursor",
                    "this is no next_cursor of an earlier page",
                )
            })?),
        };
        Ok(Page { limit, after })
    }
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Listed<T> {
    /// The rows, oldest first.
    pub data: Vec<T>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// A page as its answer.
pub(super) fn listed<T>(page: Paged<T>) -> Answered<Json<Listed<T>>> {
    Ok(Json(Listed {
        data: page.rows,
        next_cursor: page.next.map(|id| format!("c_{}", id.simple())),
        has_more: page.next.is_some(),
    }))
}

fn read_cursor(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text.strip_prefix("c_")?).ok()
}
