//! A cohort in a filter, and as the value of a breakdown.

use std::collections::BTreeMap;

use footfall::event::Zone;
use footfall::metrics::filter::{FilterQuery, Property};
use footfall::store::filter::{Bind, condition, value};
use serde_json::json;

use crate::cohorts::{COHORT, refresh};
use crate::world::{NOON, deliver, event, name, sql, store};

#[tokio::test]
async fn a_filter_by_cohort_counts_its_members_only() {
    let store = store().await;
    let events = [
        event("buy", "ann", NOON),
        event("view", "ann", NOON),
        event("view", "bob", NOON),
    ];
    deliver(&store, &name(0, 1), &events).await;
    refresh(&store, &json!({"did": {"event": "buy"}}), NOON).await;
    let mut found = BTreeMap::new();
    for op in ["in", "not_in"] {
        let filter: FilterQuery =
            serde_json::from_value(json!({"cohort": COHORT, "op": op})).expect("a filter");
        let mut errors = Vec::new();
        let filter = filter.validate("", &Zone::utc(), &mut errors);
        let mut bind = Bind::new();
        let condition = condition(&filter, &mut bind);
        let text = value(&Property::Cohort(COHORT), &mut bind);
        // As the tests' own SQL knows no parameters.
        let of = |text: &str| {
            let text = (0..9).fold(text.to_owned(), |text, n| {
                text.replace(&format!("{{p{n}:String}}"), &format!("'{COHORT}'"))
            });
            text.replace("{project:UInt32}", "7")
        };
        let asked = format!(
            "SELECT groupUniqArray(({}, distinct_id)) FROM (SELECT *, actor AS person FROM events) WHERE project = 7 AND {}",
            of(&text),
            of(&condition)
        );
        found.insert(op, sql(&store, &asked).await);
    }
    assert_eq!(found["in"], "[('in','ann')]");
    assert_eq!(found["not_in"], "[('not in','bob')]");
}
