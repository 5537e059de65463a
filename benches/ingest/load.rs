//! Connections that each send one request after the other, and what came back.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::body::Request;
use super::installation::{Project, Running};
use super::{Options, Shape};

/// Bodies that a connection takes in turn.
const VARIANTS: usize = 4;
/// Pause after a refusal: a bench that spins on 503 measures nothing.
const AFTER_REFUSAL: Duration = Duration::from_millis(20);

/// What was sent and what became of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Events in requests that were begun.
    pub sent: u64,
    /// Events that were answered 200, as accepted or as known already from an earlier sending of the request.
    pub acknowledged: u64,
    /// Requests answered 503, each sent again later.
    pub refused: u64,
    /// Requests without an answer, each sent again later.
    pub broken: u64,
    /// Bytes of an event.
    pub event_bytes: u64,
}

/// Times from the first byte sent to the last byte received, in microseconds, sorted.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    pub taken: Vec<u32>,
    pub refused: Vec<u32>,
}

/// All connections of a case.
pub struct Load {
    connections: Vec<Connection>,
}

struct Connection {
    address: String,
    socket: Option<TcpStream>,
    requests: Vec<Request>,
    turn: usize,
    ids: u64,
    people: u32,
    /// The request of this turn was sent and not acknowledged: it goes again as it is.
    owed: bool,
    answer: Vec<u8>,
    counts: Counts,
    latencies: Latencies,
}

impl Load {
    /// Opens every connection and builds every request.
    pub async fn connect(
        running: &Running,
        project: &Project,
        options: &Options,
        shape: Shape,
    ) -> anyhow::Result<Load> {
        let time = jiff::Timestamp::now().to_string();
        // Ids of one run never meet those of another on the same installation.
        let mut base = [0; 2];
        getrandom::fill(&mut base).context("randomness")?;
        let base = u64::from(u16::from_be_bytes(base)) << 48;
        let mut connections = Vec::with_capacity(shape.connections);
        for n in 0..shape.connections {
            let requests = (0..VARIANTS)
                .map(|variant| {
                    let variant = n * VARIANTS + variant;
                    Request::build(&project.write_key, &running.address, shape.events, variant, &time)
                })
                .collect::<Vec<_>>();
            connections.push(Connection {
                address: running.address.clone(),
                socket: Some(TcpStream::connect(&running.address).await?),
                counts: Counts {
                    event_bytes: requests[0].event_bytes as u64,
                    ..Counts::default()
                },
                requests,
                turn: 0,
                ids: base | (n as u64) << 36,
                people: options.people,
                owed: false,
                answer: vec![0; 64 << 10],
                latencies: Latencies::default(),
            });
        }
        for connection in &connections {
            if let Some(socket) = &connection.socket {
                socket.set_nodelay(true)?;
            }
        }
        Ok(Load { connections })
    }

    /// Moves every connection to another address: the installation was started again.
    pub fn move_to(&mut self, address: &str) {
        for connection in &mut self.connections {
            connection.address = address.to_owned();
            connection.socket = None;
        }
    }

    /// Sends for so long, and answers how long it really was. What is then without an acknowledgement is owed.
    pub async fn send_for(&mut self, time: Duration) -> Duration {
        let started = Instant::now();
        self.each(move |connection| connection.run(started + time, false))
            .await;
        started.elapsed()
    }

    /// Sends again what is owed until it is acknowledged, at the longest for `time`.
    pub async fn settle(&mut self, time: Duration) {
        let end = Instant::now() + time;
        self.each(move |connection| connection.run(end, true)).await;
    }

    async fn each<F>(&mut self, run: impl Fn(Connection) -> F)
    where
        F: Future<Output = Connection> + Send + 'static,
    {
        let mut running = JoinSet::new();
        for connection in self.connections.drain(..) {
            running.spawn(run(connection));
        }
        self.connections = running.join_all().await;
    }

    /// Everything so far.
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for Connection { counts, .. } in &self.connections {
            all.sent += counts.sent;
            all.acknowledged += counts.acknowledged;
            all.refused += counts.refused;
            all.broken += counts.broken;
            all.event_bytes = counts.event_bytes;
        }
        all
    }

    /// Every latency so far.
    pub fn latencies(&self) -> Latencies {
        let mut all = Latencies::default();
        for Connection { latencies, .. } in &self.connections {
            all.taken.extend(&latencies.taken);
            all.refused.extend(&latencies.refused);
        }
        all.taken.sort_unstable();
        all.refused.sort_unstable();
        all
    }
}

/// What one sending came to.
enum Sent {
    Taken(u64),
    Refused,
}

impl Connection {
    /// Sends until `end`; with `only_owed` until nothing is owed.
    async fn run(mut self, end: Instant, only_owed: bool) -> Connection {
        while Instant::now() < end && (self.owed || !only_owed) {
            if !self.owed {
                self.turn = (self.turn + 1) % self.requests.len();
                self.requests[self.turn].patch(&mut self.ids, self.people);
                self.counts.sent += self.requests[self.turn].events() as u64;
                self.owed = true;
            }
            let started = Instant::now();
            match self.send().await {
                Ok(Sent::Taken(events)) => {
                    self.counts.acknowledged += events;
                    self.latencies.taken.push(micros(started));
                    self.owed = false;
                }
                Ok(Sent::Refused) => {
                    self.counts.refused += 1;
                    self.latencies.refused.push(micros(started));
                    tokio::time::sleep(AFTER_REFUSAL).await;
                }
                Err(_) => {
                    self.counts.broken += 1;
                    self.socket = None;
                    tokio::time::sleep(AFTER_REFUSAL).await;
                }
            }
        }
        self
    }

    async fn send(&mut self) -> anyhow::Result<Sent> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => {
                let socket = TcpStream::connect(&self.address).await?;
                socket.set_nodelay(true)?;
                none.insert(socket)
            }
        };
        let request = &self.requests[self.turn];
        socket.write_all(request.bytes()).await?;
        let (mut filled, mut whole) = (0, None);
        while whole.is_none_or(|whole| filled < whole) {
            let read = socket.read(&mut self.answer[filled..]).await?;
            anyhow::ensure!(read > 0, "closed");
            filled += read;
            whole = whole.or_else(|| length(&self.answer[..filled]));
        }
        let answer = &self.answer[..filled];
        if answer.starts_with(b"HTTP/1.1 503") {
            return Ok(Sent::Refused);
        }
        let number = |name: &str| number_after(answer, name).unwrap_or(0);
        let known = number(r#""accepted":"#) + number(r#""duplicates":"#);
        assert!(
            answer.starts_with(b"HTTP/1.1 200") && known == request.events() as u64,
            "an answer that this bench does not provoke: {}",
            String::from_utf8_lossy(answer)
        );
        Ok(Sent::Taken(known))
    }
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// Bytes of the whole answer, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n")?;
    Some(head + 4 + number_after(&answer[..head], "content-length: ")? as usize)
}

fn number_after(text: &[u8], name: &str) -> Option<u64> {
    let at = text
        .windows(name.len())
        .position(|found| found == name.as_bytes())?;
    let digits = text[at + name.len()..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}
