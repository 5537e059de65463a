//! Persons by looking through all facts, again and again.

use std::collections::BTreeSet;

use crate::metrics::identity::{Edge, Fact, Id, Marker, Pair, Person, Salt, Verdict};

/// The persons that facts make, in whatever order they came.
#[derive(Clone, Debug)]
pub struct Persons<'a> {
    facts: &'a [Fact],
    salt: &'a Salt,
    cap: usize,
}

impl<'a> Persons<'a> {
    /// The persons of a project's facts, with so many device edges a component at most.
    pub fn new(facts: &'a [Fact], salt: &'a Salt, cap: usize) -> Persons<'a> {
        Persons { facts, salt, cap }
    }

    /// The person of an event. None if it names nobody.
    pub fn person_of(&self, device: &str, user: &str, ts: i64) -> Option<Person> {
        let actor = [user, device].into_iter().find(|text| !is_denied(text))?;
        let actor = Id::read(actor)?;
        if self.is_user(&actor) {
            return Some(Person::Known(self.canonical(&actor)));
        }
        if self.split(&actor).is_some_and(|split| ts >= split) {
            return Some(Person::Fresh(actor));
        }
        Some(Person::Known(self.person_of_device(&actor)))
    }

    /// Whether an edge or a ruling has the id in the place of a user.
    fn is_user(&self, id: &Id) -> bool {
        self.facts.iter().any(|fact| match fact {
            Fact::Seen(edge) => edge.user == *id,
            Fact::Ruled(ruling) => match &ruling.pair {
                Pair::Device { user, .. } => user == id,
                Pair::Users(one, other) => one == id || other == id,
            },
            Fact::Erased(_) => false,
        })
    }

    fn edges(&self) -> Vec<&'a Edge> {
        let edges = self.facts.iter().filter_map(|fact| match fact {
            Fact::Seen(edge) => Some(edge),
            Fact::Ruled(_) | Fact::Erased(_) => None,
        });
        edges.filter(|edge| !self.is_user(&edge.device)).collect()
    }

    fn edges_of(&self, device: &Id) -> Vec<&'a Edge> {
        let edges = self.edges().into_iter();
        edges.filter(|edge| edge.device == *device).collect()
    }

    fn markers_of(&self, device: &Id) -> Vec<&'a Marker> {
        let device = self.salt.of(device);
        let markers = self.facts.iter().filter_map(|fact| match fact {
            Fact::Erased(marker) => Some(marker),
            Fact::Seen(_) | Fact::Ruled(_) => None,
        });
        markers.filter(|marker| marker.device == device).collect()
    }

    /// What was said last about a pair; of two at the same instant, that they are apart.
    fn verdict(&self, pair: &Pair) -> Option<Verdict> {
        let mut latest: Option<(i64, Verdict)> = None;
        for fact in self.facts {
            let Fact::Ruled(ruling) = fact else { continue };
            if ruling.pair != *pair {
                continue;
            }
            latest = match latest {
                Some((at, _)) if at > ruling.at => latest,
                Some((at, Verdict::Part)) if at == ruling.at => latest,
                _ => Some((ruling.at, ruling.verdict)),
            };
        }
        latest.map(|(_, verdict)| verdict)
    }

    /// The users that are the same person as this one.
    fn joined(&self, user: &Id) -> BTreeSet<Id> {
        let mut users = BTreeSet::from([user.clone()]);
        loop {
            let before = users.len();
            for fact in self.facts {
                let Fact::Ruled(ruling) = fact else { continue };
                let Pair::Users(one, other) = &ruling.pair else {
                    continue;
                };
                let touches = users.contains(one) || users.contains(other);
                if touches && self.verdict(&ruling.pair) == Some(Verdict::Join) {
                    users.extend([one.clone(), other.clone()]);
                }
            }
            if users.len() == before {
                return users;
            }
        }
    }

    fn canonical(&self, user: &Id) -> Id {
        self.joined(user).first().unwrap_or(user).clone()
    }

    /// The edge of the device's earliest user; none where that one was erased.
    fn earliest(&self, device: &Id) -> Option<&'a Edge> {
        let edges = self.edges_of(device).into_iter();
        let edge = edges.min_by(|a, b| (a.ts, &a.user).cmp(&(b.ts, &b.user)))?;
        let is_earlier = |marker: &&Marker| marker.ts < edge.ts || (marker.ts == edge.ts && marker.is_first);
        if self.markers_of(device).iter().any(is_earlier) {
            None
        } else {
            Some(edge)
        }
    }

    /// The live edges of a user's component.
    fn live(&self, user: &Id) -> Vec<&'a Edge> {
        let users = self.joined(user);
        let mut live: Vec<&Edge> = Vec::new();
        let devices: BTreeSet<&Id> = self.edges().into_iter().map(|edge| &edge.device).collect();
        for edge in devices.into_iter().filter_map(|device| self.earliest(device)) {
            let pair = Pair::Device {
                device: edge.device.clone(),
                user: edge.user.clone(),
            };
            if users.contains(&edge.user) && self.verdict(&pair) != Some(Verdict::Part) {
                live.push(edge);
            }
        }
        live.sort_by(|a, b| (a.ts, &a.user, &a.device).cmp(&(b.ts, &b.user, &b.device)));
        live.truncate(self.cap);
        live
    }

    fn person_of_device(&self, device: &Id) -> Id {
        match self.earliest(device) {
            Some(edge) if self.live(&edge.user).contains(&edge) => self.canonical(&edge.user),
            _ => device.clone(),
        }
    }

    /// When a user of another person was first seen on the device.
    fn split(&self, device: &Id) -> Option<i64> {
        let (edges, person) = (self.edges_of(device), self.person_of_device(device));
        let erased = self.markers_of(device);
        // A device that nothing names in clear any more has no events from before its user was erased.
        if edges.is_empty() && erased.iter().all(|marker| marker.clear.is_none()) {
            return None;
        }
        let others = edges.iter().filter(|edge| self.canonical(&edge.user) != person);
        let erased = erased.iter().map(|marker| marker.ts);
        others.map(|edge| edge.ts).chain(erased).min()
    }
}

/// Ids that count as absent.
fn is_denied(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    ["", "null", "undefined", "nan", "0", "none", "anonymous", "guest"].contains(&text.as_str())
}
