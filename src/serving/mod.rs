//! Answers from memory, and never a stale one.
//!
//! ```text
//! question ─▶ freshness (one look at Redis for all who ask at once) ─▶ answers ─▶ flights ─▶ ClickHouse
//! ```
//!
//! - [`freshness`]: how far the tables are and which revision the project has, read *after* the question came.
//! - [`answers`]: what was answered under that revision, bounded in bytes.
//! - [`flights`]: concurrent identical questions are computed once, and not at all when everybody left.
//! - [`sketchbook`]: decoded sketches of the days, [`countbook`]: events by quarter hour, [`visitbook`]: sessions, all fed
//!   with what is new, on [`shelf`] of bounded size; [`late`] and [`names`]: what answers warn of.
//!
//! Why a remembered answer is right: its facts were read after its revision, so it holds every commit that the
//! revision tells of. A commit raises the revision of its projects; between the two it is listed as unannounced,
//! and then nothing remembered is used. What time alone changes stands in the key ([`crate::metrics::turning`]).

pub mod answers;
pub mod countbook;
pub mod flights;
pub mod freshness;
pub mod late;
pub mod names;
pub mod shelf;
pub mod sketchbook;
pub mod together;
pub mod versions;
pub mod visitbook;

use answers::Answers;
use countbook::Countbook;
use flights::Flights;
use freshness::Freshness;
use late::Late;
use names::Names;
use sketchbook::Sketchbook;
use versions::Versions;
use visitbook::Visitbook;

use crate::store::Store;
use crate::stream::EventStream;

/// How much memory the room may use.
#[derive(Clone, Copy, Debug)]
pub struct ServingLimits {
    /// Bytes of remembered answers.
    pub answer_bytes: u64,
    /// Bytes of decoded sketches.
    pub sketch_bytes: u64,
    /// Bytes of counts by quarter hour.
    pub count_bytes: u64,
    /// Bytes of sessions.
    pub visit_bytes: u64,
}

impl Default for ServingLimits {
    fn default() -> Self {
        Self {
            answer_bytes: 64 << 20,
            sketch_bytes: 256 << 20,
            count_bytes: 64 << 20,
            visit_bytes: 256 << 20,
        }
    }
}

/// The room. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Serving {
    /// How things stand.
    pub freshness: Freshness,
    /// What was answered.
    pub answers: Answers,
    /// What is being computed.
    pub flights: Flights,
    /// Days of activity.
    pub sketchbook: Sketchbook,
    /// Events by quarter hour.
    pub countbook: Countbook,
    /// Sessions.
    pub visitbook: Visitbook,
    /// Late events.
    pub late: Late,
    /// Names that ever happened.
    pub names: Names,
    /// Versions of override maps.
    pub versions: Versions,
}

impl Serving {
    /// An empty memory.
    pub fn new(store: Store, stream: EventStream, limits: ServingLimits) -> Serving {
        Serving {
            sketchbook: Sketchbook::new(store.clone(), stream.clone(), limits.sketch_bytes),
            countbook: Countbook::new(store.clone(), stream.clone(), limits.count_bytes),
            visitbook: Visitbook::new(limits.visit_bytes),
            versions: Versions::new(store.clone()),
            names: Names::new(store.clone()),
            late: Late::new(store),
            freshness: Freshness::new(stream),
            answers: Answers::new(limits.answer_bytes),
            flights: Flights::default(),
        }
    }
}
