//! What happens to an event on its way in, by behaviour.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::Day;

const NOW: i64 = 1_795_428_000_000; // 2026-11-23T10:00:00Z
const ID: &str = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11";

fn receipt() -> Receipt {
    Receipt {
        project: ProjectNumber(7),
        zone: Zone::parse("Asia/Tokyo").unwrap(),
        received_at: NOW,
        sent_at: None,
        agent: Agent::default(),
        context: Context::default(),
    }
}

fn take_under(wire: Value, receipt: &Receipt) -> Result<Event, Rejection> {
    accept(serde_json::from_value(wire).unwrap(), 3, receipt)
}

fn take(wire: Value) -> Result<Event, Rejection> {
    take_under(wire, &receipt())
}

fn props(event: &Event) -> Value {
    serde_json::from_str(&event.props).unwrap()
}

#[test]
fn the_smallest_event_is_complete() {
    let event = take(json!({"event": "open", "device_id": "d"})).unwrap();
    assert_eq!((event.project, event.seq), (ProjectNumber(7), 3));
    assert_eq!((event.ts, event.received_at), (NOW, NOW));
    assert_eq!(event.distinct_id, "d");
    assert_eq!(event.props, "{}");
    assert_eq!(event.flags, flag::ID_GIVEN);
    assert_eq!(event.id.get_version_num(), 7);
    let (seconds, nanos) = event.id.get_timestamp().unwrap().to_unix();
    assert_eq!(seconds as i64 * 1000 + i64::from(nanos / 1_000_000), NOW);
}

#[test]
fn a_number_is_stored_as_it_was_sent_to_the_last_digit() {
    let wire = r#"{"event": "open", "device_id": "d", "properties": {"x": 5.9807439496317076e-241}}"#;
    let event = take(serde_json::from_str(wire).unwrap()).unwrap();
    assert_eq!(event.props, r#"{"x":5.9807439496317076e-241}"#);
}

#[test]
fn ids_given_here_never_repeat() {
    let ids: std::collections::BTreeSet<Uuid> = (0..2000).map(|_| given_id(NOW)).collect();
    assert_eq!(ids.len(), 2000);
}

#[test]
fn each_refusal_has_its_code_and_names_its_field() {
    use RejectionCode::*;
    let long = "x".repeat(201);
    let cases = [
        (json!({"user_id": "u"}), MissingField, "/event"),
        (json!({"event": null, "user_id": "u"}), MissingField, "/event"),
        (json!({"event": 5, "user_id": "u"}), WrongType, "/event"),
        (json!({"event": " ", "user_id": "u"}), NameEmpty, "/event"),
        (json!({"event": long, "user_id": "u"}), NameTooLong, "/event"),
        (json!({"event": "e"}), MissingField, "/distinct_id"),
        (
            json!({"event": "e", "user_id": long}),
            DistinctIdTooLong,
            "/user_id",
        ),
        (
            json!({"event": "e", "user_id": "u", "session_id": long}),
            DistinctIdTooLong,
            "/session_id",
        ),
        (
            json!({"event": "e", "user_id": "u", "id": "node-next-1"}),
            IdInvalid,
            "/id",
        ),
        (json!({"event": "e", "user_id": "u", "id": 17}), WrongType, "/id"),
        (
            json!({"event": "e", "user_id": "u", "timestamp": "soon"}),
            TimestampInvalid,
            "/timestamp",
        ),
        (
            json!({"event": "e", "user_id": "u", "properties": []}),
            WrongType,
            "/properties",
        ),
        (
            json!({"event": "e", "user_id": "u", "properties": {"a": [[[[[]]]]]}}),
            TooDeep,
            "/properties/a/0/0/0/0",
        ),
        (
            json!({"event": "e", "user_id": "u", "set": {"a": {"": 1}}}),
            NameEmpty,
            "/set/a",
        ),
        (
            json!({"event": "e", "user_id": "u", "context": {"page": 1}}),
            WrongType,
            "/context/page",
        ),
        (
            json!({"event": "e", "user_id": "u", "properties": {"t": "x".repeat(MAX_EVENT_BYTES)}}),
            EventTooLarge,
            "/properties",
        ),
    ];
    for (wire, code, field) in cases {
        let rejection = take(wire.clone()).unwrap_err();
        assert_eq!(
            (rejection.code, rejection.field.as_str()),
            (code, field),
            "{wire}"
        );
        assert!(!rejection.detail.is_empty());
        assert_eq!(json!(code), json!(code.as_str()));
    }
}

#[test]
fn of_a_member_given_twice_the_last_counts() {
    let wire = r#"{"event":"a","event":"b","user_id":"u","properties":{"x":1,"x":2,"o":{"k":1,"k":3}}}"#;
    let event = accept(serde_json::from_str(wire).unwrap(), 0, &receipt()).unwrap();
    assert_eq!(event.event, "b");
    assert_eq!(event.props, r#"{"o":{"k":3},"x":2}"#);
}

#[test]
fn the_page_gives_host_path_referrer_and_campaign() {
    let event = take(json!({"event": "page_view", "device_id": "d", "context": {
        "page": {"url": "https://shop.example/a/?utm_source=ads&utm_campaign=x%20y#f",
                 "referrer": "https://search.example/q?w=1", "title": "A"},
        "library": {"name": "footfall-js", "version": "0.1.0"},
        "locale": "de-DE", "screen": {"width": 1440, "height": 900}, "timezone": "Europe/Berlin"
    }}))
    .unwrap();
    assert_eq!(
        (event.host.as_str(), event.path.as_str()),
        ("shop.example", "/a/")
    );
    assert_eq!(event.referrer_host, "search.example");
    assert_eq!(
        (event.utm_source.as_str(), event.utm_campaign.as_str()),
        ("ads", "x y")
    );
    assert_eq!(event.lib, "footfall-js/0.1.0");
    assert_eq!(
        props(&event),
        json!({
            "$url": "https://shop.example/a/?utm_source=ads&utm_campaign=x%20y#f",
            "$referrer": "https://search.example/q?w=1", "$title": "A", "$locale": "de-DE",
            "$screen_width": 1440, "$screen_height": 900, "$timezone": "Europe/Berlin"
        })
    );
}

#[test]
fn a_referrer_on_the_same_host_is_none() {
    let event = take(json!({"event": "page_view", "device_id": "d", "properties": {
        "$url": "https://shop.example/b", "$referrer": "https://SHOP.example/a"}}))
    .unwrap();
    assert_eq!(event.referrer_host, "");
}

#[test]
fn the_events_own_members_come_before_its_context_and_that_before_the_batchs() {
    let batch = json!({"page": {"url": "https://batch.example/", "title": "batch"}, "locale": "fr"});
    let receipt = Receipt {
        context: Context::read(Some(batch)).unwrap(),
        ..receipt()
    };
    let event = take_under(
        json!({"event": "e", "device_id": "d", "properties": {"$title": "own", "$set": {"a": 1}},
               "set": {"a": 2}, "context": {"page": {"url": "https://event.example/", "title": "event"}}}),
        &receipt,
    )
    .unwrap();
    assert_eq!(
        props(&event),
        json!({"$url": "https://event.example/", "$title": "own", "$locale": "fr", "$set": {"a": 1}})
    );
    assert_eq!(event.host, "event.example");
}

#[test]
fn an_alias_names_the_earlier_id_as_a_device() {
    let ids = |wire| take(wire).map(|event| (event.device_id, event.user_id)).unwrap();
    let pair = |device: &str, user: &str| (device.to_owned(), user.to_owned());
    let alias = json!({"event": "$alias", "user_id": "u", "previous_id": "d"});
    assert_eq!(ids(alias), pair("d", "u"));
    let both = json!({"event": "$alias", "user_id": "u", "previous_id": "d", "device_id": "e"});
    assert_eq!(ids(both), pair("e", "u"));
    let other = json!({"event": "click", "user_id": "u", "previous_id": "d"});
    assert_eq!(ids(other), pair("", "u"));
}

#[test]
fn person_properties_are_kept_as_set() {
    let event = take(json!({"event": "$identify", "user_id": "u", "device_id": "d", "set": {"plan": "pro"}}))
        .unwrap();
    assert_eq!(props(&event), json!({"$set": {"plan": "pro"}}));
    assert_eq!((event.user_id.as_str(), event.device_id.as_str()), ("u", "d"));
    assert!(!event.is_activity());
    assert!(
        take(json!({"event": "sign_up", "user_id": "u"}))
            .unwrap()
            .is_activity()
    );
}

#[test]
fn a_moved_time_is_flagged_and_the_original_kept() {
    let receipt = Receipt {
        sent_at: Some(NOW + 3_600_000),
        ..receipt()
    };
    let wire = json!({"event": "e", "id": ID, "user_id": "u", "timestamp": NOW + 3_599_000});
    let event = take_under(wire, &receipt).unwrap();
    assert_eq!((event.ts, event.flags), (NOW - 1000, flag::TIME_CORRECTED));
    assert_eq!(props(&event), json!({"$original_timestamp": NOW + 3_599_000}));
}

#[test]
fn the_local_day_is_the_projects() {
    let event = take(json!({"event": "e", "user_id": "u", "timestamp": "2026-11-22T15:00:00Z"})).unwrap();
    assert_eq!(event.local_day, "2026-11-23".parse::<Day>().unwrap());
    assert_eq!(event.day(), "2026-11-22".parse::<Day>().unwrap());
}

#[test]
fn money_is_the_first_number_and_an_iso_code() {
    let of = |properties: Value| {
        let event = take(json!({"event": "e", "user_id": "u", "properties": properties})).unwrap();
        (event.amount, event.currency)
    };
    assert_eq!(
        of(json!({"value": 3, "revenue": 2.5, "currency": " eur "})),
        (2.5, "EUR".to_owned())
    );
    assert_eq!(
        of(json!({"amount": "12", "value": 3, "currency": "euros"})),
        (3.0, String::new())
    );
    assert_eq!(of(json!({})), (0.0, String::new()));
}

#[test]
fn the_browser_is_the_requests_unless_a_server_passes_it_on() {
    let receipt = Receipt {
        agent: Agent::parse("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"),
        ..receipt()
    };
    let event = take_under(json!({"event": "e", "user_id": "u"}), &receipt).unwrap();
    assert_eq!(
        (event.browser.as_str(), event.os.as_str(), event.device.as_str()),
        ("Firefox", "Linux", "desktop")
    );
    let bot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    let passed_on = json!({"event": "e", "id": ID, "user_id": "u", "properties": {"$user_agent": bot}});
    let event = take_under(passed_on, &receipt).unwrap();
    assert_eq!((event.device.as_str(), event.flags), ("bot", flag::BOT));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\x00-\\x7f]{0,300}".prop_map(Value::from),
        Just(json!("https://a.example/?utm_source=%00%ff")),
        Just(json!("2026-11-23T10:00:00Z")),
    ];
    leaf.prop_recursive(7, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any_name(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "$url",
            "$referrer",
            "$set",
            "$country",
            "$user_agent",
            "amount",
            "value",
            "currency",
            "page",
            "url",
            "screen",
            "width",
            "library",
            "name",
            "utm_source",
            "a\0",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Wire events that are likely to pass as well as ones that are not.
fn any_wire() -> impl Strategy<Value = WireEvent> {
    let or_text = |text: &'static str| {
        prop_oneof![
            2 => Just(Some(json!(text))),
            1 => prop::option::of(any_json()),
        ]
    };
    let object = || {
        prop_oneof![
            3 => prop::collection::btree_map(any_name(), any_json(), 0..8)
                .prop_map(|members| Some(Value::Object(members.into_iter().collect()))),
            1 => prop::option::of(any_json()),
        ]
    };
    (
        (
            or_text("view"),
            prop::option::of(any_json()),
            or_text("d"),
            or_text("u"),
            or_text("s"),
        ),
        (or_text("2026-11-23T09:00:00Z"), object(), object(), object()),
        (object(), prop::option::of(any_json()), object(), object()),
    )
        .prop_map(
            |(
                (event, id, device_id, user_id, session_id),
                (timestamp, properties, set, context),
                (set_once, unset, add, groups),
            )| {
                WireEvent {
                    event,
                    id: id.filter(Value::is_number),
                    distinct_id: None,
                    previous_id: None,
                    device_id,
                    user_id,
                    session_id,
                    timestamp,
                    properties,
                    set,
                    set_once,
                    unset,
                    add,
                    groups,
                    context,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_is_sent_nothing_panics_and_what_is_accepted_is_within_limits(
        wire in any_wire(), sent_at in prop::option::of(any::<i64>()), agent in any::<String>(),
    ) {
        let receipt = Receipt { sent_at, agent: Agent::parse(&agent), ..receipt() };
        if let Ok(event) = accept(wire, 0, &receipt) {
            prop_assert!((1..=MAX_NAME_CHARS).contains(&event.event.chars().count()));
            prop_assert!((1..=MAX_ID_CHARS).contains(&event.distinct_id.chars().count()));
            prop_assert!(event.props.len() <= MAX_EVENT_BYTES);
            prop_assert!(event.ts <= NOW + SKEW_ALLOWED_MS && event.ts >= NOW - OLDEST_MS);
            prop_assert!(event.amount.is_finite());
            let stored: Map<String, Value> = serde_json::from_str(&event.props).unwrap();
            prop_assert_eq!(serde_json::to_string(&stored).unwrap(), event.props.clone());
            prop_assert!(!String::from_utf8_lossy(&serde_json::to_vec(&event).unwrap()).contains("\\u0000"));
            let packed = postcard::to_allocvec(&event);
            prop_assert_eq!(postcard::from_bytes::<Event>(&packed.unwrap()).unwrap(), event);
        }
    }

    #[test]
    fn any_json_text_is_a_wire_event_or_a_plain_error(value in any_json()) {
        let wire = serde_json::from_str::<WireEvent>(&value.to_string());
        drop(wire.map(|wire| accept(wire, 0, &receipt())));
    }
}
