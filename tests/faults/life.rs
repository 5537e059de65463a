//! One life of the program: a process with a role, and what a test has in store for it.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::until;

/// Starts of a debug build on a busy machine, and a roller's ten seconds between two looks.
const PATIENCE: Duration = Duration::from_secs(90);

/// A process of ours. Dropping it kills it.
pub struct Life {
    child: Child,
    log: PathBuf,
}

impl Life {
    /// Starts `footfall serve` with this environment; its log goes to `log`.
    pub fn start(log: PathBuf, environment: &[(&str, String)]) -> Life {
        let file = File::create(&log).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_footfall"))
            .arg("serve")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the log again"))
            .stderr(file)
            .spawn()
            .expect("the program starts");
        Life { child, log }
    }

    /// Everything that it has said.
    pub fn words(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What follows `mark` in a line, once it is there.
    pub async fn says(&mut self, mark: &str) -> String {
        until(&format!("it says {mark:?}"), PATIENCE, async || {
            let said = self.words().lines().find_map(|line| {
                let (_, rest) = line.split_once(mark)?;
                Some(rest.trim().to_owned())
            });
            assert!(said.is_some() || self.lives(), "it ended:\n{}", self.words());
            said
        })
        .await
    }

    /// Waits until it was killed at this point. That it ends in another way, or does not end, fails the test: the
    /// point was not reached.
    pub async fn dies_at(&mut self, point: &str) {
        let status = until(&format!("{point} is reached"), PATIENCE, async || {
            self.child.try_wait().expect("our child")
        })
        .await;
        assert_eq!(status.signal(), Some(9), "killed: {status}\n{}", self.words());
        assert!(self.last_fault_is("Kill", point), "{}", self.words());
    }

    /// Waits until it has stopped itself at this point.
    pub async fn freezes_at(&mut self, point: &str) {
        until(&format!("{point} is reached"), PATIENCE, async || {
            assert!(self.lives(), "it ended:\n{}", self.words());
            (self.state() == 'T' && self.last_fault_is("Stop", point)).then_some(())
        })
        .await;
    }

    /// Whether the last fault was this one. What hangs does so beside it, and may say so later.
    fn last_fault_is(&self, action: &str, point: &str) -> bool {
        let words = self.words();
        let strikes = |line: &&str| line.starts_with("fault: ") && !line.starts_with("fault: Hang");
        let last = words.lines().rfind(strikes);
        last == Some(&*format!("fault: {action} at {point}"))
    }

    /// Lets a frozen one go on.
    pub fn wakes(&self) {
        let _ = kill_process(self.pid(), Signal::CONT);
    }

    fn lives(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).expect("a pid")
    }

    /// One letter, as the kernel shows it: `T` is stopped by a signal.
    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.unwrap_or('?')
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}:\n{}", self.log.display(), self.words());
        }
        // Our child is not reaped before this, so the pid is nobody else's.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
