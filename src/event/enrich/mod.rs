//! What an event tells about itself: the page, the campaign, the browser.

pub mod agent;
pub mod campaign;
pub mod page;
