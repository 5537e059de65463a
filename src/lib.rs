//! Footfall: product analytics that a team runs itself.
//!
//! # The path of an event
//!
//! A body arrives at [`capture`], which turns it into wire events; [`event::accept`] makes each an
//! [`event::Event`] or a rejection with a reason; [`stream`] appends them to a Redis stream, and only then is
//! the request answered 200. A [`worker`] reads the stream shard by shard, writes down the boundary of a
//! batch, inserts the batch's rows, sums and sketches through [`store`], checks, and commits.
//!
//! # The path of a question
//!
//! [`api`] checks who asks and for which project; [`metrics`] validates what is asked; [`store`] fetches
//! facts; [`metrics`] gives them their meaning; the answer leaves with its trust envelope.
//!
//! # Who may know whom
//!
//! `event` and `metrics` are pure. `stream` is the only room that knows Redis, `store` ClickHouse, `meta`
//! the relational database. The roles (`capture`, `worker`, `api`) never import each other; [`app`] puts
//! them together. `tests/tidy.rs` holds these rules.

pub mod api;
pub mod app;
pub mod audit;
pub mod capture;
pub mod clock;
pub mod config;
pub mod demo;
pub mod engines;
pub mod event;
pub mod fault;
pub mod identity;
pub mod meta;
pub mod metrics;
pub mod problem;
pub mod serving;
pub mod store;
pub mod stream;
pub mod telemetry;
pub mod worker;
