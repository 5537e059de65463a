//! Processes by pid, as the kernel shows them. Whoever is signalled here is known by pid *and* start time, so a
//! pid that was given to a stranger meanwhile is never hit.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::installation::program;

/// One process, once and for all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub pid: u32,
    /// Clock ticks from boot to its start.
    started: String,
    /// Its command line, arguments separated by blanks.
    pub command: String,
}

impl Process {
    /// The process with this pid; `None` when there is none, or only its zombie.
    pub fn find(pid: u32) -> Option<Process> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; the fields behind it are plain.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        if matches!(fields.first(), Some(&("Z" | "X"))) {
            return None;
        }
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Process {
            pid,
            started: (*fields.get(19)?).to_owned(),
            command: String::from_utf8_lossy(&command).replace('\0', " "),
        })
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        Process::find(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Sends a signal, if it still runs.
    pub fn signal(&self, signal: Signal) {
        if self.runs()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            // It may end in this very moment.
            let _ = kill_process(pid, signal);
        }
    }

    /// Everything below it, children before grandchildren. Engines have process groups of their own, so the
    /// tree is the only thing that holds them together.
    pub fn descendants(&self) -> Vec<Process> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid));
        let children: Vec<Process> = tasks
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|pids| {
                pids.split_whitespace()
                    .filter_map(|pid| pid.parse().ok())
                    .collect::<Vec<_>>()
            })
            .filter_map(Process::find)
            .collect();
        let deeper: Vec<Process> = children.iter().flat_map(Process::descendants).collect();
        children.into_iter().chain(deeper).collect()
    }

    /// Every process of ours whose command line names this folder, whoever its parent is by now.
    pub fn naming(folder: &Path) -> Vec<Process> {
        let folder = folder.to_string_lossy().into_owned();
        let program = program().display().to_string();
        let ourselves = std::process::id();
        std::fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|&pid| pid != ourselves)
            .filter_map(Process::find)
            .filter(|process| process.command.contains(&folder))
            // Somebody may be looking at the folder meanwhile.
            .filter(|process| {
                process.command.starts_with("redis-server") || process.command.starts_with(&program)
            })
            .collect()
    }
}
