//! Which days are compared person by person.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::AuditOptions;
use crate::event::zone::UTC_DAY_MS;
use crate::event::{Day, ProjectNumber, Zone};
use crate::store::audit::DayBook;

/// All days where they are not too many, else some: others for each seed, and the same at every look.
pub(super) fn draw(books: &[DayBook], options: &AuditOptions) -> BTreeMap<ProjectNumber, Vec<Day>> {
    let place = |book: &DayBook| {
        let key = (u64::from(book.project.0) << 32) | u64::from(book.day.as_u16());
        xxh3_64_with_seed(&key.to_le_bytes(), options.seed)
    };
    let mut order: Vec<(u64, &DayBook)> = books.iter().map(|book| (place(book), book)).collect();
    order.sort_unstable_by_key(|(place, _)| *place);
    let mut drawn: BTreeMap<ProjectNumber, Vec<Day>> = BTreeMap::new();
    let (mut rows, mut days) = (0, 0);
    for (_, book) in order {
        rows += book.events;
        if days == options.days || (days > 0 && rows > options.rows) {
            break;
        }
        drawn.entry(book.project).or_default().push(book.day);
        days += 1;
    }
    drawn
}

/// The local days that these UTC days touch.
pub(super) fn local_days(days: &[Day], zone: &Zone) -> BTreeSet<Day> {
    let ends = |day: &Day| {
        let start = i64::from(day.0) * UTC_DAY_MS;
        [zone.local_day(start), zone.local_day(start + UTC_DAY_MS - 1)]
    };
    days.iter().flat_map(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(day: i32, events: u64) -> DayBook {
        DayBook {
            project: ProjectNumber(1),
            day: Day(day),
            events,
            counted: events,
            alike: true,
            ahead: false,
        }
    }

    #[test]
    fn little_is_compared_whole_and_of_much_other_days_each_time() {
        let books: Vec<DayBook> = (20_000..20_100).map(|day| book(day, 1_000)).collect();
        let all = draw(&books, &AuditOptions::asked(None, 1));
        assert_eq!(all[&ProjectNumber(1)].len(), 100);
        let some = |seed| {
            let options = AuditOptions {
                rows: 10_000,
                ..AuditOptions::asked(None, seed)
            };
            draw(&books, &options)[&ProjectNumber(1)].clone()
        };
        assert_eq!(some(1).len(), 10);
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
        // A day that is larger than what may be read is still looked at when its turn comes.
        let large = draw(&[book(20_000, 1 << 40)], &AuditOptions::asked(None, 1));
        assert_eq!(large.len(), 1);
    }

    #[test]
    fn a_utc_day_touches_two_local_days_beside_greenwich() {
        let local = |zone: &str| local_days(&[Day(20_000)], &Zone::parse(zone).unwrap());
        assert_eq!(local("UTC"), BTreeSet::from([Day(20_000)]));
        assert_eq!(local("Europe/Berlin"), BTreeSet::from([Day(20_000), Day(20_001)]));
        assert_eq!(
            local("America/New_York"),
            BTreeSet::from([Day(19_999), Day(20_000)])
        );
    }
}
