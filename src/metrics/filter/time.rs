//! Texts that are instants or dates: what `before` and `after` compare.

use crate::event::{Day, Zone};

/// The first and the last year of dates that a property may name.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2299;

/// A moment in the text of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// RFC 3339, in UTC milliseconds (what is finer is cut off).
    Instant(i64),
    /// `YYYY-MM-DD`: its first instant in the project's zone.
    Date(Day),
}

/// The moment that a text stands for: `2026-11-01` or `2026-11-01T09:30:00.5+01:00` (`Z` for UTC, a blank or a
/// small letter for the `T`, offsets up to 18 hours), of the years 1900 to 2299.
pub(super) fn moment_of(text: &str) -> Option<Moment> {
    let date = text.get(..10)?;
    let day = day_of(date)?;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(Moment::Date(day));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let clock = rest.get(..8)?;
    let bytes = clock.as_bytes();
    if bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (two(&clock[..2])?, two(&clock[3..5])?, two(&clock[6..])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (millis, zone) = fraction(&rest[8..])?;
    let offset = offset(zone)?;
    let seconds = i64::from(day.0) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(Moment::Instant(seconds * 1_000 + millis))
}

fn day_of(text: &str) -> Option<Day> {
    let bytes = text.as_bytes();
    let shape = bytes.iter().enumerate().all(|(i, byte)| match i {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let day: Day = shape.then(|| text.parse().ok()).flatten()?;
    YEARS.contains(&day.date().year()).then_some(day)
}

fn two(text: &str) -> Option<i64> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The milliseconds of a fraction of 1 to 9 digits, if there is one, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let (digits, zone) = rest.split_at(digits);
    let millis: String = digits.chars().chain("000".chars()).take(3).collect();
    Some((millis.parse().ok()?, zone))
}

/// The seconds that the clock is ahead of UTC.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let clock = &text[1..];
    if clock.len() != 5 || clock.as_bytes()[2] != b':' {
        return None;
    }
    let (hours, minutes) = (two(clock.get(..2)?)?, two(clock.get(3..)?)?);
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// The instant of a moment in a zone.
pub(super) fn instant_of(moment: Moment, zone: &Zone) -> i64 {
    match moment {
        Moment::Instant(ms) => ms,
        Moment::Date(day) => zone.day_start(day),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_instants_are_read_to_the_letter() {
        let at = |text: &str| match moment_of(text) {
            Some(Moment::Instant(ms)) => Some(ms),
            _ => None,
        };
        assert_eq!(at("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(at("1970-01-02 00:00:00.5z"), Some(86_400_500));
        assert_eq!(at("1970-01-01t00:00:00.123999Z"), Some(123));
        assert_eq!(
            moment_of("2026-11-01"),
            Some(Moment::Date("2026-11-01".parse().unwrap()))
        );
        for text in [
            "",
            "2026",
            "2026-02-30",
            "2026-13-01",
            "1899-12-31",
            "2300-01-01",
            "2026-11-01T",
            "2026-11-01T09:00Z",
            "2026-11-01T24:00:00Z",
            "2026-11-01T09:00:60Z",
            "2026-11-01T09:00:00",
            "2026-11-01T09:00:00+19:00",
            "2026-11-01T09:00:00.Z",
            "2026-11-01T09:00:00+0100",
            "2026-11-01T09:00:00+é:00",
            "äöü-11-01",
            "2026-11-0é",
            " 2026-11-01",
            "2026-11-01 ",
        ] {
            assert_eq!(moment_of(text), None, "{text}");
        }
    }
}
