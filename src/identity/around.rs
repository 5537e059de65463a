//! The facts around some ids: enough to tell to whom the events of each belong.

use std::collections::BTreeSet;

use crate::event::ProjectNumber;
use crate::metrics::identity::{Edge, Fact, Id, IdentityGraph, Pair, Ruling, Salt};
use crate::store::{Store, StoreError};

/// Steps from the ids within which attributions may change: an edge concerns its device and one more device of its
/// user, a ruling the devices of both its users.
const NEAR: usize = 2;

/// Steps from there whose facts decide: a device's users, those joined to them, their devices, and who was seen on these
/// first.
const FAR: usize = NEAR + 3;

/// The most ids that one step takes in. Beyond are those of persons whom nobody can tell apart by hand.
const MOST_IDS: usize = 20_000;

/// Facts around some ids.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Everything that names an id near the given ones, or one that decides about those.
    pub facts: Vec<Fact>,
    /// The given ids and those whose attribution may hang on them.
    pub near: BTreeSet<Id>,
}

impl Around {
    /// Reads them, step by step, until no id is new.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn of(store: &Store, project: ProjectNumber, ids: &BTreeSet<Id>) -> Result<Around, StoreError> {
        let (mut edges, mut rulings) = (BTreeSet::new(), BTreeSet::new());
        let mut reached = ids.clone();
        let mut near = ids.clone();
        let mut frontier: Vec<Id> = ids.iter().cloned().collect();
        for step in 0..=FAR {
            if frontier.is_empty() {
                break;
            }
            let texts: Vec<&str> = frontier.iter().map(Id::as_str).collect();
            let (seen, ruled) = tokio::try_join!(
                store.edges_naming(project, &texts),
                store.rulings_naming(project, &texts)
            )?;
            let named = seen
                .iter()
                .flat_map(of_edge)
                .chain(ruled.iter().flat_map(of_ruling));
            let mut next: Vec<Id> = named.filter(|id| reached.insert(id.clone())).collect();
            if step > 0 {
                next.truncate(MOST_IDS);
            }
            if step < NEAR {
                near.extend(next.iter().cloned());
            }
            edges.extend(seen);
            rulings.extend(ruled);
            frontier = next;
        }
        let edges = edges.into_iter().map(Fact::Seen);
        Ok(Around {
            facts: edges.chain(rulings.into_iter().map(Fact::Ruled)).collect(),
            near,
        })
    }

    /// The graph of the facts.
    pub fn graph(&self, salt: Salt) -> IdentityGraph {
        let mut graph = IdentityGraph::new(salt);
        graph.learn(&self.facts);
        graph
    }
}

fn of_edge(edge: &Edge) -> [Id; 2] {
    [edge.device.clone(), edge.user.clone()]
}

fn of_ruling(ruling: &Ruling) -> [Id; 2] {
    match &ruling.pair {
        Pair::Device { device, user } => [device.clone(), user.clone()],
        Pair::Users(one, other) => [one.clone(), other.clone()],
    }
}
