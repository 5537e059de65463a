//! Sessions and the web overview through the whole product: every number is the naive twin's, and a list is as long as its
//! number.

use footfall::event::{Event, ProjectNumber, Zone, actor_of};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::consistency::ms;
use crate::harness::{Tenant, World};
use crate::random::{TRANSITIONS, instant};
use crate::twin::twin;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

const AGENTS: [(&str, &str, &str, &str); 3] = [
    ("", "", "", ""),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
        "Firefox",
        "Linux",
        "desktop",
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 \
         Mobile/15E148 Safari/604.1",
        "Safari",
        "iOS",
        "mobile",
    ),
];

/// An event, and how a client writes it.
fn event(rng: &mut fastrand::Rng, number: ProjectNumber, zone: &Zone, ts: i64, seq: u32) -> (Event, Value) {
    let who = *rng.choice(&["ann", "bob", "cat"]).expect("one");
    let device = *rng.choice(&["", "phone"]).expect("one");
    let visit = *rng.choice(&["", "", "v1", "v2"]).expect("one");
    let name = *rng
        .choice(&[
            "page_view",
            "page_view",
            "$pageview",
            "page",
            "pageview",
            "A",
            "B",
        ])
        .expect("one");
    let (path, host) = *rng
        .choice(&[
            ("/", "shop.example"),
            ("/a", "www.shop.example"),
            ("/b", "shop.example"),
            ("", ""),
        ])
        .expect("one");
    let referrer = *rng
        .choice(&["", "", "www.search.example", "search.example", "shop.example"])
        .expect("one");
    let (source, campaign) = *rng
        .choice(&[
            ("", ""),
            ("", "spring"),
            ("news", "spring"),
            ("search.example", ""),
        ])
        .expect("one");
    let (agent, browser, os, kind) = *rng.choice(&AGENTS).expect("one");
    let id = Uuid::from_u128(rng.u128(..));
    let mut properties = json!({});
    if !host.is_empty() {
        properties["$url"] = json!(format!("https://{host}{path}"));
    }
    if !referrer.is_empty() {
        properties["$referrer"] = json!(format!("https://{referrer}/x"));
    }
    for (name, text) in [
        ("utm_source", source),
        ("utm_campaign", campaign),
        ("$user_agent", agent),
    ] {
        if !text.is_empty() {
            properties[name] = json!(text);
        }
    }
    if let Some(plan) = rng.choice([None, Some("club"), Some("free")]).flatten() {
        properties["plan"] = json!(plan);
    }
    let wire = json!({"event": name, "id": id, "timestamp": ts, "distinct_id": who, "device_id": device,
        "session_id": visit, "properties": properties});
    // Capture takes a referrer on the event's own host for none.
    let referrer = if referrer == host { "" } else { referrer };
    let fields = json!({
        "project": number, "event": name, "ts": ts, "seq": seq, "id": id, "received_at": 0, "distinct_id": who,
        "device_id": device, "user_id": if who == device { "" } else { who }, "session": if visit.is_empty() { 0 } else { actor_of(visit) },
        "path": path, "host": host, "referrer_host": referrer, "utm_source": source, "utm_medium": "",
        "utm_campaign": campaign, "country": "", "region": "", "city": "", "browser": browser, "os": os,
        "device": kind, "lib": "", "amount": 0.0, "currency": "", "props": properties.to_string(), "flags": 0,
        "local_day": zone.local_day(ts),
    });
    (serde_json::from_value(fields).expect("an event"), wire)
}

/// Which sessions, in all ways that there are.
fn choosing(rng: &mut fastrand::Rng, question: &mut Value) {
    let dimension = *rng
        .choice(&[
            "source",
            "campaign",
            "page",
            "entry_page",
            "exit_page",
            "browser",
            "device",
            "referrer",
        ])
        .expect("one");
    let values = [
        json!("/a"),
        json!("search.example"),
        json!("mobile"),
        json!("Firefox"),
        json!("spring"),
        Value::Null,
    ];
    match rng.u8(0..8) {
        0 => question["filter"] = json!({"property": "plan", "value": "club"}),
        1 => question["first_filter"] = json!({"property": "$path", "op": "is_not", "value": "/"}),
        2 => question["filter"] = json!({"event_name": true, "value": "B"}),
        3 | 4 => {
            question["only"] =
                json!([{"by": dimension, "values": [rng.choice(&values).expect("one"), "/b"]}]);
        }
        _ => {}
    }
}

fn questions(rng: &mut fastrand::Rng, at: i64, zone: &Zone) -> Vec<Value> {
    let mut asked = Vec::new();
    for _ in 0..8 {
        let day = |n: i32| zone.local_day(at).plus(n).to_string();
        let (first, days) = (rng.i32(-2..5), rng.i32(1..5));
        let (from, to) = match rng.bool() {
            true => (day(first), day(first + days + 1)),
            false => {
                let from = at + rng.i64(-2..9) * DAY / 2;
                (instant(from), instant(from + rng.i64(1..90) * 37 * MINUTE))
            }
        };
        let interval = *rng.choice(&["hour", "day", "day", "week", "month"]).expect("one");
        let mut web =
            json!({"kind": "web", "from": from, "to": to, "interval": interval, "table_limit": rng.u8(1..5)});
        let mut sessions = json!({"kind": "sessions", "from": from, "to": to, "interval": interval,
            "with_page_view": rng.bool(), "breakdown_limit": rng.u8(1..3)});
        if let Some(by) = rng
            .choice([None, Some("source"), Some("entry_page"), Some("browser")])
            .flatten()
        {
            sessions["breakdown"] = json!(by);
        }
        sessions["list"] = json!({"limit": rng.u8(1..5)});
        for question in [&mut web, &mut sessions] {
            choosing(rng, question);
            if rng.bool() {
                question["compare"] = json!("previous");
            }
        }
        asked.extend([web, sessions]);
    }
    asked
}

async fn ask(world: &World, project: &Tenant, question: &Value) -> Value {
    let reply = world
        .ask("POST", &project.path("/query"), &project.secret, question.clone())
        .await;
    let mut reply = reply.expect(200);
    // Names are looked up for the list; the twin knows numbers.
    for session in reply
        .pointer_mut("/data/list/sessions")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        assert!(session["distinct_id"].is_string(), "{session}");
        session["distinct_id"] = Value::Null;
    }
    reply
}

#[tokio::test]
async fn overviews_and_sessions_are_what_their_twins_say() {
    let mut rng = fastrand::Rng::with_seed(7);
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let (mut bounces, mut listed) = (0, 0);
    for (round, (zone, at)) in TRANSITIONS.into_iter().enumerate() {
        let at = ms(at);
        world.at(crate::harness::NOW);
        let project = world.project(&owner, &format!("{round} {zone}"), zone).await;
        world.at(at + 8 * DAY);
        let (mut events, mut ts) = (Vec::new(), at - 2 * DAY);
        for _ in 0..rng.usize(20..60) {
            ts += match rng.u8(0..6) {
                0 => 0,
                1 => rng.i64(0..12) * 1000,
                2 => rng.i64(0..29 * MINUTE),
                3 => rng.i64(29..31) * MINUTE,
                _ => rng.i64(0..12 * 60) * MINUTE,
            };
            events.push(ts.min(at + 7 * DAY));
        }
        let mut drawn = Vec::new();
        for some in events.chunks(rng.usize(6..20)) {
            let some = some.iter().zip(0..);
            let some: Vec<(Event, Value)> = some
                .map(|(ts, seq)| event(&mut rng, project.number, &project.zone, *ts, seq))
                .collect();
            let wire: Vec<&Value> = some.iter().map(|(_, wire)| wire).collect();
            world.store(&project.write, json!(wire)).await;
            drawn.extend(some.into_iter().map(|(event, _)| event));
        }
        for question in questions(&mut rng, at, &project.zone) {
            let reply = ask(&world, &project, &question).await;
            let now = world.rooms.clock.now_ms();
            assert_eq!(
                reply["data"],
                twin(&question, &project.zone, now, &drawn),
                "round {round}, {zone}: {question}"
            );
            assert_eq!(reply["kind"], question["kind"]);
            bounces += reply["data"]["total"]["bounces"].as_u64().expect("a number");
            listed += reply["data"]["list"]["total"].as_u64().unwrap_or(0);
        }
    }
    assert!(
        bounces > 50 && listed > 100,
        "something happened: {bounces} {listed}"
    );
    world.close().await;
}

#[tokio::test]
async fn each_row_of_a_table_is_the_visits_that_it_chooses_and_the_list_is_as_long() {
    let mut rng = fastrand::Rng::with_seed(11);
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let project = world.project(&owner, "shop", "UTC").await;
    let at = crate::harness::NOW - 5 * DAY;
    let wire: Vec<Value> = (0..120)
        .map(|n| {
            event(
                &mut rng,
                project.number,
                &project.zone,
                at + n * 17 * MINUTE,
                n as u32,
            )
            .1
        })
        .collect();
    world.store(&project.write, json!(wire)).await;

    let range = json!({"from": "2026-11-17", "to": "2026-11-22"});
    let with = |more: Value| {
        let mut question = range.clone();
        for (name, value) in more.as_object().expect("members") {
            question[name] = value.clone();
        }
        question
    };
    let web = ask(&world, &project, &with(json!({"kind": "web"}))).await;
    let mut rows = 0;
    for table in web["data"]["tables"].as_array().expect("tables") {
        assert_eq!(table["values"], table["rows"].as_array().expect("rows").len());
        for row in table["rows"].as_array().expect("rows") {
            let only = json!([{"by": table["by"], "values": [row["value"]]}]);
            let chosen = with(json!({"kind": "sessions", "with_page_view": true, "only": only,
                "list": {"limit": 500}}));
            let chosen = ask(&world, &project, &chosen).await;
            let total = &chosen["data"]["total"];
            assert_eq!(
                (&total["sessions"], &total["visitors"]),
                (&row["visits"], &row["visitors"]),
                "{only}"
            );
            assert_eq!(chosen["data"]["list"]["total"], row["visits"]);
            let list = chosen["data"]["list"]["sessions"].as_array().expect("sessions");
            assert_eq!(list.len(), row["visits"].as_u64().expect("a number") as usize);
            rows += 1;
        }
    }
    assert!(rows > 15, "{rows} rows");

    // Page by page the same.
    let (mut cursor, mut starts) = (Value::Null, Vec::new());
    loop {
        let page =
            with(json!({"kind": "sessions", "with_page_view": true, "list": {"limit": 3, "cursor": cursor}}));
        let page = ask(&world, &project, &page).await;
        let page = &page["data"]["list"];
        assert_eq!(page["total"], web["data"]["total"]["sessions"]);
        let sessions = page["sessions"].as_array().expect("sessions").iter();
        starts.extend(sessions.map(|session| session["start"].as_str().expect("a moment").to_owned()));
        cursor = page["next"].clone();
        if cursor == Value::Null {
            break;
        }
    }
    assert_eq!(json!(starts.len()), web["data"]["total"]["sessions"]);
    assert!(starts.is_sorted_by(|one, next| one >= next), "the latest first");

    let get = project.path("/web?from=2026-11-17&to=2026-11-22");
    let got = world.get(&get, &project.secret).await.expect(200);
    assert_eq!(got["data"], web["data"], "the plain form asks the same");
    let get = project.path("/sessions?from=2026-11-17&to=2026-11-22&with_page_view=true&breakdown=source");
    let got = world.get(&get, &project.secret).await.expect(200);
    assert_eq!(got["data"]["total"], web["data"]["total"]);
    assert!(got["data"]["groups"].as_array().expect("groups").len() > 1);
    world.close().await;
}

#[tokio::test]
async fn a_session_id_that_never_rests_is_cut_by_where_it_began() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let project = world.project(&owner, "shop", "UTC").await;
    let first = crate::harness::NOW - 20 * DAY;
    let events: Vec<Value> = (0..20)
        .map(|n| {
            json!({"event": "page_view", "device_id": "d", "session_id": "s", "timestamp": first + n * 20 * 60 * MINUTE})
        })
        .collect();
    world.store(&project.write, json!(events)).await;
    // Sessions begin every 40 hours, counted from the very first event.
    let from = first + 5 * 40 * 60 * MINUTE;
    for (from, expected) in [(from, 1), (from + 1, 0)] {
        let question =
            json!({"kind": "sessions", "from": instant(from), "to": instant(from + 30 * 60 * MINUTE)});
        let reply = ask(&world, &project, &question).await;
        assert_eq!(reply["data"]["total"]["sessions"], expected);
    }
    world.close().await;
}
