//! What visitors of a made-up shop do: weekly habits, a funnel that leaks, visits before and after signing up.
//!
//! Pure and repeatable: the same [`Shop::new`] arguments give the same events with the same ids, so a fill
//! that was interrupted goes on where it stopped and a batch sent twice is recognized as the same.

use fastrand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::catalog::{AGENTS, PAGES, PHONES, PLACES, PRODUCTS, SOURCES};
use super::hours::moment;
use super::people::{People, uuid};
use crate::event::Zone;
use crate::event::zone::Day;

/// The funnel that the demo is about, in order.
pub const FUNNEL: [&str; 4] = ["view_item", "add_to_cart", "begin_checkout", "purchase"];

/// The browser whose visits come without a session id: it stores nothing.
const FORGETFUL: usize = AGENTS.len() - 1;

/// The shop: its visitors so far and the dice.
#[derive(Debug)]
pub struct Shop {
    rng: Rng,
    host: String,
    people: People,
}

impl Shop {
    /// A shop whose pages live below `host` (such as `https://shop.example`), repeatable from `seed`. The first to
    /// sign up is the user after `users`.
    pub fn new(seed: u64, host: &str, users: u64) -> Shop {
        Shop {
            rng: Rng::with_seed(seed),
            host: host.to_owned(),
            people: People::new(users),
        }
    }

    /// The events of `day`, `quota` of them exactly, in time order, none later than `until_ms`.
    ///
    /// Days must be asked for in order: people come back.
    pub fn day(&mut self, day: Day, zone: &Zone, quota: usize, until_ms: i64) -> Vec<Value> {
        let start = zone.day_start(day);
        let length = zone.day_start(day.plus(1)) - start;
        let open = (until_ms - start).clamp(1, length);
        // visits in the order of their times: who signs in does so before their next visit
        let mut events = Vec::with_capacity(quota);
        while events.len() < quota {
            let mut starts: Vec<i64> = (0..8)
                .map(|_| start + moment(&mut self.rng, length, open))
                .collect();
            starts.sort_unstable();
            for at in starts {
                let visitor = self.people.arrive(&mut self.rng, day.0);
                let visit = self.visit(visitor, at, until_ms);
                events.extend(visit.into_iter().take(quota - events.len()));
            }
        }
        events.sort_by_key(|event| event["timestamp"].as_i64());
        events
    }

    /// One visit that starts now, for live traffic. The times of its later events lie ahead of `now_ms`:
    /// the caller sends each when its time has come.
    pub fn visit_now(&mut self, day: Day, now_ms: i64) -> Vec<Value> {
        let visitor = self.people.arrive(&mut self.rng, day.0);
        self.visit(visitor, now_ms, i64::MAX)
    }

    /// One session: look around, perhaps look at things, perhaps buy.
    fn visit(&mut self, visitor: usize, start: i64, until_ms: i64) -> Vec<Value> {
        let mut visit = Visit {
            id: uuid(&mut self.rng),
            visitor,
            device: self.people.pick_device(&mut self.rng, visitor),
            at: start,
            until: until_ms,
            events: Vec::new(),
        };
        let user = self.people.visitors[visitor].user;
        self.page(&mut visit, "/", "Everyday things");
        if user.is_none() && self.rng.f64() < 0.2 {
            return visit.events;
        }
        if user.is_some() && self.people.devices[visit.device].signed_in != user && self.rng.f64() < 0.6 {
            self.log_in(&mut visit);
        }
        for _ in 0..self.rng.usize(0..3) {
            let (path, title) = PAGES[self.rng.usize(..PAGES.len())];
            self.page(&mut visit, path, title);
        }
        let cart = self.look(&mut visit);
        let taken = user.is_none() && self.people.devices[visit.device].signed_in.is_some();
        let likely = if cart.is_some() || taken { 0.30 } else { 0.03 };
        if user.is_none() && self.rng.f64() < likely {
            self.sign_up(&mut visit);
        }
        if let Some((product, price)) = cart
            && self.rng.f64() < 0.58
        {
            self.check_out(&mut visit, product, price);
        }
        self.leave(&mut visit);
        visit.events
    }

    /// Looks at things; what landed in the cart.
    fn look(&mut self, visit: &mut Visit) -> Option<(&'static str, f64)> {
        let mut cart = None;
        let looks = if self.rng.f64() < 0.78 {
            self.rng.usize(1..4)
        } else {
            0
        };
        for _ in 0..looks {
            let (product, category, price) = PRODUCTS[self.rng.usize(..PRODUCTS.len())];
            let path = format!("/products/{product}");
            let about = json!({ "product": product, "category": category, "price": price });
            self.page(visit, &path, product);
            self.step(visit, "view_item", &path, json!({ "properties": about }));
            if cart.is_none() && self.rng.f64() < 0.14 {
                cart = Some((product, price));
                self.step(visit, "add_to_cart", &path, json!({ "properties": about }));
            }
        }
        cart
    }

    fn check_out(&mut self, visit: &mut Visit, product: &str, price: f64) {
        self.page(visit, "/checkout", "Checkout");
        let order = json!({ "product": product, "price": price });
        self.step(
            visit,
            "begin_checkout",
            "/checkout",
            json!({ "properties": order }),
        );
        let phone = self.people.devices[visit.device].agent < PHONES;
        if self.rng.f64() < if phone { 0.44 } else { 0.64 } {
            let items = self.rng.u32(1..4);
            let amount = (price * f64::from(items) * 100.0).round() / 100.0;
            let order = json!({ "product": product, "items": items, "amount": amount, "currency": "EUR" });
            let mut members = json!({ "properties": order });
            if self.people.devices[visit.device].signed_in.is_some() {
                members["add"] = json!({ "orders": 1, "spent": amount });
                members["set"] = json!({ "last_product": product });
            }
            self.step(visit, "purchase", "/thank-you", members);
        }
    }

    fn sign_up(&mut self, visit: &mut Visit) {
        self.page(visit, "/sign-up", "Sign up");
        let (set, set_once) = self
            .people
            .sign_up(&mut self.rng, visit.visitor, visit.device, visit.at);
        let plan = set["plan"].clone();
        self.step(
            visit,
            "$identify",
            "/sign-up",
            json!({ "set": set, "set_once": set_once }),
        );
        if let Some((key, set)) = self.people.introduce(&mut self.rng, visit.visitor) {
            let company = json!({ "$group_type": "company", "$group_key": key, "$group_set": set });
            self.step(
                visit,
                "$groupidentify",
                "/sign-up",
                json!({ "properties": company }),
            );
        }
        self.step(
            visit,
            "sign_up",
            "/sign-up",
            json!({ "properties": { "plan": plan } }),
        );
    }

    /// Somebody with an account signs in on a device where they, or somebody else, were not.
    fn log_in(&mut self, visit: &mut Visit) {
        self.page(visit, "/login", "Log in");
        self.people.devices[visit.device].signed_in = self.people.visitors[visit.visitor].user;
        self.step(visit, "$identify", "/login", json!({}));
        self.step(visit, "login", "/login", json!({}));
    }

    /// What somebody who is signed in may do at the end: change the plan, leave the newsletter, log out.
    fn leave(&mut self, visit: &mut Visit) {
        let user = self.people.visitors[visit.visitor].user;
        if user.is_none() || self.people.devices[visit.device].signed_in != user {
            return;
        }
        let dice = self.rng.f64();
        if dice < 0.02 {
            let upgrade = json!({ "properties": { "plan": "club" }, "set": { "plan": "club" } });
            self.step(visit, "upgrade", "/account", upgrade);
        } else if dice < 0.03 {
            let quit = json!({ "unset": ["newsletter"] });
            self.step(visit, "newsletter_left", "/account", quit);
        } else if dice < 0.07 {
            self.step(visit, "logout", "/account", json!({}));
            self.people.devices[visit.device].signed_in = None;
        }
    }

    fn page(&mut self, visit: &mut Visit, path: &str, title: &str) {
        self.step(
            visit,
            "page_view",
            path,
            json!({ "context": { "page": { "title": title } } }),
        );
    }

    /// One event at the visit's clock: `members` and what every event of the visit says.
    fn step(&mut self, visit: &mut Visit, event: &str, path: &str, mut members: Value) {
        let id = uuid(&mut self.rng);
        let wait = 2_000 + self.rng.i64(0..45_000);
        let (device, visitor) = (
            &self.people.devices[visit.device],
            &self.people.visitors[visit.visitor],
        );
        let (referrer, source, medium, campaign) = SOURCES[visitor.source];
        let landing = visit.events.is_empty();
        let query = if landing && !source.is_empty() {
            format!("?utm_source={source}&utm_medium={medium}&utm_campaign={campaign}")
        } else {
            String::new()
        };
        let (locale, country) = PLACES[visitor.place];
        members["event"] = event.into();
        members["id"] = json!(id);
        members["timestamp"] = visit.at.into();
        members["properties"]["$user_agent"] = AGENTS[device.agent].into();
        members["properties"]["$country"] = country.into();
        members["context"]["page"]["url"] = format!("{}{path}{query}", self.host).into();
        members["context"]["page"]["referrer"] = if landing { referrer } else { "" }.into();
        members["context"]["locale"] = locale.into();
        if device.agent != FORGETFUL {
            members["session_id"] = json!(visit.id);
        }
        for (name, value) in self.people.who(visit.visitor, visit.device) {
            members[name] = value;
        }
        if visit.at <= visit.until {
            visit.events.push(members);
        }
        visit.at += wait;
    }
}

struct Visit {
    id: Uuid,
    visitor: usize,
    device: usize,
    at: i64,
    until: i64,
    events: Vec<Value>,
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::super::hours::quotas;
    use super::*;

    fn fill(seed: u64) -> Vec<Value> {
        let first: Day = "2026-08-01".parse().unwrap();
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let mut shop = Shop::new(seed, "https://shop.example", 0);
        let until = zone.day_start(first.plus(30));
        let quotas = quotas(5_000, first, 30, 1.0);
        quotas
            .iter()
            .enumerate()
            .flat_map(|(n, q)| shop.day(first.plus(n as i32), &zone, *q, until))
            .collect()
    }

    #[test]
    fn the_same_seed_sends_the_same_events_again() {
        assert_eq!(fill(7), fill(7));
        assert_ne!(fill(7), fill(8));
    }

    #[test]
    fn exactly_as_many_events_as_asked_for_each_with_its_own_id() {
        let events = fill(7);
        assert_eq!(events.len(), 5_000);
        assert_eq!(
            events
                .iter()
                .map(|e| e["id"].to_string())
                .collect::<HashSet<_>>()
                .len(),
            5_000
        );
    }

    #[test]
    fn the_funnel_leaks_at_every_step() {
        let events = fill(7);
        let people = |name: &str| {
            events
                .iter()
                .filter(|e| e["event"] == name)
                .map(|e| e["device_id"].to_string())
                .collect::<HashSet<_>>()
                .len()
        };
        let reached: Vec<usize> = FUNNEL.iter().map(|name| people(name)).collect();
        assert!(reached.windows(2).all(|pair| pair[0] > pair[1]), "{reached:?}");
        assert!(reached[3] > 0);
    }

    /// What the events say of each device, in order: the user, or none.
    fn users_by_device(events: &[Value]) -> HashMap<String, Vec<Option<String>>> {
        let mut devices: HashMap<String, Vec<Option<String>>> = HashMap::new();
        for event in events {
            let users = devices.entry(event["device_id"].to_string()).or_default();
            users.push(event["user_id"].as_str().map(str::to_owned));
        }
        devices
    }

    #[test]
    fn some_visitors_come_back() {
        let mut days: HashMap<String, HashSet<i64>> = HashMap::new();
        for event in fill(7) {
            let day = event["timestamp"].as_i64().unwrap() / 86_400_000;
            days.entry(event["device_id"].to_string())
                .or_default()
                .insert(day);
        }
        assert!(days.values().filter(|days| days.len() > 2).count() > 20);
    }

    #[test]
    fn people_browse_before_they_sign_in_and_some_have_several_devices_or_share_one() {
        let devices = users_by_device(&fill(7));
        let later = |users: &&Vec<Option<String>>| users[0].is_none() && users.iter().any(Option::is_some);
        assert!(devices.values().filter(later).count() > 20);
        let mut by_user: HashMap<&str, usize> = HashMap::new();
        let mut shared = 0;
        for users in devices.values() {
            let users: HashSet<&str> = users.iter().flatten().map(String::as_str).collect();
            shared += usize::from(users.len() > 1);
            for user in users {
                *by_user.entry(user).or_default() += 1;
            }
        }
        assert!(by_user.values().filter(|&&devices| devices > 1).count() > 5);
        assert!(shared > 0);
    }

    #[test]
    fn persons_and_companies_get_properties() {
        let events = fill(7);
        let with = |path: &str| {
            events
                .iter()
                .filter(|event| event.pointer(path).is_some())
                .count()
        };
        for path in [
            "/set/plan",
            "/set_once/first_source",
            "/add/orders",
            "/unset",
            "/groups/company",
        ] {
            assert!(with(path) > 0, "{path}");
        }
        let told: Vec<&Value> = events
            .iter()
            .filter(|event| event["event"] == "$groupidentify")
            .map(|event| &event["properties"]["$group_key"])
            .collect();
        let keys: HashSet<&str> = told.iter().filter_map(|key| key.as_str()).collect();
        assert!(keys.len() > 5 && keys.len() == told.len());
    }
}
