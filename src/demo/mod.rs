//! `footfall demo`: a believable shop's traffic, sent through the real capture endpoint.
//!
//! [`shop`] makes up people and what they do (pure, repeatable from a seed); [`fill`] sends the past;
//! [`trickle`] keeps a little live traffic going.

pub mod fill;
pub mod shop;
pub mod trickle;
