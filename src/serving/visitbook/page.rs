//! A project's sessions, brought up to date person by person.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::reading::{Found, Source};
use crate::event::ProjectNumber;
use crate::event::zone::UTC_DAY_MS;
use crate::metrics::identity::{NEVER, Override, fresh_of};
use crate::metrics::session::LONGEST_MS;
use crate::metrics::time::TimeRange;
use crate::metrics::visit::{Column, Columns, Kept, VisitSpec};
use crate::serving::freshness::Revision;
use crate::store::visits::MAX_NAMED;
use crate::store::{Store, StoreError};

/// The most persons who are read again by their names; with more everybody is.
const MOST_PERSONS: usize = 4 * MAX_NAMED;

/// What happened no longer ago than this is recent: a few days are read again for all whose recent events are new.
const RECENT_MS: i64 = 3 * UTC_DAY_MS;

/// The most persons with new events of long ago who are read again whole. ClickHouse finds the blocks of a few; for more
/// it would read all of them anyway.
const MOST_WHOLE: usize = 16;

/// Times that a change of persons while they were read is met with reading again.
const TRIES: usize = 3;

/// What a question knows when it looks.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Facts.
    pub store: &'a Store,
    /// Whose sessions.
    pub project: ProjectNumber,
    /// Everything received before this instant is in the tables.
    pub as_of: i64,
    /// When it came.
    pub now_ms: i64,
    /// The project's revision, where it is known.
    pub revision: Option<Revision>,
    /// Moves when stored events are removed, or come another way than through receipt, as dead letters do.
    pub upheavals: u64,
}

/// Sessions that begin from some instant on.
#[derive(Default)]
pub struct Page {
    kept: Kept,
    state: Option<State>,
    /// All sessions from here on take more memory than there is.
    too_large_since: Option<i64>,
}

struct State {
    /// From when on.
    since_ms: i64,
    /// Everything received before is in it.
    as_of: i64,
    upheavals: u64,
    /// The version of the override map that says whose events are whose.
    version: u64,
    revision: Option<Revision>,
}

impl Page {
    /// Whether it holds all sessions from an instant on.
    pub fn reaches(&self, since_ms: i64) -> bool {
        self.state
            .as_ref()
            .is_some_and(|state| state.since_ms <= since_ms)
    }

    /// Whether it was found that all sessions from an instant on do not fit.
    pub fn is_too_large(&self, since_ms: i64) -> bool {
        self.too_large_since
            .is_some_and(|too_large| since_ms <= too_large)
    }

    /// Forgets the sessions, but not that all from an instant on do not fit.
    pub fn give_up(&mut self, since_ms: i64) {
        self.kept = Kept::default();
        self.state = None;
        self.too_large_since = self.too_large_since.max(Some(since_ms));
    }

    /// Its sessions.
    pub fn kept(&self) -> Kept {
        self.kept.clone()
    }

    /// About how much memory it takes, in bytes.
    pub fn bytes(&self) -> u64 {
        self.kept.bytes()
    }

    /// Makes it hold all sessions from `since_ms` on that were received before the look, and tells how many rows were read
    /// for that.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits. The page is empty then.
    pub async fn refresh(&mut self, look: &Look<'_>, since_ms: i64) -> Result<u64, StoreError> {
        let mut rows_read = 0;
        let (kept, state) = (std::mem::take(&mut self.kept), self.state.take());
        if let Some(state) = state.filter(|state| state.since_ms <= since_ms) {
            if look.revision.is_some() && state.revision == look.revision {
                (self.kept, self.state) = (kept, Some(state));
                return Ok(0);
            }
            let renewed = renew(look, kept, state, &mut rows_read).await?;
            if let Some((kept, state)) = renewed {
                (self.kept, self.state) = (kept, Some(state));
                return Ok(rows_read);
            }
        }
        (self.kept, self.state) = begin(look, since_ms, &mut rows_read).await?;
        Ok(rows_read)
    }
}

/// All sessions. Events may be five minutes ahead of their receipt, never a day.
fn everything(look: &Look<'_>, since_ms: i64) -> VisitSpec {
    VisitSpec::all(TimeRange {
        from_ms: since_ms,
        to_ms: look.now_ms + UTC_DAY_MS,
    })
}

fn source<'a>(look: &Look<'a>, spec: &'a VisitSpec) -> Source<'a> {
    Source {
        store: look.store,
        project: look.project,
        spec,
        wanted: &Column::ALL,
    }
}

async fn begin(
    look: &Look<'_>,
    since_ms: i64,
    rows_read: &mut u64,
) -> Result<(Kept, Option<State>), StoreError> {
    let spec = everything(look, since_ms);
    let source = source(look, &spec);
    let none = Columns::default();
    for _ in 0..TRIES {
        let version = version_of(look).await?;
        let found = source.all(&none).await?;
        *rows_read += found.rows_read;
        if version_of(look).await? != version {
            continue;
        }
        let state = State {
            since_ms,
            as_of: look.as_of,
            upheavals: look.upheavals,
            version,
            revision: look.revision,
        };
        let kept = put(Kept::default(), HashSet::new(), since_ms, found).await?;
        return Ok((kept, Some(state)));
    }
    Ok(Default::default())
}

/// The same sessions as of the look; `None` where everything has to be read again.
async fn renew(
    look: &Look<'_>,
    mut kept: Kept,
    mut state: State,
    rows_read: &mut u64,
) -> Result<Option<(Kept, State)>, StoreError> {
    let (store, project) = (look.store, look.project);
    if state.upheavals != look.upheavals {
        return Ok(None);
    }
    let received = store.actors_received_since(project, state.as_of, MOST_PERSONS as u64 + 1);
    let received = received.await?;
    *rows_read += received.rows_read;
    // Those that the list left out may be of other persons.
    if received.rows.len() > MOST_PERSONS {
        return Ok(None);
    }
    let mut new = New {
        actors: received.rows.into_iter().collect(),
        ..New::default()
    };
    for _ in 0..TRIES {
        let version = new.learn(look, state.version).await?;
        if new.persons.len() > MOST_PERSONS {
            return Ok(None);
        }
        let (whole, around, from_ms) = new.parted(look.as_of - RECENT_MS);
        if from_ms <= state.since_ms {
            return Ok(None);
        }
        for (persons, since_ms) in [(whole, state.since_ms), (around, from_ms)] {
            if persons.is_empty() {
                continue;
            }
            let spec = everything(look, since_ms);
            let source = source(look, &spec);
            let listed: Vec<u64> = persons.iter().copied().collect();
            let found = match since_ms == state.since_ms {
                true => source.of(&listed, kept.texts()).await?,
                false => source.around(&listed, kept.texts()).await?,
            };
            *rows_read += found.rows_read;
            kept = put(kept, persons, since_ms, found).await?;
        }
        state.version = version;
        if version_of(look).await? == version {
            state.as_of = look.as_of.max(state.as_of);
            state.revision = look.revision;
            return Ok(Some((kept, state)));
        }
    }
    Ok(None)
}

/// What happened since a page was read.
#[derive(Default)]
struct New {
    /// Of whom events came, or who became somebody else, and when the earliest of the events concerned happened.
    actors: HashMap<u64, i64>,
    /// The persons to whom these belong or belonged, each with the earliest of the instants.
    persons: HashMap<u64, i64>,
}

impl New {
    /// Finds the persons: those of the map as it is, and those that it named since a version. Tells the map's version.
    async fn learn(&mut self, look: &Look<'_>, since_version: u64) -> Result<u64, StoreError> {
        let (store, project) = (look.store, look.project);
        let (changed, version) = store.overrides_since(project, since_version).await?;
        let changed: Vec<u64> = changed.iter().map(|row| row.actor).collect();
        // Who has no events changes no session.
        for (actor, first) in store.actors_first_seen(project, &changed).await? {
            let at = self.actors.entry(actor).or_insert(first);
            *at = first.min(*at);
        }
        let ever = store.overrides_ever(project, &changed).await?;
        let maps = store.override_maps(&[project]).await?;
        let now = |actor: u64| {
            let row = maps.of(project).and_then(|map| map.get(actor));
            row.unwrap_or(Override::own(actor))
        };
        let rows = self.actors.keys().map(|actor| now(*actor)).chain(ever);
        let own = changed.iter().map(|actor| Override::own(*actor));
        for row in rows.chain(own) {
            let Some(&at) = self.actors.get(&row.actor) else {
                continue;
            };
            for person in persons_of(row) {
                let earliest = self.persons.entry(person).or_insert(at);
                *earliest = at.min(*earliest);
            }
        }
        Ok(version)
    }

    /// The persons to be read again whole, and those to be read again from an instant on. An event changes sessions that
    /// began up to 24 hours before it, and none that began earlier.
    fn parted(&self, recent_ms: i64) -> (HashSet<u64>, HashSet<u64>, i64) {
        let is_old = |at: &i64| *at < recent_ms;
        let old = self.persons.values().filter(|at| is_old(at)).count();
        let is_whole = |at: &i64| old <= MOST_WHOLE && is_old(at);
        let mut earliest = i64::MAX;
        let (mut whole, mut around) = (HashSet::new(), HashSet::new());
        for (person, at) in &self.persons {
            if is_whole(at) {
                whole.insert(*person);
            } else {
                around.insert(*person);
                earliest = earliest.min(*at);
            }
        }
        (whole, around, earliest.saturating_sub(LONGEST_MS))
    }
}

/// Whose the events of an actor may be.
fn persons_of(row: Override) -> impl Iterator<Item = u64> {
    let fresh = (row.split != NEVER).then(|| fresh_of(row.actor));
    [row.person].into_iter().chain(fresh)
}

async fn version_of(look: &Look<'_>) -> Result<u64, StoreError> {
    let latest = look.store.latest_overrides(&[look.project]).await?;
    Ok(latest.first().map_or(0, |(_, version)| *version))
}

async fn put(mut kept: Kept, persons: HashSet<u64>, since_ms: i64, found: Found) -> Result<Kept, StoreError> {
    let put = tokio::task::spawn_blocking(move || {
        let Found { chunks, columns, .. } = found;
        kept.put(&persons, since_ms, &chunks, Arc::unwrap_or_clone(columns));
        kept
    });
    put.await
        .map_err(|error| StoreError::Unreadable(error.to_string()))
}
