//! What questions about sessions refuse, and how they name it.

use serde_json::json;

use crate::harness::World;

#[tokio::test]
async fn what_is_wrong_with_a_question_is_named() {
    let world = World::new().await;
    let project = world.owner("ada@example.com", "UTC").await;
    for (question, pointer, code) in [
        (
            json!({"kind": "web", "table_limit": 0}),
            "/table_limit",
            "out_of_range",
        ),
        (
            json!({"kind": "web", "tables": ["page", "page"]}),
            "/tables/1",
            "duplicate",
        ),
        (
            json!({"kind": "web", "tables": ["moon"]}),
            "/tables/0",
            "unknown_value",
        ),
        (
            json!({"kind": "web", "only": [{"by": "page", "values": []}]}),
            "/only/0/values",
            "required",
        ),
        (
            json!({"kind": "web", "only": [{"by": "page", "values": ["/", ""]}]}),
            "/only/0/values/1",
            "out_of_range",
        ),
        (json!({"kind": "web", "list": {}}), "/list", "unknown_field"),
        (
            json!({"kind": "sessions", "breakdown": "page"}),
            "/breakdown",
            "not_allowed",
        ),
        (
            json!({"kind": "sessions", "breakdown_limit": 201}),
            "/breakdown_limit",
            "out_of_range",
        ),
        (
            json!({"kind": "sessions", "list": {"limit": 501}}),
            "/list/limit",
            "out_of_range",
        ),
        (
            json!({"kind": "sessions", "list": {"cursor": "x"}}),
            "/list/cursor",
            "invalid_cursor",
        ),
        (
            json!({"kind": "sessions", "interval": "minute"}),
            "/interval",
            "too_many_points",
        ),
        (
            json!({"kind": "sessions", "first_filter": {"property": ""}}),
            "/first_filter/property",
            "required",
        ),
    ] {
        let reply = world
            .ask("POST", &project.path("/query"), &project.secret, question.clone())
            .await;
        let problem = reply.problem(422, "invalid_field");
        let error = &problem["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code)),
            "{question}: {problem}"
        );
    }
    world.close().await;
}
