//! Ranges, intervals and buckets in a project's zone.
//!
//! Calendar days, weeks and months are counted by calendar arithmetic, never by seconds. Local hours are keyed
//! by their UTC start, and a transition ends one hour and starts another (Lord Howe's move by 30 minutes makes
//! an hour of half the length).

mod parse;

use jiff::Timestamp;
use jiff::civil::Weekday;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::event::zone::instant;
use crate::event::{Day, Zone};

pub use parse::{
    DEFAULT_DAYS, DEFAULT_WINDOW, FIRST_DAY, LAST_DAY, MAX_POINTS, MAX_RANGE_DAYS, MAX_WINDOW_MS, day_range,
    parse_instant, parse_window, time_range, window,
};

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// An instant, in milliseconds since 1970-01-01 UTC; in JSON an RFC 3339 text in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", instant(self.0))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        Timestamp::deserialize(deserializer).map(|t| Moment(t.as_millisecond()))
    }
}

/// Local days `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayRange {
    /// The first day.
    #[schema(value_type = String, format = Date, example = "2026-11-01")]
    pub from: Day,
    /// The day after the last.
    #[schema(value_type = String, format = Date, example = "2026-12-01")]
    pub to: Day,
}

impl DayRange {
    /// Whether the day lies in the range.
    pub fn contains(&self, day: Day) -> bool {
        self.from <= day && day < self.to
    }

    /// The days of the range that have an instant in `zone`, in order.
    pub fn existing(&self, zone: &Zone) -> Vec<Day> {
        (self.from.0..self.to.0)
            .map(Day)
            .filter(|day| zone.day_exists(*day))
            .collect()
    }

    /// The instants of the range.
    pub fn instants(&self, zone: &Zone) -> TimeRange {
        TimeRange {
            from_ms: zone.day_start(self.from),
            to_ms: zone.day_start(self.to),
        }
    }
}

/// Instants `[from_ms, to_ms)` in UTC milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeRange {
    /// The first millisecond.
    pub from_ms: i64,
    /// The millisecond after the last.
    pub to_ms: i64,
}

impl TimeRange {
    /// Whether the instant lies in the range.
    pub fn contains(&self, ts: i64) -> bool {
        self.from_ms <= ts && ts < self.to_ms
    }
}

/// The width of a point on a chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// A minute.
    Minute,
    /// A local hour.
    Hour,
    /// A local day.
    #[default]
    Day,
    /// Seven local dates from the configured first day of the week.
    Week,
    /// A calendar month.
    Month,
}

/// The first day of a calendar week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WeekStart {
    /// As in ISO 8601.
    #[default]
    Monday,
    /// As in North America.
    Sunday,
    /// As in much of the Middle East.
    Saturday,
}

impl WeekStart {
    /// The first day of the week that `day` lies in.
    pub fn week_of(self, day: Day) -> Day {
        let first = match self {
            WeekStart::Monday => Weekday::Monday,
            WeekStart::Sunday => Weekday::Sunday,
            WeekStart::Saturday => Weekday::Saturday,
        };
        day.plus(-i32::from(first.until(day.date().weekday())))
    }
}

/// The first day of the calendar month that `day` lies in.
pub fn month_of(day: Day) -> Day {
    Day::from_date(day.date().first_of_month())
}

/// The first day of the month after the one that `day` lies in.
pub fn month_after(day: Day) -> Day {
    Day::from_date(day.date().last_of_month()).plus(1)
}

/// One point of a chart: the instants `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// First millisecond.
    pub start: i64,
    /// Millisecond after the last; the start of the next bucket.
    pub end: i64,
    /// The first local date of a day, week or month; hours and minutes have none.
    pub date: Option<Day>,
}

/// The buckets that `range` touches, in order and without gaps. The first and the last may reach beyond the
/// range. A week or month is not shortened by dates that do not exist; a day that does not exist is absent.
pub fn buckets(zone: &Zone, range: TimeRange, interval: Interval, week_start: WeekStart) -> Vec<Bucket> {
    if range.from_ms >= range.to_ms {
        return Vec::new();
    }
    match interval {
        Interval::Minute => return clock_units(zone, range, MINUTE_MS),
        Interval::Hour => return clock_units(zone, range, HOUR_MS),
        Interval::Day | Interval::Week | Interval::Month => {}
    }
    let last = zone.local_day(range.to_ms - 1);
    let mut day = zone.local_day(range.from_ms);
    match interval {
        Interval::Week => day = week_start.week_of(day),
        Interval::Month => day = month_of(day),
        Interval::Day | Interval::Hour | Interval::Minute => {}
    }
    let mut out = Vec::new();
    while day <= last {
        let next = match interval {
            Interval::Week => day.plus(7),
            Interval::Month => month_after(day),
            Interval::Day | Interval::Hour | Interval::Minute => day.plus(1),
        };
        let (start, end) = (zone.day_start(day), zone.day_start(next));
        if start < end {
            out.push(Bucket {
                start,
                end,
                date: Some(day),
            });
        }
        day = next;
    }
    out
}

/// The index of the bucket that holds the instant, in buckets as [`buckets`] makes them.
pub fn bucket_of(buckets: &[Bucket], ts: i64) -> Option<usize> {
    let index = buckets.partition_point(|b| b.start <= ts).checked_sub(1)?;
    (ts < buckets[index].end).then_some(index)
}

/// The local hours or minutes that the range touches.
fn clock_units(zone: &Zone, range: TimeRange, unit: i64) -> Vec<Bucket> {
    let mut start = unit_start(zone, range.from_ms, unit);
    let mut out = Vec::new();
    while start < range.to_ms {
        let offset = offset_ms(zone, start);
        let full = (start + offset).div_euclid(unit) * unit + unit - offset;
        let end = offset_change(zone, start, full).unwrap_or(full);
        out.push(Bucket {
            start,
            end,
            date: None,
        });
        start = end;
    }
    out
}

/// The first millisecond of the local hour or minute that `ts` lies in.
fn unit_start(zone: &Zone, ts: i64, unit: i64) -> i64 {
    let offset = offset_ms(zone, ts);
    let full = (ts + offset).div_euclid(unit) * unit - offset;
    offset_change(zone, full, ts + 1).unwrap_or(full)
}

/// The instant in `(after, before)` at which the offset changes, if it does. No zone changes it twice within
/// an hour.
fn offset_change(zone: &Zone, after: i64, before: i64) -> Option<i64> {
    if offset_ms(zone, after) == offset_ms(zone, before - 1) {
        return None;
    }
    zone.tz()
        .following(instant(after))
        .map(|transition| transition.timestamp().as_millisecond())
        .take_while(|at| *at < before)
        .find(|at| offset_ms(zone, *at) != offset_ms(zone, at - 1))
}

fn offset_ms(zone: &Zone, ts: i64) -> i64 {
    i64::from(zone.tz().to_offset(instant(ts)).seconds()) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    fn minutes(zone: &Zone, from: &str, to: &str, interval: Interval) -> Vec<i64> {
        let range = TimeRange {
            from_ms: ms(from),
            to_ms: ms(to),
        };
        let found = buckets(zone, range, interval, WeekStart::Monday);
        for pair in found.windows(2) {
            assert_eq!(pair[0].end, pair[1].start, "buckets leave no gap");
        }
        found.iter().map(|b| (b.end - b.start) / 60_000).collect()
    }

    #[test]
    fn berlins_days_have_23_and_25_hours_at_the_transitions() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(
            minutes(&berlin, "2026-03-27T23:00Z", "2026-03-30T22:00Z", Interval::Day),
            [24 * 60, 23 * 60, 24 * 60]
        );
        assert_eq!(
            minutes(&berlin, "2026-10-24T22:00Z", "2026-10-25T23:00Z", Interval::Day),
            [25 * 60]
        );
        assert_eq!(
            minutes(&berlin, "2026-10-24T22:00Z", "2026-10-25T23:00Z", Interval::Hour).len(),
            25
        );
    }

    #[test]
    fn lord_howe_has_an_hour_of_30_minutes_at_each_transition() {
        let howe = zone("Australia/Lord_Howe");
        // Back by 30 minutes: 01:00-02:00 at +11, then 01:30-02:00 at +10:30.
        assert_eq!(
            minutes(&howe, "2026-04-04T14:00Z", "2026-04-04T16:30Z", Interval::Hour),
            [60, 30, 60]
        );
        // Forward: 02:00 becomes 02:30.
        assert_eq!(
            minutes(&howe, "2026-10-03T14:30Z", "2026-10-03T17:00Z", Interval::Hour),
            [60, 30, 60]
        );
        assert_eq!(
            minutes(&howe, "2026-04-04T13:00Z", "2026-04-05T13:30Z", Interval::Day),
            [24 * 60 + 30]
        );
    }

    #[test]
    fn an_hour_starts_at_the_transition_that_interrupts_it() {
        // 01:45 after Lord Howe's clock went back from 02:00 to 01:30 at 15:00 UTC.
        let howe = zone("Australia/Lord_Howe");
        assert_eq!(
            unit_start(&howe, ms("2026-04-04T15:15Z"), HOUR_MS),
            ms("2026-04-04T15:00Z")
        );
        // St John's used to move its clock at 00:01: from there to 01:01 in 2010.
        let st_johns = zone("America/St_Johns");
        assert_eq!(
            minutes(
                &st_johns,
                "2010-03-14T03:30Z",
                "2010-03-14T05:30Z",
                Interval::Hour
            ),
            [1, 59, 60]
        );
    }

    #[test]
    fn kathmandus_hours_start_at_a_quarter_past() {
        assert_eq!(
            unit_start(&zone("Asia/Kathmandu"), ms("2026-05-01T10:14:59Z"), HOUR_MS),
            ms("2026-05-01T09:15Z")
        );
    }

    #[test]
    fn apias_lost_day_is_absent_and_its_week_is_six_days_long() {
        let apia = zone("Pacific/Apia");
        let days = DayRange {
            from: "2011-12-29".parse().unwrap(),
            to: "2012-01-01".parse().unwrap(),
        };
        let found = buckets(&apia, days.instants(&apia), Interval::Day, WeekStart::Monday);
        let dates: Vec<_> = found.iter().map(|b| b.date.unwrap().to_string()).collect();
        assert_eq!(dates, ["2011-12-29", "2011-12-31"]);
        assert_eq!(days.existing(&apia).len(), 2);
        let weeks = buckets(&apia, days.instants(&apia), Interval::Week, WeekStart::Monday);
        assert_eq!(weeks.len(), 1);
        assert_eq!((weeks[0].end - weeks[0].start) / HOUR_MS, 6 * 24);
    }

    #[test]
    fn weeks_start_where_configured_and_months_end_with_their_last_day() {
        let day: Day = "2024-02-29".parse().unwrap(); // a Thursday
        assert_eq!(WeekStart::Monday.week_of(day).to_string(), "2024-02-26");
        assert_eq!(WeekStart::Sunday.week_of(day).to_string(), "2024-02-25");
        assert_eq!(WeekStart::Saturday.week_of(day).to_string(), "2024-02-24");
        assert_eq!(month_of(day).to_string(), "2024-02-01");
        assert_eq!(month_after(day).to_string(), "2024-03-01");
    }
}
