//! What cannot be saved.

use serde_json::{Value, json};

use super::{question, saved};
use crate::harness::{World, check};

#[tokio::test]
async fn what_cannot_be_saved_is_named_by_its_place() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let trend = json!({"kind": "trends", "events": ["a"]});
    let good = question("Good", trend.clone());
    let with = |pointer: &str, value: Value| {
        let mut content = good.clone();
        content[pointer] = value;
        content
    };
    let tiles = |tiles: Value| json!({"kind": "dashboard", "name": "D", "tiles": tiles});
    let remark = |more: Value| {
        let mut content = json!({"kind": "annotation", "text": "Sale"});
        content
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        content
    };
    let remark_path = saved(&world, &shop, remark(json!({"from": "2026-11-20"}))).await;
    let not_a_question = remark_path.rsplit('/').next().expect("an id").to_owned();
    for (content, pointer, code) in [
        (json!({"name": "x"}), "/kind", "missing_field"),
        (json!({"kind": "poem"}), "/kind", "unknown_value"),
        (
            json!({"kind": "question", "name": "x"}),
            "/question",
            "missing_field",
        ),
        (with("name", json!(" ")), "/name", "wrong_length"),
        (with("mood", json!("good")), "/mood", "unknown_field"),
        (with("question", json!({})), "/question/kind", "missing_field"),
        (
            with("question", json!({"kind": "trends"})),
            "/question/events",
            "required",
        ),
        (
            with(
                "question",
                json!({"kind": "funnel", "steps": [{"event": "a"}, {"event": 5}]}),
            ),
            "/question/steps/1/event",
            "wrong_type",
        ),
        (
            with(
                "question",
                json!({"kind": "trends", "events": ["a"], "from": "soon"}),
            ),
            "/question/from",
            "invalid_time",
        ),
        (
            with("range", json!({"last_days": 500})),
            "/range/last_days",
            "out_of_range",
        ),
        (
            with("range", json!({"last_days": 5, "to": "2026-11-01"})),
            "/range/last_days",
            "conflict",
        ),
        (with("display", json!([])), "/display", "wrong_type"),
        (
            with("display", json!({"x": "y".repeat(5_000)})),
            "/display",
            "too_large",
        ),
        (
            with("description", json!("y".repeat(2_001))),
            "/description",
            "wrong_length",
        ),
        (tiles(json!([{}])), "/tiles/0", "conflict"),
        (
            tiles(json!([{"text": "a", "width": 13}])),
            "/tiles/0/width",
            "out_of_range",
        ),
        (
            tiles(json!([{"text": "a"}, {"saved": not_a_question}])),
            "/tiles/1/saved",
            "unknown_value",
        ),
        (tiles(json!(vec![json!({"text": "a"}); 51])), "/tiles", "too_many"),
        (
            tiles(json!(vec![json!({"text": "a".repeat(1_000)}); 40])),
            "",
            "too_large",
        ),
        (remark(json!({})), "/at", "missing_field"),
        (
            remark(json!({"at": "2026-11-20T10:00:00Z", "from": "2026-11-20"})),
            "/at",
            "conflict",
        ),
        (
            remark(json!({"from": "2026-11-20T10:00:00Z"})),
            "/from",
            "invalid_time",
        ),
        (
            remark(json!({"from": "2026-11-20", "to": "2026-11-20"})),
            "/to",
            "empty_range",
        ),
        (
            remark(json!({"at": "2026-11-20", "text": ""})),
            "/text",
            "wrong_length",
        ),
    ] {
        let what = content.to_string();
        let reply = world
            .ask("POST", &shop.path("/saved"), &shop.token, content)
            .await;
        check(
            reply,
            (422, "invalid_field", pointer, code),
            &what[..what.len().min(200)],
        );
    }
    let list = world.get(&shop.path("/saved"), &shop.secret).await.expect(200);
    assert_eq!(list["data"], json!([]), "nothing of all that was saved");
    world.close().await;
}
