//! Requests that are built once and patched in place: sending must cost the generator next to nothing.

use std::fmt::Write;

/// Events that a small shop would send.
pub const NAMES: [&str; 5] = ["page_view", "view_item", "add_to_cart", "checkout", "purchase"];

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
];

const ID: &str = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11";
const PERSON_DIGITS: usize = 7;

/// One request: head and body, with the places of what differs from sending to sending.
#[derive(Clone, Debug)]
pub struct Request {
    bytes: Vec<u8>,
    /// For each event where its id, its person and its session begin.
    places: Vec<[usize; 3]>,
    /// Bytes of one event, on average.
    pub event_bytes: usize,
}

impl Request {
    /// A request of `events` events for a write key; `variant` chooses names, pages and agent. `time` is RFC 3339.
    pub fn build(write_key: &str, host: &str, events: usize, variant: usize, time: &str) -> Request {
        let mut body = String::from(if events == 1 { "" } else { r#"{"batch":["# });
        let mut places = Vec::with_capacity(events);
        for n in 0..events {
            let item = (variant * 31 + n * 7) % 500;
            let name = NAMES[[0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4][(variant + n) % 11]];
            if n > 0 {
                body.push(',');
            }
            let _ = write!(body, r#"{{"event":"{name}","id":""#);
            let id = body.len();
            let _ = write!(body, r#"{ID}","user_id":"u-"#);
            let person = body.len();
            let _ = write!(body, r#"0000000","session_id":"s-"#);
            let session = body.len();
            let _ = write!(
                body,
                r#"0000000","timestamp":"{time}","properties":{{"$url":"https://shop.example/products/{item}?utm_source=news{}","sku":"A-{item:04}","amount":{}.9,"currency":"EUR","plan":"{}","logged_in":true}}}}"#,
                variant % 9,
                (item * 7) % 100,
                ["free", "club", "pro"][item % 3],
            );
            places.push([id, person, session]);
        }
        let event_bytes = body.len() / events;
        if events > 1 {
            body.push_str("]}");
        }
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {write_key}\r\n\
             content-type: application/json\r\nuser-agent: {}\r\naccept: */*\r\ncontent-length: {}\r\n\r\n",
            AGENTS[variant % AGENTS.len()],
            body.len()
        );
        for places in &mut places {
            for place in places {
                *place += head.len();
            }
        }
        Request {
            bytes: [head.as_bytes(), body.as_bytes()].concat(),
            places,
            event_bytes,
        }
    }

    /// Gives each event an id from `ids` (counted up) and a person below `people`.
    pub fn patch(&mut self, ids: &mut u64, people: u32) {
        for &[id, person, session] in &self.places {
            *ids += 1;
            // The last sixteen digits, over the dash between the fourth and the fifth group.
            write_hex(&mut self.bytes[id + 19..id + 23], *ids >> 48);
            write_hex(&mut self.bytes[id + 24..id + 36], *ids);
            let someone = (ids.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % u64::from(people);
            write_decimal(&mut self.bytes[person..person + PERSON_DIGITS], someone);
            write_decimal(&mut self.bytes[session..session + PERSON_DIGITS], someone);
        }
    }

    /// What goes onto the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of events.
    pub fn events(&self) -> usize {
        self.places.len()
    }
}

fn write_hex(to: &mut [u8], mut value: u64) {
    for digit in to.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn write_decimal(to: &mut [u8], mut value: u64) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}
