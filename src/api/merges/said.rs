//! A pair of ids as a caller names it, and what saying something about it comes to.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Persons;
use crate::api::Answered;
use crate::event::ProjectNumber;
use crate::event::accept::{MAX_ID_CHARS, printable};
use crate::identity::{LearnError, Learner};
use crate::metrics::identity::{
    Change, Edge, Fact, Id, IdentityGraph, Named, Override, Pair, Person, Refused, Ruling, Verdict, alias,
};
use crate::problem::Problem;

/// An id of 1 to 200 characters, by what it is the id of.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdName {
    /// The application's id of a person.
    User(String),
    /// A client's own id of a browser or an installation.
    Device(String),
}

/// Two ids. Which of them stands first means nothing.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": {"device": "9b2e5a1c-0f0e-4a53-8f53-6a3f0f5e7f10"}, "into": {"user": "u_42"}}))]
pub struct IdPair {
    /// One.
    pub from: IdName,
    /// The other.
    pub into: IdName,
}

impl IdName {
    /// As it is stored.
    fn stored(&self) -> IdName {
        match self {
            IdName::User(text) => IdName::User(printable(text.clone())),
            IdName::Device(text) => IdName::Device(printable(text.clone())),
        }
    }

    fn text(&self) -> &str {
        match self {
            IdName::User(text) | IdName::Device(text) => text,
        }
    }

    fn named(&self) -> Named<'_> {
        match self {
            IdName::User(text) => Named::User(text),
            IdName::Device(text) => Named::Device(text),
        }
    }
}

/// What was known about a pair when something is said about it.
pub(super) struct Case {
    pair: Pair,
    verdict: Verdict,
    graph: IdentityGraph,
    latest: Option<Ruling>,
    is_seen: bool,
}

/// What is to be written down, and what it does.
pub(super) struct Said {
    pub ruling: Ruling,
    /// With a device that was not seen with the user: as if an event had named both.
    pub edge: Option<Edge>,
    pub persons: Persons,
    /// The persons concerned, before and after.
    pub concerned: Vec<Person>,
    /// What the override map would say.
    pub overrides: Vec<Override>,
}

impl Case {
    /// Reads what is known around the pair.
    pub async fn read(
        learner: &Learner,
        project: ProjectNumber,
        pair: &IdPair,
        verdict: Verdict,
    ) -> Answered<Case> {
        let pair = of_ids(pair)?;
        let around = learner
            .around(project, &ids_of(&pair))
            .await
            .map_err(not_learned)?;
        let facts = &around.facts;
        let is_user = |id: &Id| facts.iter().any(|fact| names_as_user(fact, id));
        if let Pair::Device { device, .. } = &pair
            && is_user(device)
        {
            let detail = format!("{device} is the id of a user; merge the two users");
            return Err(Problem::invalid_field("/from/device", "is_user", detail));
        }
        let latest = facts.iter().filter_map(|fact| match fact {
            Fact::Ruled(ruling) if ruling.pair == pair => Some(ruling),
            _ => None,
        });
        let latest = latest.max_by_key(|ruling| (ruling.at, ruling.verdict)).cloned();
        let is_seen = facts.iter().any(|fact| match (fact, &pair) {
            (Fact::Seen(edge), Pair::Device { device, user }) => edge.device == *device && edge.user == *user,
            _ => false,
        });
        Ok(Case {
            graph: around.graph(),
            pair,
            verdict,
            latest,
            is_seen,
        })
    }

    /// The two ids.
    pub fn ids(&self) -> BTreeSet<Id> {
        ids_of(&self.pair)
    }

    /// What the verdict, given now, comes to.
    pub fn rule(&mut self, now_ms: i64) -> Answered<Said> {
        // Of two at the same instant it could lose against the one before.
        let at = self
            .latest
            .as_ref()
            .map_or(now_ms, |latest| now_ms.max(latest.at + 1));
        let ruling = Ruling {
            pair: self.pair.clone(),
            at,
            verdict: self.verdict,
        };
        let edge = match (&self.pair, self.verdict) {
            (Pair::Device { device, user }, Verdict::Join) if !self.is_seen => Some(Edge {
                device: device.clone(),
                user: user.clone(),
                ts: now_ms,
            }),
            _ => None,
        };
        let is_parted = self
            .latest
            .as_ref()
            .is_some_and(|latest| latest.verdict == Verdict::Part);
        let ruled = Fact::Ruled(ruling.clone());
        let mut changes = Vec::new();
        let told = match edge.clone().map(Fact::Seen) {
            Some(seen) if is_parted => {
                changes = self.graph.learn([&seen]).changes;
                self.graph.preview(&ruled)
            }
            Some(seen) => self.graph.preview(&seen),
            None => self.graph.preview(&ruled),
        };
        let preview = told.map_err(|refused| refusal(&refused))?;
        let persons = preview.before.keys().chain(preview.after.keys());
        Ok(Said {
            concerned: persons.cloned().collect(),
            persons: Persons::from(&preview),
            overrides: overrides(changes.iter().chain(&preview.changes)),
            ruling,
            edge,
        })
    }
}

/// An engine is away.
pub(super) fn not_learned(error: LearnError) -> Problem {
    match error {
        LearnError::Store(error) => error.into(),
        error => {
            tracing::warn!(%error, "identity waits");
            Problem::unavailable(
                "what is known of ids cannot be read or learned now: say it again",
                2,
            )
        }
    }
}

fn ids_of(pair: &Pair) -> BTreeSet<Id> {
    match pair {
        Pair::Device {
            device: one,
            user: other,
        }
        | Pair::Users(one, other) => BTreeSet::from([one.clone(), other.clone()]),
    }
}

/// What the map would say of the ids whose events change hands; later changes stand for earlier ones.
fn overrides<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<Override> {
    let rows = changes.map(|change| {
        let own = Override::own(change.id.actor());
        let row = change.override_now().unwrap_or(own);
        (row.actor, row)
    });
    rows.collect::<BTreeMap<_, _>>().into_values().collect()
}

fn names_as_user(fact: &Fact, id: &Id) -> bool {
    match fact {
        Fact::Seen(edge) => edge.user == *id,
        Fact::Ruled(ruling) => match &ruling.pair {
            Pair::Device { user, .. } => user == id,
            Pair::Users(one, other) => one == id || other == id,
        },
        Fact::Erased(_) => false,
    }
}

/// The pair, if the rules of an alias allow it.
fn of_ids(pair: &IdPair) -> Answered<Pair> {
    let (from, into) = (pair.from.stored(), pair.into.stored());
    for (name, id) in [("from", &from), ("into", &into)] {
        let kind = match id {
            IdName::User(_) => "user",
            IdName::Device(_) => "device",
        };
        let pointer = format!("/{name}/{kind}");
        if !(1..=MAX_ID_CHARS).contains(&id.text().chars().count()) {
            let detail = "an id has 1 to 200 characters";
            return Err(Problem::invalid_field(&pointer, "wrong_length", detail));
        }
        if Id::read(id.text()).is_none() {
            return Err(Problem::invalid_field(
                &pointer,
                "nobody",
                Refused::Nobody.to_string(),
            ));
        }
    }
    match alias(from.named(), into.named(), 0, true) {
        Ok(Fact::Ruled(ruling)) => Ok(ruling.pair),
        Ok(Fact::Seen(edge)) => Ok(Pair::Device {
            device: edge.device,
            user: edge.user,
        }),
        Ok(Fact::Erased(_)) => Err(Problem::internal("an alias erases nobody")),
        Err(refused) => Err(refusal(&refused)),
    }
}

fn refusal(refused: &Refused) -> Problem {
    let code = match refused {
        Refused::OverCap { .. } => {
            tracing::warn!(%refused, "a merge was refused");
            return Problem::new(StatusCode::CONFLICT, "too_many_devices", refused.to_string());
        }
        Refused::TwoDevices => "two_devices",
        Refused::NeedsServerKey => return Problem::forbidden(refused.to_string()),
        Refused::Nobody => "nobody",
        Refused::SameId => "same_id",
        Refused::IsDevice(_) => "is_device",
    };
    Problem::invalid_field("/into", code, refused.to_string())
}
