//! The shapes of a body and its members, by behaviour.

use super::*;

fn shape(text: &str) -> (Form, usize) {
    let envelope = Envelope::read(text, false).unwrap();
    (envelope.form, envelope.events.len())
}

fn refusal(text: &str) -> (u16, String, String) {
    let problem = Envelope::read(text, false).unwrap_err();
    let pointer = problem.errors.first().map(|error| error.pointer.clone());
    (problem.status, problem.code, pointer.unwrap_or_default())
}

#[test]
fn the_four_forms_are_told_apart() {
    assert_eq!(shape(r#" {"event":"a"} "#), (Form::One, 1));
    assert_eq!(shape(r#"[{"event":"a"},{"event":"b"}]"#), (Form::Array, 2));
    assert_eq!(
        shape("{\"event\":\"a\"}\n\n{\"event\":\"b\"}\r\n"),
        (Form::Lines, 2)
    );
    assert_eq!(shape(r#"{"batch":[{"event":"a"}]}"#), (Form::Batch, 1));
    assert_eq!(shape("{\n \"batch\": [\n{\"event\":\"a\"}\n]}"), (Form::Batch, 1));
    assert_eq!(shape("[]"), (Form::Array, 0));
}

#[test]
fn a_line_that_is_no_json_is_refused_alone() {
    for text in [
        "{\"event\":\"a\"}\n{\"event\":\n{\"event\":\"c\"}",
        "{\"event\":\n{\"event\":\"b\"}\n{\"event\":\"c\"}",
    ] {
        let envelope = Envelope::read(text, false).unwrap();
        let bad: Vec<_> = envelope
            .events
            .iter()
            .filter_map(|event| event.as_ref().err())
            .collect();
        assert_eq!(envelope.events.len(), 3);
        assert_eq!(bad.len(), 1);
        assert_eq!(bad[0].0.code, RejectionCode::MalformedJson);
    }
    let declared = Envelope::read("nonsense\n{\"event\":\"b\"}", true).unwrap();
    assert!(declared.events[0].is_err() && declared.events[1].is_ok());
}

#[test]
fn malformed_json_tells_line_and_column() {
    let problem = Envelope::read("{\"event\": \"a\",\n \"user_id\" 5}", false).unwrap_err();
    assert_eq!((problem.status, problem.code.as_str()), (400, "malformed_json"));
    assert!(problem.detail.contains("line 2 column 12"), "{}", problem.detail);
    assert_eq!(problem.errors[0].pointer, "");
    assert_eq!(refusal("[{\"event\":\"a\"}").1, "malformed_json");
    assert_eq!(refusal("nonsense\nmore").1, "malformed_json");
}

#[test]
fn members_of_the_batch_are_read_and_the_last_of_two_counts() {
    let envelope = Envelope::read(
        r#"{"sent_at":1,"batch":[],"write_key":"k","request_id":"r","sent_at":"2026-11-23T10:00:00Z"}"#,
        false,
    )
    .unwrap();
    assert_eq!(envelope.sent_at, Some(1_795_428_000_000));
    assert_eq!(envelope.write_key.as_deref(), Some("k"));
    assert_eq!(envelope.request_id.as_deref(), Some("r"));
}

#[test]
fn what_a_client_says_of_itself_is_read() {
    let text = r#"{"batch":[],"dropped":3,"sequence":17,"sequence_id":"tab-1"}"#;
    let envelope = Envelope::read(text, false).unwrap();
    let sequence = Sequence {
        id: Some("tab-1".into()),
        first: 17,
    };
    assert_eq!((envelope.dropped, envelope.sequence), (3, Some(sequence)));
    let without = Envelope::read(r#"{"batch":[],"dropped":null,"sequence":null}"#, false).unwrap();
    assert_eq!((without.dropped, without.sequence), (0, None));
    for (body, pointer) in [
        (r#"{"batch":[],"dropped":-1}"#, "/dropped"),
        (r#"{"batch":[],"dropped":"3"}"#, "/dropped"),
        (r#"{"batch":[],"sequence":1e300}"#, "/sequence"),
        (r#"{"batch":[],"sequence":{"first":1}}"#, "/sequence"),
        (r#"{"batch":[],"sequence":1,"sequence_id":7}"#, "/sequence_id"),
    ] {
        assert_eq!(
            refusal(body),
            (422, "invalid_events".to_owned(), pointer.to_owned())
        );
    }
}

#[test]
fn wrong_members_are_named() {
    let unfit = |pointer: &str| (422, "invalid_events".to_owned(), pointer.to_owned());
    assert_eq!(refusal(r#"{"batch":{}}"#), unfit("/batch"));
    assert_eq!(refusal(r#"{"batch":[],"sent_at":"soon"}"#), unfit("/sent_at"));
    assert_eq!(refusal(r#"{"batch":[],"write_key":5}"#), unfit("/write_key"));
    assert_eq!(refusal(r#"{"batch":[],"request_id":[]}"#), unfit("/request_id"));
    assert_eq!(
        refusal(r#"{"batch":[],"context":{"page":1}}"#),
        unfit("/context/page")
    );
    assert_eq!(refusal("42"), unfit(""));
    assert_eq!(refusal(" \n"), (400, "empty_body".to_owned(), String::new()));
}

#[test]
fn the_1001st_event_is_too_many_in_each_form() {
    let array = format!("[{}0]", "0,".repeat(1000));
    assert_eq!(refusal(&array).1, "too_many_events");
    assert_eq!(refusal(&"{}\n".repeat(1001)).1, "too_many_events");
    assert_eq!(
        refusal(&format!("{{\"batch\":{array}}}")),
        (413, "too_many_events".to_owned(), String::new())
    );
    assert_eq!(shape(&"{}\n".repeat(1000)).1, 1000);
}
