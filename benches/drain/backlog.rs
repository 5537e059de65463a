//! An hour of a made-up shop's traffic as it lies in the stream after a worker was away: server-side senders,
//! 200 events a request, so about 50 an entry with four shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use fastrand::Rng;
use footfall::event::{Day, Event, ProjectNumber};
use footfall::stream::{EventStream, Request};
use uuid::Uuid;

/// Names with their weight: few make most of the traffic.
const NAMES: [(&str, u32); 20] = [
    ("page_view", 380),
    ("view_item", 170),
    ("search", 90),
    ("scroll_depth", 80),
    ("add_to_cart", 60),
    ("view_cart", 40),
    ("sign_in", 30),
    ("begin_checkout", 25),
    ("add_shipping", 20),
    ("add_payment", 18),
    ("purchase", 15),
    ("remove_from_cart", 14),
    ("share", 12),
    ("filter_applied", 12),
    ("video_started", 10),
    ("video_finished", 7),
    ("newsletter_joined", 6),
    ("sign_up", 5),
    ("support_opened", 4),
    ("coupon_used", 2),
];
const PAGES: [&str; 8] = [
    "/",
    "/shop",
    "/shop/kitchen",
    "/shop/home",
    "/shop/outdoor",
    "/cart",
    "/checkout",
    "/account",
];
const BROWSERS: [(&str, &str, &str); 5] = [
    ("Safari", "iOS", "mobile"),
    ("Chrome", "Android", "mobile"),
    ("Chrome", "Windows", "desktop"),
    ("Safari", "macOS", "desktop"),
    ("Firefox", "Linux", "desktop"),
];
const PLACES: [(&str, &str, &str); 6] = [
    ("DE", "BE", "Berlin"),
    ("DE", "BY", "Munich"),
    ("FR", "IDF", "Paris"),
    ("GB", "ENG", "London"),
    ("US", "CA", "Oakland"),
    ("US", "NY", "New York"),
];
/// People who are about in the hour.
const PEOPLE: u32 = 200_000;
/// Events of a request.
pub const A_REQUEST: usize = 200;
const HOUR_MS: i64 = 3_600_000;
/// Requests on their way at once.
const SENDERS: u64 = 8;

/// What is sent: `events` of them, spread over the hour before `now_ms`.
#[derive(Clone, Copy)]
pub struct Backlog {
    pub project: ProjectNumber,
    pub events: u64,
    pub now_ms: i64,
}

impl Backlog {
    /// Appends all of it as an endpoint would. Returns the number of acknowledged events.
    pub async fn fill(self, stream: &EventStream) -> anyhow::Result<u64> {
        let requests = self.events.div_ceil(A_REQUEST as u64);
        let next = Arc::new(AtomicU64::new(0));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (stream, next) = (stream.clone(), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut acknowledged = 0;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= requests {
                            return anyhow::Ok(acknowledged);
                        }
                        let received_at = self.now_ms - HOUR_MS + number as i64 * HOUR_MS / requests as i64;
                        let rows = request(self.project, number, received_at);
                        acknowledged += rows.len() as u64;
                        let id = number.to_string();
                        stream
                            .append(&Request::new(self.project, Some(&id)), rows, received_at)
                            .await
                            .context("append")?;
                    }
                })
            })
            .collect();
        let mut acknowledged = 0;
        for sender in senders {
            acknowledged += sender.await??;
        }
        Ok(acknowledged)
    }
}

/// The events of request `number`; the same for the same number.
fn request(project: ProjectNumber, number: u64, received_at: i64) -> Vec<Event> {
    let mut rng = Rng::with_seed(number);
    (0..A_REQUEST as u32)
        .map(|seq| event(&mut rng, project, seq, received_at))
        .collect()
}

fn event(rng: &mut Rng, project: ProjectNumber, seq: u32, received_at: i64) -> Event {
    let person = rng.u32(0..PEOPLE);
    // The same person always comes with the same device, from the same place.
    let mut traits = Rng::with_seed(u64::from(person));
    let device_id = Uuid::from_u128(traits.u128(..)).to_string();
    let user_id = if traits.u8(..) < 100 {
        format!("user-{person}")
    } else {
        String::new()
    };
    let (browser, os, device) = BROWSERS[traits.usize(..BROWSERS.len())];
    let (country, region, city) = PLACES[traits.usize(..PLACES.len())];
    let name = name(rng);
    let ts = received_at - rng.i64(0..2_000);
    let (amount, currency) = if name == "purchase" {
        (rng.f64() * 200.0, "EUR")
    } else {
        (0.0, "")
    };
    let props = format!(
        r#"{{"plan":"{}","experiment":"checkout-{}","position":{},"product":"sku-{:05}","price":{}.{:02},"referrer":"https://www.example.com/search?q={}"}}"#,
        ["free", "club", "pro"][rng.usize(..3)],
        rng.u8(0..4),
        rng.u32(0..60),
        rng.u32(0..20_000),
        rng.u32(1..200),
        rng.u32(0..100),
        rng.u32(0..5_000),
    );
    Event {
        project,
        event: name.to_owned(),
        ts,
        seq,
        id: Uuid::from_u128(rng.u128(..)),
        received_at,
        distinct_id: if user_id.is_empty() {
            device_id.clone()
        } else {
            user_id.clone()
        },
        device_id,
        user_id,
        session: rng.u64(..),
        path: PAGES[rng.usize(..PAGES.len())].to_owned(),
        host: "shop.example.com".to_owned(),
        referrer_host: ["", "www.google.com", "news.example.org"][rng.usize(..3)].to_owned(),
        utm_source: ["", "", "newsletter"][rng.usize(..3)].to_owned(),
        utm_medium: String::new(),
        utm_campaign: String::new(),
        country: country.to_owned(),
        region: region.to_owned(),
        city: city.to_owned(),
        browser: browser.to_owned(),
        os: os.to_owned(),
        device: device.to_owned(),
        lib: "footfall-js/0.1.0".to_owned(),
        amount,
        currency: currency.to_owned(),
        props,
        flags: 0,
        local_day: Day::of_utc(ts),
    }
}

fn name(rng: &mut Rng) -> &'static str {
    let mut ticket = rng.u32(0..NAMES.iter().map(|(_, weight)| weight).sum());
    for (name, weight) in NAMES {
        if ticket < weight {
            return name;
        }
        ticket -= weight;
    }
    NAMES[0].0
}
