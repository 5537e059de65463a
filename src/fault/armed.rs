//! The points as tests have them.

use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// The step failed because a test wanted it to, as it does when the engine is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a forced fault")]
pub struct Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Kill,
    Stop,
    Error,
    Hang,
}

/// What happens at one point.
#[derive(Debug)]
struct Arm {
    point: String,
    /// Passings that are still let through.
    left: AtomicU64,
    action: Action,
}

static ARMS: LazyLock<Vec<Arm>> = LazyLock::new(|| {
    listed("FOOTFALL_FAULT")
        .iter()
        .map(|text| match text.parse() {
            Ok(arm) => arm,
            Err(()) => {
                eprintln!("FOOTFALL_FAULT: {text:?} is not <point>:<n>:<kill|stop|error|hang>");
                std::process::exit(2)
            }
        })
        .collect()
});

static LEFT_OUT: LazyLock<Vec<String>> = LazyLock::new(|| listed("FOOTFALL_LEFT_OUT"));

fn listed(name: &str) -> Vec<String> {
    let text = std::env::var(name).unwrap_or_default();
    let items = text.split(',').filter(|item| !item.is_empty());
    items.map(str::to_owned).collect()
}

impl FromStr for Arm {
    type Err = ();

    fn from_str(text: &str) -> Result<Arm, ()> {
        let (rest, action) = text.rsplit_once(':').ok_or(())?;
        let (point, n) = rest.rsplit_once(':').ok_or(())?;
        let n: u64 = n.parse().map_err(drop)?;
        Ok(Arm {
            point: point.to_owned(),
            left: AtomicU64::new(n.checked_sub(1).ok_or(())?),
            action: match action {
                "kill" => Action::Kill,
                "stop" => Action::Stop,
                "error" => Action::Error,
                "hang" => Action::Hang,
                _ => return Err(()),
            },
        })
    }
}

/// What is due at this passing: each arm acts once.
fn due(matches: impl Fn(&str) -> bool) -> Option<Action> {
    let arm = ARMS.iter().find(|arm| matches(&arm.point))?;
    let spent = u64::MAX;
    let before = arm
        .left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left != spent).then(|| left.checked_sub(1).unwrap_or(spent))
        });
    (before == Ok(0)).then(|| {
        // Where it acted; tests read it.
        eprintln!("fault: {:?} at {}", arm.action, arm.point);
        arm.action
    })
}

/// Kills or stops the whole process; after SIGCONT it goes on here.
fn signal(signal: Signal) {
    let _ = kill_process(getpid(), signal);
    // Another thread may have to take the signal: this one must not go on before all have stopped.
    std::thread::sleep(Duration::from_millis(50));
}

async fn act(action: Option<Action>) -> Result<(), Fault> {
    match action {
        Some(Action::Hang) => std::future::pending().await,
        other => act_blocking(other),
    }
}

fn act_blocking(action: Option<Action>) -> Result<(), Fault> {
    match action {
        None => Ok(()),
        Some(Action::Error) => Err(Fault),
        Some(Action::Stop) => {
            signal(Signal::STOP);
            Ok(())
        }
        Some(Action::Kill) => {
            signal(Signal::KILL);
            Err(Fault)
        }
        Some(Action::Hang) => loop {
            std::thread::park();
        },
    }
}

/// Passes the point `name`, such as `deliver.after_plan`.
///
/// # Errors
/// [`Fault`] where a test asked for an error here.
pub async fn point(name: &'static str) -> Result<(), Fault> {
    act(due(|armed| armed == name)).await
}

/// Passes the point `name.part`: one for each of several tables or kinds.
///
/// # Errors
/// As [`point`].
pub async fn point_in(name: &'static str, part: &'static str) -> Result<(), Fault> {
    let here = |armed: &str| {
        let rest = armed.strip_prefix(name);
        rest.and_then(|rest| rest.strip_prefix('.')) == Some(part)
    };
    act(due(here)).await
}

/// [`point`] for code that blocks anyway.
///
/// # Errors
/// As [`point`].
pub fn point_blocking(name: &'static str) -> Result<(), Fault> {
    act_blocking(due(|armed| armed == name))
}

/// Whether a test leaves a rule out, as a control that must fail: `verify` (a yes in doubt is believed), `plan`
/// (the boundary is written down only at the commit), `history` (the tables' last batch is not compared), `repair_try`
/// (a repair deletes the rows of every try).
pub fn left_out(rule: &'static str) -> bool {
    LEFT_OUT.iter().any(|left_out| left_out == rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_point_its_passing_and_what_happens() {
        let arm: Arm = "deliver.before_insert.events:3:stop".parse().unwrap();
        assert_eq!(arm.point, "deliver.before_insert.events");
        assert_eq!((arm.left.into_inner(), arm.action), (2, Action::Stop));
        for wrong in ["", "x", "x:1", "x:0:kill", "x:one:kill", "x:1:burn"] {
            assert!(wrong.parse::<Arm>().is_err(), "{wrong:?}");
        }
    }
}
