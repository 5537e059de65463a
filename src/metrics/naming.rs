//! The names of events that a question says: a name that never happened is nearly always a wrong one.

use super::active::ActiveSpec;
use super::conversion::ConversionSpec;
use super::funnel::FunnelSpec;
use super::lifecycle::LifecycleSpec;
use super::path::PathSpec;
use super::person::PersonsSpec;
use super::retention::RetentionSpec;
use super::stickiness::StickinessSpec;
use super::trend::TrendSpec;
use super::visit::{SessionsSpec, WebSpec};

/// A validated question that may say names of events. What a filter compares with is no name.
pub trait Naming {
    /// The names, some maybe several times.
    fn named_events(&self) -> Vec<&str> {
        Vec::new()
    }
}

fn texts(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().map(String::as_str)
}

impl Naming for ActiveSpec {
    fn named_events(&self) -> Vec<&str> {
        self.event.as_deref().into_iter().collect()
    }
}

impl Naming for TrendSpec {
    fn named_events(&self) -> Vec<&str> {
        self.series
            .iter()
            .flat_map(|series| texts(&series.events))
            .collect()
    }
}

impl Naming for FunnelSpec {
    fn named_events(&self) -> Vec<&str> {
        let steps = self.steps.iter().map(|step| &step.events);
        let alternatives = steps.chain(self.exclusions.iter().map(|exclusion| &exclusion.events));
        alternatives.flatten().map(|one| one.event.as_str()).collect()
    }
}

impl Naming for PathSpec {
    fn named_events(&self) -> Vec<&str> {
        let link = self.funnel.iter();
        let of_funnel = link.flat_map(|link| link.funnel.named_events());
        self.matched_events().chain(of_funnel).collect()
    }
}

impl Naming for RetentionSpec {
    fn named_events(&self) -> Vec<&str> {
        texts(&self.start.events)
            .chain(texts(&self.returns.events))
            .collect()
    }
}

impl Naming for LifecycleSpec {
    fn named_events(&self) -> Vec<&str> {
        texts(&self.events.events).collect()
    }
}

impl Naming for StickinessSpec {
    fn named_events(&self) -> Vec<&str> {
        texts(&self.events.events).collect()
    }
}

impl Naming for ConversionSpec {
    fn named_events(&self) -> Vec<&str> {
        self.after
            .iter()
            .chain([&self.goal])
            .map(String::as_str)
            .collect()
    }
}

impl Naming for SessionsSpec {}

impl Naming for WebSpec {}

impl Naming for PersonsSpec {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Zone;
    use crate::metrics::funnel::FunnelQuery;
    use crate::metrics::path::PathsQuery;
    use serde_json::json;

    #[test]
    fn names_are_found_in_steps_exclusions_and_anchors() {
        let funnel = json!({"steps": [{"event": "a"}, {"any_of": [{"event": "b"}, {"event": "c"}]}],
            "exclusions": [{"event": "d"}], "filter": {"event_name": true, "op": "is_not", "value": "e"}});
        let query: FunnelQuery = serde_json::from_value(funnel.clone()).unwrap();
        let spec = query.validate(&Zone::utc(), 1_795_000_000_000).unwrap();
        assert_eq!(spec.named_events(), ["a", "b", "c", "d"]);
        let paths = json!({"mode": "between", "anchor": {"event": "a"}, "until": {"page": "/b"}, "exclude": [{"event": "c"}]});
        let query: PathsQuery = serde_json::from_value(paths).unwrap();
        let spec = query.validate(&Zone::utc(), 1_795_000_000_000).unwrap();
        assert_eq!(spec.named_events(), ["a", "c"]);
    }
}
