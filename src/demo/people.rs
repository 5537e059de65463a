//! Who visits the made-up shop: people with one or several devices, some of whom sign up, and the companies that
//! some of these order for.

use fastrand::Rng;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::catalog::{AGENTS, COMPANIES, FAMILY, GIVEN, PHONES, PLACES, SOURCES};

/// One browser of somebody.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub id: Uuid,
    /// Index of its browser.
    pub agent: usize,
    /// The user signed in on it: the visitor's own, or on a shared one whoever signed in last.
    pub signed_in: Option<u64>,
}

/// Somebody who visits the shop.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// Indices of their devices; the first is the one they came with.
    pub devices: Vec<usize>,
    /// Their account.
    pub user: Option<u64>,
    /// Index of the company they order for.
    pub company: Option<usize>,
    /// How readily this person comes back, 0 to 1.
    pub loyalty: f64,
    /// The weekday (Monday 0) this person likes best.
    pub habit: i8,
    /// Index of where they came from first.
    pub source: usize,
    /// Index of their language and country.
    pub place: usize,
    pub last_day: i32,
}

/// Everybody so far.
#[derive(Debug)]
pub(super) struct People {
    pub visitors: Vec<Visitor>,
    pub devices: Vec<Device>,
    /// Companies that somebody ordered for already.
    known_companies: [bool; COMPANIES.len()],
    users: u64,
}

impl People {
    /// Nobody yet. The first to sign up is `user-1` when `users` is 0.
    pub fn new(users: u64) -> People {
        People {
            visitors: Vec::new(),
            devices: Vec::new(),
            known_companies: [false; COMPANIES.len()],
            users,
        }
    }

    /// Somebody new, or somebody who comes back on that day.
    pub fn arrive(&mut self, rng: &mut Rng, day: i32) -> usize {
        let weekday = (day + 3).rem_euclid(7) as i8;
        if self.visitors.len() > 40 && rng.f64() < 0.72 {
            for _ in 0..12 {
                let index = rng.usize(..self.visitors.len());
                let visitor = &mut self.visitors[index];
                let away = f64::from((day - visitor.last_day).max(0));
                let fades = (-away / (4.0 + 40.0 * visitor.loyalty)).exp();
                let likes = if visitor.habit == weekday { 1.0 } else { 0.55 };
                let (chance, dice) = (visitor.loyalty * fades * likes, rng.f64());
                if dice < chance {
                    visitor.last_day = day;
                    return index;
                }
            }
        }
        // a few share the computer of somebody else, who is signed in on it
        let shared = if !self.devices.is_empty() && rng.f64() < 0.02 {
            let tries: Vec<usize> = (0..8).map(|_| rng.usize(..self.devices.len())).collect();
            tries.into_iter().find(|&n| self.devices[n].signed_in.is_some())
        } else {
            None
        };
        let device = match shared {
            Some(device) => device,
            None => {
                let agent = rng.usize(..AGENTS.len());
                self.device(rng, agent)
            }
        };
        self.visitors.push(Visitor {
            devices: vec![device],
            user: None,
            company: None,
            loyalty: rng.f64().powf(1.4),
            habit: rng.i8(0..7),
            source: rng.usize(..SOURCES.len()),
            place: rng.usize(..PLACES.len()),
            last_day: day,
        });
        self.visitors.len() - 1
    }

    /// The device a visitor uses today. Those with an account get a phone beside their computer some day, or a
    /// computer beside their phone, and later a third.
    pub fn pick_device(&mut self, rng: &mut Rng, visitor: usize) -> usize {
        let owned = self.visitors[visitor].devices.len();
        if self.visitors[visitor].user.is_some() && owned < 3 && rng.f64() < 0.06 {
            let first = self.devices[self.visitors[visitor].devices[0]].agent;
            let agent = if (first < PHONES) == (owned == 1) {
                rng.usize(PHONES..AGENTS.len())
            } else {
                rng.usize(..PHONES)
            };
            let device = self.device(rng, agent);
            self.visitors[visitor].devices.push(device);
            return device;
        }
        self.visitors[visitor].devices[rng.usize(..owned)]
    }

    fn device(&mut self, rng: &mut Rng, agent: usize) -> usize {
        self.devices.push(Device {
            id: uuid(rng),
            agent,
            signed_in: None,
        });
        self.devices.len() - 1
    }

    /// Gives the visitor an account, some for a company, and signs them in. Returns the properties that their
    /// sign-up sets: `set`, `set_once`.
    pub fn sign_up(&mut self, rng: &mut Rng, visitor: usize, device: usize, at_ms: i64) -> (Value, Value) {
        self.users += 1;
        let number = self.users;
        let company =
            (rng.f64() < 0.35).then(|| rng.usize(..COMPANIES.len()).min(rng.usize(..COMPANIES.len())));
        let (given, family) = (GIVEN[rng.usize(..GIVEN.len())], FAMILY[rng.usize(..FAMILY.len())]);
        let plan = match company {
            Some(_) => "business",
            None => ["free", "free", "free", "club"][rng.usize(..4)],
        };
        let host = company.map_or("mail.example".to_owned(), |n| {
            format!("{}.example", COMPANIES[n].0)
        });
        let email = format!(
            "{}.{}.{number}@{host}",
            given.to_lowercase(),
            family.to_lowercase()
        );
        let visitor = &mut self.visitors[visitor];
        visitor.user = Some(number);
        visitor.company = company;
        self.devices[device].signed_in = Some(number);
        let (_, country) = PLACES[visitor.place];
        let source = match SOURCES[visitor.source] {
            (_, source, ..) if !source.is_empty() => source,
            ("", ..) => "direct",
            ("https://www.google.com/", ..) => "search",
            _ => "referral",
        };
        let signed_up_at = jiff::Timestamp::from_millisecond(at_ms)
            .unwrap_or_default()
            .to_string();
        let set = json!({
            "name": format!("{given} {family}"), "email": email, "plan": plan, "country": country,
            "newsletter": rng.f64() < 0.5,
        });
        (
            set,
            json!({ "signed_up_at": signed_up_at, "first_source": source }),
        )
    }

    /// What is to be told of the company of a visitor, once: its key and its properties.
    pub fn introduce(&mut self, rng: &mut Rng, visitor: usize) -> Option<(&'static str, Value)> {
        let company = self.visitors[visitor].company?;
        if std::mem::replace(&mut self.known_companies[company], true) {
            return None;
        }
        let (key, name, industry) = COMPANIES[company];
        let tier = ["starter", "team", "enterprise"][rng.usize(..3)];
        let set = json!({ "name": name, "industry": industry, "tier": tier, "seats": 5 * rng.u32(1..60) });
        Some((key, set))
    }

    /// The members that say who acts: device, user, groups. Groups are told only when the visitor's own account is
    /// signed in.
    pub fn who(&self, visitor: usize, device: usize) -> Map<String, Value> {
        let (visitor, device) = (&self.visitors[visitor], &self.devices[device]);
        let mut members = Map::new();
        members.insert("device_id".into(), json!(device.id));
        if let Some(user) = device.signed_in {
            members.insert("user_id".into(), format!("user-{user}").into());
            if let Some(company) = visitor.company.filter(|_| visitor.user == Some(user)) {
                members.insert("groups".into(), json!({ "company": COMPANIES[company].0 }));
            }
        }
        members
    }
}

/// A random UUID of these dice.
pub(super) fn uuid(rng: &mut Rng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.u128(..).to_le_bytes()).into_uuid()
}
