//! Profiles from events that are stored already: at the first start with these tables, and after a removal.

use super::ProfileTally;
use crate::event::ProjectNumber;
use crate::metrics::person::{Position, Written};
use crate::store::profiles::Scope;
use crate::store::{InsertError, Store, StoreError};

/// Properties that are held in memory before they are inserted.
const MOST_HELD: usize = 50_000;

/// Why it could not be filled. Repeating is harmless.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Insert(#[from] InsertError),
}

/// Fills the tables of profiles from all stored events, once in the life of an installation. Before that, questions
/// about properties of persons would miss what was said before.
pub async fn fill_once(store: &Store) -> Result<(), FillError> {
    if store.profiles_filled().await? {
        return Ok(());
    }
    if store.events_stored().await? > 0 {
        tracing::info!("reading what stored events say of persons and groups, once");
        fill(store, &Scope::Everything).await?;
    }
    Ok(store.note_profiles_filled().await?)
}

/// Fills in what stored events say.
pub async fn fill(store: &Store, scope: &Scope) -> Result<(), FillError> {
    store.fill_actors(scope).await?;
    let mut events = store.told_events(scope)?;
    let mut tally = ProfileTally::default();
    while let Some(event) = events.next().await? {
        let mut written = Written::of(&event.props, event.actor);
        if matches!(scope, Scope::Actors(..)) {
            written.groups.clear();
            written.writes.retain(|write| write.owner.kind.is_empty());
        }
        tally.note(
            ProjectNumber(event.project),
            Position::at(event.ts, event.id),
            written,
        );
        if tally.held() > MOST_HELD {
            insert(store, std::mem::take(&mut tally)).await?;
        }
    }
    insert(store, tally).await
}

async fn insert(store: &Store, tally: ProfileTally) -> Result<(), FillError> {
    let share = tally.finish();
    Ok(store.fill_told(&share.profiles, &share.properties).await?)
}
