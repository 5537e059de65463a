//! What a process costs, as the kernel counts it.

use std::collections::BTreeMap;
use std::time::Duration;

/// Ticks of `/proc/<pid>/stat` a second: fixed on Linux.
const TICKS: u64 = 100;

/// A process that is measured.
#[derive(Clone, Debug)]
pub struct Process {
    pub name: &'static str,
    pub pid: u32,
}

/// User and system time of all of a process's threads so far, in the order of the processes.
pub fn cpu(processes: &[Process]) -> Vec<Duration> {
    processes
        .iter()
        .map(|process| {
            let fields = stat(process.pid);
            let ticks = |n: usize| {
                fields
                    .get(n)
                    .and_then(|field| field.parse::<u64>().ok())
                    .unwrap_or(0)
            };
            Duration::from_millis((ticks(11) + ticks(12)) * 1_000 / TICKS)
        })
        .collect()
}

/// Resident bytes.
pub fn resident(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The last child of `pid`, or itself when it has none: an engine behind its shim.
pub fn innermost(pid: u32) -> u32 {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Ok(child) = entry.file_name().to_string_lossy().parse::<u32>()
            && let Some(parent) = stat(child).get(1).and_then(|field| field.parse::<u32>().ok())
        {
            parents.insert(parent, child);
        }
    }
    let mut found = pid;
    while let Some(child) = parents.get(&found) {
        found = *child;
    }
    found
}

/// The fields behind the command's name, which may itself hold spaces.
fn stat(pid: u32) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let behind = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    behind.split_whitespace().map(str::to_owned).collect()
}

/// The largest resident size of each process while it was watched.
#[derive(Clone, Debug, Default)]
pub struct Peaks(BTreeMap<&'static str, u64>);

impl Peaks {
    /// Looks at them now.
    pub fn look(&mut self, processes: &[Process]) {
        for process in processes {
            let peak = self.0.entry(process.name).or_default();
            *peak = (*peak).max(resident(process));
        }
    }

    /// In megabytes.
    pub fn megabytes(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0) >> 20
    }
}
