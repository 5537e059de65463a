//! From the 200 to the first answer that counts the event, at a given rate of events, over HTTP.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::Arguments;
use crate::engines::process::{Peaks, cpu};
use crate::installation::Installation;

/// Events of a request of the load.
const BATCH: u64 = 50;
/// Connections that send the load.
const SENDERS: u64 = 16;
/// Between two events that are looked for.
const PROBE: Duration = Duration::from_millis(200);
/// Between two questions for the same event.
const LOOK: Duration = Duration::from_millis(20);
/// An event that is not there by now never comes.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
    bearer: String,
    project: String,
    write_key: String,
}

impl Client {
    async fn register(url: String) -> anyhow::Result<Client> {
        let mut client = Client {
            http: reqwest::Client::new(),
            url,
            bearer: String::new(),
            project: String::new(),
            write_key: String::new(),
        };
        let account = json!({
            "email": "ada@example.com", "password": "correct horse battery", "name": "Ada",
            "organization": "Example", "project": "Shop", "timezone": "Europe/Berlin",
        });
        client.bearer = text(&client.post("/v1/auth/register", &account).await?["access_token"])?;
        let me = client.get("/v1/me").await?;
        client.project = text(&me["projects"][0]["id"])?;
        client.write_key = text(&me["projects"][0]["write_key"])?;
        Ok(client)
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        read(path, request.bearer_auth(&self.bearer)).await
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.http.get(format!("{}{path}", self.url));
        read(path, request.bearer_auth(&self.bearer)).await
    }

    async fn send(&self, events: Vec<Value>) -> anyhow::Result<()> {
        let body = json!({ "write_key": self.write_key, "batch": events });
        let request = self.http.post(format!("{}/v1/events", self.url)).json(&body);
        read("/v1/events", request).await.map(drop)
    }

    /// From the 200 of a new event to the first answer that counts it.
    async fn probe(&self, number: u64) -> anyhow::Result<Duration> {
        let event = format!("probe_{number}");
        self.send(vec![
            json!({ "event": event, "user_id": format!("probe-{number}") }),
        ])
        .await?;
        let answered = Instant::now();
        let question = format!("/v1/projects/{}/trends?event={event}", self.project);
        loop {
            let trend = self.get(&question).await?;
            if trend["data"]["series"][0]["total"] == 1 {
                return Ok(answered.elapsed());
            }
            ensure!(
                answered.elapsed() < PATIENCE,
                "{event} is not visible after {PATIENCE:?}"
            );
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn read(path: &str, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await.with_context(|| path.to_owned())?;
    let (status, text) = (answer.status(), answer.text().await?);
    if !status.is_success() {
        bail!("{path}: {status} {text}");
    }
    Ok(serde_json::from_str(&text)?)
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).context("a text was expected")
}

/// An ordinary event of the load.
fn event(number: u64) -> Value {
    let person = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 47;
    json!({
        "event": (["page_view", "view_item", "search", "add_to_cart", "purchase"][(number % 5) as usize]),
        "user_id": format!("user-{person}"),
        "properties": {
            "plan": "club", "experiment": format!("checkout-{}", number % 4), "position": number % 60,
            "product": format!("sku-{:05}", number % 20_000), "price": (number % 10_000) as f64 / 100.0,
        },
    })
}

/// Sends the load, and meanwhile looks for single events in answers.
pub async fn measure(installation: &Installation, arguments: &Arguments) -> anyhow::Result<()> {
    let mut server = installation.serve("fresh", "capture,worker,api")?;
    let client = Client::register(server.url().await?).await?;
    let mut processes = installation.engines();
    processes.push(server.process("footfall"));
    let before = cpu(&processes);
    let (began, lasts) = (Instant::now(), Duration::from_secs(arguments.freshness_seconds));

    let acknowledged = Arc::new(Mutex::new((Vec::new(), 0_u64)));
    let every = Duration::from_secs_f64((BATCH * SENDERS) as f64 / arguments.rate as f64);
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (client, acknowledged) = (client.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                // Each at its own place in the period, so that requests do not come in bursts.
                let first = tokio::time::Instant::now() + every.mul_f64(sender as f64 / SENDERS as f64);
                let mut due = tokio::time::interval_at(first, every);
                for round in 0.. {
                    due.tick().await;
                    if began.elapsed() > lasts {
                        break;
                    }
                    let number = (round * SENDERS + sender) * BATCH;
                    let sent = Instant::now();
                    client.send((number..number + BATCH).map(event).collect()).await?;
                    if let Ok(mut all) = acknowledged.lock() {
                        all.0.push(sent.elapsed());
                        all.1 += BATCH;
                    }
                }
                anyhow::Ok(())
            })
        })
        .collect();
    let mut probes = Vec::new();
    let mut peaks = Peaks::default();
    // The first seconds make connections and tables warm.
    tokio::time::sleep(Duration::from_secs(2)).await;
    while began.elapsed() + Duration::from_secs(1) < lasts {
        let (client, number) = (client.clone(), probes.len() as u64);
        probes.push(tokio::spawn(async move { client.probe(number).await }));
        peaks.look(&processes);
        tokio::time::sleep(PROBE).await;
    }
    let mut visible = Vec::new();
    for probe in probes {
        visible.push(probe.await??);
    }
    for sender in senders {
        sender.await??;
    }
    let took = began.elapsed();
    let used = cpu(&processes);
    let (answers, events) = acknowledged.lock().map(|all| all.clone()).unwrap_or_default();
    println!(
        "freshness         {:.0} events/s over HTTP for {lasts:?}",
        events as f64 / took.as_secs_f64()
    );
    println!("sent to 200       {}", percentiles(answers));
    println!(
        "200 to visible    {} ({} looked for)",
        percentiles(visible.clone()),
        visible.len()
    );
    for ((process, before), after) in processes.iter().zip(&before).zip(&used) {
        println!(
            "{:<18}{:.2} us of CPU an event, RSS peak {} MB",
            process.name,
            (*after - *before).as_secs_f64() * 1e6 / events as f64,
            peaks.megabytes(process.name)
        );
    }
    let complaints = server.complaints();
    println!("complaints        {} lines in the log", complaints.len());
    for line in complaints.iter().take(5) {
        println!("                  {line}");
    }
    server.stop().await?;
    Ok(())
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| {
        let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(place).map_or(0.0, Duration::as_secs_f64) * 1e3
    };
    format!(
        "p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms, max {:.0} ms",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    )
}
