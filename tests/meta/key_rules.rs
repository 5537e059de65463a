//! Keys and the snapshot of them, on SQLite and on PostgreSQL.

use footfall::meta::{KeyKind, KeyRegistry, MetaError, Page, digest};
use uuid::Uuid;

use crate::databases::{Database, NOW};
use crate::repository::registered;

macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test] async fn $test() { super::$test(crate::databases::Database::sqlite().await).await })* }
        mod postgresql { $(#[tokio::test] async fn $test() { super::$test(crate::databases::Database::postgresql().await).await })* }
    };
}

on_both!(
    a_snapshot_knows_write_keys_by_text_and_secret_keys_by_digest,
    a_revoked_key_and_a_deleted_projects_keys_leave_the_snapshot,
    a_secret_key_is_shown_once,
    a_keys_use_is_written_at_most_once_a_minute,
    a_registry_finds_a_key_that_was_created_after_it,
    an_older_copy_of_the_database_is_brought_up_to_what_the_stream_asks_for,
);

async fn an_older_copy_of_the_database_is_brought_up_to_what_the_stream_asks_for(database: Database) {
    let meta = database.meta().await;
    meta.version_at_least(7).await.unwrap();
    assert_eq!(meta.version().await.unwrap(), 7);
    meta.version_at_least(3).await.unwrap();
    assert_eq!(meta.version().await.unwrap(), 7, "it never goes back");
    registered(&meta, "ada@example.com").await;
    assert!(meta.version().await.unwrap() > 7);
}

async fn a_snapshot_knows_write_keys_by_text_and_secret_keys_by_digest(database: Database) {
    let meta = database.meta().await;
    assert_eq!(meta.version().await.unwrap(), 0);
    let project = registered(&meta, "ada@example.com").await.project.unwrap();
    let before = meta.version().await.unwrap();
    let secret = meta
        .create_key(project.id, KeyKind::Secret, "Report", NOW)
        .await
        .unwrap();
    let snapshot = meta.key_snapshot(&Default::default()).await.unwrap();
    assert!(snapshot.version > before && snapshot.version == meta.version().await.unwrap());
    let write = project.write_key.unwrap();
    let info = snapshot.find(&write).unwrap();
    assert_eq!(
        (info.project, info.kind, info.project_id),
        (project.number, KeyKind::Write, project.id)
    );
    assert_eq!(info.zone.name(), "Europe/Berlin");
    let text = secret.key.unwrap();
    assert_eq!(snapshot.find(&text).unwrap().key_id, secret.id);
    assert!(
        snapshot.by_key.contains_key(&digest(&text)),
        "the secret itself is nowhere"
    );
    assert!(!snapshot.by_key.contains_key(&text));
    assert_eq!(meta.find_key(&text).await.unwrap().as_ref(), snapshot.find(&text));
    for invented in [
        "",
        "ffp_live_",
        "ffp_live_000000000000000000000000000000000",
        &digest(&text),
    ] {
        assert_eq!(snapshot.find(invented), None);
        assert_eq!(meta.find_key(invented).await.unwrap(), None);
    }
}

async fn a_revoked_key_and_a_deleted_projects_keys_leave_the_snapshot(database: Database) {
    let meta = database.meta().await;
    let ada = registered(&meta, "ada@example.com").await;
    let project = ada.project.unwrap();
    let key = meta
        .create_key(project.id, KeyKind::Write, "Blog", NOW)
        .await
        .unwrap();
    assert!(matches!(
        meta.revoke_key(Uuid::nil(), key.id, NOW).await,
        Err(MetaError::NotFound("key"))
    ));
    let before = meta.version().await.unwrap();
    meta.revoke_key(project.id, key.id, NOW).await.unwrap();
    assert_eq!(meta.version().await.unwrap(), before + 1);
    assert!(matches!(
        meta.revoke_key(project.id, key.id, NOW).await,
        Err(MetaError::NotFound("key"))
    ));
    let snapshot = meta.key_snapshot(&Default::default()).await.unwrap();
    assert_eq!(snapshot.find(&key.key.unwrap()), None);
    assert_eq!(snapshot.by_key.len(), 1);
    meta.delete_project(project.id, "ada@example.com", NOW)
        .await
        .unwrap();
    let snapshot = meta.key_snapshot(&Default::default()).await.unwrap();
    assert!(snapshot.by_key.is_empty() && snapshot.version == before + 2);
}

async fn a_secret_key_is_shown_once(database: Database) {
    let meta = database.meta().await;
    let project = registered(&meta, "ada@example.com").await.project.unwrap();
    let created = meta
        .create_key(project.id, KeyKind::Secret, "Report", NOW)
        .await
        .unwrap();
    let text = created.key.clone().unwrap();
    assert!(text.starts_with(&created.prefix) && text.ends_with(&created.last4));
    let listed = meta.keys(project.id, Page::first(9)).await.unwrap().rows;
    let write = listed.iter().find(|key| key.kind == KeyKind::Write).unwrap();
    assert_eq!(write.key, project.write_key, "write keys are public");
    let secret = listed.iter().find(|key| key.kind == KeyKind::Secret).unwrap();
    assert_eq!(secret.key, None);
    assert_eq!((secret.id, &secret.last4), (created.id, &created.last4));
}

async fn a_keys_use_is_written_at_most_once_a_minute(database: Database) {
    let meta = database.meta().await;
    let other_process = footfall::meta::Meta::connect(&database.url).await.unwrap();
    let project = registered(&meta, "ada@example.com").await.project.unwrap();
    let key = meta
        .keys(project.id, Page::first(1))
        .await
        .unwrap()
        .rows
        .remove(0);
    assert_eq!(key.last_used_at, None);
    let used = async || {
        meta.keys(project.id, Page::first(1)).await.unwrap().rows[0]
            .last_used_at
            .unwrap()
            .0
    };
    meta.touch_key(key.id, NOW).await.unwrap();
    assert_eq!(used().await, NOW);
    meta.touch_key(key.id, NOW + 59_999).await.unwrap();
    other_process.touch_key(key.id, NOW + 59_999).await.unwrap();
    assert_eq!(used().await, NOW);
    meta.touch_key(key.id, NOW + 60_000).await.unwrap();
    assert_eq!(used().await, NOW + 60_000);
}

async fn a_registry_finds_a_key_that_was_created_after_it(database: Database) {
    let meta = database.meta().await;
    let project = registered(&meta, "ada@example.com").await.project.unwrap();
    let registry = KeyRegistry::new(meta.clone());
    let write = project.write_key.unwrap();
    assert_eq!(registry.lookup(&write), None, "nothing is in memory yet");
    assert_eq!(
        registry.find(&write).await.unwrap().unwrap().project,
        project.number
    );
    assert_eq!(registry.lookup(&write).unwrap().project, project.number);
    // Made a moment after the keys were read: it works from the moment it was shown.
    let key = meta
        .create_key(project.id, KeyKind::Write, "Blog", NOW)
        .await
        .unwrap()
        .key
        .unwrap();
    assert_eq!(
        registry.find(&key).await.unwrap().unwrap().project,
        project.number
    );
    meta.delete_project(project.id, "ada@example.com", NOW)
        .await
        .unwrap();
    registry.refresh().await.unwrap();
    assert_eq!(registry.lookup(&write), None);
    // Followed until told to stop: a key made meanwhile appears without anybody asking for it.
    let ada = registered(&meta, "eve@example.com").await;
    let write = ada.project.unwrap().write_key.unwrap();
    let following = registry.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let follower = tokio::spawn(async move {
        following
            .run(async {
                let _ = stopped.await;
            })
            .await;
    });
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while registry.lookup(&write).is_none() {
        assert!(
            std::time::Instant::now() < deadline,
            "the registry does not follow"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    stop.send(()).unwrap();
    follower.await.unwrap();
}
