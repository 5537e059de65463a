//! The control database on both engines, and the routes of accounts, projects and keys on top of it.

mod app;
mod cohorts;
mod databases;
mod erasures;
mod key_rules;
mod marks;
mod passwords;
mod refusals;
mod repository;
mod saved;
mod sessions;
mod sign_in;
mod tenants;
