//! The table that the bench prints.

use std::fmt;
use std::time::Duration;

use super::load::{Counts, Latencies};
use super::process::{Part, Usage};

/// One case, measured.
pub struct Measured {
    pub case: String,
    /// Seconds of the event-id window.
    pub window: u64,
    pub counts: Counts,
    /// How long was sent.
    pub took: Duration,
    /// How long after that until everything could be asked for.
    pub drained: Duration,
    pub used: Usage,
    /// CPU seconds of the generator.
    pub own: f64,
    pub latencies: Latencies,
}

/// All cases.
#[derive(Default)]
pub struct Table {
    cases: Vec<Measured>,
}

impl Table {
    /// Adds a line, and says so at once.
    pub fn add(&mut self, case: Measured) {
        let per_second = case.counts.acknowledged as f64 / case.took.as_secs_f64();
        println!(
            "done: {}, window {} s: {per_second:.0} events/s, {:.1} us an event",
            case.case,
            case.window,
            case.used.all_micros_per(case.counts.acknowledged)
        );
        self.cases.push(case);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        writeln!(
            f,
            "{:<34}{:>8}{:>10}{:>9}{:>9}{:>9}{:>9}",
            "case", "window", "events/s", "p50 ms", "p99 ms", "stored", "drained"
        )?;
        for case in &self.cases {
            writeln!(
                f,
                "{:<34}{:>8}{:>10.0}{:>9.2}{:>9.2}{:>9}{:>7.1} s",
                case.case,
                window(case.window),
                case.counts.acknowledged as f64 / case.took.as_secs_f64(),
                percentile(&case.latencies.taken, 0.5),
                percentile(&case.latencies.taken, 0.99),
                case.counts.acknowledged,
                case.drained.as_secs_f64()
            )?;
        }
        writeln!(f, "\nCPU, microseconds an event")?;
        writeln!(
            f,
            "{:<34}{:>8}{:>10}{:>9}{:>9}{:>11}{:>9}{:>11}",
            "case", "window", "footfall", "redis", "shim", "clickhouse", "all", "generator"
        )?;
        for case in &self.cases {
            let stored = case.counts.acknowledged;
            let part = |part| case.used.micros_per(part, stored);
            writeln!(
                f,
                "{:<34}{:>8}{:>10.1}{:>9.1}{:>9.2}{:>11.1}{:>9.1}{:>11.1}",
                case.case,
                window(case.window),
                part(Part::Footfall),
                part(Part::RedisServer),
                part(Part::RedisShim),
                part(Part::ClickHouse),
                case.used.all_micros_per(stored),
                case.own * 1e6 / stored.max(1) as f64
            )?;
        }
        writeln!(f, "\nLargest resident memory, MB")?;
        writeln!(
            f,
            "{:<34}{:>8}{:>10}{:>9}{:>9}{:>11}{:>9}",
            "case", "window", "footfall", "redis", "shim", "clickhouse", "B/event"
        )?;
        for case in &self.cases {
            let part = |part| case.used.megabytes(part);
            writeln!(
                f,
                "{:<34}{:>8}{:>10.0}{:>9.0}{:>9.0}{:>11.0}{:>9}",
                case.case,
                window(case.window),
                part(Part::Footfall),
                part(Part::RedisServer),
                part(Part::RedisShim),
                part(Part::ClickHouse),
                case.counts.event_bytes
            )?;
        }
        Ok(())
    }
}

fn window(seconds: u64) -> String {
    match seconds {
        0 => "off".to_owned(),
        seconds => format!("{seconds} s"),
    }
}

/// A percentile of sorted microseconds, in milliseconds.
pub fn percentile(sorted: &[u32], q: f64) -> f64 {
    let at = ((sorted.len() as f64 * q) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |&us| f64::from(us) / 1000.0)
}
