//! What is saved: versions, undo, having back, order; on SQLite and on PostgreSQL.

use footfall::meta::{Draft, Hand, KEPT_VERSIONS, Meta, MetaError, Page, SavedFilter, SavedItem, SavedKind};
use sqlx::{AnyConnection, Connection, Row};
use uuid::Uuid;

use crate::databases::{Database, NOW};
use crate::repository::registered;

crate::databases::on_both!(
    undoing_goes_back_one_change_after_the_other,
    of_two_who_change_the_same_version_one_wins,
    what_was_deleted_comes_back_for_thirty_days,
    a_list_is_read_in_its_order_page_by_page,
    annotations_are_found_by_their_time,
    a_project_saves_so_many_and_takes_all_along,
);

const DAY: i64 = 86_400_000;

async fn hand(meta: &Meta) -> Hand {
    let registered = registered(meta, "ada@example.com").await;
    Hand {
        project: registered.project.unwrap().id,
        user: registered.user.id,
        now_ms: NOW,
    }
}

fn question(body: &str) -> Draft {
    Draft {
        kind: SavedKind::Question,
        body: body.to_owned(),
        span: None,
    }
}

fn remark(body: &str, from: i64, to: i64) -> Draft {
    Draft {
        kind: SavedKind::Annotation,
        body: body.to_owned(),
        span: Some((from, to)),
    }
}

/// The bodies of a list, read in pages of two.
async fn bodies(meta: &Meta, hand: Hand, filter: SavedFilter) -> Vec<String> {
    let mut found = Vec::new();
    let mut page = Page::first(2);
    loop {
        let read = meta.saved_items(hand.project, filter, page).await.unwrap();
        found.extend(read.rows.into_iter().map(|item| item.body));
        page.after = read.next;
        if page.after.is_none() {
            return found;
        }
    }
}

fn all(kind: SavedKind) -> SavedFilter {
    SavedFilter {
        kind,
        deleted: false,
        span: None,
        now_ms: NOW,
    }
}

async fn undoing_goes_back_one_change_after_the_other(database: Database) {
    let meta = database.meta().await;
    let hand = hand(&meta).await;
    let id = meta.save(&question("one"), hand).await.unwrap().id;
    let change = async |body: &str| meta.change_saved(id, &question(body), None, hand).await.unwrap();
    let undo = async || meta.undo_saved(id, None, hand).await;
    let says = |item: SavedItem| (item.version, item.body);
    let said = |version, body: &str| (version, body.to_owned());
    assert_eq!(says(change("two").await), said(2, "two"));
    assert_eq!(says(change("three").await), said(3, "three"));
    assert_eq!(says(undo().await.unwrap()), said(4, "two"));
    assert_eq!(says(undo().await.unwrap()), said(5, "one"));
    assert!(matches!(undo().await, Err(MetaError::NothingToUndo)));
    // A change after that stands on what it was made from.
    assert_eq!(says(change("four").await), said(6, "four"));
    assert_eq!(says(undo().await.unwrap()), said(7, "one"));
    // Going back to a version is a change, so it can be undone.
    let back = meta.revert_saved(id, 3, None, hand).await.unwrap();
    assert_eq!(says(back), said(8, "three"));
    assert_eq!(says(undo().await.unwrap()), said(9, "one"));
    let kept = meta.saved_versions(hand.project, id).await.unwrap();
    let shown: Vec<(i64, i64)> = kept.iter().map(|kept| (kept.version, kept.shows)).collect();
    let expected = [
        (9, 1),
        (8, 8),
        (7, 1),
        (6, 6),
        (5, 1),
        (4, 2),
        (3, 3),
        (2, 2),
        (1, 1),
    ];
    assert_eq!(shown, expected);
    assert_eq!(kept[0].changed_by, "Ada");
    // Only so many are kept; the way back ends with them.
    for n in 0..KEPT_VERSIONS {
        change(&format!("then {n}")).await;
    }
    let kept = meta.saved_versions(hand.project, id).await.unwrap();
    assert_eq!(kept.len() as i64, KEPT_VERSIONS);
    let gone = meta.revert_saved(id, 3, None, hand).await;
    assert!(matches!(gone, Err(MetaError::NotFound("version"))));
    let mut steps = 0;
    while undo().await.is_ok() {
        steps += 1;
        assert!(steps < KEPT_VERSIONS);
    }
    assert!(steps >= KEPT_VERSIONS / 2 - 1, "{steps}");
}

async fn of_two_who_change_the_same_version_one_wins(database: Database) {
    let meta = database.meta().await;
    let hand = hand(&meta).await;
    let id = meta.save(&question("one"), hand).await.unwrap().id;
    let (mine, yours) = (question("mine"), question("yours"));
    let (one, two) = tokio::join!(
        meta.change_saved(id, &mine, Some(&[1]), hand),
        meta.change_saved(id, &yours, Some(&[1]), hand)
    );
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(won.as_ref().unwrap().version, 2);
    assert!(matches!(lost, Err(MetaError::SavedChanged(2))), "{lost:?}");
    let stands = meta.saved_item(hand.project, id).await.unwrap().unwrap();
    assert_eq!(stands, won.unwrap());
    for refused in [
        meta.undo_saved(id, Some(&[1]), hand).await.map(drop),
        meta.revert_saved(id, 1, Some(&[]), hand).await.map(drop),
        meta.delete_saved(id, Some(&[1, 3]), hand).await,
    ] {
        assert!(matches!(refused, Err(MetaError::SavedChanged(2))), "{refused:?}");
    }
    assert!(meta.change_saved(id, &mine, Some(&[1, 2]), hand).await.is_ok());
    // Nor by another project, nor as something else.
    let other = Hand {
        project: Uuid::from_u128(1),
        ..hand
    };
    let foreign = meta.change_saved(id, &mine, None, other).await;
    assert!(matches!(foreign, Err(MetaError::NotFound(_))));
    assert!(meta.saved_item(other.project, id).await.unwrap().is_none());
    let dashboard = Draft {
        kind: SavedKind::Dashboard,
        ..mine
    };
    let another_kind = meta.change_saved(id, &dashboard, None, hand).await;
    assert!(matches!(another_kind, Err(MetaError::NotFound("dashboard"))));
}

async fn what_was_deleted_comes_back_for_thirty_days(database: Database) {
    let meta = database.meta().await;
    let hand = hand(&meta).await;
    let at = |now_ms| Hand { now_ms, ..hand };
    let id = meta.save(&question("one"), hand).await.unwrap().id;
    meta.change_saved(id, &question("two"), None, hand).await.unwrap();
    meta.delete_saved(id, None, hand).await.unwrap();
    assert!(meta.saved_item(hand.project, id).await.unwrap().is_none());
    assert!(bodies(&meta, hand, all(SavedKind::Question)).await.is_empty());
    let deleted = |now_ms| SavedFilter {
        deleted: true,
        now_ms,
        ..all(SavedKind::Question)
    };
    assert_eq!(bodies(&meta, hand, deleted(NOW)).await, ["two"]);
    for refused in [
        meta.change_saved(id, &question("x"), None, hand).await.map(drop),
        meta.undo_saved(id, None, hand).await.map(drop),
        meta.delete_saved(id, None, hand).await,
        meta.saved_versions(hand.project, id).await.map(drop),
    ] {
        assert!(matches!(refused, Err(MetaError::NotFound(_))), "{refused:?}");
    }
    let back = meta.restore_saved(id, at(NOW + 30 * DAY - 1)).await.unwrap();
    assert_eq!(
        (back.body.as_str(), back.version, back.deleted_at),
        ("two", 2, None)
    );
    // Nothing happens to what is there.
    assert_eq!(meta.restore_saved(id, hand).await.unwrap(), back);
    assert_eq!(meta.undo_saved(id, None, hand).await.unwrap().body, "one");
    meta.delete_saved(id, None, hand).await.unwrap();
    let late = meta.restore_saved(id, at(NOW + 30 * DAY)).await;
    assert!(matches!(late, Err(MetaError::NotFound(_))));
    assert!(bodies(&meta, hand, deleted(NOW + 30 * DAY)).await.is_empty());
    // The next one who saves something takes it away.
    assert_eq!(rows(&database, "saved").await, 1);
    meta.save(&question("new"), at(NOW + 30 * DAY)).await.unwrap();
    assert_eq!(
        (
            rows(&database, "saved").await,
            rows(&database, "saved_versions").await
        ),
        (1, 1)
    );
}

async fn rows(database: &Database, table: &str) -> i64 {
    let mut connection = AnyConnection::connect(&database.url).await.unwrap();
    let sql = match table {
        "saved" => "SELECT COUNT(*) AS n FROM saved",
        _ => "SELECT COUNT(*) AS n FROM saved_versions",
    };
    let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
    row.try_get("n").unwrap()
}

async fn a_list_is_read_in_its_order_page_by_page(database: Database) {
    let meta = database.meta().await;
    let hand = hand(&meta).await;
    let mut ids = Vec::new();
    for body in ["a", "b", "c", "d", "e"] {
        ids.push(meta.save(&question(body), hand).await.unwrap().id);
    }
    let list = async || bodies(&meta, hand, all(SavedKind::Question)).await.concat();
    assert_eq!(list().await, "abcde");
    meta.move_saved(ids[4], Some(ids[0]), hand).await.unwrap();
    assert_eq!(list().await, "eabcd");
    meta.move_saved(ids[0], None, hand).await.unwrap();
    assert_eq!(list().await, "ebcda");
    meta.move_saved(ids[3], Some(ids[2]), hand).await.unwrap();
    assert_eq!(list().await, "ebdca");
    // Something new stands at the end, a change moves nothing, and what comes back is where it was.
    meta.save(&question("f"), hand).await.unwrap();
    meta.delete_saved(ids[3], None, hand).await.unwrap();
    meta.change_saved(ids[4], &question("E"), None, hand)
        .await
        .unwrap();
    assert_eq!(list().await, "Ebcaf");
    let gone = meta.move_saved(ids[0], Some(ids[3]), hand).await;
    assert!(matches!(gone, Err(MetaError::NotFound("neighbour"))));
    meta.restore_saved(ids[3], hand).await.unwrap();
    assert_eq!(list().await, "Ebdcaf");
    let nowhere = Page {
        limit: 2,
        after: Some(Uuid::from_u128(7)),
    };
    let filter = all(SavedKind::Question);
    let refused = meta.saved_items(hand.project, filter, nowhere).await;
    assert!(matches!(refused, Err(MetaError::NotFound("page"))));
}

async fn annotations_are_found_by_their_time(database: Database) {
    let meta = database.meta().await;
    let hand = hand(&meta).await;
    let late = meta.save(&remark("late", 50, 51), hand).await.unwrap().id;
    meta.save(&remark("days", 10, 30), hand).await.unwrap();
    let early = meta.save(&remark("early", 5, 6), hand).await.unwrap().id;
    let between = async |from, to| {
        let filter = SavedFilter {
            span: Some((from, to)),
            ..all(SavedKind::Annotation)
        };
        bodies(&meta, hand, filter).await.join(" ")
    };
    assert_eq!(between(i64::MIN, i64::MAX).await, "early days late");
    assert_eq!(between(6, 10).await, "");
    assert_eq!(between(5, 11).await, "early days");
    assert_eq!(between(29, 50).await, "days");
    assert_eq!(between(30, 51).await, "late");
    // A change of its time moves it, and an undo moves it back.
    meta.change_saved(late, &remark("late", 1, 2), None, hand)
        .await
        .unwrap();
    assert_eq!(between(i64::MIN, i64::MAX).await, "late early days");
    meta.undo_saved(late, None, hand).await.unwrap();
    assert_eq!(between(30, 51).await, "late");
    assert!(matches!(
        meta.move_saved(late, Some(early), hand).await,
        Err(MetaError::NotFound(_))
    ));
}

async fn a_project_saves_so_many_and_takes_all_along(database: Database) {
    let meta = database.meta().await;
    let hand = hand(&meta).await;
    let dashboard = Draft {
        kind: SavedKind::Dashboard,
        ..question("d")
    };
    let first = meta.save(&dashboard, hand).await.unwrap().id;
    for _ in 1..SavedKind::Dashboard.most() {
        meta.save(&dashboard, hand).await.unwrap();
    }
    assert!(matches!(
        meta.save(&dashboard, hand).await,
        Err(MetaError::SavedLimit(_))
    ));
    meta.save(&question("of another kind"), hand).await.unwrap();
    meta.delete_saved(first, None, hand).await.unwrap();
    meta.save(&dashboard, hand).await.unwrap();
    // Its place is taken.
    assert!(matches!(
        meta.restore_saved(first, hand).await,
        Err(MetaError::SavedLimit(_))
    ));
    meta.delete_project(hand.project, "ada@example.com", NOW)
        .await
        .unwrap();
    assert_eq!(
        (
            rows(&database, "saved").await,
            rows(&database, "saved_versions").await
        ),
        (0, 0)
    );
}
