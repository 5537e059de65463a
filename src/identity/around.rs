//! The facts around some ids: enough to tell to whom the events of each belong.

use std::collections::BTreeSet;

use super::{Control, LearnError};
use crate::event::ProjectNumber;
use crate::metrics::identity::{Edge, Fact, Id, IdentityGraph, Pair, Ruling, Salt};
use crate::store::Store;

/// Steps from the ids within which attributions may change: an edge concerns its device and one more device of its
/// user, a ruling the devices of both its users.
const NEAR: usize = 2;

/// Steps from there whose facts decide: a device's users, those joined to them, their devices, and who was seen on these
/// first.
const FAR: usize = NEAR + 3;

/// The most ids that one step takes in. Beyond are those of persons whom nobody can tell apart by hand.
const MOST_IDS: usize = 20_000;

/// Facts around some ids.
#[derive(Clone, Debug)]
pub struct Around {
    /// Everything that names an id near the given ones, or one that decides about those.
    pub facts: Vec<Fact>,
    /// The given ids.
    pub given: BTreeSet<Id>,
    /// The given ids and those whose attribution may hang on them.
    pub near: BTreeSet<Id>,
    /// The project's, where a fact is salted.
    salt: Salt,
}

impl Around {
    /// Reads them, step by step, until no id is new.
    ///
    /// # Errors
    /// When an engine does not answer.
    pub async fn of(
        store: &Store,
        project: ProjectNumber,
        ids: &BTreeSet<Id>,
        control: &Control,
    ) -> Result<Around, LearnError> {
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
        // Markers first: a later one looks for its device among all.
        let mut facts = Vec::new();
        let mut salt = Salt::new(&[], project);
        if store.has_markers(project).await? {
            salt = control.salt_of(project).await.map_err(LearnError::Control)?;
            let devices: Vec<_> = reached.iter().map(|id| salt.of(id)).collect();
            let markers = store.markers_of(project, &devices).await?;
            facts.extend(markers.into_iter().map(Fact::Erased));
        }
        facts.extend(edges.into_iter().map(Fact::Seen));
        facts.extend(rulings.into_iter().map(Fact::Ruled));
        Ok(Around {
            facts,
            given: ids.clone(),
            near,
            salt,
        })
    }

    /// What was known by an instant, of a person that is erased: without the given pairs that later events name, and
    /// without what was said later.
    pub fn by(mut self, until_ms: i64, later: &[Edge]) -> Around {
        let ruled: BTreeSet<Pair> = self
            .facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Ruled(ruling) if ruling.at > until_ms => Some(ruling.pair.clone()),
                _ => None,
            })
            .collect();
        let is_ruled = |edge: &Edge| {
            let (device, user) = (edge.device.clone(), edge.user.clone());
            edge.ts > until_ms && ruled.contains(&Pair::Device { device, user })
        };
        let is_later = |edge: &Edge| {
            let mut later = later.iter();
            later.any(|later| {
                (&later.device, &later.user, later.ts <= edge.ts) == (&edge.device, &edge.user, true)
            })
        };
        self.facts.retain(|fact| match fact {
            Fact::Seen(edge) => !is_later(edge) && !is_ruled(edge),
            Fact::Ruled(ruling) => ruling.at <= until_ms,
            Fact::Erased(_) => true,
        });
        self
    }

    /// The ids that stand in a user's place anywhere.
    pub fn users(&self) -> impl Iterator<Item = &Id> {
        self.facts.iter().flat_map(|fact| match fact {
            Fact::Seen(edge) => vec![&edge.user],
            Fact::Ruled(ruling) => match &ruling.pair {
                Pair::Device { user, .. } => vec![user],
                Pair::Users(one, other) => vec![one, other],
            },
            Fact::Erased(_) => Vec::new(),
        })
    }

    /// The graph of the facts.
    pub fn graph(&self) -> IdentityGraph {
        self.salted_by(self.salt.clone())
    }

    /// The same to salt more with the project's secret.
    pub fn salted_by(&self, salt: Salt) -> IdentityGraph {
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
