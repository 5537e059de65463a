//! Records beside the twin: whatever the order of arrival, however the writes are gathered, copies or not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::event::{Day, Event};
use crate::metrics::filter::PersonProperties;

fn event(ts: i64, id: u128, props: &Value) -> Event {
    let fields = json!({
        "project": 7, "event": "e", "ts": ts, "seq": 0, "id": Uuid::from_u128(id), "received_at": 0,
        "distinct_id": "u", "device_id": "", "user_id": "u", "session": 0, "path": "", "host": "",
        "referrer_host": "", "utm_source": "", "utm_medium": "", "utm_campaign": "", "country": "",
        "region": "", "city": "", "browser": "", "os": "", "device": "", "lib": "", "amount": 0.0,
        "currency": "", "props": props.to_string(), "flags": 0, "local_day": Day::of_utc(ts),
    });
    serde_json::from_value(fields).unwrap()
}

/// What is known after these events, gathered one by one.
fn records<'a>(events: impl IntoIterator<Item = &'a Event>) -> BTreeMap<(Owner, String), Record> {
    let mut records: BTreeMap<(Owner, String), Record> = BTreeMap::new();
    for event in events {
        for Write { owner, name, op } in Written::of(&event.props, event.actor()).writes {
            records
                .entry((owner, name))
                .or_default()
                .write(Position::at(event.ts, event.id), op);
        }
    }
    records
}

/// The person's properties as texts.
fn texts(records: &BTreeMap<(Owner, String), Record>) -> BTreeMap<String, String> {
    let text = |record: &Record| record.value()?.0.text().map(str::to_owned);
    records
        .iter()
        .filter(|((owner, _), _)| owner.kind.is_empty())
        .filter_map(|((_, name), record)| Some((name.clone(), text(record)?)))
        .collect()
}

fn value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("pro"),
        json!("5"),
        json!(5),
        json!(2.5),
        json!(-0.0),
        json!(1e300),
        json!(null),
        json!(true),
        json!(["a"]),
        json!(""),
    ])
}

fn props() -> impl Strategy<Value = Value> {
    let members = || prop::collection::btree_map(prop::sample::select(vec!["a", "b"]), value(), 0..2);
    let numbers = prop::collection::btree_map(
        prop::sample::select(vec!["a", "b"]),
        prop::sample::select(vec![json!(1), json!(0.1), json!(-3), json!(1.7e308)]),
        0..2,
    );
    let names = prop::collection::vec(prop::sample::select(vec!["a", "b"]), 0..2);
    (members(), members(), names, numbers, 0..16_u8).prop_map(|(set, once, unset, add, which)| {
        let mut props = json!({});
        let members = [json!(set), json!(once), json!(unset), json!(add)];
        for (n, (name, value)) in ["$set", "$set_once", "$unset", "$add"]
            .into_iter()
            .zip(members)
            .enumerate()
        {
            if which & 1 << n != 0 {
                props[name] = value;
            }
        }
        props
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((0..6_i64, props()), 0..9).prop_map(|given| {
        let of = |(n, (ts, props)): (usize, &(i64, Value))| event(*ts, n as u128 % 4 * 7 + n as u128, props);
        given.iter().enumerate().map(of).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn records_say_what_the_twin_says(events in events()) {
        let twin = PersonProperties::of(&events);
        let twin: BTreeMap<String, String> =
            twin.all().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        prop_assert_eq!(texts(&records(&events)), twin);
    }

    #[test]
    fn neither_order_nor_copies_nor_how_they_are_gathered_matters(
        (events, shuffled) in events().prop_flat_map(|events| {
            (Just(events.clone()), Just([events.clone(), events].concat()).prop_shuffle())
        }),
        cut in 0..18_usize,
    ) {
        let whole = records(&events);
        prop_assert_eq!(&records(&shuffled), &whole);
        let (one, other) = shuffled.split_at(cut.min(shuffled.len()));
        let mut merged = records(one);
        for (key, record) in records(other) {
            merged.entry(key).or_default().merge(record);
        }
        prop_assert_eq!(&merged, &whole);
    }
}

#[test]
fn each_rule_of_the_page_above() {
    let of = |given: &[Value]| {
        let events: Vec<Event> = given
            .iter()
            .enumerate()
            .map(|(n, props)| event(n as i64, 1, props))
            .collect();
        texts(&records(&events)).remove("a")
    };
    let (set, once) = (
        |v: i64| json!({"$set": {"a": v}}),
        |v: i64| json!({"$set_once": {"a": v}}),
    );
    let (unset, add) = (json!({"$unset": ["a"]}), |v: i64| json!({"$add": {"a": v}}));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(of(&[set(1), set(2)]), some("2"));
    assert_eq!(of(&[once(1), once(2)]), some("1"));
    assert_eq!(of(&[set(1), once(2)]), some("1"));
    assert_eq!(of(&[once(1), set(2), once(3)]), some("2"));
    assert_eq!(of(&[set(1), unset.clone()]), None);
    assert_eq!(of(&[unset.clone(), set(1)]), some("1"));
    assert_eq!(of(&[once(1), unset.clone(), once(2)]), None);
    assert_eq!(of(&[once(1), unset.clone(), add(2)]), some("2"));
    assert_eq!(of(&[add(1), add(2)]), some("3"));
    assert_eq!(of(&[add(1), set(5), add(2), add(3)]), some("10"));
    assert_eq!(of(&[add(4), unset.clone(), add(2)]), some("2"));
    assert_eq!(of(&[json!({"$set": {"a": "x"}}), add(2)]), some("x"));
    assert_eq!(of(&[json!({"$set": {"a": null}}), once(2)]), None);
    assert_eq!(
        of(&[json!({"$set": {"a": 1}, "$unset": {"a": "-"}, "$add": {"a": 2}})]),
        some("2")
    );
}

#[test]
fn a_group_is_told_of_and_named() {
    let told = event(
        1,
        1,
        &json!({
            "$group_type": "company", "$group_key": 42, "$group_set": {"seats": 5}, "$group_add": {"seats": 2},
            "$groups": {"company": "42", "team": "blue", "none": "anonymous"}
        }),
    );
    let written = Written::of(&told.props, told.actor());
    let company = ("company".to_owned(), "42".to_owned());
    assert_eq!(written.groups, [company, ("team".to_owned(), "blue".to_owned())]);
    let records = records([&told]);
    let ((owner, name), record) = records.first_key_value().unwrap();
    assert_eq!((owner.kind.as_str(), name.as_str()), ("company", "seats"));
    assert_eq!(owner.number, crate::event::actor_of("42"));
    assert_eq!(record.value().unwrap().0.value(), json!(7));
}
