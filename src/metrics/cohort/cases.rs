//! What is refused of rules, and what is meant where nothing is said.

use serde_json::{Value, json};

use super::{MAX_DEPTH, RuleQuery, What};
use crate::event::Zone;

fn refused(rule: Value) -> Vec<(String, &'static str)> {
    let query: RuleQuery = serde_json::from_value(rule).unwrap();
    let errors = query
        .validate("/definition", &Zone::utc())
        .err()
        .unwrap_or_default();
    errors
        .into_iter()
        .map(|error| (error.pointer["/definition".len()..].to_owned(), error.code))
        .collect()
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let deep = (0..=MAX_DEPTH).fold(json!({"did": {}}), |rule, _| json!({"not": rule}));
    let step = json!({"event": "a"});
    for (rule, pointer, code) in [
        (json!({}), "", "required"),
        (json!({"did": {}, "first": {}}), "", "ambiguous"),
        (json!({"and": []}), "/and", "required"),
        (
            json!({"or": [{"did": {"event": ""}}]}),
            "/or/0/did/event",
            "required",
        ),
        (json!({"or": vec![json!({"did": {}}); 21]}), "/or", "too_many"),
        (deep, "/not/not/not/not/not", "too_deep"),
        (json!({"first": {}}), "", "required"),
        (json!({"did": {}, "within": "7d"}), "/within", "not_allowed"),
        (json!({"did": {}, "op": "is"}), "/op", "not_allowed"),
        (
            json!({"first": {}, "from": "2026-11-01", "at_least": 2}),
            "/at_least",
            "not_allowed",
        ),
        (
            json!({"and": [{"did": {}}], "last_days": 7}),
            "/last_days",
            "not_allowed",
        ),
        (
            json!({"did": {}, "exactly": 1, "at_most": 2}),
            "/exactly",
            "conflict",
        ),
        (
            json!({"did": {}, "at_least": 3, "at_most": 2}),
            "/at_most",
            "out_of_range",
        ),
        (
            json!({"did": {}, "at_least": 1_000_001}),
            "/at_least",
            "out_of_range",
        ),
        (json!({"did": {}, "last_days": 0}), "/last_days", "out_of_range"),
        (
            json!({"did": {}, "last_days": 7, "to": "2026-11-01"}),
            "/last_days",
            "conflict",
        ),
        (json!({"did": {}, "from": "soon"}), "/from", "invalid_time"),
        (
            json!({"did": {}, "from": "2026-11-02", "to": "2026-11-02"}),
            "/to",
            "empty_range",
        ),
        (json!({"sequence": [step]}), "/sequence", "too_few"),
        (
            json!({"sequence": [step, step, step, step, step, step]}),
            "/sequence",
            "too_many",
        ),
        (
            json!({"sequence": [step, step], "within": "7"}),
            "/within",
            "invalid_window",
        ),
        (
            json!({"person": "plan", "op": "gt", "value": "much"}),
            "/value",
            "wrong_type",
        ),
        (json!({"person": ""}), "/person", "required"),
    ] {
        let text = rule.to_string();
        let found = refused(rule);
        assert!(found.contains(&(pointer.to_owned(), code)), "{text}: {found:?}");
    }
}

#[test]
fn what_is_not_said_has_a_meaning() {
    let spec = |rule: Value| {
        let query: RuleQuery = serde_json::from_value(rule).unwrap();
        query.validate("", &Zone::utc()).unwrap()
    };
    let times = |rule: Value| match &spec(rule).rules[0].what {
        What::Did(_, times) => (times.least, times.most),
        other => panic!("{other:?}"),
    };
    assert_eq!(times(json!({"did": {}})), (1, None));
    assert_eq!(times(json!({"did": {}, "at_most": 2})), (0, Some(2)));
    assert_eq!(times(json!({"did": {}, "exactly": 0})), (0, Some(0)));
    assert_eq!(
        times(json!({"did": {}, "at_least": 2, "at_most": 4})),
        (2, Some(4))
    );
    let two = json!([{"event": "a"}, {"event": "b"}]);
    let What::Sequence(steps, within) = &spec(json!({"sequence": two})).rules[0].what else {
        panic!("a sequence");
    };
    assert_eq!((steps.len(), *within), (2, 7 * 86_400_000));
}

#[test]
fn only_where_nobody_is_a_member_without_events_are_others_left_out() {
    let needs = |rule: Value| {
        let query: RuleQuery = serde_json::from_value(rule).unwrap();
        query.validate("", &Zone::utc()).unwrap().needs_events()
    };
    let (did, plan) = (
        json!({"did": {"event": "a"}}),
        json!({"person": "plan", "value": "x"}),
    );
    for (rule, needed) in [
        (did.clone(), true),
        (plan.clone(), false),
        (json!({"not": did}), false),
        (json!({"and": [did, plan]}), true),
        (json!({"or": [did, plan]}), false),
        (json!({"and": [plan, {"not": did}]}), false),
        (json!({"did": {}, "at_most": 3}), false),
        (json!({"not": {"did": {}, "at_most": 3}}), true),
    ] {
        assert_eq!(needs(rule.clone()), needed, "{rule}");
    }
}
