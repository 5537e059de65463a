//! Filters and properties as SQL over the columns of `events`: the only place where what a person wrote meets a
//! statement, and it does so as typed parameters only. What it means is `metrics::filter`'s.

mod bind;
mod condition;
mod value;

pub use bind::Bind;
pub use condition::condition;
pub(super) use condition::number;
pub(super) use value::grouping;
pub use value::value;
