//! The habits of other products, as far as fields of the query express them.

use super::query::FunnelQuery;
use super::spec::{OnExclusion, Preset, RangeAppliesTo, Reentry};

/// The query with the fields of its preset where it says nothing itself.
pub fn applied(query: &FunnelQuery) -> FunnelQuery {
    let mut query = query.clone();
    match query.preset {
        None => {}
        Some(Preset::Mixpanel) => {
            set(&mut query, Reentry::First, 2_000, "7d");
            query.range_applies_to.get_or_insert(RangeAppliesTo::Entry);
            query.on_exclusion.get_or_insert(OnExclusion::Stop);
        }
        Some(Preset::Amplitude) => {
            set(&mut query, Reentry::Any, 1_000, "1d");
            query.range_applies_to.get_or_insert(RangeAppliesTo::Entry);
        }
        Some(Preset::Posthog) => {
            set(&mut query, Reentry::Any, 1, "14d");
            query.on_exclusion.get_or_insert(OnExclusion::Drop);
        }
    }
    query
}

fn set(query: &mut FunnelQuery, reentry: Reentry, tie_ms: i64, window: &str) {
    query.reentry.get_or_insert(reentry);
    query.tie_ms.get_or_insert(tie_ms);
    query.window.get_or_insert_with(|| window.to_owned());
}

impl Preset {
    /// What the preset cannot reproduce, in words.
    pub fn limits(self) -> &'static [&'static str] {
        match self {
            Preset::Mixpanel => &[
                "events are simultaneous when they fall between the same two even seconds of the clock, not when \
                 they are less than two seconds apart",
                "where properties are held constant, pairs of a person and the values are counted",
                "sampling and its own rules for sessions",
            ],
            Preset::Amplitude => &[
                "this is the nearest that can be expressed, not its own algorithm",
                "events are simultaneous within a second of the clock",
                "an exclusion ends an attempt, not the person: a later attempt without it still converts",
            ],
            Preset::Posthog => &[
                "an event counts for one step: where its engine lets one event satisfy two steps, it counts more",
                "persons are joined when the question is asked, not when events arrive",
                "an attempt that was overwritten by a later one shares its fate when an exclusion drops it",
            ],
        }
    }
}
