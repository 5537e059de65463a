//! The ids of an erased person: all of them are taken in at the beginning, and nothing of them is left but markers.

use std::collections::BTreeSet;

use super::{Open, RemoveError, Remover};
use crate::event::{Subject, Which};
use crate::fault;
use crate::identity::{Around, Control};
use crate::meta::{ErasureKind, Meta, TheirId};
use crate::metrics::identity::{Id, IdentityGraph, Marker, Person, Salt};

/// What identity asks the control database.
pub fn control(meta: Meta) -> Control {
    let zones = meta.clone();
    Control::new(
        move |project| {
            let meta = meta.clone();
            Box::pin(async move { meta.salt_of(project).await.map_err(|error| error.to_string()) })
        },
        move |project| {
            let meta = zones.clone();
            Box::pin(async move { meta.zone_kept(project).await.map_err(|error| error.to_string()) })
        },
    )
}

/// Who is named in an erasure. Whoever used a device later without saying so is not.
fn named(graph: &IdentityGraph, ids: &BTreeSet<Id>) -> BTreeSet<Person> {
    ids.iter()
        .map(|id| Person::Known(graph.attribution(id).person))
        .collect()
}

impl Remover {
    /// Takes all ids of the person into the erasure; whether it was not as wide before.
    pub(super) async fn widen(&self, open: &Open) -> Result<bool, RemoveError> {
        if open.kind != ErasureKind::Person {
            return Ok(false);
        }
        let (_, around) = self.known_ids(open).await?;
        let graph = around.graph();
        let ids = named(&graph, &around.given);
        let ids = ids.iter().flat_map(|person| graph.members(person));
        let ids: BTreeSet<TheirId> = ids
            .map(|id| TheirId {
                split: graph.attribution(&id).split,
                id: id.to_string(),
            })
            .collect();
        let ids: Vec<TheirId> = ids.into_iter().collect();
        Ok(self.meta.widen_erasure(open, &ids).await?)
    }

    /// Puts markers in the place of the person's pairs and takes them out of the override map. Markers first: whoever
    /// dies in between leaves both, which says the same.
    ///
    /// Somebody may come under the same ids meanwhile. Their pairs are not the person's; and where one was merged into
    /// a row that is deleted, it is taken from the events again, since whoever delivered these knows it for learned.
    pub(super) async fn forget_ids(&self, open: &Open, now_ms: i64) -> Result<(), RemoveError> {
        match (open.kind, &open.subject.which) {
            (ErasureKind::Person, Which::Persons { until, .. }) => {
                return self.forget_their_ids(open, *until, now_ms).await;
            }
            (ErasureKind::Project, Which::Until { until }) => {
                let until = Some(*until).filter(|_| !open.project_gone);
                return self.forget_all_ids(&open.subject, until, now_ms).await;
            }
            // Who is who is no event of a time.
            _ => {}
        }
        Ok(())
    }

    async fn forget_their_ids(&self, open: &Open, until: i64, now_ms: i64) -> Result<(), RemoveError> {
        let (subject, project) = (&open.subject, open.subject.project);
        let (actors, around) = self.known_ids(open).await?;
        let near = around.near.clone();
        let around = around.by(until, &self.store.pairs_left(subject).await?);
        let mut graph = around.salted_by(Salt::new(&self.meta.salt_of(project).await?, project));
        let users: Vec<u64> = around.users().map(Id::actor).collect();
        let users: Vec<u64> = users.into_iter().filter(|user| actors.contains(user)).collect();
        let persons = named(&graph, &around.given);
        let erased = persons.iter().flat_map(|person| graph.erase(person).markers);
        let markers: Vec<Marker> = erased.collect();
        self.store.add_markers(project, &markers).await?;
        self.store.delete_id_pairs(subject, &users).await?;
        fault::point("remove.after_pairs").await?;
        let left = self.store.pairs_left(subject).await?;
        self.store.add_edges(project, &left).await?;
        self.learner.learn(project, &near, now_ms).await?;
        self.store.forget_overrides(project, Some(&actors)).await?;
        Ok(())
    }

    /// The same of a whole project: what is known of ids from later stays.
    async fn forget_all_ids(
        &self,
        subject: &Subject,
        until: Option<i64>,
        now_ms: i64,
    ) -> Result<(), RemoveError> {
        let project = subject.project;
        self.store.delete_all_id_pairs(project, until).await?;
        if until.is_some() {
            let left = self.store.pairs_left(subject).await?;
            self.store.add_edges(project, &left).await?;
        }
        self.learner.begin_again(project, now_ms).await?;
        self.store.forget_overrides(project, None).await?;
        Ok(())
    }

    async fn known_ids(&self, open: &Open) -> Result<(Vec<u64>, Around), RemoveError> {
        let ids: BTreeSet<Id> = open.distinct_ids.iter().filter_map(|id| Id::read(id)).collect();
        let around = self.learner.around(open.subject.project, &ids).await?;
        Ok((ids.iter().map(Id::actor).collect(), around))
    }
}
