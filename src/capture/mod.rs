//! (room laid out; see the crate's documentation)
