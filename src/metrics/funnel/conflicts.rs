//! What cannot be asked together.

use super::spec::{Attribution, Count, Entity, Exclusion, FunnelSpec, OnExclusion, Order, View};
use crate::metrics::SpecError;

/// A refusal for each wish that does not go with another, at the field that has to change.
pub fn conflicts(spec: &FunnelSpec) -> Vec<SpecError> {
    let mut errors = Vec::new();
    let mut refuse = |refused: bool, pointer: &str, detail: &str| {
        if refused {
            errors.push(SpecError::new(pointer, "unsupported", detail));
        }
    };
    if spec.order == Order::Any {
        let optional = spec.steps.iter().any(|step| step.optional);
        refuse(optional, "/steps", "in any order no step is optional");
        refuse(
            spec.count == Count::Total,
            "/count",
            "in any order entities are counted, not attempts",
        );
        refuse(
            spec.max_gap_ms.is_some(),
            "/max_gap",
            "steps in any order have no gaps",
        );
        refuse(
            !spec.hold.is_empty(),
            "/hold",
            "steps in any order hold nothing constant",
        );
        refuse(
            spec.tie_ms > 0,
            "/tie_ms",
            "in any order there are no ties to break",
        );
        let inner = |x: &Exclusion| x.after > 0 || x.before + 1 < spec.steps.len();
        let inner = spec.exclusions.iter().any(inner);
        refuse(
            inner,
            "/exclusions",
            "in any order an exclusion holds from the first step to the last",
        );
        refuse(
            spec.on_exclusion == OnExclusion::Drop,
            "/on_exclusion",
            "in any order exclusions stop",
        );
        let step = spec.breakdown.as_ref().map(|breakdown| breakdown.attribution);
        let by_step = matches!(step, Some(Attribution::Step(_)));
        refuse(by_step, "/attribution", "in any order there is no such step");
        refuse(
            spec.why_not,
            "/why_not",
            "in any order no step is the one that is missing",
        );
    }
    let both = spec.max_gap_ms.is_some() && !spec.exclusions.is_empty();
    refuse(
        both,
        "/max_gap",
        "max_gap and exclusions cannot be asked together",
    );
    let (group, groups) = (spec.group.is_some(), spec.entity == Entity::Group);
    refuse(
        group && !groups,
        "/group",
        "only the entity group has a group property",
    );
    refuse(
        groups && !group,
        "/group",
        "name the property whose values are the groups",
    );
    refuse(groups && spec.by_session, "/window", "a group has no sessions");
    if matches!(spec.view, View::Sweep(_)) {
        refuse(spec.count == Count::Total, "/count", "a sweep counts entities");
        refuse(spec.order != Order::Sequential, "/order", "a sweep is sequential");
        refuse(
            spec.uses_sessions(),
            "/window",
            "a sweep is of lengths of time, not of sessions",
        );
        refuse(
            spec.on_exclusion == OnExclusion::Drop,
            "/on_exclusion",
            "in a sweep exclusions stop",
        );
    }
    refuse(
        spec.why_not && spec.count == Count::Total,
        "/why_not",
        "reasons are of entities, not of attempts",
    );
    errors
}
