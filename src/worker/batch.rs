//! A planned batch in memory: its rows, its share of the rollups, and how far it has come.

use std::collections::BTreeSet;

use crate::event::{Event, ProjectNumber};
use crate::fault;
use crate::identity::{LearnError, Learner};
use crate::store::Store;
use crate::store::batch::{BatchName, ExpectedEvents, InsertError, Table, Verdict};
use crate::store::error::StoreError;
use crate::store::ledger::LedgerShare;
use crate::store::rows::EventBlock;
use crate::stream::codec::CodecError;
use crate::stream::ledger::Waited;
use crate::stream::shard::{DeadRow, Entry, Lease, Plan, batch_number};

use super::ledger::Shares;
use super::load::Loaded;
use super::memory::Reserved;
use super::partial::{Partial, received_hour};

/// The order of inserts. Events come first, because rows that ClickHouse refuses count nowhere. Sketches come after the
/// active days and after the pairs of ids, which are learned in between: see [`Partial::sketch`].
pub(super) const TABLES: [Table; 11] = [
    Table::Events,
    Table::CountDeltas,
    Table::ActorDays,
    Table::IdentityEdges,
    Table::Profiles,
    Table::ProfileProperties,
    Table::ProfileAdds,
    Table::SketchDeltas,
    Table::Ledger,
    Table::ClientSequences,
    Table::LateDays,
];

/// Place in [`TABLES`] of the first table that a batch without rows has a share of.
const LEDGER: usize = 8;

/// When ClickHouse refuses more rows of one batch than this, something else is wrong than the rows.
const MOST_DEAD: usize = 1_000;

/// A batch between its plan and its commit.
pub(super) struct Batch {
    pub plan: Plan,
    name: BatchName,
    /// As they lie in the stream: a row that ClickHouse refuses is read from them once more.
    entries: Vec<Entry>,
    rows: EventBlock,
    shares: Shares,
    received_hour: u32,
    /// Numbers in `rows` of those that ClickHouse refuses, in order, with what it says.
    dead: Vec<(usize, DeadRow)>,
    expected: ExpectedEvents,
    partial: Partial,
    ledger: LedgerShare,
    /// Place in [`TABLES`] of the table that is inserted next.
    next: usize,
    /// Tables whose insert may have run before, so that a yes is not enough.
    doubt: [bool; TABLES.len()],
    /// Tables in which older tries may have left rows.
    unrepaired: [bool; TABLES.len()],
    /// Whether an earlier owner, or an earlier try of ours, may have done any of it.
    taken_over: bool,
    /// Given back with the batch.
    _memory: Reserved,
}

impl Batch {
    /// The batch of `plan` from its entries. Costs CPU: not for a runtime's thread.
    pub fn load(
        lease: &Lease,
        plan: Plan,
        entries: Vec<Entry>,
        memory: Reserved,
        taken_over: bool,
    ) -> Result<Batch, CodecError> {
        let name = BatchName {
            shard: lease.shard,
            batch: batch_number(lease.incarnation, plan.seq),
            attempt: plan.attempt,
        };
        let Loaded {
            rows,
            expected,
            tally,
            shares,
        } = Loaded::of(&entries)?;
        let rows = rows.finish();
        let received_hour = received_hour(expected.last_received_at().unwrap_or(0));
        Ok(Batch {
            name,
            partial: tally.finish(received_hour),
            next: if rows.is_empty() { LEDGER } else { 0 },
            ledger: shares.ledger(),
            doubt: [taken_over; TABLES.len()],
            unrepaired: [taken_over && plan.attempt > 0; TABLES.len()],
            dead: Vec::new(),
            taken_over,
            received_hour,
            _memory: memory,
            expected,
            entries,
            rows,
            shares,
            plan,
        })
    }

    /// The table that is due, `None` when all are inserted.
    pub fn due(&self) -> Option<Table> {
        TABLES.get(self.next).copied()
    }

    /// Goes on to the next table.
    pub fn advance(&mut self) {
        self.next += 1;
    }

    pub fn name(&self) -> &BatchName {
        &self.name
    }

    /// Rows that are stored in the end.
    pub fn rows_stored(&self) -> u64 {
        (self.rows.len() - self.dead.len()) as u64
    }

    pub fn dead_rows(&self) -> Vec<DeadRow> {
        self.dead.iter().map(|(_, row)| row.clone()).collect()
    }

    /// What no longer waits once the batch is committed.
    pub fn waited(&self) -> Vec<Waited> {
        self.shares.waited()
    }

    /// Whether a yes to the due table's insert must be checked.
    pub fn in_doubt(&self) -> bool {
        self.doubt.get(self.next).copied().unwrap_or(false)
    }

    /// From now on every answer of this batch is checked.
    pub fn cast_doubt(&mut self) {
        self.doubt = [true; TABLES.len()];
    }

    /// Whether rows of older tries must be deleted from the due table first.
    pub fn must_repair(&self) -> bool {
        self.unrepaired.get(self.next).copied().unwrap_or(false)
    }

    pub fn repaired(&mut self) {
        if let Some(unrepaired) = self.unrepaired.get_mut(self.next) {
            *unrepaired = false;
        }
    }

    /// Goes on under a new try. A table that was found right keeps its rows of the old one.
    pub fn retry_as(&mut self, attempt: u8) {
        self.plan.attempt = attempt;
        self.name.attempt = attempt;
        self.unrepaired[self.next..].fill(true);
        self.cast_doubt();
        // Under this try's token nothing was ever noted: a yes means that the set is there.
        for (doubt, table) in self.doubt.iter_mut().zip(TABLES) {
            *doubt &= !table.is_set();
        }
    }

    /// From now on the events are inserted in pieces.
    pub fn split(&mut self) {
        self.plan.split = true;
        self.cast_doubt();
    }

    /// Inserts the due table: same rows, same token, however often.
    pub async fn send(&mut self, store: &Store) -> Result<(), InsertError> {
        self.send_as(self.name, store).await
    }

    /// Uses up the due table's tokens of all older tries. An owner that was stalled in the moment between
    /// looking at its lease and sending may still insert under one of them, even after our commit: its rows
    /// are then dropped as duplicates. What this inserts itself goes with the repair's DELETE.
    pub async fn burn_older_tokens(&mut self, store: &Store) -> Result<(), InsertError> {
        for attempt in 0..self.name.attempt {
            match self.send_as(BatchName { attempt, ..self.name }, store).await {
                Ok(()) | Err(InsertError::Refused { .. }) => {}
                Err(doubt) => return Err(doubt),
            }
        }
        Ok(())
    }

    async fn send_as(&mut self, name: BatchName, store: &Store) -> Result<(), InsertError> {
        match self.due() {
            Some(Table::Events) if self.plan.split => self.send_in_pieces(name, store).await,
            Some(Table::Events) => store.insert_event_block(&name, &self.rows, None).await,
            Some(Table::CountDeltas) => store.insert_count_deltas(&name, &self.partial.counts).await,
            Some(Table::SketchDeltas) => store.insert_sketch_deltas(&name, &self.partial.sketches).await,
            Some(Table::ActorDays) => store.insert_actor_days(&name, &self.partial.actor_days).await,
            Some(Table::Profiles) => {
                store
                    .insert_profiles(&name, &self.partial.of_profiles.profiles)
                    .await
            }
            Some(Table::ProfileProperties) => {
                store
                    .insert_profile_properties(&name, &self.partial.of_profiles.properties)
                    .await
            }
            Some(Table::ProfileAdds) => {
                store
                    .insert_profile_adds(&name, &self.partial.of_profiles.properties)
                    .await
            }
            Some(Table::IdentityEdges) => store.insert_identity_pairs(&name, &self.partial.pairs).await,
            Some(Table::Ledger) => store.insert_ledger(&name, &self.ledger).await,
            Some(Table::ClientSequences) => store.insert_sequences(&name, &self.ledger).await,
            Some(Table::LateDays) => store.insert_late_days(&name, &self.ledger).await,
            None => Ok(()),
        }
    }

    /// Leaves out pairs of ids that are learned already, unless an earlier owner may have died before learning them.
    pub fn leave_out_known(&mut self, learner: &Learner) {
        if !self.taken_over {
            self.partial.pairs = learner.news(&self.partial.pairs);
        }
    }

    /// Learns the pairs of ids, which are inserted, and makes the sketches of the persons that there are now.
    pub async fn learn(&mut self, learner: &Learner) -> Result<(), LearnError> {
        let at_ms = self.expected.last_received_at().unwrap_or(0);
        learner.learn_pairs(&self.partial.pairs, at_ms).await?;
        let maps = learner.maps(&self.partial.projects).await?;
        let unclear = self.partial.sketch(&maps);
        learner.make_anew(&unclear, at_ms).await
    }

    /// Projects whose answers the batch changes: those of its rows and of its ledger.
    pub fn projects(&self) -> Vec<ProjectNumber> {
        let noted = self.ledger.rows.iter().map(|row| row.project);
        let projects: BTreeSet<ProjectNumber> = self.partial.projects.iter().copied().chain(noted).collect();
        projects.into_iter().collect()
    }

    /// Halves what is refused until single rows are left. The whole is known to be refused. The halves and
    /// their tokens are the same at every run.
    async fn send_in_pieces(&mut self, name: BatchName, store: &Store) -> Result<(), InsertError> {
        let mut dead = Vec::new();
        let mut pieces = halves(0, self.rows.len());
        while let Some((lo, hi)) = pieces.pop() {
            let token = format!("{lo}-{hi}");
            fault::point("deliver.before_piece").await?;
            let piece = Loaded::block(&self.entries, &(lo..hi)).map_err(unreadable)?;
            match store.insert_event_block(&name, &piece, Some(&token)).await {
                Ok(()) => {}
                Err(InsertError::Refused { code, message }) if hi - lo == 1 => {
                    let (source, received_at) = self.shares.origin(lo);
                    let row = DeadRow {
                        event: self.row(lo)?,
                        code,
                        message,
                        source,
                        received_at,
                    };
                    dead.push((lo, row));
                    if dead.len() > MOST_DEAD {
                        let why = format!("more than {MOST_DEAD} rows of one batch are refused");
                        return Err(InsertError::Doubt(why));
                    }
                }
                Err(InsertError::Refused { .. }) => pieces.extend(halves(lo, hi)),
                Err(doubt) => return Err(doubt),
            }
        }
        let numbers: BTreeSet<usize> = dead.iter().map(|(number, _)| *number).collect();
        let alive = Loaded::one_by_one(&self.entries, |number| !numbers.contains(&number));
        let alive = alive.map_err(unreadable)?;
        self.expected = alive.expected;
        self.partial = alive.tally.finish(self.received_hour);
        self.ledger = alive.shares.ledger();
        self.dead = dead;
        Ok(())
    }

    /// A row of the batch by its number.
    fn row(&self, number: usize) -> Result<Event, InsertError> {
        let mut first = 0;
        for entry in &self.entries {
            let kept = entry.kept().map_err(unreadable)?;
            if let Some(row) = kept.get(number - first) {
                return Ok(row.clone());
            }
            first += kept.len();
        }
        Err(InsertError::Doubt(format!("the batch has no row {number}")))
    }

    /// Whether the due table holds the batch whole and once.
    pub async fn verify(&self, store: &Store) -> Result<Verdict, StoreError> {
        let ledger = |table, rows| store.verify_ledger(table, &self.name, rows);
        match self.due() {
            Some(Table::Events) => store.verify_events(&self.name, &self.expected).await,
            Some(Table::CountDeltas) => store.verify_counts(&self.name, self.rows_stored()).await,
            Some(Table::SketchDeltas) => {
                store
                    .verify_sketches(&self.name, self.partial.sketches.len() as u64)
                    .await
            }
            Some(table @ Table::Ledger) => ledger(table, self.ledger.rows.len()).await,
            Some(table @ Table::ClientSequences) => ledger(table, self.ledger.sequences.len()).await,
            Some(table @ Table::LateDays) => ledger(table, self.ledger.late_days.len()).await,
            Some(
                Table::ActorDays
                | Table::IdentityEdges
                | Table::Profiles
                | Table::ProfileProperties
                | Table::ProfileAdds,
            ) => Ok(Verdict::Unknown),
            None => Ok(Verdict::Whole),
        }
    }
}

/// Entries that were read when the batch was loaded.
fn unreadable(error: CodecError) -> InsertError {
    InsertError::Doubt(error.to_string())
}

/// The two halves of a range, the lower one last, so that it is popped first. A single row stays one.
fn halves(lo: usize, hi: usize) -> Vec<(usize, usize)> {
    let middle = lo + (hi - lo) / 2;
    if middle == lo {
        vec![(lo, hi)]
    } else {
        vec![(middle, hi), (lo, middle)]
    }
}
