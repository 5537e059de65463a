//! When an event happened: the client's time, corrected by what its clock was off, within what is stored.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::rejection::{Rejection, RejectionCode};
use crate::event::zone::{UTC_DAY_MS, has_plausible_offset};
use crate::event::{Event, flag};

/// Differences of the clocks up to this are network time; correcting them would reorder one device's events.
/// The same allowance holds for events ahead of their receipt.
pub const SKEW_ALLOWED_MS: i64 = 5 * 60_000;

/// How far back an event may lie before its receipt, so that no batch of rows spans more than 100 months.
pub const OLDEST_MS: i64 = 400 * UTC_DAY_MS;

/// An event time with what was done to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EventTime {
    pub ts: i64,
    /// Bits of [`flag`].
    pub flags: u16,
    /// The time as sent, when `ts` differs from it.
    pub original: Option<Value>,
}

/// Reads and settles an event's time: corrected by `received_at - sent_at` if that exceeds 5 minutes and
/// is at most 400 days, then
/// set to the receipt if it lies more than 5 minutes ahead of it, or to 400 days before it if it is older.
pub(super) fn settle(
    sent: Option<Value>,
    received_at: i64,
    sent_at: Option<i64>,
) -> Result<EventTime, Rejection> {
    let Some(sent) = sent.filter(|value| value != "") else {
        return Ok(EventTime {
            ts: received_at,
            flags: 0,
            original: None,
        });
    };
    let mut ts = read(&sent).map_err(|reason| match reason {
        Unreadable::Type => Rejection::wrong_type("/timestamp", "RFC 3339 text or a number", &sent),
        Unreadable::Text => Rejection::new(
            RejectionCode::TimestampInvalid,
            "/timestamp",
            "must be RFC 3339 (2026-11-23T10:15:30Z), or seconds or milliseconds since 1970 as a number",
        ),
    })?;
    let mut flags = 0;
    // A clock that is off by more than what is stored is no clock: the event's own time is the better guess.
    let skew = sent_at
        .map(|sent_at| received_at.saturating_sub(sent_at))
        .filter(|skew| skew.saturating_abs() <= OLDEST_MS)
        .unwrap_or(0);
    if skew.saturating_abs() > SKEW_ALLOWED_MS {
        ts = ts.saturating_add(skew);
        flags |= flag::TIME_CORRECTED;
    }
    let oldest = received_at.saturating_sub(OLDEST_MS);
    if ts > received_at.saturating_add(SKEW_ALLOWED_MS) {
        ts = received_at;
        flags |= flag::TIME_CLAMPED;
    } else if ts < oldest {
        ts = oldest;
        flags |= flag::TIME_CLAMPED;
    }
    Ok(EventTime {
        ts,
        flags,
        original: (flags != 0).then_some(sent),
    })
}

/// The time that the client gave an event whose time was corrected or clamped, in UTC milliseconds.
pub fn as_sent(event: &Event) -> Option<i64> {
    #[derive(Deserialize)]
    struct Original {
        #[serde(rename = "$original_timestamp")]
        time: Option<Value>,
    }
    if event.flags & (flag::TIME_CORRECTED | flag::TIME_CLAMPED) == 0 {
        // A client may send a property of that name, which says nothing.
        return None;
    }
    let original: Original = serde_json::from_str(&event.props).ok()?;
    read(&original.time?).ok()
}

/// Why a time could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Neither text nor number.
    Type,
    /// A text that is no time.
    Text,
}

/// Reads a time as clients write it, in UTC milliseconds: RFC 3339; the same without an offset, taken as
/// UTC; or a number: seconds since 1970 below 100,000,000,000 (the year 5138), milliseconds from there on.
pub fn read(value: &Value) -> Result<i64, Unreadable> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            // jiff would take "02:30[Europe/Berlin]" for 02:30 UTC.
            if !has_plausible_offset(text) {
                return Err(Unreadable::Text);
            }
            let instant = text.parse::<Timestamp>().or_else(|offset_missing| {
                // A bare date is a day, not an instant.
                if text.len() <= "2026-11-23".len() {
                    return Err(offset_missing);
                }
                text.parse::<DateTime>()
                    .and_then(|local| TimeZone::UTC.to_timestamp(local))
            });
            instant
                .map(|instant| instant.as_millisecond())
                .map_err(|_| Unreadable::Text)
        }
        Value::Number(number) => {
            // Every JSON number that serde_json can hold is a finite f64.
            let number = number.as_f64().ok_or(Unreadable::Text)?;
            let ms = if number.abs() < 1e11 {
                number * 1000.0
            } else {
                number
            };
            Ok(ms.round() as i64)
        }
        _ => Err(Unreadable::Type),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_428_000_000; // 2026-11-23T10:00:00Z

    #[test]
    fn all_spellings_of_an_instant_are_the_same_instant() {
        for spelling in [
            json!("2026-11-23T10:00:00Z"),
            json!("2026-11-23T11:00:00+01:00"),
            json!("2026-11-23T10:00:00.000123Z"),
            json!("2026-11-23T10:00:00"),
            json!("2026-11-23 10:00:00"),
            json!(NOW),
            json!(NOW / 1000),
        ] {
            assert_eq!(read(&spelling), Ok(NOW), "{spelling}");
        }
        assert_eq!(read(&json!(1_795_428_000.25)), Ok(NOW + 250));
    }

    #[test]
    fn text_that_is_no_instant_is_refused() {
        for text in [
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-11-23",
            "10:00",
            "NaN",
            "2026-10-25T02:30:00[Europe/Berlin]",
            "2026-10-25T02:30:00+02:00[Europe/Berlin]",
            "2026-10-25T02:30:00+25:00",
        ] {
            let rejection = settle(Some(json!(text)), NOW, None).unwrap_err();
            assert_eq!(rejection.code, RejectionCode::TimestampInvalid, "{text}");
            assert_eq!(rejection.field, "/timestamp");
        }
        let rejection = settle(Some(json!(true)), NOW, None).unwrap_err();
        assert_eq!(rejection.code, RejectionCode::WrongType);
    }

    #[test]
    fn a_clock_that_is_off_by_more_than_5_minutes_is_corrected() {
        let ten_minutes = 600_000;
        for off in [ten_minutes, -ten_minutes] {
            let time = settle(Some(json!(NOW + off - 2_000)), NOW, Some(NOW + off)).unwrap();
            assert_eq!(time.ts, NOW - 2_000);
            assert_eq!(time.flags, flag::TIME_CORRECTED);
            assert_eq!(time.original, Some(json!(NOW + off - 2_000)));
        }
    }

    #[test]
    fn an_absurd_clock_corrects_nothing() {
        for absurd in [0, i64::MIN, i64::MAX, NOW + OLDEST_MS + 1, NOW - OLDEST_MS - 1] {
            let time = settle(Some(json!(NOW - 2_000)), NOW, Some(absurd)).unwrap();
            assert_eq!(
                (time.ts, time.flags, time.original),
                (NOW - 2_000, 0, None),
                "{absurd}"
            );
        }
    }

    #[test]
    fn smaller_differences_are_network_time_and_stay() {
        let time = settle(Some(json!(NOW - 250_000)), NOW, Some(NOW - 240_000)).unwrap();
        assert_eq!((time.ts, time.flags, time.original), (NOW - 250_000, 0, None));
        let exactly = settle(Some(json!(NOW - 300_000)), NOW, Some(NOW - 300_000)).unwrap();
        assert_eq!(exactly.flags, 0);
    }

    #[test]
    fn the_future_becomes_the_receipt() {
        let time = settle(Some(json!("2031-01-01T00:00:00Z")), NOW, None).unwrap();
        assert_eq!((time.ts, time.flags), (NOW, flag::TIME_CLAMPED));
        assert_eq!(time.original, Some(json!("2031-01-01T00:00:00Z")));
        let near = settle(Some(json!(NOW + SKEW_ALLOWED_MS)), NOW, None).unwrap();
        assert_eq!((near.ts, near.flags), (NOW + SKEW_ALLOWED_MS, 0));
    }

    #[test]
    fn ancient_times_are_moved_to_the_oldest_that_is_stored() {
        for ancient in [json!("1999-12-31T23:59:59Z"), json!(-1e300), json!(i64::MIN)] {
            let time = settle(Some(ancient.clone()), NOW, None).unwrap();
            assert_eq!(
                (time.ts, time.flags),
                (NOW - OLDEST_MS, flag::TIME_CLAMPED),
                "{ancient}"
            );
        }
    }

    #[test]
    fn without_a_timestamp_the_receipt_counts() {
        for absent in [None, Some(json!(""))] {
            let time = settle(absent, NOW, Some(NOW - 9_999_999)).unwrap();
            assert_eq!((time.ts, time.flags), (NOW, 0));
        }
    }
}
