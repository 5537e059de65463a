//! `footfall demo`: a believable shop's traffic, sent through the real capture endpoint.
//!
//! [`shop`] makes up what people do, who come with devices, accounts and companies (pure, repeatable from a seed);
//! [`fill`] sends the past; [`cohorts`] are those that the owner saved of it; [`trickle`] keeps a little live traffic going.

mod catalog;
pub mod cohorts;
pub mod fill;
pub mod hours;
mod people;
pub mod shop;
pub mod trickle;
