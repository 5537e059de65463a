//! What processes have used, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;

/// Clock ticks a second in /proc: fixed at 100 for every program on Linux.
const TICKS: f64 = 100.0;

/// A part of an installation, by its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Footfall,
    ClickHouse,
    RedisServer,
    RedisShim,
}

/// CPU seconds and the largest resident memory of each part.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    pub of: BTreeMap<Part, (f64, u64)>,
}

impl Usage {
    /// Of the process and everything below it. `reset` starts the peaks of memory anew.
    pub fn of_tree(pid: u32, reset: bool) -> Usage {
        let mut usage = Usage::default();
        let mut pids = vec![pid];
        while let Some(next) = pids.pop() {
            pids.extend(children(next));
            let (cpu, rss) = usage.of.entry(part(next)).or_default();
            *cpu += cpu_seconds(next);
            *rss += peak_bytes(next);
            if reset {
                // Refused where the kernel has no such switch; then peaks are since the start.
                let _ = fs::write(format!("/proc/{next}/clear_refs"), "5");
            }
        }
        usage
    }

    /// CPU used since, with the peaks of now.
    pub fn since(&self, before: &Usage) -> Usage {
        let of = self.of.iter().map(|(&part, &(cpu, rss))| {
            let earlier = before.of.get(&part).map_or(0.0, |(cpu, _)| *cpu);
            (part, (cpu - earlier, rss))
        });
        Usage { of: of.collect() }
    }

    /// Microseconds of CPU for each of so many events.
    pub fn micros_per(&self, part: Part, events: u64) -> f64 {
        self.of
            .get(&part)
            .map_or(0.0, |(cpu, _)| cpu * 1e6 / events.max(1) as f64)
    }

    /// The same of all parts together.
    pub fn all_micros_per(&self, events: u64) -> f64 {
        self.of.keys().map(|&part| self.micros_per(part, events)).sum()
    }

    /// Peak of resident memory in MB.
    pub fn megabytes(&self, part: Part) -> f64 {
        self.of.get(&part).map_or(0.0, |(_, rss)| *rss as f64 / 1e6)
    }
}

/// CPU seconds of this process.
pub fn own_cpu() -> f64 {
    cpu_seconds(std::process::id())
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    tasks
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|pids| {
            pids.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

fn part(pid: u32) -> Part {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    if command.contains("engine clickhouse") {
        Part::ClickHouse
    } else if command.contains("engine redis") {
        Part::RedisShim
    } else if command.contains("redis-server") {
        Part::RedisServer
    } else {
        Part::Footfall
    }
}

fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; the fields behind it are plain.
    let fields: Vec<&str> = stat
        .rsplit_once(") ")
        .map_or(vec![], |(_, rest)| rest.split(' ').collect());
    let ticks = |n: usize| {
        fields
            .get(n)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / TICKS
}

fn peak_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}
