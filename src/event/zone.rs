//! Local days and time zones: the smallest calendar vocabulary that both capture and metrics need.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds in a UTC day. Never use it to count *local* days: those may have 23 to 25 hours.
pub const UTC_DAY_MS: i64 = 86_400_000;

/// A calendar day, as days since 1970-01-01. Whether it is a UTC day or a day of a project's zone is
/// said by the name of the field that holds it. In JSON: `"2026-11-23"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// The UTC day of an instant in milliseconds.
    pub fn of_utc(ts_ms: i64) -> Day {
        Day(ts_ms.div_euclid(UTC_DAY_MS) as i32)
    }

    /// The day `n` calendar days later (earlier when negative).
    pub fn plus(self, n: i32) -> Day {
        Day(self.0 + n)
    }

    /// The civil date. Days outside years -9999..=9999 saturate, which no accepted event can reach.
    pub fn date(self) -> Date {
        // The first and the last date of the calendar; jiff's spans panic far beyond.
        let days = self.0.clamp(-4_371_587, 2_932_896);
        jiff::civil::date(1970, 1, 1).saturating_add(days.days())
    }

    /// The day of a civil date.
    pub fn from_date(date: Date) -> Day {
        let epoch = jiff::civil::date(1970, 1, 1);
        Day(date.since(epoch).map_or(0, |span| span.get_days()))
    }

    /// This day as ClickHouse's `Date` (UInt16); days outside 1970-01-01..=2149-06-06 saturate.
    pub fn as_u16(self) -> u16 {
        self.0.clamp(0, i32::from(u16::MAX)) as u16
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date())
    }
}

impl FromStr for Day {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Day, jiff::Error> {
        text.parse::<Date>().map(Day::from_date)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i32(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        if !deserializer.is_human_readable() {
            return i32::deserialize(deserializer).map(Day);
        }
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The instant `ts_ms` milliseconds after 1970-01-01 UTC; the nearest one where the calendar has none so far
/// away.
pub fn instant(ts_ms: i64) -> Timestamp {
    let nearest = if ts_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ts_ms).unwrap_or(nearest)
}

/// Whether a text that is to be read as an instant has no offset, or one of at most 18 hours: the zones of the
/// world stay below 15, jiff takes 25. False too with an annotation of RFC 9557 (`[Europe/Berlin]`), which jiff
/// reads over.
pub fn has_plausible_offset(text: &str) -> bool {
    if text.contains('[') {
        return false;
    }
    let time = text.split_once(['T', 't', ' ']).map_or("", |(_, time)| time);
    let Some((_, offset)) = time.split_once(['+', '-']) else {
        return true;
    };
    let hours = offset.get(..2).and_then(|hours| hours.parse::<u8>().ok());
    hours.is_some_and(|hours| hours <= 18)
}

/// An IANA time zone, by name. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    tz: TimeZone,
}

/// The name is not in the IANA database that the binary carries.
#[derive(Clone, Debug, thiserror::Error)]
#[error("unknown time zone {0:?}: use an IANA name such as Europe/Berlin")]
pub struct UnknownZone(pub String);

impl Zone {
    /// Looks an IANA name up (`Europe/Berlin`, `UTC`). Case-insensitive, as the database is.
    pub fn parse(name: &str) -> Result<Zone, UnknownZone> {
        match TimeZone::get(name) {
            Ok(tz) if tz.iana_name().is_some() => Ok(Zone { tz }),
            _ => Err(UnknownZone(name.to_owned())),
        }
    }

    /// Coordinated Universal Time.
    pub fn utc() -> Zone {
        Zone { tz: TimeZone::UTC }
    }

    /// The canonical spelling of the name, which ClickHouse knows too.
    pub fn name(&self) -> &str {
        self.tz.iana_name().unwrap_or("UTC")
    }

    /// The underlying zone, for calendar arithmetic.
    pub fn tz(&self) -> &TimeZone {
        &self.tz
    }

    /// The local day of an instant in milliseconds; instants outside the calendar saturate.
    pub fn local_day(&self, ts_ms: i64) -> Day {
        Day::from_date(self.tz.to_datetime(instant(ts_ms)).date())
    }

    /// The first instant of a local day, in milliseconds. Midnight may not exist; a day that does not
    /// exist at all (Apia 2011-12-30) starts where the next one does. Days outside the calendar saturate.
    pub fn day_start(&self, day: Day) -> i64 {
        self.tz
            .to_ambiguous_zoned(day.date().at(0, 0, 0, 0))
            .compatible()
            .map_or_else(
                |_| instant(i64::from(day.0) * UTC_DAY_MS).as_millisecond(),
                |zoned| {
                    // In a gap "compatible" moves forward by the gap's length; the day's first instant is the
                    // transition itself, which start_of_day finds. When the whole day is missing that day
                    // belongs to the next date, whose start is the same transition.
                    zoned
                        .start_of_day()
                        .map_or(zoned.timestamp().as_millisecond(), |z| {
                            z.timestamp().as_millisecond()
                        })
                },
            )
    }

    /// Whether the local day has any instant at all.
    pub fn day_exists(&self, day: Day) -> bool {
        self.local_day(self.day_start(day)) == day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_prints_and_parses_as_its_date() {
        let day: Day = "2026-11-23".parse().unwrap();
        assert_eq!(day.to_string(), "2026-11-23");
        assert_eq!(day.plus(8).to_string(), "2026-12-01");
        assert_eq!(Day::from_date(Day(-1).date()), Day(-1));
    }

    #[test]
    fn a_local_day_starts_at_its_first_instant_even_where_midnight_does_not_exist() {
        // Santiago 2024-09-08 starts at 01:00 local (04:00 UTC).
        let zone = Zone::parse("America/Santiago").unwrap();
        let day: Day = "2024-09-08".parse().unwrap();
        assert_eq!(
            zone.day_start(day),
            "2024-09-08T04:00:00Z"
                .parse::<Timestamp>()
                .unwrap()
                .as_millisecond()
        );
        assert!(zone.day_exists(day));
    }

    #[test]
    fn apia_has_no_30_december_2011() {
        let zone = Zone::parse("Pacific/Apia").unwrap();
        let lost: Day = "2011-12-30".parse().unwrap();
        assert!(!zone.day_exists(lost));
        assert_eq!(zone.day_start(lost), zone.day_start(lost.plus(1)));
    }

    #[test]
    fn what_lies_outside_the_calendar_saturates_at_its_nearest_end() {
        for name in ["UTC", "Europe/Berlin", "Etc/GMT+12", "Pacific/Kiritimati"] {
            let zone = Zone::parse(name).unwrap();
            assert!(
                zone.local_day(i64::MAX).to_string().starts_with("9999-12-3"),
                "{name}"
            );
            assert!(
                zone.local_day(i64::MIN).to_string().starts_with("-009999-01-0"),
                "{name}"
            );
            let last: Day = "9999-12-31".parse().unwrap();
            assert!(zone.local_day(zone.day_start(last)) >= last.plus(-1), "{name}");
            assert_eq!(Day(i32::MAX).date(), last.date());
            assert_eq!(Day(i32::MIN).date().to_string(), "-009999-01-01");
        }
    }

    #[test]
    fn an_unknown_zone_is_named_in_the_error() {
        assert!(
            Zone::parse("Mars/Olympus")
                .unwrap_err()
                .to_string()
                .contains("Mars/Olympus")
        );
    }
}
