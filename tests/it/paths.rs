//! Paths over HTTP: who is behind their numbers, paths between the steps of a funnel, and what is refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Tenant, World, check};

const START: i64 = 1_793_491_200_000;
const MINUTE: i64 = 60_000;

/// A shop of five people: four come by the start page, three of them buy.
async fn shop(world: &World) -> Tenant {
    let shop = world.owner("ada@example.com", "UTC").await;
    let mut events = Vec::new();
    let mut visit = |who: &str, minute: i64, pages: &[&str]| {
        for (n, page) in (0..).zip(pages) {
            let event = if page.starts_with('/') { "page_view" } else { *page };
            let mut event =
                json!({"event": event, "distinct_id": who, "timestamp": START + (minute + n) * MINUTE});
            if page.starts_with('/') {
                event["properties"] = json!({"$url": format!("https://shop.example{page}?x=1")});
            }
            events.push(event);
        }
    };
    visit("ann", 0, &["/", "/product/1", "/cart/", "purchase"]);
    visit("ben", 0, &["/", "/product/2", "/product/3", "/cart", "purchase"]);
    visit("cat", 0, &["/", "/help", "/cart", "/"]);
    visit("dan", 0, &["/", "/help"]);
    visit("eve", 0, &["/help"]);
    // Another session of hers, on the same day.
    visit("ann", 300, &["/", "/cart", "purchase"]);
    world.store(&shop.write, json!(events)).await;
    shop
}

async fn ask(world: &World, shop: &Tenant, more: Value) -> Value {
    let mut question = json!({"kind": "paths", "nodes": "page", "from": "2026-11-01", "to": "2026-11-02"});
    for (name, value) in more.as_object().expect("members") {
        question[name] = value.clone();
    }
    if question.get("funnel").is_some() {
        let members = question.as_object_mut().expect("members");
        members.remove("from");
        members.remove("to");
    }
    let answer = world
        .ask("POST", &shop.path("/query"), &shop.secret, question)
        .await;
    answer.expect(200)["data"].clone()
}

/// `label count` of each node of each position.
fn columns(report: &Value) -> Vec<Vec<String>> {
    let node = |node: &Value| format!("{} {}", node["label"].as_str().expect("a label"), node["count"]);
    let column = |position: &Value| {
        position["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .map(node)
            .collect()
    };
    report["positions"]
        .as_array()
        .expect("positions")
        .iter()
        .map(column)
        .collect()
}

#[tokio::test]
async fn people_behind_nodes_edges_and_drop_offs_are_the_charts_numbers() {
    let world = World::new().await;
    let shop = shop(&world).await;
    let question = json!({"anchor": {"page": "/"}, "group": ["/product/*"], "steps": 3, "count": "total"});
    let chart = ask(&world, &shop, question.clone()).await;
    assert_eq!(chart["paths"], 5);
    assert_eq!(
        columns(&chart),
        [
            vec!["/ 5"],
            vec!["/help 2", "/product/* 2", "/cart 1"],
            vec!["/cart 3"]
        ]
    );
    let list = async |more: Value| {
        let mut question = question.clone();
        question["list"] = more;
        ask(&world, &shop, question).await["list"].clone()
    };
    let help = list(json!({"position": 2, "node": {"label": "/help"}})).await;
    assert_eq!(help["total"], 2);
    let names = |list: &Value| -> BTreeSet<String> {
        let rows = list["rows"].as_array().expect("rows").iter();
        rows.map(|row| row["distinct_id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&help), set(&["cat", "dan"]));
    let left = list(json!({"position": 2, "node": {"label": "/help"}, "drop_off": true})).await;
    assert_eq!((&left["total"], names(&left)), (&json!(1), set(&["dan"])));
    assert_eq!(left["rows"][0]["path"], json!(["/", "/help"]));
    let edge = list(json!({"position": 2, "node": {"label": "/product/*"}, "to": {"label": "/cart"}})).await;
    assert_eq!((&edge["total"], names(&edge)), (&json!(2), set(&["ann", "ben"])));

    let (mut rows, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = list(json!({"position": 1, "node": {"label": "/"}, "limit": 2, "cursor": cursor})).await;
        assert_eq!(page["total"], 5);
        rows.extend(page["rows"].as_array().expect("rows").clone());
        cursor = page["next"].clone();
        if cursor == Value::Null {
            break;
        }
    }
    assert_eq!(rows.len(), 5);
    let twice = rows.iter().filter(|row| row["distinct_id"] == "ann").count();
    assert_eq!(twice, 2, "both of her sessions");
    world.close().await;
}

#[tokio::test]
async fn paths_between_the_steps_of_a_funnel_are_as_many_as_it_says() {
    let world = World::new().await;
    let shop = shop(&world).await;
    let funnel = json!({"steps": [{"event": "page_view", "filter": {"property": "$path", "value": "/"}}, {"event": "purchase"}],
        "window": "2h", "from": "2026-11-01", "to": "2026-11-02"});
    let mut question = funnel.clone();
    question["kind"] = json!("funnel");
    let chart = world
        .ask("POST", &shop.path("/query"), &shop.secret, question)
        .await
        .expect(200);
    let steps = &chart["data"]["steps"];
    assert_eq!(
        (&steps[1]["reached"], &steps[0]["dropped"]),
        (&json!(2), &json!(2))
    );

    let link =
        |outcome: &str| json!({"funnel": {"query": funnel, "step": 1, "outcome": outcome}, "steps": 4});
    let converted = ask(&world, &shop, link("converted")).await;
    assert_eq!(
        (&converted["counted"], &converted["paths"]),
        (&json!("chains"), &json!(2))
    );
    assert_eq!(
        columns(&converted),
        [
            vec!["page_view 2"],
            vec!["/product/1 1", "/product/2 1"],
            vec!["/cart 1", "… 2 more 1"],
            vec!["purchase 2"]
        ]
    );
    let dropped = ask(&world, &shop, link("dropped")).await;
    assert_eq!(dropped["paths"], 2);
    assert_eq!(
        columns(&dropped)[1..],
        [vec!["/help 2"], vec!["/cart 1"], vec!["/ 1"]],
        "until the window was over"
    );
    world.close().await;
}

#[tokio::test]
async fn a_get_is_the_same_question_and_wrong_ones_are_refused_where_they_are_wrong() {
    let world = World::new().await;
    let shop = shop(&world).await;
    let path =
        shop.path("/paths?mode=before&anchor_page=/cart&nodes=page&from=2026-11-01&to=2026-11-02&steps=3");
    let got = world.get(&path, &shop.secret).await.expect(200);
    let asked = ask(
        &world,
        &shop,
        json!({"mode": "before", "anchor": {"page": "/cart"}, "steps": 3}),
    )
    .await;
    assert_eq!(got["data"], asked);
    assert_eq!(columns(&asked)[0], ["/cart 3"]);
    // A purchase has no page of its own.
    let of_none = ask(&world, &shop, json!({"anchor": {"event": "purchase"}})).await;
    assert_eq!(
        (&of_none["paths"], &of_none["positions"]),
        (&json!(0), &json!([]))
    );

    for (more, pointer, code) in [
        (json!({"mode": "between"}), "/anchor", "required"),
        (
            json!({"mode": "between", "anchor": {"event": "a"}}),
            "/until",
            "required",
        ),
        (json!({"until": {"event": "a"}}), "/until", "not_allowed"),
        (
            json!({"anchor": {"event": "a", "page": "/"}}),
            "/anchor/page",
            "conflict",
        ),
        (json!({"anchor": {}}), "/anchor/event", "required"),
        (json!({"steps": 1}), "/steps", "out_of_range"),
        (json!({"top": 51}), "/top", "out_of_range"),
        (
            json!({"clean": [{"pattern": "("}]}),
            "/clean/0/pattern",
            "invalid_pattern",
        ),
        (json!({"group": [""]}), "/group/0", "required"),
        (
            json!({"exclude": [{"page": "/".repeat(501)}]}),
            "/exclude/0/page",
            "too_long",
        ),
        (
            json!({"list": {"position": 6, "node": {"label": "a"}}}),
            "/list/position",
            "out_of_range",
        ),
        (
            json!({"list": {"position": 5, "node": {"label": "a"}, "to": {"label": "b"}}}),
            "/list/to",
            "out_of_range",
        ),
        (
            json!({"list": {"position": 1, "node": {"label": "a"}, "cursor": "x"}}),
            "/list/cursor",
            "invalid_cursor",
        ),
    ] {
        let mut question = json!({"kind": "paths", "from": "2026-11-01", "to": "2026-11-02"});
        for (name, value) in more.as_object().expect("members") {
            question[name] = value.clone();
        }
        let reply = world
            .ask("POST", &shop.path("/query"), &shop.secret, question)
            .await;
        check(reply, (422, "invalid_field", pointer, code), &more.to_string());
    }
    let funnel = |more: Value| {
        let mut query = json!({"steps": [{"event": "a"}, {"event": "b"}]});
        for (name, value) in more.as_object().expect("members") {
            query[name] = value.clone();
        }
        query
    };
    for (link, pointer, code) in [
        (
            json!({"query": funnel(json!({})), "step": 2}),
            "/funnel/step",
            "out_of_range",
        ),
        (
            json!({"query": funnel(json!({"order": "any"})), "step": 1}),
            "/funnel/query/order",
            "unsupported",
        ),
        (
            json!({"query": funnel(json!({"window": "session"})), "step": 1}),
            "/funnel/query/window",
            "unsupported",
        ),
        (
            json!({"query": funnel(json!({"entity": "session"})), "step": 1}),
            "/funnel/query/entity",
            "unsupported",
        ),
        (
            json!({"query": funnel(json!({"window": "x"})), "step": 1}),
            "/funnel/query/window",
            "invalid_window",
        ),
    ] {
        let question = json!({"kind": "paths", "funnel": link});
        let reply = world
            .ask("POST", &shop.path("/query"), &shop.secret, question)
            .await;
        check(reply, (422, "invalid_field", pointer, code), &link.to_string());
    }
    let both = json!({"kind": "paths", "funnel": {"query": funnel(json!({})), "step": 1}, "mode": "after"});
    let reply = world.ask("POST", &shop.path("/query"), &shop.secret, both).await;
    check(reply, (422, "invalid_field", "/mode", "conflict"), "both");
    world.close().await;
}
