//! From the stream to the tables, exactly once, on the real engines: workers that die between any two steps,
//! that wake up late, engines that lose or double rows, rows that are refused.

mod audit;
mod crashes;
mod crowding;
mod damage;
mod harness;
mod ledger;
mod letters;
mod memory;
mod rolls;
mod running;
