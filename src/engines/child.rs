//! A supervised engine process.
//!
//! Each engine has a thread of its own here, not a task: it must outlive any one runtime, and blocking in
//! `waitid` costs nothing while all is well. The process gets a process group of its own, so that Ctrl-C in a
//! terminal reaches us first, and a pipe from us as its stdin: however we die, the pipe closes and it ends.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::sync::watch;

use super::log::EngineLog;
use super::{EngineError, ProcessError, REFUSED};

/// Unexpected ends within [`RESTART_WINDOW`] after which an engine is given up.
const RESTARTS: usize = 5;
const RESTART_WINDOW: Duration = Duration::from_secs(60);
/// Pause before the first restart; each further one within the window doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PROBE_EVERY: Duration = Duration::from_millis(15);

/// How to start an engine, and how to tell that it answers.
pub struct Launch {
    /// For messages: `clickhouse`, `redis`.
    pub name: &'static str,
    /// The program (our own) and its arguments.
    pub program: PathBuf,
    /// Arguments.
    pub args: Vec<OsString>,
    /// The log file in the data directory.
    pub log: PathBuf,
    /// True once the engine with this pid answers; asked every few milliseconds from a thread, so it may block
    /// briefly.
    pub ready: Box<dyn Fn(u32) -> bool + Send>,
    /// Longest start, replaying its logs included.
    pub start_within: Duration,
    /// Longest clean stop before it is killed.
    pub stop_within: Duration,
}

/// Where an engine stands.
#[derive(Clone, Debug)]
enum State {
    Starting,
    Ready,
    Stopped,
    Failed(ProcessError),
}

/// Whether a process that ended is to be started again. What `stop` and the supervising thread share.
#[derive(Default)]
struct Leash {
    stopping: bool,
    lifeline: Option<ChildStdin>,
    pid: Option<Pid>,
}

/// A running engine. Dropping it closes the lifeline, so the engine ends; [`Child::stop`] waits for that.
pub struct Child {
    name: &'static str,
    stop_within: Duration,
    leash: Arc<(Mutex<Leash>, Condvar)>,
    state: watch::Receiver<State>,
}

impl Child {
    /// Starts the engine and waits until it answers.
    ///
    /// # Errors
    /// When it ends first or stays silent for `start_within`: with its last log lines.
    pub async fn start(launch: Launch) -> Result<Self, EngineError> {
        let log = EngineLog::open(&launch.log).map_err(EngineError::file(&launch.log))?;
        let leash = Arc::new((Mutex::new(Leash::default()), Condvar::new()));
        let (sender, mut state) = watch::channel(State::Starting);
        let child = Self {
            name: launch.name,
            stop_within: launch.stop_within,
            leash: Arc::clone(&leash),
            state: state.clone(),
        };
        std::thread::Builder::new()
            .name(format!("engine-{}", launch.name))
            .spawn(move || {
                Supervisor {
                    launch,
                    log,
                    leash,
                    sender,
                }
                .run()
            })
            .map_err(|error| EngineError::System("start a thread", error))?;
        let settled = state.wait_for(|state| !matches!(state, State::Starting)).await;
        match settled.map(|state| state.clone()) {
            Ok(State::Failed(error)) => Err(error.into()),
            _ => Ok(child),
        }
    }

    /// The pid of the process that we started, while it runs.
    pub fn pid(&self) -> Option<u32> {
        hold(&self.leash.0)
            .pid
            .map(|pid| pid.as_raw_nonzero().get().cast_unsigned())
    }

    /// Waits until the engine has been given up. Never returns while it runs, or once it was stopped.
    pub async fn failed(&self) -> ProcessError {
        let mut state = self.state.clone();
        if let Ok(state) = state.wait_for(|state| matches!(state, State::Failed(_))).await
            && let State::Failed(error) = &*state
        {
            return error.clone();
        }
        std::future::pending().await
    }

    /// Closes the lifeline and waits for the engine's clean end; kills it after `stop_within`.
    pub async fn stop(&self) {
        self.let_go();
        let mut state = self.state.clone();
        let mut ended = async || {
            let over = |state: &State| matches!(state, State::Stopped | State::Failed(_));
            state.wait_for(over).await.is_ok()
        };
        if tokio::time::timeout(self.stop_within, ended()).await.is_err() {
            tracing::warn!(engine = self.name, "did not stop in time, killing it");
            if let Some(pid) = hold(&self.leash.0).pid {
                kill_group(pid);
            }
            ended().await;
        }
    }

    fn let_go(&self) {
        let mut leash = hold(&self.leash.0);
        leash.stopping = true;
        leash.lifeline = None;
        self.leash.1.notify_all();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.let_go();
    }
}

struct Supervisor {
    launch: Launch,
    log: Arc<EngineLog>,
    leash: Arc<(Mutex<Leash>, Condvar)>,
    sender: watch::Sender<State>,
}

impl Supervisor {
    fn run(self) {
        let name = self.launch.name;
        let mut ends: Vec<Instant> = Vec::new();
        let mut was_ready = false;
        loop {
            let began = Instant::now();
            let why = match self.spawn() {
                Ok(None) => break,
                Ok(Some((mut process, copier))) => {
                    let silent = !self.wait_until_ready(&process, began);
                    if !silent {
                        tracing::info!(
                            engine = name,
                            pid = process.id(),
                            took_ms = began.elapsed().as_millis(),
                            "ready"
                        );
                        was_ready = true;
                        self.sender.send_replace(State::Ready);
                    }
                    let status = self.reap(&mut process);
                    wait_for_last_words(&copier);
                    if hold(&self.leash.0).stopping {
                        break;
                    }
                    if !was_ready && status.code() == Some(i32::from(REFUSED)) {
                        let reason = self.log.last_lines().pop().unwrap_or_default();
                        return self.fail(ProcessError::Refused { name, reason });
                    }
                    if silent && began.elapsed() >= self.launch.start_within {
                        format!(
                            "it did not answer within {} s",
                            self.launch.start_within.as_secs()
                        )
                    } else {
                        format!("it ended ({status})")
                    }
                }
                Err(error) => format!("{}: {error}", self.launch.program.display()),
            };
            if !was_ready {
                let log = self.log.last_lines();
                return self.fail(ProcessError::NotStarted { name, why, log });
            }
            ends.retain(|end| end.elapsed() < RESTART_WINDOW);
            ends.push(Instant::now());
            if ends.len() > RESTARTS {
                let log = self.log.last_lines();
                return self.fail(ProcessError::GaveUp {
                    name,
                    times: ends.len(),
                    log,
                });
            }
            let pause = FIRST_PAUSE * (1 << (ends.len() - 1));
            self.log.add(&format!("footfall: {name}: {why}; restarting"));
            tracing::warn!(
                engine = name,
                why,
                pause_ms = pause.as_millis(),
                "ended unexpectedly, restarting"
            );
            let leash = hold(&self.leash.0);
            let (leash, _) = self
                .leash
                .1
                .wait_timeout_while(leash, pause, |leash| !leash.stopping)
                .unwrap_or_else(PoisonError::into_inner);
            if leash.stopping {
                break;
            }
        }
        self.sender.send_replace(State::Stopped);
    }

    /// `None`: asked to stop before the process was there.
    fn spawn(&self) -> std::io::Result<Option<(std::process::Child, JoinHandle<()>)>> {
        let (output, copier) = self.log.pipe()?;
        let mut leash = hold(&self.leash.0);
        if leash.stopping {
            return Ok(None);
        }
        let mut process = Command::new(&self.launch.program)
            .args(&self.launch.args)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()?;
        leash.lifeline = process.stdin.take();
        leash.pid = Some(Pid::from_child(&process));
        Ok(Some((process, copier)))
    }

    /// False: it ended, or its time is over (then it is killed), before it answered.
    fn wait_until_ready(&self, process: &std::process::Child, began: Instant) -> bool {
        let pid = Pid::from_child(process);
        loop {
            if has_ended(pid, WaitIdOptions::NOHANG) {
                return false;
            }
            if (self.launch.ready)(process.id()) {
                return true;
            }
            if began.elapsed() >= self.launch.start_within {
                kill_group(pid);
                return false;
            }
            std::thread::sleep(PROBE_EVERY);
        }
    }

    /// Waits for the end, and clears away what is left of the process group (a server whose shim was killed).
    fn reap(&self, process: &mut std::process::Child) -> ExitStatus {
        let pid = Pid::from_child(process);
        // The zombie keeps its pid until the lock is held, so `stop` cannot kill a stranger who inherited it.
        has_ended(pid, WaitIdOptions::empty());
        let mut leash = hold(&self.leash.0);
        kill_group(pid);
        leash.pid = None;
        leash.lifeline = None;
        process.wait().unwrap_or_default()
    }

    fn fail(&self, error: ProcessError) {
        self.sender.send_replace(State::Failed(error));
    }
}

fn hold(leash: &Mutex<Leash>) -> MutexGuard<'_, Leash> {
    leash.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Without reaping it. Blocks, unless `NOHANG` is given.
fn has_ended(pid: Pid, how: WaitIdOptions) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | how;
    loop {
        match rustix::process::waitid(WaitId::Pid(pid), options) {
            Ok(status) => return status.is_some(),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

/// A stranger that inherited the pipe must not hold up a restart, hence the limit.
fn wait_for_last_words(copier: &JoinHandle<()>) {
    let deadline = Instant::now() + Duration::from_millis(500);
    while !copier.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn kill_group(pid: Pid) {
    // Fails only when nobody is left, which is what we want.
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
}
