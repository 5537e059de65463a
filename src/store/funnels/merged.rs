//! Marks that came by actor, put together by person.
//!
//! ClickHouse's rows come in runs that are sorted by actor, so spreading them by actor writes one place after the other;
//! spread by person they would be thrown all over, each third row waiting for memory that is far. So they are put in
//! order by actor first. Each actor is then looked up once, and only the runs of those who are somebody else are
//! brought to their persons, whole.

use std::hint::black_box;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use super::spread::{PARTITIONS, Partition, partition_of};
use crate::metrics::funnel::StepMark;
use crate::metrics::identity::{Overrides, fresh_of};

/// Threads that put actors in order.
const THREADS: usize = 4;

/// Runs of other actors lie anywhere. So many are touched in one go before their turn: the processor then waits for all
/// of their memory at once.
const TOUCHED: usize = 32;

/// The marks of the persons whose numbers fall into one partition.
pub struct Merged {
    /// Of all actors, by partition of actors.
    all: Arc<Vec<ByActor>>,
    number: usize,
    /// Runs of these persons that came under other actors, as each thread found them.
    moved: Vec<Vec<MovedRun>>,
}

/// A partition of actors, each one's marks together and in order.
#[derive(Default)]
struct ByActor {
    /// With the numbers of persons.
    marks: Vec<StepMark>,
    /// Where those lie who are persons of their own, by number.
    own: Vec<Rows>,
}

/// Some marks of a partition, from a place up to another.
type Rows = (u32, u32);

/// Where a run of marks lies that is a person's.
#[derive(Clone, Copy)]
struct MovedRun {
    person: u64,
    partition: u32,
    rows: Rows,
}

/// What putting persons together needs beside it, to be used for one partition after the other.
#[derive(Default)]
pub struct Together {
    marks: Vec<StepMark>,
}

/// What one thread puts in order: partitions with their numbers, and for each partition of persons the runs that are theirs.
struct Share {
    parts: Vec<(usize, ByActor)>,
    moved: Vec<Vec<MovedRun>>,
}

/// Puts marks that were spread by actor together by person.
pub(super) fn merged(partitions: Vec<Partition<StepMark>>, map: &Overrides) -> Vec<Merged> {
    let share = partitions.len().div_ceil(THREADS).max(1);
    let mut left = partitions.into_iter().peekable();
    let shares: Vec<Share> = thread::scope(|scope| {
        let mut threads = Vec::new();
        while left.peek().is_some() {
            let share: Vec<_> = left.by_ref().take(share).collect();
            threads.push(scope.spawn(move || Share::of(share, map)));
        }
        let done = threads.into_iter().map(|thread| thread.join());
        done.map(|share| share.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    let mut all: Vec<ByActor> = (0..PARTITIONS).map(|_| ByActor::default()).collect();
    let mut moved: Vec<Vec<Vec<MovedRun>>> = (0..PARTITIONS).map(|_| Vec::new()).collect();
    for share in shares {
        share
            .parts
            .into_iter()
            .for_each(|(number, part)| all[number] = part);
        moved
            .iter_mut()
            .zip(share.moved)
            .for_each(|(moved, more)| moved.push(more));
    }
    let all = Arc::new(all);
    let pieces = moved.into_iter().enumerate().map(|(number, moved)| Merged {
        all: Arc::clone(&all),
        number,
        moved,
    });
    pieces.collect()
}

impl Share {
    fn of(partitions: Vec<Partition<StepMark>>, map: &Overrides) -> Share {
        let mut share = Share {
            parts: Vec::with_capacity(partitions.len()),
            moved: (0..PARTITIONS).map(|_| Vec::new()).collect(),
        };
        let (mut actors, mut persons): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        for partition in partitions {
            let mut part = ByActor {
                marks: partition.into_order(),
                own: Vec::new(),
            };
            let Some(first) = part.marks.first() else { continue };
            let number = partition_of(first.person);
            actors.clear();
            let runs = part.marks.chunk_by(|one, next| one.person == next.person);
            actors.extend(runs.map(|run| run[0].person));
            map.persons_of(&actors, &mut persons);
            let mut start = 0;
            for (actor, person) in actors.iter().zip(&persons) {
                let left = &part.marks[start..];
                let end = start + left.iter().take_while(|mark| mark.person == *actor).count();
                let split = map.split_of(*actor, *person);
                match split {
                    None if person == actor => part.own.push((start as u32, end as u32)),
                    None => share.bring((number, &mut part), start..end, *person),
                    Some(row) => {
                        let before = part.marks[start..end].partition_point(|mark| mark.ts() < row.split);
                        share.bring((number, &mut part), start..start + before, row.person);
                        share.bring((number, &mut part), start + before..end, fresh_of(*actor));
                    }
                }
                start = end;
            }
            share.parts.push((number, part));
        }
        share
    }

    /// Brings a run of a partition to its person.
    fn bring(&mut self, (partition, part): (usize, &mut ByActor), run: Range<usize>, person: u64) {
        if run.is_empty() {
            return;
        }
        self.moved[partition_of(person)].push(MovedRun {
            person,
            partition: partition as u32,
            rows: (run.start as u32, run.end as u32),
        });
        part.marks[run].iter_mut().for_each(|mark| mark.person = person);
    }
}

impl ByActor {
    fn rows(&self, (from, to): Rows) -> &[StepMark] {
        &self.marks[from as usize..to as usize]
    }
}

impl Merged {
    /// Calls `each` with every person's marks, in order.
    pub(super) fn persons(self, scratch: &mut Together, mut each: impl FnMut(&[StepMark])) {
        let Merged { all, number, moved } = self;
        let mut moved = moved.concat();
        moved.sort_unstable_by_key(|run| run.person);
        let rows = |run: &MovedRun| all[run.partition as usize].rows(run.rows);
        let (mut ahead, mut touched) = (moved.iter(), 0);
        let mut moved = moved.chunk_by(|one, next| one.person == next.person).peekable();
        let mut own = all[number]
            .own
            .iter()
            .map(|own| all[number].rows(*own))
            .peekable();
        loop {
            // The next person in number: by their own marks, by those of others, or by both.
            let of_own = own.peek().map(|run| run[0].person);
            let of_others = moved.peek().map(|runs| runs[0].person);
            let Some(person) = of_own.into_iter().chain(of_others).min() else {
                return;
            };
            let own = own.next_if(|run| run[0].person == person).unwrap_or_default();
            let others = moved.next_if(|runs| runs[0].person == person).unwrap_or_default();
            while touched < others.len() {
                let some = ahead.by_ref().take(TOUCHED).map(rows);
                black_box(
                    some.flat_map(|marks| marks.iter().step_by(2))
                        .fold(0, |all, mark| all ^ mark.at),
                );
                touched += TOUCHED;
            }
            touched -= others.len();
            match (own, others) {
                (own, []) => each(own),
                ([], [one]) => each(rows(one)),
                (own, others) => {
                    let marks = &mut scratch.marks;
                    marks.clear();
                    marks.extend_from_slice(own);
                    others.iter().for_each(|run| marks.extend_from_slice(rows(run)));
                    marks.sort_unstable_by_key(|mark| mark.at);
                    each(marks);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::spread::Spread;
    use super::*;
    use crate::metrics::identity::{NEVER, Override};

    /// Few, in several partitions.
    fn number() -> impl Strategy<Value = u64> {
        (1..12_u64).prop_map(|n| n << 60 | n)
    }

    proptest! {
        #[test]
        fn every_person_gets_all_their_marks_once_and_in_order(
            rows in prop::collection::vec((number(), number(), prop_oneof![Just(NEVER), 0..40_i64]), 0..10),
            events in prop::collection::vec((number(), 0..40_u64), 0..200),
        ) {
            let rows = rows.into_iter().map(|(actor, person, split)| Override { actor, person, split });
            let map = Overrides::of(rows);
            let mut spread = Spread::new();
            let mut expected: BTreeMap<u64, Vec<(u64, u32)>> = BTreeMap::new();
            // The place of each in its batch is its own, so their order is one.
            for (n, (actor, ts)) in (0..).zip(events) {
                let mark = StepMark::new(actor, ts, u64::from(n), n, 0);
                spread.push(mark);
                let person = map.person_of(actor, ts.cast_signed());
                expected.entry(person).or_default().push((mark.at, n));
            }
            expected.values_mut().for_each(|marks| marks.sort_unstable());
            let mut found = BTreeMap::new();
            let mut scratch = Together::default();
            for piece in merged(spread.into_partitions(), &map) {
                piece.persons(&mut scratch, |marks| {
                    assert!(marks.iter().all(|mark| mark.person == marks[0].person));
                    let theirs: Vec<_> = marks.iter().map(|mark| (mark.at, mark.marks)).collect();
                    assert!(found.insert(marks[0].person, theirs).is_none(), "a person comes once");
                });
            }
            prop_assert_eq!(found, expected);
        }
    }
}
