//! The store against a real ClickHouse: one engine for all tests, a database for each.

mod batches;
mod cohort_filters;
mod cohorts;
mod filters;
mod generations;
mod listings;
mod overrides;
mod past;
mod profiles;
mod questions;
mod trends;
mod world;
