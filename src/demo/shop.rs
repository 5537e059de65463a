//! People of a made-up shop and what they do: weekly habits, a funnel that leaks, visitors who sign up.
//!
//! Pure and repeatable: the same [`Shop::new`] arguments give the same events with the same ids, so a fill
//! that was interrupted goes on where it stopped and a batch sent twice is recognized as the same.

use fastrand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::event::Zone;
use crate::event::zone::Day;

/// The funnel that the demo is about, in order.
pub const FUNNEL: [&str; 4] = ["view_item", "add_to_cart", "begin_checkout", "purchase"];

const PRODUCTS: [(&str, &str, f64); 12] = [
    ("aero-press", "Kitchen", 34.90),
    ("linen-throw", "Home", 59.00),
    ("desk-lamp", "Home", 79.50),
    ("trail-flask", "Outdoor", 24.00),
    ("wool-beanie", "Clothing", 29.00),
    ("canvas-tote", "Clothing", 19.50),
    ("field-notes", "Stationery", 12.00),
    ("brass-pen", "Stationery", 42.00),
    ("pour-over-set", "Kitchen", 64.00),
    ("camp-mug", "Outdoor", 16.50),
    ("oak-stool", "Home", 149.00),
    ("rain-shell", "Clothing", 129.00),
];

const SOURCES: [(&str, &str, &str, &str); 7] = [
    ("", "", "", ""),
    ("", "", "", ""),
    ("https://www.google.com/", "", "", ""),
    ("https://news.ycombinator.com/item?id=1", "", "", ""),
    ("", "newsletter", "email", "november"),
    ("https://www.instagram.com/", "instagram", "social", "launch"),
    ("https://www.google.com/", "google", "cpc", "brand"),
];

/// Browsers that people come with; the first three are phones.
const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
];

/// Share of an average day's visits by weekday, Monday first: a shop is quiet at the start of the week.
const WEEKDAY: [f64; 7] = [0.88, 0.85, 0.92, 1.0, 1.12, 1.25, 1.08];

/// Share of a day's visits by local hour.
const HOUR: [u32; 24] = [
    1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 13, 12, 10, 10, 11, 13, 15, 18, 20, 16, 9, 4,
];

/// Somebody who visits the shop.
#[derive(Clone, Debug)]
struct Visitor {
    device_id: Uuid,
    user: Option<u32>,
    /// How readily this person comes back, 0 to 1.
    loyalty: f64,
    /// The weekday (Monday 0) this person likes best.
    habit: i8,
    source: usize,
    locale: &'static str,
    agent: usize,
    last_day: i32,
}

/// The shop: its visitors so far and the dice.
#[derive(Debug)]
pub struct Shop {
    rng: Rng,
    host: String,
    visitors: Vec<Visitor>,
    users: u32,
}

impl Shop {
    /// A shop whose pages live below `host` (such as `https://shop.example`), repeatable from `seed`.
    pub fn new(seed: u64, host: &str) -> Shop {
        Shop {
            rng: Rng::with_seed(seed),
            host: host.to_owned(),
            visitors: Vec::new(),
            users: 0,
        }
    }

    /// The events of `day`, `quota` of them exactly, in time order, none later than `until_ms`.
    ///
    /// Days must be asked for in order: people come back.
    pub fn day(&mut self, day: Day, zone: &Zone, quota: usize, until_ms: i64) -> Vec<Value> {
        let start = zone.day_start(day);
        let length = zone.day_start(day.plus(1)) - start;
        let open = (until_ms - start).clamp(1, length);
        let mut events = Vec::with_capacity(quota);
        while events.len() < quota {
            let at = start + self.moment(length, open);
            let visitor = self.arrive(day);
            let visit = self.visit(visitor, at, until_ms);
            events.extend(visit.into_iter().take(quota - events.len()));
        }
        events.sort_by_key(|event| event["timestamp"].as_i64());
        events
    }

    /// One visit that starts now, for live traffic. The times of its later events lie ahead of `now_ms`:
    /// the caller sends each when its time has come.
    pub fn visit_now(&mut self, day: Day, now_ms: i64) -> Vec<Value> {
        let visitor = self.arrive(day);
        self.visit(visitor, now_ms, i64::MAX)
    }

    /// A moment of the day, in milliseconds from its start and before `open`, at the hours that people keep.
    fn moment(&mut self, length: i64, open: i64) -> i64 {
        let total: u32 = HOUR.iter().sum();
        for _ in 0..64 {
            let mut ticket = self.rng.u32(0..total);
            let mut hour = 0;
            while ticket >= HOUR[hour] {
                ticket -= HOUR[hour];
                hour += 1;
            }
            let at = hour as i64 * 3_600_000 + self.rng.i64(0..3_600_000);
            if at < open.min(length) {
                return at;
            }
        }
        // Early in an open day the usual hours have not come yet: spread over what has passed.
        self.rng.i64(0..open)
    }

    /// Somebody new, or somebody who comes back.
    fn arrive(&mut self, day: Day) -> usize {
        let weekday = (day.0 + 3).rem_euclid(7) as i8;
        if self.visitors.len() > 40 && self.rng.f64() < 0.72 {
            for _ in 0..12 {
                let index = self.rng.usize(..self.visitors.len());
                let visitor = &self.visitors[index];
                let away = f64::from((day.0 - visitor.last_day).max(0));
                let fades = (-away / (4.0 + 40.0 * visitor.loyalty)).exp();
                let likes = if visitor.habit == weekday { 1.0 } else { 0.55 };
                let (chance, dice) = (visitor.loyalty * fades * likes, self.rng.f64());
                if dice < chance {
                    self.visitors[index].last_day = day.0;
                    return index;
                }
            }
        }
        let visitor = Visitor {
            device_id: self.uuid(),
            user: None,
            loyalty: self.rng.f64().powf(1.4),
            habit: self.rng.i8(0..7),
            source: self.rng.usize(..SOURCES.len()),
            locale: ["en-US", "en-GB", "de-DE", "fr-FR", "pt-BR", "ja-JP"][self.rng.usize(..6)],
            agent: self.rng.usize(0..AGENTS.len()),
            last_day: day.0,
        };
        self.visitors.push(visitor);
        self.visitors.len() - 1
    }

    /// One session: look around, perhaps look at things, perhaps buy.
    fn visit(&mut self, index: usize, start: i64, until_ms: i64) -> Vec<Value> {
        let mut session = Session {
            id: self.uuid(),
            at: start,
            until: until_ms,
            events: Vec::new(),
        };
        let known = self.visitors[index].user.is_some();
        self.step(&mut session, index, "page_view", "/", json!({}));
        for _ in 0..self.rng.usize(0..3) {
            let page =
                ["/about", "/search", "/collections/home", "/collections/outdoor"][self.rng.usize(..4)];
            self.step(&mut session, index, "page_view", page, json!({}));
        }
        let mut cart: Option<(&str, f64)> = None;
        let looks = if self.rng.f64() < 0.72 {
            self.rng.usize(1..4)
        } else {
            0
        };
        for _ in 0..looks {
            let (product, category, price) = PRODUCTS[self.rng.usize(..PRODUCTS.len())];
            let path = format!("/products/{product}");
            let about = json!({ "product": product, "category": category, "price": price });
            self.step(&mut session, index, "page_view", &path, json!({}));
            self.step(&mut session, index, "view_item", &path, about.clone());
            if cart.is_none() && self.rng.f64() < 0.14 {
                cart = Some((product, price));
                self.step(&mut session, index, "add_to_cart", &path, about);
            }
        }
        if !known && self.rng.f64() < if cart.is_some() { 0.30 } else { 0.03 } {
            self.sign_up(&mut session, index);
        }
        if let Some((product, price)) = cart
            && self.rng.f64() < 0.58
        {
            self.step(&mut session, index, "page_view", "/checkout", json!({}));
            self.step(
                &mut session,
                index,
                "begin_checkout",
                "/checkout",
                json!({ "product": product, "price": price }),
            );
            if self.rng.f64()
                < if self.visitors[index].agent < 3 {
                    0.44
                } else {
                    0.64
                }
            {
                let items = self.rng.u32(1..4);
                let amount = (price * f64::from(items) * 100.0).round() / 100.0;
                let order =
                    json!({ "product": product, "items": items, "amount": amount, "currency": "EUR" });
                self.step(&mut session, index, "purchase", "/thank-you", order);
            }
        }
        session.events
    }

    fn sign_up(&mut self, session: &mut Session, index: usize) {
        self.users += 1;
        self.visitors[index].user = Some(self.users);
        let plan = ["free", "free", "free", "club"][self.rng.usize(..4)];
        self.step(
            session,
            index,
            "$identify",
            "/sign-up",
            json!({ "$set": { "plan": plan } }),
        );
        self.step(session, index, "sign_up", "/sign-up", json!({ "plan": plan }));
    }

    fn step(&mut self, session: &mut Session, index: usize, event: &str, path: &str, properties: Value) {
        let id = self.uuid();
        let wait = 2_000 + self.rng.i64(0..45_000);
        let visitor = &self.visitors[index];
        let (referrer, source, medium, campaign) = SOURCES[visitor.source];
        let landing = session.events.is_empty();
        let query = if landing && !source.is_empty() {
            format!("?utm_source={source}&utm_medium={medium}&utm_campaign={campaign}")
        } else {
            String::new()
        };
        let mut properties = properties;
        properties["$user_agent"] = AGENTS[visitor.agent].into();
        let mut record = json!({
            "event": event,
            "id": id,
            "device_id": visitor.device_id,
            "session_id": session.id,
            "timestamp": session.at,
            "properties": properties,
            "context": {
                "page": {
                    "url": format!("{}{path}{query}", self.host),
                    "referrer": if landing { referrer } else { "" },
                },
                "locale": visitor.locale,
            },
        });
        if let Some(user) = visitor.user {
            record["user_id"] = format!("user-{user}").into();
        }
        if session.at <= session.until {
            session.events.push(record);
        }
        session.at += wait;
    }

    fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.u128(..).to_le_bytes()).into_uuid()
    }
}

struct Session {
    id: Uuid,
    at: i64,
    until: i64,
    events: Vec<Value>,
}

/// Shares `events` out over `days` days that end with today: growing, with a weekly rhythm, today only as
/// far as `today_share` of it has passed. The quotas add up to `events` exactly.
pub fn quotas(events: usize, first: Day, days: usize, today_share: f64) -> Vec<usize> {
    let weights: Vec<f64> = (0..days)
        .map(|n| {
            let weekday = (first.0 + n as i32 + 3).rem_euclid(7) as usize;
            let growth = 0.6 + 0.8 * n as f64 / days.max(1) as f64;
            let open = if n + 1 == days {
                today_share.clamp(0.01, 1.0)
            } else {
                1.0
            };
            WEEKDAY[weekday] * growth * open
        })
        .collect();
    let total: f64 = weights.iter().sum();
    let mut given = 0;
    let mut sum = 0.0;
    weights
        .iter()
        .map(|weight| {
            sum += weight;
            let upto = ((sum / total) * events as f64).round() as usize;
            let quota = upto.min(events) - given;
            given += quota;
            quota
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn fill(seed: u64) -> Vec<Value> {
        let first: Day = "2026-08-01".parse().unwrap();
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let mut shop = Shop::new(seed, "https://shop.example");
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

    #[test]
    fn some_visitors_sign_up_and_some_come_back() {
        let events = fill(7);
        assert!(events.iter().any(|e| e["user_id"].is_string()));
        let mut days: std::collections::HashMap<String, HashSet<i64>> = Default::default();
        for event in &events {
            let day = event["timestamp"].as_i64().unwrap() / 86_400_000;
            days.entry(event["device_id"].to_string())
                .or_default()
                .insert(day);
        }
        assert!(days.values().filter(|days| days.len() > 2).count() > 20);
    }
}
