//! Erasures, tombstones and retention in the control database, on SQLite and on PostgreSQL.

use footfall::event::{Event, ProjectNumber, flag};
use footfall::meta::{
    Certificate, ErasureKind, ErasureState, KeySnapshot, Meta, MetaError, NewErasure, Page, ProjectChange,
    RemovedCounts,
};
use sqlx::{AnyConnection, Connection};
use uuid::Uuid;

use crate::databases::{Database, NOW};
use crate::repository::registered;

crate::databases::on_both!(
    a_tombstone_stands_from_the_moment_of_the_request,
    what_was_sent_with_an_old_time_is_judged_by_it_too,
    an_erasure_moves_on_once_and_forgets_the_ids_at_its_end,
    what_is_remembered_has_limits,
    a_project_remembers_so_many_persons_and_each_once,
    every_projects_oldest_erasure_comes_before_anybodys_second,
    a_deleted_project_is_erased,
    retention_moves_on_after_a_day_and_goes_back_when_nothing_is_removed,
);

const DAY: i64 = 86_400_000;

fn event(project: ProjectNumber, person: &str, ts: i64, received_at: i64) -> Event {
    let fields = serde_json::json!({
        "project": project, "event": "click", "ts": ts, "seq": 0, "id": Uuid::from_u128(1),
        "received_at": received_at, "distinct_id": person, "device_id": "", "user_id": "", "session": 0, "path": "",
        "host": "", "referrer_host": "", "utm_source": "", "utm_medium": "", "utm_campaign": "", "country": "",
        "region": "", "city": "", "browser": "", "os": "", "device": "", "lib": "", "amount": 0.0, "currency": "",
        "props": "{}", "flags": 0, "local_day": "2026-11-23",
    });
    serde_json::from_value(fields).unwrap()
}

/// Whether a project refuses the event, as an endpoint with this snapshot and one that reads everything anew see it.
async fn refuses(meta: &Meta, before: &mut KeySnapshot, event: &Event) -> bool {
    let newer = meta.key_snapshot(before).await.unwrap();
    let fresh = meta.key_snapshot(&KeySnapshot::default()).await.unwrap();
    assert_eq!(newer.tombstones, fresh.tombstones);
    *before = newer;
    let alone = meta.tombstones_of(event.project).await.unwrap();
    let stones = before.tombstones.get(&event.project);
    let refused = stones.is_some_and(|stones| stones.refuses(event).is_some());
    assert_eq!(alone.keeps(event), !refused);
    assert_eq!(alone.version, before.version);
    refused
}

fn persons(ids: &[&str]) -> NewErasure {
    NewErasure::Persons(ids.iter().map(|&id| id.to_owned()).collect())
}

async fn a_tombstone_stands_from_the_moment_of_the_request(database: Database) {
    let meta = database.meta().await;
    let project = registered(&meta, "ada@example.com").await.project.unwrap();
    let number = project.number;
    let mut snapshot = KeySnapshot::default();
    assert!(!refuses(&meta, &mut snapshot, &event(number, "ada", NOW, NOW)).await);
    let version = meta.version().await.unwrap();
    let ada = || persons(&["ada", "device-1", "ada"]);
    let (erasure, new) = meta.request_erasure(project.id, ada(), "a@b", NOW).await.unwrap();
    assert_eq!(
        (erasure.persons, erasure.state, new),
        (2, ErasureState::Requested, true)
    );
    assert!(meta.version().await.unwrap() > version);
    let refused: [(&str, i64, i64, bool); 6] = [
        ("ada", NOW, NOW + 5, true),
        ("device-1", NOW - 400 * DAY, NOW + 5, true),
        // A clock that ran ahead, received before.
        ("ada", NOW + 60_000, NOW, true),
        ("ada", NOW + 1, NOW + 1, false),
        ("eve", NOW, NOW, false),
        ("", NOW, NOW, false),
    ];
    for (person, ts, received, gone) in refused {
        let event = event(number, person, ts, received);
        assert_eq!(refuses(&meta, &mut snapshot, &event).await, gone, "{person} {ts}");
    }
    let other = ProjectNumber(number.0 + 1);
    assert!(!refuses(&meta, &mut snapshot, &event(other, "ada", NOW, NOW)).await);

    // Asked again before anything was done, it takes what happened since.
    let (again, new) = meta
        .request_erasure(project.id, ada(), "a@b", NOW + 50)
        .await
        .unwrap();
    assert_eq!((again.id, new), (erasure.id, false));
    assert!(refuses(&meta, &mut snapshot, &event(number, "ada", NOW + 50, NOW + 50)).await);
    let range = NewErasure::Range {
        from: NOW - DAY,
        to: NOW,
    };
    meta.request_erasure(project.id, range, "a@b", NOW).await.unwrap();
    for (ts, gone) in [
        (NOW - DAY - 1, false),
        (NOW - DAY, true),
        (NOW - 1, true),
        (NOW, false),
    ] {
        let event = event(number, "eve", ts, NOW + DAY);
        assert_eq!(refuses(&meta, &mut snapshot, &event).await, gone, "{ts}");
    }
    meta.request_erasure(project.id, NewErasure::Project, "a@b", NOW)
        .await
        .unwrap();
    assert!(refuses(&meta, &mut snapshot, &event(number, "eve", NOW, NOW)).await);
    assert!(!refuses(&meta, &mut snapshot, &event(number, "eve", NOW + 1, NOW + 1)).await);
}

async fn what_was_sent_with_an_old_time_is_judged_by_it_too(database: Database) {
    let meta = database.meta().await;
    let project = registered(&meta, "ada@example.com").await.project.unwrap();
    meta.request_erasure(project.id, persons(&["ada"]), "a@b", NOW)
        .await
        .unwrap();
    let later = NOW + 30 * DAY;
    let mut snapshot = KeySnapshot::default();
    for (person, sent, flags, gone) in [
        ("ada", NOW - DAY, flag::TIME_CORRECTED, true),
        ("ada", NOW - 500 * DAY, flag::TIME_CLAMPED, true),
        ("ada", later - DAY, flag::TIME_CORRECTED, false),
        // A property of that name which the client made up.
        ("ada", NOW - DAY, 0, false),
        ("eve", NOW - DAY, flag::TIME_CORRECTED, false),
    ] {
        let mut event = event(project.number, person, later, later);
        event.flags = flags;
        event.props = serde_json::json!({"$original_timestamp": sent}).to_string();
        assert_eq!(
            refuses(&meta, &mut snapshot, &event).await,
            gone,
            "{person} {sent} {flags}"
        );
    }
}

async fn an_erasure_moves_on_once_and_forgets_the_ids_at_its_end(database: Database) {
    let meta = database.meta().await;
    let project = registered(&meta, "ada@example.com").await.project.unwrap();
    meta.request_erasure(project.id, persons(&["ada"]), "a@b", NOW)
        .await
        .unwrap();
    let open = meta.open_erasures(10).await.unwrap().remove(0);
    assert_eq!(open.distinct_ids, ["ada"]);
    let move_on = async || {
        let progress = open.progress.clone();
        meta.advance_erasure(&open, ErasureState::Waiting, "waits", &progress)
            .await
            .unwrap()
    };
    assert!(move_on().await);
    assert!(!move_on().await, "somebody else did");
    let open = meta.open_erasures(10).await.unwrap().remove(0);
    let counts = RemovedCounts {
        events: 7,
        ..RemovedCounts::default()
    };
    let certificate = Certificate {
        subject_hashes: open.hashes.clone(),
        counts_before: counts,
        counts_after: RemovedCounts::default(),
        requested_at: footfall::meta::Moment(NOW),
        finished_at: footfall::meta::Moment(NOW + 1),
        shards: 1,
        log_rewritten: true,
        named_in: Vec::new(),
        digest: String::new(),
    };
    let certificate = certificate.sealed().unwrap();
    assert_eq!(certificate.digest.len(), 64);
    assert_eq!(
        certificate.clone().sealed().unwrap(),
        certificate,
        "the digest is not part of itself"
    );
    assert!(
        meta.finish_erasure(&open, &open.progress, Ok(&certificate), NOW + 1)
            .await
            .unwrap()
    );
    assert!(meta.open_erasures(10).await.unwrap().is_empty());
    let done = meta.erasure(project.id, open.id).await.unwrap().unwrap();
    assert_eq!(
        (done.state, &done.certificate),
        (ErasureState::Done, &Some(certificate))
    );
    assert!(!serde_json::to_string(&done).unwrap().contains("\"ada\""));
    let other = meta.erasure(Uuid::from_u128(5), open.id).await.unwrap();
    assert_eq!(other, None, "only its project's people see it");
}

async fn what_is_remembered_has_limits(database: Database) {
    let meta = database.meta().await;
    let project = registered(&meta, "ada@example.com").await.project.unwrap();
    for n in 0..100 {
        let range = NewErasure::Range { from: n, to: n + 1 };
        meta.request_erasure(project.id, range, "a@b", NOW).await.unwrap();
    }
    let more = async |what| meta.request_erasure(project.id, what, "a@b", NOW).await;
    assert!(
        matches!(more(persons(&["eve"])).await, Err(MetaError::ErasureLimit(_))),
        "100 under way"
    );
    for open in meta.open_erasures(1_000).await.unwrap() {
        meta.finish_erasure(&open, &open.progress, Err("given up"), NOW)
            .await
            .unwrap();
    }
    assert!(more(persons(&["eve"])).await.is_ok());
    let range = NewErasure::Range { from: 500, to: 501 };
    assert!(
        matches!(more(range).await, Err(MetaError::ErasureLimit(_))),
        "100 ranges are remembered"
    );
    let page = meta.erasures(project.id, Page::first(40)).await.unwrap();
    assert_eq!(page.rows.len(), 40);
    assert!(page.next.is_some());
}

async fn a_project_remembers_so_many_persons_and_each_once(database: Database) {
    let meta = database.meta().await;
    let project = registered(&meta, "ada@example.com").await.project.unwrap();
    let ask = async |ids: &[&str]| meta.request_erasure(project.id, persons(ids), "a@b", NOW).await;
    ask(&["ada"]).await.unwrap();
    let mut connection = AnyConnection::connect(&database.url).await.unwrap();
    let others = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99998)
        INSERT INTO tombstones (project, kind, subject, erased_at, version)
        SELECT $1, 'person', CAST(i AS TEXT), 1, 1 FROM n";
    let number = i64::from(project.number.0);
    sqlx::query(others)
        .bind(number)
        .execute(&mut connection)
        .await
        .unwrap();
    assert!(matches!(
        ask(&["bea", "cid"]).await,
        Err(MetaError::ErasureLimit(_))
    ));
    ask(&["ada", "bea"]).await.unwrap();
    ask(&["ada"]).await.unwrap();
    assert!(matches!(ask(&["cid"]).await, Err(MetaError::ErasureLimit(_))));
    let other = registered(&meta, "eve@example.com").await.project.unwrap();
    let of_other = meta
        .request_erasure(other.id, persons(&["cid"]), "e@b", NOW)
        .await;
    assert!(of_other.is_ok(), "another project has room of its own");
}

async fn every_projects_oldest_erasure_comes_before_anybodys_second(database: Database) {
    let meta = database.meta().await;
    let busy = registered(&meta, "ada@example.com").await.project.unwrap();
    let quiet = registered(&meta, "eve@example.com").await.project.unwrap();
    let ask = async |of: Uuid, id: &str, at: i64| {
        meta.request_erasure(of, persons(&[id]), "a@b", at).await.unwrap();
    };
    for n in 0..5 {
        ask(busy.id, &n.to_string(), NOW + n).await;
    }
    ask(quiet.id, "eve", NOW + 9).await;
    let first = meta.open_erasures(2).await.unwrap();
    let whose: Vec<_> = first.iter().map(|open| open.subject.project).collect();
    assert_eq!(whose, [busy.number, quiet.number]);
    assert_eq!(meta.open_erasures(10).await.unwrap().len(), 6);
}

async fn a_deleted_project_is_erased(database: Database) {
    let meta = database.meta().await;
    let ada = registered(&meta, "ada@example.com").await;
    let project = ada.project.unwrap();
    let id = meta
        .delete_project(project.id, "ada@example.com", NOW)
        .await
        .unwrap();
    let open = meta.open_erasures(10).await.unwrap().remove(0);
    assert_eq!(
        (open.id, open.kind, open.project_gone),
        (id, ErasureKind::Project, true)
    );
    let ahead = event(project.number, "eve", NOW + DAY, NOW + DAY);
    assert!(
        open.subject.takes(&ahead),
        "whatever comes, by a key that was not heard of"
    );
    assert!(refuses(&meta, &mut KeySnapshot::default(), &ahead).await);
    let seen = meta.project_even_deleted(project.id, ada.user.id).await.unwrap();
    assert_eq!(seen.unwrap().id, project.id);
    assert!(meta.project(project.id).await.unwrap().is_none());
}

async fn retention_moves_on_after_a_day_and_goes_back_when_nothing_is_removed(database: Database) {
    let meta = database.meta().await;
    let ada = registered(&meta, "ada@example.com").await;
    let (project, user) = (ada.project.unwrap(), ada.user.id);
    let keep = async |months: Option<u32>, now: i64| {
        let change = ProjectChange {
            retention_months: Some(months),
            ..ProjectChange::default()
        };
        meta.update_project(project.id, user, change, now)
            .await
            .unwrap()
            .project
    };
    let kept_from = async || {
        meta.project(project.id)
            .await
            .unwrap()
            .unwrap()
            .kept_from
            .map(|at| at.0)
    };
    assert_eq!(keep(Some(1), NOW).await.retention_months, Some(1));
    keep(Some(1), NOW + DAY - 1).await;
    assert_eq!(meta.enforce_retention(NOW + DAY - 1).await.unwrap(), []);
    assert_eq!(meta.enforce_retention(NOW + DAY).await.unwrap().len(), 1);
    // The first of October in Berlin.
    assert_eq!(kept_from().await, Some(1_790_805_600_000));
    let open = meta.open_erasures(10).await.unwrap().remove(0);
    assert_eq!(open.kind, ErasureKind::Retention);
    let before = event(project.number, "eve", 1_790_805_599_999, NOW);
    let after = event(project.number, "eve", 1_790_805_600_000, NOW);
    assert!(open.subject.takes(&before) && !open.subject.takes(&after));
    let mut snapshot = KeySnapshot::default();
    assert!(refuses(&meta, &mut snapshot, &before).await);
    assert!(!refuses(&meta, &mut snapshot, &after).await);

    keep(None, NOW + DAY).await;
    meta.enforce_retention(NOW + DAY).await.unwrap();
    assert!(
        kept_from().await.is_some(),
        "rows are being removed: none may arrive among them"
    );
    meta.finish_erasure(&open, &open.progress, Err("enough"), NOW)
        .await
        .unwrap();
    meta.enforce_retention(NOW + DAY).await.unwrap();
    assert_eq!(kept_from().await, None);
    assert!(!refuses(&meta, &mut snapshot, &before).await);
}
