//! Active users counted person by person.

use super::report::points;
use super::{ActiveSpec, ActiveUsersReport, Counted, MAU_DAYS, Periods, WAU_DAYS, periods};
use crate::event::{Day, Zone};
use crate::metrics::time::DayRange;

/// Counts persons from the days on which each was active. Memory and the work of [`ExactActives::finish`] are
/// bounded by the days of the range, the work for a person by their active days.
#[derive(Debug)]
pub struct ExactActives {
    spec: ActiveSpec,
    zone: Zone,
    /// The days of [`ActiveSpec::facts_range`].
    facts: DayRange,
    /// For each day of `facts`, its place among the existing ones.
    place: Vec<Option<usize>>,
    /// The existing days of `facts`.
    existing: Vec<Day>,
    dau: Vec<u64>,
    /// Differences by place: how many persons' windows begin (+) and end (-) there.
    wau: Vec<i64>,
    mau: Vec<i64>,
    weeks: (Periods, Vec<u64>),
    months: (Periods, Vec<u64>),
    range: u64,
}

impl ExactActives {
    /// A count of nobody so far.
    pub fn new(spec: &ActiveSpec, zone: &Zone) -> ExactActives {
        let facts = spec.facts_range(zone);
        let existing = facts.existing(zone);
        let mut place = vec![None; (facts.to.0 - facts.from.0).max(0) as usize];
        for (i, day) in existing.iter().enumerate() {
            place[(day.0 - facts.from.0) as usize] = Some(i);
        }
        let (weeks, months) = periods(spec);
        let zeros = |periods: Periods| {
            let counts = vec![0; periods.len()];
            (periods, counts)
        };
        ExactActives {
            spec: spec.clone(),
            zone: zone.clone(),
            facts,
            place,
            dau: vec![0; existing.len()],
            wau: vec![0; existing.len() + 1],
            mau: vec![0; existing.len() + 1],
            weeks: zeros(weeks),
            months: zeros(months),
            existing,
            range: 0,
        }
    }

    /// Counts one person, active on `days`: local days in ascending order (a day may be repeated). Days outside
    /// [`ActiveSpec::facts_range`] are ignored.
    pub fn add_person(&mut self, days: &[Day]) {
        let facts = self.facts;
        let known = || days.iter().copied().filter(move |day| facts.contains(*day));
        let place = &self.place;
        let mut places: Vec<usize> = known()
            .filter_map(|day| place[(day.0 - facts.from.0) as usize])
            .collect();
        places.dedup();
        for at in &places {
            self.dau[*at] += 1;
        }
        add_windows(&mut self.wau, &places, WAU_DAYS);
        add_windows(&mut self.mau, &places, MAU_DAYS);
        add_periods(&mut self.weeks, known());
        add_periods(&mut self.months, known());
        self.range += u64::from(known().any(|day| self.spec.range.contains(day)));
    }

    /// The report.
    pub fn finish(self, now_ms: i64) -> ActiveUsersReport {
        let running = |differences: &[i64]| {
            let mut sum = 0;
            let sums: Vec<u64> = differences
                .iter()
                .map(|difference| {
                    sum += difference;
                    sum as u64
                })
                .collect();
            sums
        };
        let (wau, mau) = (running(&self.wau), running(&self.mau));
        let on = |place: usize| (self.existing[place], self.dau[place], wau[place], mau[place]);
        let places = 0..self.existing.len();
        let days = places
            .clone()
            .map(on)
            .filter(|(day, ..)| self.spec.range.contains(*day));
        let wanted = points(&self.spec, &self.zone, now_ms);
        let points = places.map(on).filter(|(day, ..)| wanted.contains(day));
        Counted {
            days: days.collect(),
            points: points.map(|count| (count.0, count)).collect(),
            weeks: self.weeks.1,
            months: self.months.1,
            range: self.range,
        }
        .report(&self.spec, &self.zone, now_ms)
    }
}

/// Adds one person's windows: active at a place, they are in the windows of that place and of the
/// `width - 1` that follow. Overlapping stretches are joined, so that nobody counts twice.
fn add_windows(differences: &mut [i64], places: &[usize], width: usize) {
    let end = differences.len() - 1;
    let mut covered = 0;
    for &at in places {
        let until = (at + width).min(end);
        let from = at.max(covered);
        if from < until {
            differences[from] += 1;
            differences[until] -= 1;
            covered = until;
        }
    }
}

/// Adds one person to each period that holds one of their days.
fn add_periods((periods, counts): &mut (Periods, Vec<u64>), days: impl Iterator<Item = Day>) {
    let mut counted = 0;
    for day in days {
        let after = periods.partition_point(|(start, _)| *start <= day);
        if after > counted && day < periods[after - 1].1 {
            counts[after - 1] += 1;
            counted = after;
        }
    }
}
