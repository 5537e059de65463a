//! Forced faults: named points of the path at which a test kills, stops, fails or hangs the process.
//!
//! Only with the cargo feature `faults`, which no release build can have (see below). Without it a point is an
//! empty inline function that cannot fail, its name is not in the binary (`make build` looks), and nothing reads
//! the environment.
//!
//! - `FOOTFALL_FAULT=<point>:<n>:<action>`, several separated by commas, acts at the n-th passing of the point:
//!   `kill` (SIGKILL to ourselves), `stop` (SIGSTOP to ourselves; the point goes on after SIGCONT), `error` (the
//!   step fails as if the engine were away), `hang` (the step never goes on).
//! - `FOOTFALL_LEFT_OUT=<rule>`, several separated by commas, leaves a rule of the protocol out, to show that it is
//!   needed: see [`left_out`].
//!
//! This is, beside `config.rs`, the only reader of the environment: what it reads is no setting.

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!("the feature `faults` is for tests: a release build must not have it");

#[cfg(not(feature = "faults"))]
use std::future::{Ready, ready};

#[cfg(feature = "faults")]
mod armed;

#[cfg(feature = "faults")]
pub use armed::{Fault, left_out, point, point_blocking, point_in};

/// The step failed because a test wanted it to. Never made without the feature.
#[cfg(not(feature = "faults"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {}

/// Passes the point `name`, such as `deliver.after_plan`.
///
/// # Errors
/// [`Fault`] where a test asked for an error here.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn point(_name: &'static str) -> Ready<Result<(), Fault>> {
    // Not an async function: its future would hold the name, and so would the binary.
    ready(Ok(()))
}

/// Passes the point `name.part`: one for each of several tables or kinds.
///
/// # Errors
/// As [`point`].
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn point_in(_name: &'static str, _part: &'static str) -> Ready<Result<(), Fault>> {
    ready(Ok(()))
}

/// [`point`] for code that blocks anyway.
///
/// # Errors
/// As [`point`].
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn point_blocking(_name: &'static str) -> Result<(), Fault> {
    Ok(())
}

/// Whether a test leaves a rule out, as a control that must fail: `verify` (a yes in doubt is believed), `plan`
/// (the boundary is written down only at the commit), `history` (the tables' last batch is not compared), `repair_try`
/// (a repair deletes the rows of every try).
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn left_out(_rule: &'static str) -> bool {
    false
}
