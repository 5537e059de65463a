//! The store against a real ClickHouse: one engine for all tests, a database for each.

mod batches;
mod filters;
mod generations;
mod listings;
mod overrides;
mod profiles;
mod questions;
mod trends;
mod world;
