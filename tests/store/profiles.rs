//! Profiles made from stored events are those that the batches brought, and go with the events of their persons.

use std::collections::BTreeMap;

use footfall::event::{Event, Subject, Which, Zone, actor_of};
use footfall::metrics::person::{PersonsQuery, Record};
use footfall::store::Store;
use footfall::store::profiles::{Member, Scope};
use footfall::worker::profiles::{fill, fill_once};
use serde_json::json;

use crate::filters::open;
use crate::world::{NOON, PROJECT, deliver, event, name, sql};

const TABLES: [&str; 3] = ["profiles", "profile_properties", "profile_adds"];

fn told(person: &str, n: i64) -> Event {
    let mut told = event(["view", "$set"][n as usize % 2], person, NOON + n * 1000);
    let props = match n % 4 {
        0 => json!({"$set": {"plan": n, "name": "Éva"}, "$groups": {"company": "acme", "team": 7}}),
        1 => {
            json!({"$set_once": {"plan": -0.0, "from": [1, {"a": null}]}, "$add": {"orders": 1, "spent": 0.1}})
        }
        2 => json!({"$unset": ["name"], "$groups": {"company": "guest"}}),
        _ => {
            json!({"$group_type": "company", "$group_key": "acme", "$group_set": {"seats": n}, "$group_add": {"n": 2}})
        }
    };
    told.props = props.to_string();
    told
}

type Known = (
    Vec<Member>,
    BTreeMap<u64, BTreeMap<String, Record>>,
    Vec<(u64, String, Record)>,
    Vec<(String, i64, i64)>,
);

async fn known(store: &Store, persons: &[&str]) -> Known {
    let persons: Vec<u64> = persons.iter().map(|id| actor_of(id)).collect();
    let members = store.members(PROJECT, &persons).await.expect("members").rows;
    let records = store
        .records_of(PROJECT, &members, None)
        .await
        .expect("records")
        .rows;
    let groups = store
        .list_groups(PROJECT, "company", ("", None), 10)
        .await
        .expect("groups")
        .rows;
    let numbers: Vec<u64> = groups.iter().map(|group| group.number).collect();
    let mut of_groups = store
        .group_records(PROJECT, "company", &numbers)
        .await
        .expect("records")
        .rows;
    of_groups.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let groups = groups
        .into_iter()
        .map(|group| (group.key, group.first, group.last));
    (members, records, of_groups, groups.collect())
}

async fn everybody(store: &Store) -> u64 {
    let spec = PersonsQuery::default().validate(&Zone::utc()).expect("valid");
    store
        .count_persons(PROJECT, &spec, None)
        .await
        .expect("a count")
        .rows
}

#[tokio::test]
async fn a_first_start_makes_of_stored_events_what_their_batches_would_have() {
    let (store, _) = open().await;
    let events: Vec<Event> = (0..24)
        .map(|n| told(["ann", "ben", "cem"][n as usize % 3], n))
        .collect();
    let (one, other) = events.split_at(10);
    deliver(&store, &name(0, 1), one).await;
    deliver(&store, &name(1, 1), other).await;
    let people = ["ann", "ben", "cem"];
    let expected = known(&store, &people).await;
    assert_eq!((expected.0.len(), expected.3.len()), (3, 1));
    // twice is once
    fill(&store, &Scope::Everything).await.expect("filled");
    assert_eq!(known(&store, &people).await, expected);
    for table in TABLES {
        sql(&store, &format!("TRUNCATE TABLE {table}")).await;
    }
    assert_eq!(everybody(&store).await, 0);
    fill_once(&store).await.expect("filled");
    assert_eq!(known(&store, &people).await, expected);
    // it is noted: what is gone now was removed
    sql(&store, "TRUNCATE TABLE profiles").await;
    fill_once(&store).await.expect("nothing to do");
    assert_eq!(everybody(&store).await, 0);
}

#[tokio::test]
async fn what_is_known_of_an_erased_person_is_what_is_left_of_their_events() {
    let (store, _) = open().await;
    let events: Vec<Event> = (0..16).map(|n| told(["ann", "ben"][n as usize % 2], n)).collect();
    deliver(&store, &name(0, 1), &events).await;
    let until = NOON + 7_000;
    let subject = Subject {
        project: PROJECT,
        which: Which::Persons {
            actors: vec![actor_of("ann")],
            splits: Vec::new(),
            until: i64::MAX,
        },
    };
    assert_eq!(store.subject_profiles(&subject).await, Ok(1));
    let of_ben = known(&store, &["ben"]).await;
    // first a part of what ann did
    sql(
        &store,
        &format!(
            "DELETE FROM events WHERE actor = {} AND ts <= fromUnixTimestamp64Milli({until})",
            actor_of("ann")
        ),
    )
    .await;
    let scope = Scope::of(&subject);
    store.delete_profiles(&scope).await.expect("deleted");
    fill(&store, &scope).await.expect("filled");
    let (members, records, ..) = known(&store, &["ann"]).await;
    assert_eq!(members[0].first, until + 1000);
    let fresh: Vec<Event> = events.iter().filter(|event| event.ts > until).cloned().collect();
    let plan = records[&actor_of("ann")]["plan"].value().expect("a plan");
    assert_eq!(
        plan.1.ts(),
        fresh
            .iter()
            .filter(|event| event.props.contains("\"$set\""))
            .map(|event| event.ts)
            .max()
            .unwrap()
    );
    // then all of it
    sql(
        &store,
        &format!("DELETE FROM events WHERE actor = {}", actor_of("ann")),
    )
    .await;
    store.delete_profiles(&scope).await.expect("deleted");
    fill(&store, &scope).await.expect("filled");
    assert_eq!(store.subject_profiles(&subject).await, Ok(0));
    assert_eq!(known(&store, &["ann"]).await.0, []);
    assert_eq!(known(&store, &["ben"]).await, of_ben);
    assert_eq!(everybody(&store).await, 1);
    // retention: nobody's events are left
    sql(&store, "DELETE FROM events WHERE 1").await;
    store.forget_idle_profiles(PROJECT).await.expect("forgotten");
    assert_eq!(everybody(&store).await, 0);
}
