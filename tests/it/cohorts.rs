//! Cohorts over HTTP: members are the twin's, and every kind of question takes them as filter and as breakdown.

use std::collections::{BTreeMap, BTreeSet};

use footfall::event::Event;
use footfall::metrics::cohort::RuleQuery;
use footfall::metrics::oracle;
use serde_json::{Value, json};

use crate::consistency::ms;
use crate::harness::{NOW, Tenant, World, text};
use crate::random::{Drawn, TRANSITIONS, now, questions};
use crate::twin::twin;

const MINUTE: i64 = 60_000;

/// Rules over the names and values of random worlds.
fn rules(rng: &mut fastrand::Rng, drawn: &Drawn, zone: &footfall::event::Zone) -> Value {
    let day = |n: i32| zone.local_day(drawn.at).plus(n).to_string();
    let did = json!({"did": {"event": *rng.choice(&["A", "B", "$identify"]).expect("one")}, "at_least": rng.u8(1..4),
        "last_days": rng.u8(1..9)});
    let first =
        json!({"first": {"events": ["A", "C"]}, "from": day(rng.i32(-1..2)), "to": day(rng.i32(2..6))});
    let sequence = json!({"sequence": [{"event": "A"}, {"events": ["B", "C"], "filter": {"property": "n", "op": "is_set"}}],
        "within": format!("{}s", rng.u8(1..9))});
    let tier = json!({"person": "tier", "op": rng.choice(&["is", "is_not"]), "value": "gold"});
    let never = json!({"not": {"did": {"event": "D"}}});
    match rng.u8(0..6) {
        0 => did,
        1 => json!({"or": [first, sequence]}),
        2 => json!({"and": [tier, never]}),
        3 => json!({"or": [{"and": [did, never]}, tier]}),
        4 => sequence,
        _ => json!({"not": first}),
    }
}

/// The same as a question about a property that says who is a member.
fn by_property(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("cohort") => {
            let name = format!("cohort {}", text(&members["cohort"]));
            match members.get("op").and_then(Value::as_str) {
                None => json!({"property": name}),
                Some(op) => {
                    let op = if op == "in" { "is" } else { "is_not" };
                    json!({"property": name, "op": op, "value": "in"})
                }
            }
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, member)| (name.clone(), by_property(member)));
            Value::Object(members.collect())
        }
        Value::Array(items) => items.iter().map(by_property).collect(),
        other => other.clone(),
    }
}

/// And back, where a report repeats what it was asked.
fn by_cohort(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let name = members
                .get("property")
                .and_then(Value::as_str)
                .unwrap_or_default();
            match name.strip_prefix("cohort ") {
                Some(cohort) => json!({"cohort": cohort}),
                None => {
                    let members = members
                        .iter()
                        .map(|(name, member)| (name.clone(), by_cohort(member)));
                    Value::Object(members.collect())
                }
            }
        }
        Value::Array(items) => items.iter().map(by_cohort).collect(),
        other => other.clone(),
    }
}

/// The question, of members only or of others, or broken down by who is one.
fn asked_of(rng: &mut fastrand::Rng, mut question: Value, cohorts: &[String]) -> Value {
    let cohort = rng.choice(cohorts).expect("one");
    let breaks_down = question["breakdown"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    if breaks_down && rng.bool() {
        question["breakdown"][0] = json!({"cohort": cohort});
        return question;
    }
    let op = rng.choice(&["in", "not_in"]).expect("one");
    let members = json!({"cohort": cohort, "op": op});
    question["filter"] = match question.get("filter") {
        None | Some(Value::Null) => members,
        Some(filter) => json!({"and": [filter, members]}),
    };
    if question["kind"] == "active_users" {
        question["exact"] = json!(true);
    }
    question
}

#[tokio::test]
async fn members_are_the_twins_and_every_question_takes_them() {
    let mut rng = fastrand::Rng::with_seed(6);
    let world = World::new().await;
    let mut owner = world.owner("ada@example.com", "UTC").await;
    let (mut in_and_out, mut broken_down) = ([0_usize; 2], 0);
    for (zone, at) in TRANSITIONS {
        world.at(NOW);
        world.sign_in(&mut owner, "ada@example.com").await;
        let mut project = world.project(&owner, zone, zone).await;
        // Members are named by their one id here.
        let drawn = Drawn::new(&mut rng, ms(at), project.number, &project.zone).by_one_id();
        world.at(now(&mut rng, std::slice::from_ref(&drawn)));
        world.sign_in(&mut project, "ada@example.com").await;
        let now = world.rooms.clock.now_ms();
        for body in drawn.bodies(&mut rng) {
            world.post(&project.write, body).await.expect(200);
        }
        world.deliver().await;
        let mut events = drawn.events.clone();
        let mut cohorts = Vec::new();
        for n in 0..4 {
            let rules = rules(&mut rng, &drawn, &project.zone);
            let twin = of_twin(&rules, &project, now, &drawn.events);
            let created = create(&world, &project, &format!("{n}"), &rules).await;
            let id = text(&created["id"]);
            let members = members(&world, &project, &id).await;
            let about = format!("{zone} at {now}: {rules}");
            assert_eq!(created["problem"], Value::Null, "{about}");
            for (person, (member, told)) in &twin {
                in_and_out[usize::from(*member)] += 1;
                assert_eq!(members.contains(person), *member, "{about}: {person}");
                let path = project.path(&format!("/cohorts/{id}/members/{person}"));
                let explained = world.get(&path, &project.secret).await.expect(200)["data"].clone();
                assert_eq!(
                    (&explained["member"], &explained["now"]["holds"]),
                    (&json!(member), &json!(member))
                );
                let mut rules = explained["now"]["rules"].as_array().expect("rules").iter();
                let leaves: Vec<_> = rules
                    .by_ref()
                    .filter(|rule| rule.get("times").is_some())
                    .collect();
                let told: Vec<_> = told.iter().filter(|told| told.times > 0).collect();
                let found: Vec<_> = leaves.iter().filter(|rule| rule["times"] != 0).collect();
                assert_eq!(found.len(), told.len(), "{about}: {explained}");
                for (found, told) in found.iter().zip(told) {
                    assert_eq!(
                        (&found["holds"], &found["times"]),
                        (&json!(told.holds), &json!(told.times)),
                        "{about}"
                    );
                    assert_eq!(Some(ms(&text(&found["last_at"]))), told.last_ms, "{about}");
                }
            }
            assert_eq!(created["size"], members.len(), "{about}");
            for event in &mut events {
                let mut props: Value = serde_json::from_str(&event.props).expect("an object");
                let is = if members.contains(&event.distinct_id) {
                    "in"
                } else {
                    "not in"
                };
                props[format!("cohort {id}")] = json!(is);
                event.props = props.to_string();
            }
            cohorts.push(id);
        }
        for question in questions(&mut rng, &drawn, &project.zone) {
            let question = asked_of(&mut rng, question, &cohorts);
            broken_down += usize::from(question["breakdown"][0]["cohort"].is_string());
            let expected = by_cohort(&twin(&by_property(&question), &project.zone, now, &events));
            let reply = world
                .ask("POST", &project.path("/query"), &project.secret, question.clone())
                .await;
            let reply = reply.expect(200);
            assert_eq!(reply["data"], expected, "{zone} at {now}: {question}");
            let mut warnings = reply["meta"]["warnings"].as_array().expect("warnings").iter();
            assert!(
                warnings.any(|warning| warning["code"] == "cohort_as_of"),
                "{}",
                reply["meta"]
            );
        }
    }
    assert!(
        in_and_out[0] > 20 && in_and_out[1] > 20 && broken_down > 20,
        "{in_and_out:?} {broken_down}"
    );
    world.close().await;
}

fn of_twin(
    rules: &Value,
    project: &Tenant,
    now: i64,
    events: &[Event],
) -> BTreeMap<String, (bool, Vec<oracle::Told>)> {
    let query: RuleQuery = serde_json::from_value(rules.clone()).expect("rules");
    let spec = query.validate("", &project.zone).expect("valid");
    oracle::cohort(&spec, &project.zone, now, events, |event| {
        event.distinct_id.clone()
    })
}

pub async fn create(world: &World, project: &Tenant, name: &str, rules: &Value) -> Value {
    let body = json!({"name": name, "definition": rules});
    world
        .ask("POST", &project.path("/cohorts"), &project.token, body)
        .await
        .expect(201)
}

/// What an answer says of its cohort.
pub fn of_cohort(reply: &Value) -> Value {
    let mut warnings = reply["meta"]["warnings"].as_array().expect("warnings").iter();
    let found = warnings.find(|warning| warning["code"] == "cohort_as_of");
    found.unwrap_or_else(|| panic!("nothing of a cohort: {reply}"))["detail"].clone()
}

/// All members, two at a time.
pub async fn members(world: &World, project: &Tenant, cohort: &str) -> BTreeSet<String> {
    let path = project.path(&format!("/cohorts/{cohort}/members?limit=2"));
    let (mut found, mut page) = (BTreeSet::new(), path.clone());
    for _ in 0..1_000 {
        let reply = world.get(&page, &project.secret).await.expect(200);
        for member in reply["data"].as_array().expect("members") {
            assert!(found.insert(text(&member["distinct_id"])), "{member} twice");
        }
        assert_eq!(reply["has_more"], !reply["next_cursor"].is_null());
        match reply["next_cursor"].as_str() {
            Some(cursor) => page = format!("{path}&cursor={cursor}"),
            None => return found,
        }
    }
    panic!("the list does not end");
}

#[tokio::test]
async fn whoever_signs_in_is_one_member_with_all_they_did_before() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let at = |minute: i64| NOW - 86_400_000 + minute * MINUTE;
    let before = json!([
        {"event": "add_to_cart", "device_id": "phone", "timestamp": at(0)},
        {"event": "add_to_cart", "device_id": "tablet", "timestamp": at(1)},
    ]);
    world.store(&shop.write, before).await;
    let bought = json!({"sequence": [{"event": "add_to_cart"}, {"event": "purchase"}], "within": "1h"});
    let buyers = create(&world, &shop, "Buyers", &bought).await;
    let carts = create(&world, &shop, "Carts", &json!({"did": {"event": "add_to_cart"}})).await;
    let list = world
        .ask(
            "POST",
            &shop.path("/cohorts"),
            &shop.token,
            json!({"name": "Phones"}),
        )
        .await
        .expect(201);
    let [buyers, carts, list] = [buyers, carts, list].map(|cohort| text(&cohort["id"]));
    let ids = json!({"distinct_ids": ["phone"]});
    let path = shop.path(&format!("/cohorts/{list}/members"));
    world.ask("PUT", &path, &shop.token, ids).await.expect(200);
    let all = async |cohort: &str| {
        members(&world, &shop, cohort)
            .await
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(all(&buyers).await, Vec::<String>::new());
    assert_eq!(all(&carts).await, ["phone", "tablet"]);
    assert_eq!(all(&list).await, ["phone"]);

    let purchase = json!([
        {"event": "purchase", "device_id": "phone", "user_id": "ann", "timestamp": at(30)},
        {"event": "page_view", "device_id": "tablet", "user_id": "ann", "timestamp": at(31)},
    ]);
    world.store(&shop.write, purchase).await;
    for cohort in [&buyers, &carts, &list] {
        let path = shop.path(&format!("/cohorts/{cohort}/refresh"));
        let refreshed = world
            .ask("POST", &path, &shop.token, Value::Null)
            .await
            .expect(200);
        assert_eq!(refreshed["size"], 1, "{refreshed}");
        assert_eq!(all(cohort).await, ["ann"]);
        for id in ["ann", "phone", "tablet"] {
            let path = shop.path(&format!("/cohorts/{cohort}/members/{id}"));
            let explained = world.get(&path, &shop.secret).await.expect(200);
            assert_eq!(explained["data"]["member"], true, "{id}");
        }
    }
    let path = shop.path(&format!("/cohorts/{carts}/members/tablet"));
    let explained = world.get(&path, &shop.secret).await.expect(200);
    assert_eq!(
        explained["data"]["now"]["rules"][0]["times"], 2,
        "on both devices"
    );
    // The days of her devices are made anew.
    world.settle(NOW + 2 * MINUTE).await;
    world.close().await;
}
