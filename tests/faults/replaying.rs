//! The API is killed or frozen around the replay, or the discarding, of a dead letter; the caller asks again.

use footfall::event::Event;
use serde_json::{Value, json};

use super::case::{Case, Fault, PASSWORD, run_all};
use super::harness::*;

/// Points, and whether the letter is replayed there or discarded.
const POINTS: &[(&str, bool)] = &[
    ("letters.before_replay", true),
    ("letters.after_replay", true),
    ("letters.after_discard", false),
];

/// A shop with one dead letter, whose row would be taken by now; the rows that are stored, and the letter's.
async fn quarantined(case: &Case) -> (Vec<Event>, Event) {
    case.world
        .sql("ALTER TABLE events ADD CONSTRAINT poison CHECK event != 'poison'")
        .await;
    let good = events(SHOP, 20);
    let poison = event(SHOP, "poison", "person-1", NOW, 0);
    let sent = good.iter().chain([&poison]).cloned().collect();
    case.append(SHOP, sent).await;
    case.world.drain(&case.world.deliverer()).await;
    case.world.sql("ALTER TABLE events DROP CONSTRAINT poison").await;
    (good, poison)
}

/// An access token of the shop's owner.
async fn sign_in(address: &str) -> String {
    let client = reqwest::Client::new();
    let login = json!({ "email": "ada@example.com", "password": PASSWORD });
    let request = client.post(format!("{address}/v1/auth/login")).json(&login);
    let answer: Value = request
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    answer["access_token"].as_str().expect("a token").to_owned()
}

/// Asks for it and returns the status; `None` when the connection broke.
async fn ask(address: String, token: String, replay: bool) -> Option<u16> {
    let client = reqwest::Client::new();
    let request = match replay {
        true => client.post(address + "/replay"),
        false => client.delete(address),
    };
    let answer = request.bearer_auth(token).send().await.ok()?;
    Some(answer.status().as_u16())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_replayed_or_discarded_once_however_the_api_is_struck() {
    let mut cases = Vec::new();
    for &(point, replay) in POINTS {
        for fault in Fault::BOTH {
            cases.push((format!("{point}: {fault:?}"), async move {
                let case = Case::new(1).await;
                let project = case.shop().await.id;
                let (mut stored, poison) = quarantined(&case).await;
                let letters = case.world.stream.letters(SHOP, None, 10).await.expect("letters");
                assert_eq!(letters.total, 1);
                let path = format!("/v1/projects/{project}/dead-letters/{}", letters.letters[0].id);

                let mut first = case.start("api", &fault.at(point, 1), "");
                let address = first.says("listens on").await;
                let token = sign_in(&address).await;
                let unanswered = tokio::spawn(ask(address + &path, token.clone(), replay));
                fault.strikes(&mut first, point).await;
                let mut second = case.start("api", "", "");
                let address = second.says("listens on").await + &path;
                let answer = ask(address, token, replay).await;
                // A letter that was discarded is not there any more.
                assert_eq!(answer, Some(if replay { 202 } else { 404 }));
                if fault == Fault::Frozen {
                    first.wakes();
                }
                let late = unanswered.await.expect("a caller");
                assert_eq!(late.is_some(), fault == Fault::Frozen, "{late:?}");

                case.world.drain(&case.world.deliverer()).await;
                stored.extend(replay.then_some(poison));
                case.world.holds_exactly(&stored).await;
                let letters = case.world.stream.letters(SHOP, None, 10).await.expect("letters");
                assert_eq!(letters.total, 0);
            }));
        }
    }
    run_all(4, cases).await;
}
