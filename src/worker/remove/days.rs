//! The days whose rollups a removal changes.

use std::collections::BTreeSet;

use crate::event::{Day, Subject, Which};
use crate::meta::{Open, Progress};
use crate::store::remove::Found;
use crate::stream::rebuild::{Rebuild, RollupKind};

/// Notes the days whose rollups the removal changes: UTC days for counts, days of the project's zone for sketches.
pub(super) fn note_days(open: &Open, found: &Found, progress: &mut Progress) {
    let zone = &open.zone;
    // Days before these have nothing left at all.
    let all_before = match open.subject {
        Subject {
            which: Which::Times { from: i64::MIN, to },
            ..
        } => Some(to),
        Subject {
            which: Which::Until { until },
            ..
        } if !open.project_gone => Some(until),
        _ => None,
    };
    progress.rollups_before = all_before.map(|until| (Day::of_utc(until).0, zone.local_day(until).0));
    let (utc, local) = progress.rollups_before.unwrap_or((i32::MIN, i32::MIN));
    let mut counts: BTreeSet<i32> = progress.count_days.iter().copied().collect();
    let mut sketches: BTreeSet<i32> = progress.sketch_days.iter().copied().collect();
    for &start in &found.quarter_hours {
        counts.insert(Day::of_utc(start * 1000).0);
        // Both ends: an offset of old times may cut a quarter hour.
        sketches.insert(zone.local_day(start * 1000).0);
        sketches.insert(zone.local_day(start * 1000 + 899_999).0);
    }
    sketches.extend(found.local_days.iter().map(|day| day.0));
    let span = sketches.first().copied().zip(sketches.last().copied());
    progress.local_span = match (progress.local_span, span) {
        (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
        (before, now) => now.or(before),
    };
    progress.count_days = counts.into_iter().filter(|day| *day >= utc).collect();
    progress.sketch_days = sketches.into_iter().filter(|day| *day >= local).collect();
}

/// The local days between which the subject's activity lies.
pub(super) fn local_days(progress: &Progress) -> Option<(Day, Day)> {
    progress.local_span.map(|(first, last)| (Day(first), Day(last)))
}

/// Between which local days there is something to delete, inner `None`: on any day. Outer: nothing happened.
pub(super) fn bounds(subject: &Subject, progress: &Progress) -> Option<Option<(Day, Day)>> {
    match subject.which {
        Which::Times { .. } => local_days(progress).map(Some),
        Which::Persons { .. } | Which::Until { .. } => Some(None),
    }
}

/// The rebuilds that are due when the rows are gone.
pub(super) fn rebuilds(open: &Open, progress: &Progress) -> Vec<Rebuild> {
    if open.project_gone {
        return Vec::new();
    }
    let of = |kind, days: &[i32]| -> Vec<Rebuild> {
        let project = open.subject.project;
        days.iter()
            .map(|&day| Rebuild {
                project,
                kind,
                day: Day(day),
            })
            .collect()
    };
    let mut all = of(RollupKind::Counts, &progress.count_days);
    all.extend(of(RollupKind::Sketches, &progress.sketch_days));
    all.extend(of(RollupKind::Schema, &progress.count_days));
    all
}
