//! The process between us and a server that would outlive us.
//!
//! `redis-server` and `clickhouse server` do not end when their stdin does. So each runs under a process of
//! ours that holds the directory's lock, starts the server, and ends it when our pipe closes. Should the shim
//! itself be killed, the kernel ends the server: the server's process asks for a signal at its parent's death
//! before it becomes the server (`footfall engine leash`), and the lock it inherited keeps others out so long.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::{EngineError, ProcessError};

/// Longest clean end of a server whose shim lost its lifeline.
const GRACE: Duration = Duration::from_secs(30);

/// Runs `server` until it ends or this process's stdin does. The caller holds the directory's lock.
///
/// Must be called on the main thread: the kernel's signal comes when the *thread* that started the server ends.
pub(super) fn run_server(server: &Path, args: Vec<OsString>) -> Result<ExitCode, EngineError> {
    let ourselves =
        std::env::current_exe().map_err(|error| EngineError::System("find our program", error))?;
    let mut process = Command::new(ourselves)
        .args(["engine", "leash", "--parent"])
        .arg(std::process::id().to_string())
        .arg("--")
        .arg(server)
        .args(args)
        .stdin(Stdio::null())
        .spawn()
        .map_err(EngineError::file(server))?;
    let pid = Pid::from_child(&process);

    std::thread::spawn(move || {
        let status = process.wait();
        let code = match status {
            Ok(status) => {
                if let Some(signal) = status.signal() {
                    eprintln!("footfall: the server was ended by signal {signal}");
                }
                status.code().unwrap_or(1)
            }
            Err(_) => 1,
        };
        // Ends the shim at once, so the pid above is never used for a process that is not ours.
        std::process::exit(code);
    });

    // Nothing is ever written to the pipe: a return is its end.
    let _ = std::io::stdin().read(&mut [0]);
    let _ = rustix::process::kill_process(pid, Signal::TERM);
    std::thread::sleep(GRACE);
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    std::thread::sleep(Duration::from_secs(1));
    Ok(ExitCode::FAILURE)
}

/// Becomes `command`, to be ended by the kernel when the process `parent` dies.
pub(super) fn leash(parent: u32, command: &[OsString]) -> EngineError {
    let Some((program, args)) = command.split_first() else {
        return EngineError::from(ProcessError::Refused {
            name: "leash",
            reason: "no command given".into(),
        });
    };
    #[cfg(target_os = "linux")]
    if let Err(errno) = rustix::process::set_parent_process_death_signal(Some(Signal::TERM)) {
        return EngineError::System("ask for a signal at the parent's death", errno.into());
    }
    // It may have died before we asked.
    let alive =
        rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get().cast_unsigned() == parent);
    if !alive {
        return EngineError::from(ProcessError::Refused {
            name: "leash",
            reason: "the parent is gone".into(),
        });
    }
    EngineError::file(program)(Command::new(program).args(args).exec())
}
