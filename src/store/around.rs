//! What is known around ids: enough to say whose they are, and whose they would be if something were said about them.

use std::collections::BTreeSet;

use super::{Store, StoreError};
use crate::event::ProjectNumber;
use crate::metrics::identity::{Fact, Id, Pair, Ruling};

impl Store {
    /// Every fact that names an id around what is around these ids, where around an id are the users seen on it, those
    /// joined to them, and the devices of all these.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn facts_around(&self, project: ProjectNumber, ids: &[&str]) -> Result<Vec<Fact>, StoreError> {
        let ids = ids.iter().filter_map(|id| Id::read(id)).collect();
        let near = self.around(project, ids).await?;
        let far = self.around(project, near).await?;
        let texts = texts(&far);
        let edges = self.edges_naming(project, &texts).await?;
        let rulings = self.rulings_naming(project, &texts).await?;
        let facts = edges.into_iter().map(Fact::Seen);
        Ok(facts.chain(rulings.into_iter().map(Fact::Ruled)).collect())
    }

    /// The ids and what is around them.
    async fn around(&self, project: ProjectNumber, ids: BTreeSet<Id>) -> Result<BTreeSet<Id>, StoreError> {
        let edges = self.edges_naming(project, &texts(&ids)).await?;
        let mut users = ids.clone();
        users.extend(edges.into_iter().map(|edge| edge.user));
        let mut asked = BTreeSet::new();
        // Who is joined to them, and who to these.
        loop {
            let new: BTreeSet<Id> = users.difference(&asked).cloned().collect();
            if new.is_empty() {
                break;
            }
            let rulings = self.rulings_naming(project, &texts(&new)).await?;
            users.extend(rulings.iter().flat_map(named));
            asked.extend(new);
        }
        let edges = self.edges_naming(project, &texts(&users)).await?;
        let mut around = ids;
        around.extend(edges.into_iter().map(|edge| edge.device));
        around.extend(users);
        Ok(around)
    }
}

/// The users that a ruling names.
fn named(ruling: &Ruling) -> Vec<Id> {
    match &ruling.pair {
        Pair::Device { user, .. } => vec![user.clone()],
        Pair::Users(one, other) => vec![one.clone(), other.clone()],
    }
}

fn texts(ids: &BTreeSet<Id>) -> Vec<&str> {
    ids.iter().map(Id::as_str).collect()
}
