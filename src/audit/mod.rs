//! Does everything add up? The stream's counters, raw events and rollups, compared while the installation runs.
//!
//! Nothing stands still for it. The counters of a shard are read at one moment together with its last committed
//! batch, and tables are compared up to that batch: rows of committed batches never change. What can still
//! differ for a moment (a compaction that was faster than the look) is looked at again; only what is wrong every
//! time is reported as broken. Shards out of which rows are being removed and days that wait to be rebuilt are
//! not judged.
//!
//! **Cost.** Two columns of all raw rows for the shards, six columns of the project's raw rows for the counts,
//! and for sketches and active days the raw rows of as many days as [`AuditOptions::rows`] allows, others each
//! time. At 20 million events: see the README.

mod report;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Day, ProjectNumber, Zone};
use crate::store::audit::{Cost, DayBook, ShardRows};
use crate::store::{Store, StoreError};
use crate::stream::books::Books;
use crate::stream::rebuild::{Rebuild, RollupKind};
use crate::stream::{EventStream, StreamError};

pub use report::{AuditReport, Check, Invariant, Place};

/// Rebuilds that are looked at: above that many no day is judged.
const MOST_REBUILDS: usize = 100_000;

/// The time zone of a project; `None` when there is no such project (any more).
pub type ZoneOf = Arc<dyn Fn(ProjectNumber) -> Option<Zone> + Send + Sync>;

/// How thorough an audit is, and what it may cost.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// Only this project's days. Shards are of all projects.
    pub project: Option<ProjectNumber>,
    /// Raw rows whose days are compared person by person, about.
    pub rows: u64,
    /// Days, over all projects, that are compared so.
    pub days: usize,
    /// Which days those are, where not all can be: another number, other days.
    pub seed: u64,
    /// Looks before something is reported as broken.
    pub looks: u32,
    /// Time between two looks.
    pub pause: Duration,
    /// What a statement may cost.
    pub cost: Cost,
}

impl AuditOptions {
    /// For somebody who waits: everything where it is not much.
    pub fn asked(project: Option<ProjectNumber>, seed: u64) -> AuditOptions {
        AuditOptions {
            project,
            rows: 2_000_000,
            days: 500,
            seed,
            looks: 4,
            pause: Duration::from_secs(1),
            cost: Cost {
                threads: 2,
                seconds: 60,
            },
        }
    }

    /// For a worker that looks every few minutes, beside its work.
    pub fn routine(seed: u64) -> AuditOptions {
        AuditOptions {
            rows: 500_000,
            days: 20,
            cost: Cost {
                threads: 1,
                seconds: 60,
            },
            ..AuditOptions::asked(None, seed)
        }
    }
}

/// An engine did not answer, or not within the cost.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares. Cheap to clone.
#[derive(Clone)]
pub struct Auditor {
    stream: EventStream,
    store: Store,
    zone_of: ZoneOf,
}

impl Auditor {
    /// An auditor of these.
    pub fn new(stream: EventStream, store: Store, zone_of: ZoneOf) -> Auditor {
        Auditor {
            stream,
            store,
            zone_of,
        }
    }

    /// Looks as often as the options say, or until everything holds.
    ///
    /// # Errors
    /// When nothing can be said: an engine is away, or a statement costs more than it may.
    pub async fn audit(&self, options: &AuditOptions) -> Result<AuditReport, AuditError> {
        let mut report = self.look(options).await?;
        for _ in 1..options.looks {
            if report.checks.iter().all(|c| c.holds() && c.unjudged.is_empty()) {
                break;
            }
            tokio::time::sleep(options.pause).await;
            let again = self.look(options).await?;
            report = confirmed(&report, again);
        }
        Ok(report)
    }

    async fn look(&self, options: &AuditOptions) -> Result<AuditReport, AuditError> {
        // In this order: a removal queues its rebuilds before it is over.
        let moving = Moving {
            removing: self.stream.removing().await?,
            rebuilds: self.stream.rebuilds(MOST_REBUILDS).await?,
        };
        let books = self.stream.books().await?;
        let cuts: Vec<u64> = books.iter().map(|shard| shard.cut).collect();
        let rows = self.store.shard_rows(&cuts, options.cost).await?;
        let after = self.stream.books().await?;
        let days = self.store.day_books(options.project, &cuts, options.cost).await?;
        let mut checks = of_stream(&books);
        checks.extend([
            of_shards(Invariant::RawRows, &books, |book| raw_rows(book, &rows, &moving)),
            of_shards(Invariant::BatchNumbers, &after, |book| batch_numbers(book, &rows)),
            counts(&days, &moving),
        ]);
        checks.extend(self.people(options, &days, &moving, &cuts).await?);
        Ok(AuditReport { checks, days })
    }

    /// Sketches and active days of the days that are drawn.
    async fn people(
        &self,
        options: &AuditOptions,
        days: &[DayBook],
        moving: &Moving,
        cuts: &[u64],
    ) -> Result<[Check; 2], AuditError> {
        let mut sketches = Check::new(Invariant::Sketches);
        let mut active = Check::new(Invariant::ActiveDays);
        for (project, days) in sample::draw(days, options) {
            let Some(zone) = (self.zone_of)(project) else {
                continue;
            };
            let local = sample::local_days(&days, &zone);
            let found = self
                .store
                .sketch_books(project, &zone, &local, cuts, options.cost)
                .await?;
            sketches.compared += found.compared;
            for (day, event) in found.wrong {
                let place = Place::Sketch(project, day, event);
                match moving.waits(project, RollupKind::Sketches, day) {
                    Some(why) => sketches.unjudged.push((place, why.into())),
                    None => sketches
                        .broken
                        .push((place, "differs from the sketch of its raw events".into())),
                }
            }
            for day in found.ahead {
                let why = "was compacted meanwhile".into();
                sketches.unjudged.push((Place::Day(project, day), why));
            }
            let found = self
                .store
                .active_books(project, &local, cuts, options.cost)
                .await?;
            active.compared += local.len() as u64;
            if found.missing + found.foreign > 0 {
                let why = format!(
                    "{} active days of people are missing, {} are in no raw event",
                    found.missing, found.foreign
                );
                let list = match moving.removes(project) {
                    true => &mut active.unjudged,
                    false => &mut active.broken,
                };
                list.push((Place::Project(project), why));
            }
        }
        Ok([sketches, active])
    }
}

/// What was broken at both looks is broken; what only the later one found is not judged.
fn confirmed(before: &AuditReport, mut report: AuditReport) -> AuditReport {
    for (check, earlier) in report.checks.iter_mut().zip(&before.checks) {
        let known: BTreeSet<&Place> = earlier.broken.iter().map(|(place, _)| place).collect();
        let (broken, moved): (Vec<_>, Vec<_>) = check
            .broken
            .drain(..)
            .partition(|(place, _)| known.contains(place));
        check.broken = broken;
        check.unjudged.extend(moved);
    }
    report
}

/// The invariants that Redis alone can tell.
pub fn of_stream(books: &[Books]) -> Vec<Check> {
    vec![
        of_shards(Invariant::StreamCounters, books, stream_counters),
        of_shards(Invariant::PendingRows, books, pending_rows),
        of_shards(Invariant::DeadLetters, books, dead_letters),
    ]
}

/// A check of every shard. `Err` says what is wrong, `Ok(Some)` why nothing can be said.
fn of_shards(
    invariant: Invariant,
    books: &[Books],
    rule: impl Fn(&Books) -> Result<Option<String>, String>,
) -> Check {
    let mut check = Check::new(invariant);
    for book in books {
        let place = Place::Shard(book.shard);
        match rule(book) {
            Ok(None) => check.compared += 1,
            Ok(Some(why)) => check.unjudged.push((place, why)),
            Err(why) => check.broken.push((place, why)),
        }
    }
    check
}

fn stream_counters(book: &Books) -> Result<Option<String>, String> {
    let gone = book.rows_out + book.rows_dead + book.rows_discarded;
    let sentence = |waiting: &str| {
        format!(
            "{} rows in, {} stored, {} dead, {} discarded, {waiting}",
            book.rows_in, book.rows_out, book.rows_dead, book.rows_discarded
        )
    };
    match book.rows_waiting {
        Some(waiting) if book.rows_in == gone + waiting => Ok(None),
        Some(waiting) => Err(sentence(&format!("{waiting} in the stream"))),
        None if book.rows_in < gone => Err(sentence("more than came in")),
        None => Ok(Some("too many requests wait to be counted".into())),
    }
}

fn pending_rows(book: &Books) -> Result<Option<String>, String> {
    match (book.notes, book.rows_noted) {
        (Some(notes), Some(rows)) if notes == rows => Ok(None),
        (Some(notes), Some(rows)) => Err(format!("{notes} rows are noted as waiting, {rows} wait")),
        _ => Ok(Some("too many rows wait to be counted".into())),
    }
}

fn dead_letters(book: &Books) -> Result<Option<String>, String> {
    if book.letters != book.rows_dead {
        return Err(format!(
            "{} letters, {} rows counted as dead",
            book.letters, book.rows_dead
        ));
    }
    // The next list of letters brings the index in line.
    let missing = book.letters != book.letters_indexed;
    Ok(missing.then(|| format!("{} letters, {} in the index", book.letters, book.letters_indexed)))
}

fn raw_rows(
    book: &Books,
    rows: &BTreeMap<u16, ShardRows>,
    moving: &Moving,
) -> Result<Option<String>, String> {
    let found = rows.get(&book.shard).copied().unwrap_or_default().rows;
    if book.removing {
        return Ok(Some("rows are being removed".into()));
    }
    if book.rows_out.checked_sub(book.rows_removed) == Some(found) {
        return Ok(None);
    }
    if moving.removing.iter().any(|(shard, _)| *shard == book.shard) {
        return Ok(Some(REMOVED.into()));
    }
    Err(format!(
        "{found} raw events, {} stored and {} removed by the counters",
        book.rows_out, book.rows_removed
    ))
}

fn batch_numbers(book: &Books, rows: &BTreeMap<u16, ShardRows>) -> Result<Option<String>, String> {
    let largest = rows.get(&book.shard).copied().unwrap_or_default().largest;
    if largest <= book.planned {
        return Ok(None);
    }
    Err(format!(
        "raw events of batch {largest}, planned are none after {}",
        book.planned
    ))
}

fn counts(days: &[DayBook], moving: &Moving) -> Check {
    let mut check = Check::new(Invariant::Counts);
    for book in days {
        let place = Place::Day(book.project, book.day);
        if book.alike && !book.ahead {
            check.compared += 1;
        } else if book.ahead {
            check.unjudged.push((place, "was compacted meanwhile".into()));
        } else if let Some(why) = moving.waits(book.project, RollupKind::Counts, book.day) {
            check.unjudged.push((place, why.into()));
        } else if book.counted == book.events {
            let why = format!(
                "{} events, counted under other names or quarter hours",
                book.events
            );
            check.broken.push((place, why));
        } else {
            let why = format!("{} raw events, {} counted", book.events, book.counted);
            check.broken.push((place, why));
        }
    }
    check
}

/// What cannot be judged for now.
struct Moving {
    removing: BTreeSet<(u16, ProjectNumber)>,
    rebuilds: Vec<Rebuild>,
}

const REMOVED: &str = "events are being removed";

impl Moving {
    /// Whether events of the project are being removed.
    fn removes(&self, project: ProjectNumber) -> bool {
        self.removing.iter().any(|(_, of)| *of == project)
    }

    /// Why a day's rollup may differ from its raw events, if it may.
    fn waits(&self, project: ProjectNumber, kind: RollupKind, day: Day) -> Option<&'static str> {
        if self.removes(project) {
            return Some(REMOVED);
        }
        let queued = self.rebuilds.iter().any(|rebuild| {
            let of_day = rebuild.kind == kind && rebuild.day == day;
            let of_all = rebuild.kind == RollupKind::AllSketches && kind == RollupKind::Sketches;
            rebuild.project == project && (of_day || of_all)
        });
        (queued || self.rebuilds.len() >= MOST_REBUILDS).then_some("waits to be rebuilt")
    }
}
