//! What is made of whole bodies, by behaviour.

use super::*;
use crate::event::{ProjectNumber, Zone};

const NOW: i64 = 1_795_428_000_000; // 2026-11-23T10:00:00Z
const WRITE: &str = "ffp_live_AAAAAAAAAAAAAAAAAAAAAAAAAAA0AYi61";
// In two pieces, and nobody's: tools that look for secrets need not stop here.
const SECRET: &str = concat!("ffs", "_live_BBBBBBBBBBBBBBBBBBBBBBBBBBB3p2m5T");
const FOREIGN: &str = "ffp_live_CCCCCCCCCCCCCCCCCCCCCCCCCCC1tbTrm";
const ID: &str = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";

fn keys() -> KeySnapshot {
    let info = |kind| KeyInfo {
        project: ProjectNumber(7),
        zone: Zone::utc(),
        kind,
        project_id: Uuid::from_u128(1),
        key_id: Uuid::from_u128(2),
        tombstones: None,
    };
    KeySnapshot {
        version: 1,
        by_key: [
            (WRITE.to_owned(), info(KeyKind::Write)),
            (crate::meta::digest(SECRET), info(KeyKind::Secret)),
        ]
        .into(),
        tombstones: Default::default(),
    }
}

fn head(key: Option<&str>) -> Head {
    Head {
        key: Presented::of(&Default::default(), key).unwrap(),
        user_agent: Some(FIREFOX.to_owned()),
        received_at: NOW,
        ..Head::default()
    }
}

fn take(body: &str) -> Prepared {
    prepare(body, &head(Some(WRITE)), &keys()).unwrap()
}

fn refused(body: &str, head: &Head) -> (u16, String) {
    let problem = prepare(body, head, &keys()).unwrap_err();
    (problem.status, problem.code)
}

#[test]
fn the_good_events_of_a_mixed_batch_are_kept_and_the_bad_ones_named() {
    let prepared = take(
        r#"{"batch":[{"event":"a","user_id":"u"},{"user_id":"u"},5,{"event":"b","device_id":"d"},
            {"event":"c","user_id":"u","properties":{"n":1e999}}]}"#,
    );
    assert!(prepared.refusal().is_none());
    let places: Vec<u32> = prepared.rows.iter().map(|row| row.seq).collect();
    assert_eq!(places, [0, 3]);
    let answer = prepared.answer(false);
    assert_eq!((answer.accepted, answer.duplicates, answer.rejected), (2, 0, 3));
    let named: Vec<_> = answer
        .results
        .iter()
        .map(|result| (result.index, result.code.unwrap(), result.field.clone().unwrap()))
        .collect();
    assert_eq!(
        named,
        [
            (1, RejectionCode::MissingField, "/event".to_owned()),
            (2, RejectionCode::WrongType, String::new()),
            (4, RejectionCode::WrongType, String::new()),
        ]
    );
}

#[test]
fn where_every_event_is_bad_the_problem_points_at_each() {
    let pointers = |body: &str| {
        let problem = take(body).refusal().unwrap();
        assert_eq!((problem.status, problem.code.as_str()), (422, "invalid_events"));
        problem
            .errors
            .into_iter()
            .map(|error| error.pointer)
            .collect::<Vec<_>>()
    };
    assert_eq!(pointers(r#"{"user_id":"u"}"#), ["/event"]);
    assert_eq!(
        pointers(r#"{"batch":[{"user_id":"u"},{"event":"e"}]}"#),
        ["/batch/0/event", "/batch/1/distinct_id"]
    );
    assert_eq!(pointers(r#"[{"event":"e","user_id":"u","id":"x"}]"#), ["/0/id"]);
    assert!(take("[]").refusal().is_none());
}

#[test]
fn a_large_and_a_deep_event_are_refused_alone() {
    let large = format!(
        r#"{{"event":"a","user_id":"u","ignored":"{}"}}"#,
        "x".repeat(32 * 1024)
    );
    let deep = format!(
        r#"{{"event":"a","user_id":"u","properties":{}{}}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    let answer = take(&format!(r#"[{large},{deep},{{"event":"a","user_id":"u"}}]"#)).answer(false);
    assert_eq!((answer.accepted, answer.rejected), (1, 2));
    assert_eq!(answer.results[0].code, Some(RejectionCode::EventTooLarge));
    assert_eq!(answer.results[1].code, Some(RejectionCode::TooDeep));
}

#[test]
fn a_line_that_is_no_json_does_not_cost_the_others() {
    let answer =
        take("{\"event\":\"a\",\"user_id\":\"u\"}\n{nonsense}\n{\"event\":\"b\",\"user_id\":\"u\"}\n")
            .answer(true);
    assert_eq!((answer.accepted, answer.rejected), (2, 1));
    assert_eq!(answer.results.len(), 3);
    assert_eq!(answer.results[1].code, Some(RejectionCode::MalformedJson));
    assert!(answer.results[1].detail.as_ref().unwrap().contains("line 2"));
}

#[test]
fn the_key_may_stand_in_the_body() {
    let body = format!(r#"{{"event":"a","user_id":"u","write_key":"{WRITE}"}}"#);
    let prepared = prepare(&body, &head(None), &keys()).unwrap();
    assert_eq!(prepared.key.project, ProjectNumber(7));
    assert!(!prepared.rows[0].props.contains("ffp_live"));
}

#[test]
fn keys_that_are_missing_unknown_or_different_are_refused() {
    let body = r#"{"event":"a","user_id":"u"}"#;
    assert_eq!(refused(body, &head(None)), (401, "missing_key".to_owned()));
    assert_eq!(
        refused(body, &head(Some(FOREIGN))),
        (401, "unknown_key".to_owned())
    );
    assert_eq!(
        refused(body, &head(Some("nonsense"))),
        (401, "unknown_key".to_owned())
    );
    let differs = format!(r#"{{"batch":[],"write_key":"{FOREIGN}"}}"#);
    assert_eq!(
        refused(&differs, &head(Some(WRITE))),
        (401, "unknown_key".to_owned())
    );
}

#[test]
fn a_secret_key_is_for_servers() {
    let body = r#"{"event":"a","user_id":"u"}"#;
    let from_page = Head {
        browser: true,
        ..head(Some(SECRET))
    };
    assert_eq!(
        refused(body, &from_page),
        (403, "secret_key_in_browser".to_owned())
    );
    let from_server = prepare(body, &head(Some(SECRET)), &keys()).unwrap();
    assert_eq!(
        from_server.rows[0].browser, "",
        "a server's agent is not the person's browser"
    );
    assert_eq!(take(body).rows[0].browser, "Firefox");
}

#[test]
fn clocks_are_corrected_by_the_batchs_sent_at() {
    let body = format!(
        r#"{{"sent_at":{},"batch":[{{"event":"a","user_id":"u","timestamp":{}}}]}}"#,
        NOW - 3_600_000,
        NOW - 3_601_000
    );
    let row = &take(&body).rows[0];
    assert_eq!(
        (row.ts, row.flags & flag::TIME_CORRECTED),
        (NOW - 1000, flag::TIME_CORRECTED)
    );
}

#[test]
fn the_first_of_two_events_with_one_id_counts() {
    let prepared = take(&format!(
        r#"[{{"event":"a","user_id":"u","id":"{ID}"}},{{"event":"b","user_id":"v","id":"{}"}}]"#,
        ID.to_uppercase()
    ));
    assert_eq!(prepared.rows.len(), 1);
    let answer = prepared.answer(false);
    assert_eq!((answer.accepted, answer.duplicates), (1, 1));
    assert_eq!(answer.results[0].status, EventStatus::Duplicate);
}

#[test]
fn what_the_stream_knew_already_is_answered_as_duplicate() {
    let body = format!(r#"[{{"event":"a","user_id":"u","id":"{ID}"}},{{"event":"b","user_id":"u"}}]"#);
    let mut prepared = take(&body);
    prepared.note_duplicates(&[Uuid::parse_str(ID).unwrap()], false);
    let answer = prepared.answer(false);
    assert_eq!((answer.accepted, answer.duplicates), (1, 1));

    let mut replayed = take(&body);
    replayed.note_duplicates(&[], true);
    assert_eq!(replayed.answer(false).duplicates, 2);
    let two = format!(
        r#"{{"request_id":"r","batch":[{{"event":"a","user_id":"u"}},{{"event":"a","user_id":"u","id":"{ID}"}}]}}"#
    );
    let mut replayed = take(&two);
    replayed.note_duplicates(&[], true);
    let ids: Vec<_> = replayed.answer(false).results.into_iter().map(|r| r.id).collect();
    assert_eq!(
        ids,
        [None, Some(ID.to_owned())],
        "an id that was never stored is not told"
    );
}

#[test]
fn a_request_is_known_again_by_its_id_its_header_or_its_events_ids() {
    let own = format!(r#"{{"event":"a","user_id":"u","id":"{ID}"}}"#);
    let named = |id: &str| format!(r#"{{"batch":[{own}],"request_id":"{id}"}}"#);
    let key = |body: &str| take(body).request_key;
    assert_eq!(key(&named("r1")), key(&named("r1")));
    assert_ne!(key(&named("r1")), key(&named("r2")));
    assert_eq!(key(&own), key(&format!("[{own}]")));
    assert!(key(&own).is_some());
    assert_eq!(key(r#"{"event":"a","user_id":"u"}"#), None);
    let with_header = Head {
        idempotency_key: Some("r1".to_owned()),
        ..head(Some(WRITE))
    };
    let by_header = prepare(&own, &with_header, &keys()).unwrap();
    assert_eq!(by_header.request_key, key(&named("r1")));
}

#[test]
fn one_careless_request_id_does_not_swallow_events_of_another_time() {
    let at = |time: i64| {
        take(&format!(
            r#"{{"request_id":"1","batch":[{{"event":"a","user_id":"u","timestamp":{time}}}]}}"#
        ))
        .request_key
    };
    assert_eq!(at(NOW - 5), at(NOW - 5));
    assert_ne!(at(NOW - 5), at(NOW - 6));
}

#[test]
fn the_ledger_learns_of_what_no_row_shows() {
    let prepared = take(&format!(
        r#"{{"dropped":4,"sequence":10,"context":{{"library":{{"name":"footfall-js","version":"0.1.0"}}}},
            "batch":[{{"user_id":"u","device_id":"d"}},{{"event":"a","device_id":"d","id":"{ID}"}},
                     {{"event":"a","device_id":"d","id":"{ID}"}},5]}}"#
    ));
    let notes = prepared.notes();
    let rows: Vec<_> = notes
        .rows
        .iter()
        .map(|row| (row.outcome.as_str(), &*row.reason, row.count))
        .collect();
    assert_eq!(
        rows,
        [
            ("rejected", "missing_field", 1),
            ("rejected", "wrong_type", 1),
            ("duplicate", "", 1),
            ("client_dropped", "", 4)
        ]
    );
    assert!(
        notes
            .rows
            .iter()
            .all(|row| row.source == "native footfall-js/0.1.0")
    );
    let sequence = &notes.sequences[0];
    assert_eq!((sequence.first, sequence.last, sequence.count), (10, 13, 4));
    let again: Vec<_> = prepared
        .notes_of_replay()
        .rows
        .iter()
        .map(|row| (row.outcome.as_str(), row.count))
        .collect();
    assert_eq!(again, [("rejected", 1), ("rejected", 1), ("duplicate", 2)]);
    let samples: Vec<_> = prepared
        .samples()
        .iter()
        .map(|s| (s.code.clone(), s.sample.clone()))
        .collect();
    assert_eq!(samples[1], ("wrong_type".to_owned(), "5".to_owned()));
}

#[test]
fn a_sample_is_cut_at_a_character_and_a_broken_line_is_one_too() {
    let long = format!(
        r#"{{"user_id":"u","properties":{{"ab":"{}"}}}}"#,
        "é".repeat(2_000)
    );
    let prepared = take(&format!(
        "{{\"event\":\"a\",\"user_id\":\"u\"}}\n{long}\n{{\"event\":"
    ));
    let samples = prepared.samples();
    assert_eq!(
        (samples[0].code.as_str(), samples[0].sample.len()),
        ("missing_field", 2_047)
    );
    assert_eq!(
        (samples[1].code.as_str(), samples[1].sample.as_str()),
        ("malformed_json", "{\"event\":")
    );
    assert_eq!(samples[0].source, "native browser");
}
