//! What the stream promises, on a real redis-server: stored once however often it is sent, planned before it
//! is sent on, fenced when the lease is lost.

mod grouping;
mod harness;
mod interleavings;
mod ledger;
mod letters;
mod model;
mod owning;
mod real;
mod removing;
mod replicas;
mod taking;
