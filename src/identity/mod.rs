//! From what is known of ids to whose events are whose: learns pairs and rulings, and writes the override map.
//!
//! ```text
//! batch ─▶ identity_edges ─▶ Learner: facts around the ids ─▶ IdentityGraph ─▶ rebuilds queued ─▶ person_map ─▶ rev
//! API   ─▶ identity_rulings ─┘
//! ```
//!
//! A batch is committed only when its pairs have been learned, so a committed event is never counted for a person who
//! lost it before. Learning may be done twice: the graph around the ids is made anew from the tables, and only rows that
//! differ from the map are written. Whoever dies in between leaves pairs in the tables and no commit (or no answer to the
//! API's caller), and the next one does it all again. The rebuilds of affected days are queued first: they are due only
//! after the batch is committed, and a rebuild too many is harmless.
//!
//! What is counted from raw events has the new persons at once, that is when the call returns or the batch is
//! committed. Sketches of days on which somebody's events changed hands are made anew within seconds (of today's and
//! yesterday's: a minute, in which more may change).

mod again;
mod around;
mod control;
mod known;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::event::zone::UTC_DAY_MS;
use crate::event::{Day, ProjectNumber};
use crate::fault::{self, Fault};
use crate::metrics::identity::{Id, IdentityGraph, Override};
use crate::store::identity::IdentityPair;
use crate::store::maps::Maps;
use crate::store::{Store, StoreError};
use crate::stream::rebuild::{Rebuild, RollupKind};
use crate::stream::{EventStream, StreamError};

pub use around::Around;
pub use control::Control;
use known::Known;

/// How long the turn stays with a learner that fell silent. One that works prolongs it. One that wakes up later writes
/// under a version that is behind by then.
const TURN: Duration = Duration::from_secs(10);

/// Between two tries to get the turn, and how many there are: 30 seconds.
const TRY_AGAIN: Duration = Duration::from_millis(50);
const TRIES: u32 = 600;

/// When the sketches of a day that is over are made anew, and of one that is not.
const REBUILD_AFTER_MS: i64 = 5_000;
const REBUILD_OPEN_AFTER_MS: i64 = 60_000;

/// Local days begin and end within so many milliseconds of UTC's.
const ZONES_MS: i64 = 15 * 3_600_000;

/// What was not learned. It may be tried again as it is.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("the control database does not tell what is to be known of the project: {0}")]
    Control(String),
    #[error("others learn the project's identity all the time")]
    Busy,
}

/// What learning led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Actors whose events, or some of them, belong to somebody else now: as it was, as it is.
    pub moved: Vec<(Override, Override)>,
    /// Local days whose sketches are made anew.
    pub days: BTreeSet<Day>,
    /// The version of the map that has it; `None` where nothing changed.
    pub version: Option<u64>,
}

/// Learns. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct Learner {
    store: Store,
    stream: EventStream,
    owner: Arc<str>,
    /// Numbers the turns that it, or a clone, took: clones work at once, and must not pass for one another.
    turns: Arc<AtomicU64>,
    known: Known,
    control: Control,
}

impl Learner {
    /// A learner with an owner's name of its own.
    pub fn new(store: Store, stream: EventStream) -> Learner {
        Learner {
            store,
            stream,
            owner: Arc::from(uuid::Uuid::new_v4().simple().to_string()),
            turns: Arc::default(),
            known: Known::default(),
            control: Control::default(),
        }
    }

    /// The same where persons may have been erased.
    pub fn with_control(self, control: Control) -> Learner {
        Learner { control, ..self }
    }

    /// What the tables say around these ids now.
    ///
    /// # Errors
    /// When an engine does not answer.
    pub async fn around(&self, project: ProjectNumber, ids: &BTreeSet<Id>) -> Result<Around, LearnError> {
        Around::of(&self.store, project, ids, &self.control).await
    }

    /// Learns the pairs of a batch, which are in the tables already. `at_ms` is when the batch was received.
    ///
    /// # Errors
    /// [`LearnError`]: nothing is known to be learned then.
    pub async fn learn_pairs(&self, pairs: &[IdentityPair], at_ms: i64) -> Result<(), LearnError> {
        let mut ids: BTreeMap<ProjectNumber, BTreeSet<Id>> = BTreeMap::new();
        for pair in pairs {
            let named = [&pair.device, &pair.user].map(|text| Id::read(text));
            ids.entry(pair.project)
                .or_default()
                .extend(named.into_iter().flatten());
        }
        for (project, ids) in ids {
            self.learn(project, &ids, at_ms).await?;
        }
        self.known.note(pairs);
        Ok(())
    }

    /// Forgets which pairs were learned. What an erasure took has to be learned again when it comes again.
    pub fn forget(&self) {
        self.known.clear();
    }

    /// Pairs that have not been learned lately, of those given.
    pub fn news(&self, pairs: &[IdentityPair]) -> Vec<IdentityPair> {
        pairs
            .iter()
            .filter(|pair| !self.known.has(pair))
            .cloned()
            .collect()
    }

    /// Learns what the tables say about these ids now. `at_ms` is when it was said.
    ///
    /// # Errors
    /// [`LearnError`]: nothing is known to be learned then.
    pub async fn learn(
        &self,
        project: ProjectNumber,
        ids: &BTreeSet<Id>,
        at_ms: i64,
    ) -> Result<Learned, LearnError> {
        let name = self.take_turn(project).await?;
        let mut learning = std::pin::pin!(self.learn_in_turn(project, ids, at_ms));
        let learned = loop {
            match tokio::time::timeout(TURN / 4, &mut learning).await {
                Ok(learned) => break learned,
                // Redis being away for a moment does no harm: it is asked again before the time runs out.
                Err(_) => drop(self.stream.take_identity(project, &name, TURN).await),
            }
        };
        self.stream.leave_identity(project, &name).await?;
        learned
    }

    /// Waits for the turn; the name under which it was taken.
    async fn take_turn(&self, project: ProjectNumber) -> Result<String, LearnError> {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}:{turn}", self.owner);
        let mut tries = 0;
        while !self.stream.take_identity(project, &name, TURN).await? {
            tries += 1;
            if tries == TRIES {
                return Err(LearnError::Busy);
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
        Ok(name)
    }

    async fn learn_in_turn(
        &self,
        project: ProjectNumber,
        ids: &BTreeSet<Id>,
        at_ms: i64,
    ) -> Result<Learned, LearnError> {
        let around = self.around(project, ids).await?;
        let graph = around.graph();
        let moved = self.differing(project, &graph, &around.near).await?;
        if moved.is_empty() {
            return Ok(Learned::default());
        }
        let affected = self.affected_days(project, &moved).await?;
        let version = self.store.identity_version(project).await? + 1;
        let days = self.queue(project, &affected, version, at_ms).await?;
        fault::point("learn.after_queue").await?;
        let rows: Vec<Override> = moved.iter().map(|(_, now)| *now).collect();
        self.store.write_overrides(project, &rows, version).await?;
        fault::point("learn.after_map").await?;
        self.stream.raise_rev(&[project]).await?;
        Ok(Learned {
            moved,
            days,
            version: Some(version),
        })
    }

    /// The rows of the map that the graph would have otherwise.
    async fn differing(
        &self,
        project: ProjectNumber,
        graph: &IdentityGraph,
        ids: &BTreeSet<Id>,
    ) -> Result<Vec<(Override, Override)>, LearnError> {
        let now = ids.iter().map(|id| {
            let row = Override::of(id, &graph.attribution(id));
            row.unwrap_or(Override::own(id.actor()))
        });
        let now: Vec<Override> = now.collect();
        let actors: Vec<u64> = now.iter().map(|row| row.actor).collect();
        let stored = self.store.overrides_of(project, &actors).await?;
        let stored: HashMap<u64, Override> = stored.into_iter().map(|row| (row.actor, row)).collect();
        let before = |actor| stored.get(&actor).copied().unwrap_or(Override::own(actor));
        let pairs = now.into_iter().map(|row| (before(row.actor), row));
        Ok(pairs.filter(|(before, now)| before != now).collect())
    }

    /// The local days of actors on which events changed hands. Where the zone was changed, an event may lie on the day
    /// before or after the one that was noted with it.
    async fn affected_days(
        &self,
        project: ProjectNumber,
        moved: &[(Override, Override)],
    ) -> Result<Vec<(u64, Day)>, LearnError> {
        let actors: Vec<u64> = moved.iter().map(|(before, _)| before.actor).collect();
        let active = self.store.active_days_of(project, &actors).await?;
        let moves: HashMap<u64, &(Override, Override)> =
            moved.iter().map(|moved| (moved.0.actor, moved)).collect();
        let off = self
            .control
            .days_off(project)
            .await
            .map_err(LearnError::Control)?;
        let near = |(actor, day): (u64, Day)| (-off..=off).map(move |off| (actor, day.plus(off)));
        let active: BTreeSet<(u64, Day)> = active.into_iter().flat_map(near).collect();
        let is_affected = |(actor, day): &(u64, Day)| {
            let (from, until) = (i64::from(day.0) * UTC_DAY_MS, i64::from(day.0 + 1) * UTC_DAY_MS);
            moves
                .get(actor)
                .is_some_and(|(before, now)| before.differs_within(now, from - ZONES_MS, until + ZONES_MS))
        };
        Ok(active.into_iter().filter(is_affected).collect())
    }

    /// Has the sketches of these local days made anew, which count these actors as two persons.
    ///
    /// # Errors
    /// When an engine does not answer.
    pub async fn make_anew(
        &self,
        unclear: &BTreeMap<ProjectNumber, Vec<(u64, Day)>>,
        at_ms: i64,
    ) -> Result<(), LearnError> {
        for (project, actors) in unclear {
            let version = self.store.identity_version(*project).await?;
            self.queue(*project, actors, version, at_ms).await?;
        }
        Ok(())
    }

    async fn queue(
        &self,
        project: ProjectNumber,
        actors: &[(u64, Day)],
        version: u64,
        at_ms: i64,
    ) -> Result<BTreeSet<Day>, LearnError> {
        let days: BTreeSet<Day> = actors.iter().map(|(_, day)| *day).collect();
        self.store.note_moves(project, actors, version).await?;
        let yesterday = Day::of_utc(at_ms).plus(-1);
        let rebuild = |day: &Day| Rebuild {
            project,
            kind: RollupKind::Sketches,
            day: *day,
        };
        let over: Vec<Rebuild> = days.range(..yesterday).map(rebuild).collect();
        let open: Vec<Rebuild> = days.range(yesterday..).map(rebuild).collect();
        self.stream
            .queue_rebuilds(&over, at_ms + REBUILD_AFTER_MS)
            .await?;
        self.stream
            .queue_rebuilds(&open, at_ms + REBUILD_OPEN_AFTER_MS)
            .await?;
        Ok(days)
    }

    /// The override maps of these projects, no older than this call.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn maps(&self, projects: &[ProjectNumber]) -> Result<Maps, StoreError> {
        self.store.override_maps(projects).await
    }
}
