//! Refresh tokens and passwords at rest, on SQLite and on PostgreSQL.

use footfall::meta::{GRACE_MS, Meta, REFRESH_TOKEN_LIFE_MS, Rotation};

use crate::databases::{Database, NOW, on_both};
use crate::repository::registered;

on_both!(
    a_refresh_token_works_once_and_reuse_ends_the_family,
    tabs_that_refresh_together_all_go_on_until_a_successor_is_used,
    another_password_ends_every_session_but_the_one_that_is_kept,
    an_expired_or_ended_session_cannot_be_refreshed,
);

async fn a_refresh_token_works_once_and_reuse_ends_the_family(database: Database) {
    let meta = database.meta().await;
    let user = registered(&meta, "ada@example.com").await.user.id;
    let first = meta.begin_session(user, NOW).await.unwrap().refresh_token;
    let second = next(&meta, &first, NOW + 1).await;
    assert_eq!(
        meta.rotate_session(&first, NOW + 1 + GRACE_MS).await.unwrap(),
        Rotation::Reused
    );
    assert_eq!(
        meta.rotate_session(&second, NOW + 2 + GRACE_MS).await.unwrap(),
        Rotation::Invalid,
        "the thief's or the owner's: nobody can tell, so neither goes on"
    );
}

/// The token that follows.
async fn next(meta: &Meta, token: &str, now_ms: i64) -> String {
    match meta.rotate_session(token, now_ms).await.unwrap() {
        Rotation::Rotated(session) => session.refresh_token,
        other => panic!("{other:?}"),
    }
}

async fn tabs_that_refresh_together_all_go_on_until_a_successor_is_used(database: Database) {
    let meta = database.meta().await;
    let user = registered(&meta, "ada@example.com").await.user.id;
    let first = meta.begin_session(user, NOW).await.unwrap();
    let tabs = (0..6).map(|_| meta.rotate_session(&first.refresh_token, NOW + 1000));
    let mut tokens = Vec::new();
    for outcome in futures_util::future::join_all(tabs).await {
        match outcome.unwrap() {
            Rotation::Rotated(tab) if (tab.user, tab.family) == (user, first.family) => {
                tokens.push(tab.refresh_token);
            }
            other => panic!("{other:?}"),
        }
    }
    for (n, token) in (2..).zip(&tokens) {
        assert_ne!(token, &next(&meta, token, NOW + n * 1000).await);
    }
    // A successor has gone on, so the very first is an old one, in the time of grace or not.
    assert_eq!(
        meta.rotate_session(&first.refresh_token, NOW + 8000)
            .await
            .unwrap(),
        Rotation::Reused
    );
    assert_eq!(
        meta.rotate_session(&tokens[5], NOW + 8001).await.unwrap(),
        Rotation::Invalid
    );
}

async fn another_password_ends_every_session_but_the_one_that_is_kept(database: Database) {
    let meta = database.meta().await;
    let user = registered(&meta, "ada@example.com").await.user.id;
    let eve = registered(&meta, "eve@example.com").await.user.id;
    let own = meta.begin_session(user, NOW).await.unwrap();
    let stolen = meta.begin_session(user, NOW).await.unwrap();
    let others = meta.begin_session(eve, NOW).await.unwrap();
    let known = meta.credentials_of(user).await.unwrap().unwrap().password_hash;
    let keep = Some(own.family);
    assert!(
        !meta
            .change_password(user, "another hash", "new", keep, NOW)
            .await
            .unwrap()
    );
    let stolen = next(&meta, &stolen.refresh_token, NOW + 1).await;
    assert!(
        meta.change_password(user, &known, "new", keep, NOW + 2)
            .await
            .unwrap()
    );
    assert_eq!(
        meta.credentials("ada@example.com")
            .await
            .unwrap()
            .unwrap()
            .password_hash,
        "new"
    );
    assert_eq!(
        meta.rotate_session(&stolen, NOW + 3).await.unwrap(),
        Rotation::Invalid
    );
    next(&meta, &own.refresh_token, NOW + 3).await;
    next(&meta, &others.refresh_token, NOW + 3).await;
}

async fn an_expired_or_ended_session_cannot_be_refreshed(database: Database) {
    let meta = database.meta().await;
    let user = registered(&meta, "ada@example.com").await.user.id;
    let old = meta.begin_session(user, NOW).await.unwrap().refresh_token;
    let later = NOW + REFRESH_TOKEN_LIFE_MS;
    assert_eq!(meta.rotate_session(&old, later).await.unwrap(), Rotation::Invalid);
    let ended = meta.begin_session(user, later).await.unwrap().refresh_token;
    meta.end_session(&ended, later).await.unwrap();
    assert_eq!(
        meta.rotate_session(&ended, later).await.unwrap(),
        Rotation::Invalid
    );
    meta.end_session("never given out", later).await.unwrap();
}
