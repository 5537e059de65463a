//! A project's sessions, brought up to date person by person.

use std::collections::HashSet;
use std::sync::Arc;

use super::reading::{Found, Source};
use crate::event::ProjectNumber;
use crate::event::zone::UTC_DAY_MS;
use crate::metrics::identity::{NEVER, Override, fresh_of};
use crate::metrics::time::TimeRange;
use crate::metrics::visit::{Column, Columns, Kept, LOOK_BACK_MS, VisitSpec};
use crate::serving::freshness::Revision;
use crate::store::visits::MAX_NAMED;
use crate::store::{Store, StoreError};

/// The most persons who are read again one by one; with more everybody is.
const MOST_PERSONS: usize = 4 * MAX_NAMED;

/// The most persons without an end of their sessions who are read again each time; with more nothing is kept.
const MOST_RESTLESS: usize = MAX_NAMED;

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
    /// Events of that time that had been received before then.
    events: u64,
    /// The version of the override map that says whose events are whose.
    version: u64,
    /// Who is read anew each time: what decides their sessions may lie before all that is looked at.
    restless: Vec<u64>,
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

    /// Forgets the sessions, but not that they do not fit.
    pub fn give_up(&mut self) {
        self.kept = Kept::default();
        if let Some(state) = self.state.take() {
            self.too_large_since = self.too_large_since.max(Some(state.since_ms));
        }
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
        if self
            .state
            .as_ref()
            .is_some_and(|state| state.restless.len() > MOST_RESTLESS)
        {
            self.give_up();
        }
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

async fn begin(
    look: &Look<'_>,
    since_ms: i64,
    rows_read: &mut u64,
) -> Result<(Kept, Option<State>), StoreError> {
    let (store, project) = (look.store, look.project);
    let spec = everything(look, since_ms);
    let source = Source {
        store,
        project,
        spec: &spec,
        wanted: &Column::ALL,
    };
    let none = Columns::default();
    for _ in 0..TRIES {
        let version = version_of(look).await?;
        let events = store.received_before(project, since_ms - LOOK_BACK_MS, (look.as_of, look.as_of));
        let (events, found) = tokio::try_join!(events, source.all(&none))?;
        *rows_read += events.rows_read + found.rows_read;
        if version_of(look).await? != version {
            continue;
        }
        let state = State {
            since_ms,
            as_of: look.as_of,
            events: events.rows.0,
            version,
            restless: found.restless.clone(),
            revision: look.revision,
        };
        let kept = put(Kept::default(), HashSet::new(), found).await?;
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
    let as_of = look.as_of.max(state.as_of);
    let counted = store.received_before(project, state.since_ms - LOOK_BACK_MS, (state.as_of, as_of));
    let new = store.actors_received_since(project, state.as_of, MOST_PERSONS as u64 + 1);
    let (counted, new) = tokio::try_join!(counted, new)?;
    *rows_read += counted.rows_read + new.rows_read;
    // Fewer: some were removed. More: some came another way than through receipt, as dead letters do.
    if counted.rows.0 != state.events {
        return Ok(None);
    }
    let mut actors: HashSet<u64> = new.rows.into_iter().collect();
    let spec = everything(look, state.since_ms);
    let source = Source {
        store,
        project,
        spec: &spec,
        wanted: &Column::ALL,
    };
    for _ in 0..TRIES {
        let mut persons: HashSet<u64> = state.restless.iter().copied().collect();
        let (changed, version) = store.overrides_since(project, state.version).await?;
        let changed: Vec<u64> = changed.iter().map(|row| row.actor).collect();
        if actors.len() + changed.len() > MOST_PERSONS {
            return Ok(None);
        }
        for row in store.overrides_ever(project, &changed).await? {
            persons.extend(persons_of(row));
        }
        actors.extend(&changed);
        persons.extend(&changed);
        {
            let maps = store.override_maps(&[project]).await?;
            let row = |actor: &u64| maps.of(project).and_then(|map| map.get(*actor));
            let rows = actors
                .iter()
                .map(|actor| row(actor).unwrap_or(Override::own(*actor)));
            persons.extend(rows.flat_map(persons_of));
        }
        if persons.len() > MOST_PERSONS {
            return Ok(None);
        }
        if !persons.is_empty() {
            let listed: Vec<u64> = persons.iter().copied().collect();
            let found = source.of(&listed, kept.texts()).await?;
            *rows_read += found.rows_read;
            kept = put(kept, persons, found).await?;
        }
        state.version = version;
        if version_of(look).await? == version {
            state.as_of = as_of;
            state.events = counted.rows.1;
            state.revision = look.revision;
            return Ok(Some((kept, state)));
        }
    }
    Ok(None)
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

async fn put(mut kept: Kept, persons: HashSet<u64>, found: Found) -> Result<Kept, StoreError> {
    let put = tokio::task::spawn_blocking(move || {
        let Found { chunks, columns, .. } = found;
        kept.put(&persons, &chunks, Arc::unwrap_or_clone(columns));
        kept
    });
    put.await
        .map_err(|error| StoreError::Unreadable(error.to_string()))
}
