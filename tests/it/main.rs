//! The whole product over HTTP on the real engines. Nothing runs by itself here: a test sends events, delivers
//! them, rolls them up and asks, each by a call, so no test waits and none depends on timing.

mod audit;
mod bad_events;
mod bad_questions;
mod bad_visits;
mod cohorts;
mod consistency;
mod envelope;
mod erasures;
mod explain;
mod funnels;
mod harness;
mod keys;
mod ledger;
mod ledger_model;
mod letters;
mod live;
mod load;
mod openapi;
mod operations;
mod paging;
mod paths;
mod random;
mod random_funnels;
mod random_paths;
mod retention;
mod returning;
mod serving;
mod tenants;
mod times;
mod twin;
mod visit;
mod visits;
mod zones;
