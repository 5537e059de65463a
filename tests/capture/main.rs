//! Tracking requests against a real stream and a real control database: what a client is answered, and what
//! lies in the stream afterwards.

#[path = "../stream/harness.rs"]
#[expect(
    dead_code,
    reason = "shared with the stream's tests; only its redis-server is used here"
)]
mod harness;
mod refusing;
mod site;
mod taking;
