//! Pages of names that are sorted by a number and then by themselves.

use crate::api::Answered;
use crate::api::error::invalid_query;
use crate::metrics::MAX_NAME_CHARS;

/// Names of a page when the caller does not say.
const PAGE: u32 = 100;
/// Names of a page at most.
const MAX_PAGE: u32 = 200;

/// Which part of a list: behind a key and a name.
#[derive(Debug)]
pub(super) struct NamePage {
    limit: usize,
    after: Option<(u64, String)>,
}

/// A page, and where the next one begins.
#[derive(Debug)]
pub(super) struct Cut<T> {
    pub(super) rows: Vec<T>,
    pub(super) next: Option<String>,
}

impl NamePage {
    pub(super) fn read(limit: Option<u32>, cursor: Option<&str>) -> Answered<NamePage> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            let detail = format!("a page has 1 to {MAX_PAGE} names, not {limit}");
            return Err(invalid_query("limit", "out_of_range", detail));
        }
        let after = cursor.map(|text| {
            read_cursor(text).ok_or_else(|| {
                invalid_query(
                    "cursor",
                    "unreadable",
                    "take the cursor from next_cursor of the page before",
                )
            })
        });
        Ok(NamePage {
            limit: limit as usize,
            after: after.transpose()?,
        })
    }

    /// The page of these rows: the largest key first, then by name.
    pub(super) fn cut<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> (u64, &str)) -> Cut<T> {
        rows.sort_by(|one, other| {
            let ((a, one), (b, other)) = (key(one), key(other));
            b.cmp(&a).then_with(|| one.cmp(other))
        });
        let first = self.after.as_ref().map_or(0, |(after, name)| {
            rows.partition_point(|row| {
                let (key, own) = key(row);
                key > *after || (key == *after && own <= name.as_str())
            })
        });
        let mut rows = rows.split_off(first);
        let has_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| has_more).map(|row| {
            let (key, name) = key(row);
            write_cursor(key, name)
        });
        Cut { rows, next }
    }
}

fn write_cursor(key: u64, name: &str) -> String {
    let name: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{key:x}-{name}")
}

fn read_cursor(text: &str) -> Option<(u64, String)> {
    let (key, name) = text.split_once('-')?;
    if !name.is_ascii() || name.len() % 2 != 0 || name.len() > MAX_NAME_CHARS * 8 {
        return None;
    }
    let bytes = (0..name.len() / 2).map(|n| u8::from_str_radix(&name[2 * n..2 * n + 2], 16));
    let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().ok()?;
    Some((u64::from_str_radix(key, 16).ok()?, String::from_utf8(bytes).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let rows: Vec<(u64, String)> = (0..25).map(|n| (n % 4, format!("größe {}", n % 13))).collect();
        let mut rows: Vec<_> = rows
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        let mut listed = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = NamePage::read(Some(3), cursor.as_deref()).unwrap();
            let cut = page.cut(rows.clone(), |row| (row.0, &row.1));
            listed.extend(cut.rows);
            cursor = cut.next;
            if cursor.is_none() {
                break;
            }
        }
        rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        assert_eq!(listed, rows);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "x-61", "1-6", "1-zz", "1-ff", "1", "1-é1"] {
            assert!(NamePage::read(None, Some(text)).is_err(), "{text}");
        }
        assert!(NamePage::read(Some(0), None).is_err());
        assert!(NamePage::read(Some(201), None).is_err());
    }
}
