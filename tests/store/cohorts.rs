//! Members by SQL are the twin's, over random worlds; generations, lists, and what is removed.

use std::collections::BTreeMap;

use footfall::event::{Event, ProjectNumber, Subject, Which, Zone, actor_of};
use footfall::metrics::cohort::{CohortSpec, RuleQuery};
use footfall::metrics::oracle;
use footfall::store::Store;
use footfall::store::cohorts::{Meant, Refreshed};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{DAY, NOON, PROJECT, Random, deliver, event, name, random_events, rounds, sql, store};

const COHORT: Uuid = Uuid::from_u128(7 << 100 | 5);

fn spec(rule: &Value, zone: &Zone) -> CohortSpec {
    let query: RuleQuery = serde_json::from_value(rule.clone()).expect("a rule");
    query
        .validate("", zone)
        .unwrap_or_else(|errors| panic!("{rule}: {errors:?}"))
}

/// Some of three days, in a form that people write.
fn when(random: &mut Random, mut rule: Value) -> Value {
    let days = ["2026-10-31", "2026-11-01", "2026-11-02T12:00:00Z", "2026-11-03"];
    match random.below(4) {
        0 => rule["last_days"] = json!(1 + random.below(4)),
        1 => {
            rule["from"] = json!(days[random.below(2) as usize]);
            rule["to"] = json!(days[2 + random.below(2) as usize]);
        }
        2 => rule["from"] = json!(random.pick(&days)),
        _ if rule["first"].is_object() => rule["to"] = json!(random.pick(&days)),
        _ => {}
    }
    rule
}

fn selection(random: &mut Random) -> Value {
    let mut selection = match random.below(4) {
        0 => json!({}),
        1 => json!({"events": ["view", "add"]}),
        _ => json!({"event": random.pick(&["view", "add", "buy", "$identify"])}),
    };
    match random.below(6) {
        0 => selection["filter"] = json!({"property": "n", "op": "gt", "value": 1}),
        1 => selection["filter"] = json!({"person": "plan", "value": "club"}),
        _ => {}
    }
    selection
}

fn rule(random: &mut Random, depth: u64) -> Value {
    match random.below(if depth < 2 { 8 } else { 5 }) {
        0 | 1 => {
            let mut rule = json!({"did": selection(random)});
            match random.below(4) {
                0 => rule["at_least"] = json!(random.below(4)),
                1 => rule["at_most"] = json!(random.below(3)),
                2 => rule["exactly"] = json!(random.below(3)),
                _ => {}
            }
            when(random, rule)
        }
        2 => {
            let rule = json!({"first": selection(random), "last_days": 2});
            when(random, rule)
        }
        3 => {
            let steps: Vec<Value> = (0..2 + random.below(3)).map(|_| selection(random)).collect();
            let within = *random.pick(&["1s", "6h", "30h", "3d"]);
            when(random, json!({"sequence": steps, "within": within}))
        }
        4 => json!({"person": "plan", "op": random.pick(&["is", "is_not"]), "value": "club"}),
        5 => json!({"not": rule(random, depth + 1)}),
        n => {
            let rules: Vec<Value> = (0..1 + random.below(3))
                .map(|_| rule(random, depth + 1))
                .collect();
            match n {
                6 => json!({"and": rules}),
                _ => json!({"or": rules}),
            }
        }
    }
}

fn drawn(random: &mut Random) -> Vec<Event> {
    let mut events = random_events(random, 60);
    for event in &mut events {
        // ties, and ids in no order
        event.ts = event.ts / 3_600_000 * 3_600_000;
        event.seq = random.below(2) as u32;
        event.id = Uuid::from_u64_pair(random.next(), random.next());
        let mut props = json!({"n": random.below(4)});
        if random.below(5) == 0 {
            props["$set"] = json!({"plan": random.pick(&["club", "free"])});
        }
        event.props = props.to_string();
    }
    events
}

#[tokio::test]
async fn members_and_evidence_are_the_twins() {
    let zone = Zone::parse("Europe/Berlin").expect("a zone");
    let mut random = Random(22);
    let (mut members, mut others) = (0, 0);
    for world in 0..rounds(4) {
        let store = store().await;
        let events = drawn(&mut random);
        deliver(&store, &name(0, 1), &events).await;
        // A copy that came again much later.
        let copies: Vec<Event> = events.iter().take(8).cloned().collect();
        deliver(&store, &name(1, 1), &copies).await;
        for n in 0..25_u64 {
            let text = rule(&mut random, 0);
            let mut text = text;
            if text["first"].is_object() && text.as_object().is_some_and(|rule| rule.len() == 1) {
                text["last_days"] = json!(2);
            }
            clean(&mut text);
            let spec = spec(&text, &zone);
            let now = NOON + random.below(4 * DAY as u64) as i64;
            let twin = oracle::cohort(&spec, &zone, now, &events, Event::actor);
            let cohort = Uuid::from_u128(u128::from(world) << 64 | u128::from(n));
            let meant = Meant::Rules(&spec, &zone, now);
            let generation = store
                .next_cohort_generation(PROJECT, cohort, now)
                .await
                .expect("a number");
            let refreshed = store
                .refresh_cohort(PROJECT, cohort, meant, generation, now)
                .await;
            let refreshed = refreshed.unwrap_or_else(|error| panic!("{text}: {error}"));
            let expected: Vec<u64> = twin
                .iter()
                .filter(|(_, told)| told.0)
                .map(|(person, _)| *person)
                .collect();
            let found = store
                .cohort_members(PROJECT, cohort, None, 100)
                .await
                .expect("members")
                .rows;
            assert_eq!(found, expected, "{text} at {now}");
            assert_eq!(refreshed.size, expected.len() as u64);
            let counted = store
                .count_cohort(PROJECT, &spec, &zone, now)
                .await
                .expect("a size");
            assert_eq!(counted.rows, refreshed.size, "{text}");
            members += expected.len();
            others += twin.len() - expected.len();
            for (person, (member, told)) in twin.iter().take(4) {
                let known = store
                    .cohort_evidence(PROJECT, *person, &spec, (&zone, now))
                    .await
                    .expect("evidence");
                let known = known.rows.expect("somebody");
                assert_eq!(
                    spec.explain(&known, &zone, now).holds,
                    *member,
                    "{text}: {known:?}"
                );
                for (known, told) in known.iter().zip(told) {
                    assert_eq!(
                        (known.times, known.last_ms),
                        (told.times as u64, told.last_ms),
                        "{text}"
                    );
                }
            }
        }
    }
    assert!(members > 200 && others > 200, "{members} {others}");
}

/// Every `first` says when.
fn clean(rule: &mut Value) {
    match rule {
        Value::Object(members) => {
            let timed = ["last_days", "from", "to"]
                .iter()
                .any(|name| members.contains_key(*name));
            if members.contains_key("first") && members.contains_key("last_days") {
                members.remove("from");
                members.remove("to");
            } else if members.contains_key("first") && !timed {
                members.insert("last_days".to_owned(), json!(2));
            }
            members.values_mut().for_each(clean);
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        _ => {}
    }
}

async fn refresh(store: &Store, rule: &Value, now: i64) -> Refreshed {
    let zone = Zone::utc();
    let spec = spec(rule, &zone);
    let generation = store
        .next_cohort_generation(PROJECT, COHORT, now)
        .await
        .expect("a number");
    let meant = Meant::Rules(&spec, &zone, now);
    store
        .refresh_cohort(PROJECT, COHORT, meant, generation, now)
        .await
        .expect("members")
}

#[tokio::test]
async fn a_generation_is_valid_as_a_whole_and_the_one_before_stays() {
    let store = store().await;
    let bought = json!({"did": {"event": "buy"}});
    deliver(
        &store,
        &name(0, 1),
        &[event("buy", "ann", NOON), event("view", "bob", NOON)],
    )
    .await;
    assert_eq!(
        refresh(&store, &bought, NOON).await,
        Refreshed {
            size: 1,
            changed: true
        }
    );
    assert_eq!(
        refresh(&store, &bought, NOON).await,
        Refreshed {
            size: 1,
            changed: false
        }
    );
    deliver(&store, &name(0, 2), &[event("buy", "bob", NOON + 1)]).await;
    assert_eq!(
        refresh(&store, &bought, NOON - DAY).await,
        Refreshed {
            size: 2,
            changed: true
        },
        "a clock that went back"
    );
    let viewed = json!({"did": {"event": "view"}});
    assert_eq!(
        refresh(&store, &viewed, NOON + DAY).await,
        Refreshed {
            size: 1,
            changed: true
        }
    );
    let generations = "SELECT uniqExact(generation) FROM cohort_members";
    assert_eq!(sql(&store, generations).await, "2");
    let found = store
        .cohort_members(PROJECT, COHORT, None, 10)
        .await
        .expect("members")
        .rows;
    assert_eq!(found, [actor_of("bob")]);
    assert!(
        store
            .is_cohort_member(PROJECT, COHORT, actor_of("bob"))
            .await
            .expect("told")
    );
    assert!(
        !store
            .is_cohort_member(PROJECT, COHORT, actor_of("ann"))
            .await
            .expect("told")
    );
    let elsewhere = store
        .cohort_members(ProjectNumber(8), COHORT, None, 10)
        .await
        .expect("members")
        .rows;
    assert!(elsewhere.is_empty(), "of another project");
    let sizes = store
        .cohort_sizes(PROJECT, &[COHORT], &Zone::utc(), 90)
        .await
        .expect("sizes");
    let sizes: Vec<u64> = sizes[&COHORT].iter().map(|size| size.size).collect();
    assert_eq!(sizes, [2, 1, 1], "the last of each day");
    let latest = store.latest_cohorts(PROJECT, &[COHORT]).await.expect("sizes");
    assert_eq!(
        (latest[&COHORT].computed_at, latest[&COHORT].size),
        (NOON + DAY, 1)
    );
    // An evaluation that died before it was made valid.
    sql(
        &store,
        &format!("INSERT INTO cohort_members VALUES (7, '{COHORT}', 18446744073709551615, 5)"),
    )
    .await;
    assert_eq!(
        store
            .cohort_members(PROJECT, COHORT, None, 10)
            .await
            .expect("members")
            .rows,
        found
    );
    store.forget_cohort(PROJECT, COHORT).await.expect("forgotten");
    assert_eq!(
        sql(
            &store,
            "SELECT (SELECT count() FROM cohort_members) + (SELECT count() FROM cohort_sizes)"
        )
        .await,
        "0"
    );
}

#[tokio::test]
async fn a_list_means_whoever_did_something_under_its_ids() {
    let store = store().await;
    deliver(
        &store,
        &name(0, 1),
        &[event("buy", "ann", NOON), event("view", "bob", NOON)],
    )
    .await;
    let listed = async |ids: &[&str], replace: bool| {
        let actors: Vec<u64> = ids.iter().map(|id| actor_of(id)).collect();
        let ids = store
            .list_cohort(PROJECT, COHORT, &actors, replace)
            .await
            .expect("listed");
        let generation = store
            .next_cohort_generation(PROJECT, COHORT, NOON)
            .await
            .expect("a number");
        let refreshed = store
            .refresh_cohort(PROJECT, COHORT, Meant::Listed, generation, NOON)
            .await;
        (ids, refreshed.expect("members").size)
    };
    assert_eq!(listed(&["ann", "nobody", "ann"], false).await, (2, 1));
    assert_eq!(listed(&["bob"], false).await, (3, 2));
    deliver(&store, &name(0, 2), &[event("view", "nobody", NOON)]).await;
    assert_eq!(listed(&[], false).await, (3, 3));
    let gone = Subject {
        project: PROJECT,
        which: Which::Persons {
            actors: vec![actor_of("ann")],
            until: NOON,
            splits: Vec::new(),
        },
    };
    store
        .forget_cohort_members(&gone, false)
        .await
        .expect("forgotten");
    let found = store
        .cohort_members(PROJECT, COHORT, None, 10)
        .await
        .expect("members")
        .rows;
    assert!(found.len() == 2 && !found.contains(&actor_of("ann")));
    assert_eq!(store.cohort_listed(PROJECT, COHORT).await.expect("told"), 2);
    assert_eq!(listed(&["bob"], true).await, (1, 1));
    let other = Subject {
        project: ProjectNumber(8),
        which: Which::Until { until: NOON },
    };
    store
        .forget_cohort_members(&other, true)
        .await
        .expect("forgotten");
    assert_eq!(
        store.cohort_listed(PROJECT, COHORT).await.expect("told"),
        1,
        "of another project"
    );
    let all = Subject {
        project: PROJECT,
        ..other
    };
    store.forget_cohort_members(&all, true).await.expect("forgotten");
    assert_eq!(
        sql(
            &store,
            "SELECT (SELECT count() FROM cohort_members) + (SELECT count() FROM cohort_sizes)"
        )
        .await,
        "0"
    );
}

#[tokio::test]
async fn a_filter_by_cohort_counts_its_members_only() {
    use footfall::metrics::filter::{FilterQuery, Property};
    use footfall::store::filter::{Bind, condition, value};
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
