//! The texts in which people write ranges and windows, and their limits.

use jiff::Timestamp;

use super::{DayRange, TimeRange};
use crate::event::zone::has_plausible_offset;
use crate::event::{Day, Zone};
use crate::metrics::SpecError;

/// The longest range, in local days.
pub const MAX_RANGE_DAYS: i32 = 366;
/// The most points (buckets times series) in one answer.
pub const MAX_POINTS: usize = 10_000;
/// The longest conversion window: 366 days of 24 hours.
pub const MAX_WINDOW_MS: i64 = 366 * 86_400_000;
/// The conversion window when none is given.
pub const DEFAULT_WINDOW: &str = "7d";
/// The range when none is given: this many local days up to and including today.
pub const DEFAULT_DAYS: i32 = 30;

/// The first day that a question may name: 1970-01-01.
pub const FIRST_DAY: Day = Day(0);
/// The last: 2100-01-01. The raw tables' dates end in 2149, and sums of ranges and windows must stay inside.
pub const LAST_DAY: Day = Day(47_482);

/// The instant that `text` names: a date (`2026-11-01`, its first instant in `zone`) or an RFC 3339 instant
/// (`2026-11-01T00:00:00+01:00`). In UTC milliseconds, on a local day from [`FIRST_DAY`] to [`LAST_DAY`].
pub fn parse_instant(pointer: &str, text: &str, zone: &Zone) -> Result<i64, SpecError> {
    let supported = |day: Day| {
        if (FIRST_DAY..=LAST_DAY).contains(&day) {
            return Ok(day);
        }
        Err(SpecError::new(
            pointer,
            "out_of_range",
            format!("times lie between {FIRST_DAY} and {LAST_DAY}"),
        ))
    };
    if let Some(day) = parse_date(text) {
        // Compared before it is converted: the last dates of the calendar have no instant in every zone.
        return Ok(zone.day_start(supported(day)?));
    }
    let invalid = || {
        SpecError::new(
            pointer,
            "invalid_time",
            format!("{text:?} is neither a date (2026-11-01) nor an instant (2026-11-01T00:00:00Z)"),
        )
    };
    if !has_plausible_offset(text) {
        return Err(invalid());
    }
    let ts = text.parse::<Timestamp>().map_err(|_| invalid())?.as_millisecond();
    supported(zone.local_day(ts))?;
    Ok(ts)
}

/// Exactly `YYYY-MM-DD`: jiff alone would also take the date out of a longer text.
fn parse_date(text: &str) -> Option<Day> {
    let dashes = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    dashes.then(|| text.parse().ok()).flatten()
}

/// The range `[from, to)` of a query, by default the last [`DEFAULT_DAYS`] local days including today. What
/// is wrong is added to `errors` (pointers `/from`, `/to`); the result then means nothing.
pub fn time_range(
    from: Option<&str>,
    to: Option<&str>,
    zone: &Zone,
    now_ms: i64,
    errors: &mut Vec<SpecError>,
) -> TimeRange {
    let before = errors.len();
    let mut end = |pointer: &str, text: &str| match parse_instant(pointer, text, zone) {
        Ok(ts) => ts,
        Err(error) => {
            errors.push(error);
            0
        }
    };
    let from = from.map(|text| end("/from", text));
    let to = to.map(|text| end("/to", text));
    let to_ms = to.unwrap_or_else(|| zone.day_start(zone.local_day(now_ms).plus(1)));
    let from_ms = from.unwrap_or_else(|| {
        let first = zone.local_day(to_ms - 1).plus(1 - DEFAULT_DAYS);
        zone.day_start(first.max(FIRST_DAY))
    });
    if errors.len() > before {
        return TimeRange { from_ms, to_ms };
    }
    let pointer = if from.is_some() && to.is_none() {
        "/from"
    } else {
        "/to"
    };
    if from_ms >= to_ms {
        errors.push(SpecError::new(
            pointer,
            "empty_range",
            format!(
                "the range is empty: it starts at {} and ends before {}",
                super::Moment(from_ms),
                super::Moment(to_ms)
            ),
        ));
    } else if zone.local_day(to_ms - 1).0 - zone.local_day(from_ms).0 >= MAX_RANGE_DAYS {
        errors.push(SpecError::new(
            pointer,
            "range_too_long",
            format!("a range has at most {MAX_RANGE_DAYS} days"),
        ));
    }
    TimeRange { from_ms, to_ms }
}

/// As [`time_range`] for metrics that count local days: an end given as an instant has to be the start of one.
pub fn day_range(
    from: Option<&str>,
    to: Option<&str>,
    zone: &Zone,
    now_ms: i64,
    errors: &mut Vec<SpecError>,
) -> DayRange {
    let before = errors.len();
    let range = time_range(from, to, zone, now_ms, errors);
    if errors.len() == before {
        for (pointer, ts) in [("/from", range.from_ms), ("/to", range.to_ms)] {
            if zone.day_start(zone.local_day(ts)) != ts {
                errors.push(SpecError::new(
                    pointer,
                    "not_a_day_start",
                    format!(
                        "this metric counts whole local days: give a date, or the first instant of a day in {}",
                        zone.name()
                    ),
                ));
            }
        }
    }
    DayRange {
        from: zone.local_day(range.from_ms),
        to: zone.local_day(range.to_ms),
    }
}

/// The length that `text` names, in milliseconds: `30s`, `30m`, `12h`, `7d`, `2w`, `1mo`. Units have fixed
/// lengths (a day is 24 hours, a month 30 days), so daylight saving never changes a window.
pub fn parse_window(pointer: &str, text: &str) -> Result<i64, SpecError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms: Option<i64> = match unit {
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        "w" => Some(7 * 86_400_000),
        "mo" => Some(30 * 86_400_000),
        _ => None,
    };
    let (Some(unit_ms), true) = (unit_ms, (1..=12).contains(&digits)) else {
        return Err(SpecError::new(
            pointer,
            "invalid_window",
            format!("{text:?} is not a length of time: write 30s, 30m, 12h, 7d, 2w or 1mo"),
        ));
    };
    number
        .parse::<i64>()
        .ok()
        .and_then(|n| n.checked_mul(unit_ms))
        .filter(|ms| (1_000..=MAX_WINDOW_MS).contains(ms))
        .ok_or_else(|| SpecError::new(pointer, "out_of_range", "a window lasts from 1s to 366d"))
}

/// The window of a query in milliseconds, by default [`DEFAULT_WINDOW`]. What is wrong is added to `errors`.
pub fn window(text: Option<&str>, errors: &mut Vec<SpecError>) -> i64 {
    parse_window("/window", text.unwrap_or(DEFAULT_WINDOW)).unwrap_or_else(|error| {
        errors.push(error);
        0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn codes(from: Option<&str>, to: Option<&str>) -> Vec<(String, &'static str)> {
        let mut errors = Vec::new();
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        day_range(from, to, &berlin, ms("2026-11-23T10:00Z"), &mut errors);
        errors.into_iter().map(|e| (e.pointer, e.code)).collect()
    }

    #[test]
    fn the_default_range_is_30_local_days_up_to_and_including_today() {
        let auckland = Zone::parse("Pacific/Auckland").unwrap();
        let mut errors = Vec::new();
        // 23:30 UTC is already the 24th in Auckland.
        let range = day_range(None, None, &auckland, ms("2026-11-23T23:30Z"), &mut errors);
        assert_eq!(errors, []);
        assert_eq!(range.to.to_string(), "2026-11-25");
        assert_eq!(range.to.0 - range.from.0, 30);
    }

    #[test]
    fn dates_mean_their_first_instant_and_instants_are_taken_as_they_are() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        assert_eq!(
            parse_instant("/from", "2026-07-01", &berlin),
            Ok(ms("2026-06-30T22:00Z"))
        );
        assert_eq!(
            parse_instant("/from", "2026-07-01T00:00:00+02:00", &berlin),
            Ok(ms("2026-06-30T22:00Z"))
        );
        for bad in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "20260701",
            "2026-07-01T00:00:00",
            "2026-07-01T00:00:00+25:00",
            "2026-07-01T00:00:00-19:00",
            "2026-07-01T00:00:00+02:00[Europe/Berlin]",
            "1234567890",
        ] {
            assert_eq!(
                parse_instant("/from", bad, &berlin).unwrap_err().code,
                "invalid_time",
                "{bad}"
            );
        }
        for bad in [
            "1969-12-31",
            "2101-01-01",
            "9999-12-30T00:00:00Z",
            "-000044-03-15T00:00:00Z",
            "9999-12-31",
            "2100-01-02",
        ] {
            assert_eq!(
                parse_instant("/from", bad, &berlin).unwrap_err().code,
                "out_of_range",
                "{bad}"
            );
        }
    }

    #[test]
    fn every_date_is_refused_or_lies_within_the_limits_in_order() {
        let first = "-009999-01-01".parse::<Day>().unwrap();
        let last = "9999-12-31".parse::<Day>().unwrap();
        for name in [
            "UTC",
            "Europe/Berlin",
            "Pacific/Kiritimati",
            "Pacific/Apia",
            "Etc/GMT+12",
        ] {
            let zone = Zone::parse(name).unwrap();
            let (mut before, mut taken) = (i64::MIN, 0);
            for day in (first.0..=last.0).map(Day) {
                let supported = (FIRST_DAY..=LAST_DAY).contains(&day);
                // Every date near the limits, one in 61 of the others.
                let near = [first.0, 0, LAST_DAY.0, last.0]
                    .iter()
                    .any(|limit| (day.0 - limit).abs() < 400);
                if !near && day.0 % 61 != 0 {
                    continue;
                }
                let start = zone.day_start(day);
                assert!(start >= before, "{name} {day}: day starts go forward");
                before = start;
                match parse_instant("/to", &day.to_string(), &zone) {
                    Ok(ts) => {
                        assert!(supported, "{name} {day}");
                        assert_eq!(ts, start);
                        taken += 1;
                    }
                    Err(error) => {
                        assert!(!supported, "{name} {day}: {error:?}");
                        assert_eq!(error.pointer, "/to");
                    }
                }
            }
            assert!(taken > 1_000);
        }
    }

    #[test]
    fn a_range_to_the_end_of_the_calendar_is_refused() {
        for to in ["9999-12-30", "9999-12-31"] {
            assert_eq!(
                codes(Some("2026-01-01"), Some(to)),
                [("/to".to_owned(), "out_of_range")]
            );
        }
    }

    #[test]
    fn ranges_are_refused_with_the_field_that_is_wrong() {
        assert_eq!(codes(Some("2026-01-01"), Some("2027-01-02")), []);
        assert_eq!(
            codes(Some("2026-01-01"), Some("2027-01-03")),
            [("/to".to_owned(), "range_too_long")]
        );
        assert_eq!(
            codes(Some("2026-01-01"), Some("2026-01-01")),
            [("/to".to_owned(), "empty_range")]
        );
        assert_eq!(
            codes(Some("2027-01-01"), None),
            [("/from".to_owned(), "empty_range")]
        );
        assert_eq!(
            codes(Some("x"), Some("y")),
            [
                ("/from".to_owned(), "invalid_time"),
                ("/to".to_owned(), "invalid_time")
            ]
        );
        assert_eq!(
            codes(Some("2026-01-01T00:00:00Z"), Some("2026-02-01")),
            [("/from".to_owned(), "not_a_day_start")]
        );
        assert_eq!(codes(Some("2025-12-31T23:00:00Z"), Some("2026-02-01")), []);
    }

    #[test]
    fn windows_have_fixed_units_and_limits() {
        let window = |text| parse_window("/window", text);
        assert_eq!(window("30m"), Ok(1_800_000));
        assert_eq!(window("1mo"), window("30d"));
        assert_eq!(window("366d"), Ok(MAX_WINDOW_MS));
        for bad in [
            "",
            "d",
            "7",
            "7 d",
            "-7d",
            "1.5h",
            "7D",
            "7days",
            "½d",
            "9999999999999s",
        ] {
            assert_eq!(window(bad).unwrap_err().code, "invalid_window", "{bad}");
        }
        for bad in ["0s", "367d", "999999999999w"] {
            assert_eq!(window(bad).unwrap_err().code, "out_of_range", "{bad}");
        }
    }
}
