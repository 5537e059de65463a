//! Connections that are kept open and ask one question after the other.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::installation::Api;

/// A connection.
pub struct Connection {
    socket: TcpStream,
    answer: Vec<u8>,
}

/// What came back, and how long it took.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    pub taken: Duration,
}

/// The bytes of a GET below the project.
pub fn get(api: &Api, path: &str, tag: Option<&str>) -> Vec<u8> {
    let tag = tag.map_or(String::new(), |tag| format!("if-none-match: {tag}\r\n"));
    format!(
        "GET /v1/projects/{}{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n{tag}\r\n",
        api.project, api.address, api.secret
    )
    .into_bytes()
}

/// The bytes of a question.
pub fn post(api: &Api, question: &serde_json::Value) -> Vec<u8> {
    post_to(api, "/query", question)
}

/// The bytes of a POST below the project.
pub fn post_to(api: &Api, path: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST /v1/projects/{}{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        api.project,
        api.address,
        api.secret,
        body.len()
    )
    .into_bytes()
}

impl Connection {
    /// Opens one.
    pub async fn open(api: &Api) -> anyhow::Result<Connection> {
        let socket = TcpStream::connect(&api.address).await?;
        socket.set_nodelay(true)?;
        Ok(Connection {
            socket,
            answer: vec![0; 1 << 20],
        })
    }

    /// Sends a request and reads the whole answer; its status and the place of its body.
    async fn send(&mut self, request: &[u8]) -> anyhow::Result<(u16, std::ops::Range<usize>)> {
        self.socket.write_all(request).await?;
        let (mut filled, mut whole) = (0, None);
        loop {
            let read = self.socket.read(&mut self.answer[filled..]).await?;
            ensure!(read > 0, "the connection was closed, or the answer is too long");
            filled += read;
            let found = whole.or_else(|| head(&self.answer[..filled]));
            whole = found;
            if let Some((status, start, length)) = whole
                && filled >= start + length
            {
                return Ok((status, start..start + length));
            }
        }
    }

    /// Asks, and keeps the answer.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Reply> {
        let started = Instant::now();
        let (status, body) = self.send(request).await?;
        Ok(Reply {
            status,
            taken: started.elapsed(),
            body: self.answer[body].to_vec(),
        })
    }

    /// The tag of an answer.
    pub async fn tag(&mut self, request: &[u8]) -> anyhow::Result<String> {
        self.send(request).await?;
        let text = String::from_utf8_lossy(&self.answer);
        let (_, behind) = text.split_once("etag: ").context("an etag")?;
        Ok(behind.split("\r\n").next().unwrap_or_default().to_owned())
    }
}

/// Status, start of the body and its length, once the head is there.
fn head(answer: &[u8]) -> Option<(u16, usize, usize)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&answer[..end]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let mut lines = text.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    Some((status, end + 4, length.unwrap_or(0)))
}

/// What many connections got in some seconds.
pub struct Load {
    pub answers: u64,
    pub took: Duration,
    /// Microseconds, sorted.
    pub latencies: Vec<u32>,
}

impl Load {
    /// The latency that so many of a hundred stay below, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let place = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        f64::from(self.latencies.get(place).copied().unwrap_or(0)) / 1_000.0
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.took.as_secs_f64()
    }
}

/// Asks the same on many connections for so long. Every answer has to have this status.
pub async fn load(
    api: &Api,
    request: &[u8],
    status: u16,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Load> {
    let mut running = JoinSet::new();
    let started = Instant::now();
    for _ in 0..connections {
        let mut connection = Connection::open(api).await?;
        let request = request.to_vec();
        running.spawn(async move {
            let mut latencies = Vec::new();
            while started.elapsed() < time {
                let asked = Instant::now();
                let (got, _) = connection.send(&request).await?;
                ensure!(got == status, "{got} instead of {status}");
                latencies.push(asked.elapsed().as_micros() as u32);
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(of_one) = running.join_next().await {
        latencies.extend(of_one??);
    }
    latencies.sort_unstable();
    Ok(Load {
        answers: latencies.len() as u64,
        took: started.elapsed(),
        latencies,
    })
}
