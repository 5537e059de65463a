//! The store against a real ClickHouse: one engine for all tests, a database for each.

mod batches;
mod cohorts;
mod filters;
mod generations;
mod listings;
mod past;
mod questions;
mod trends;
mod world;
