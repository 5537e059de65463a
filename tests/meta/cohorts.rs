//! Cohorts: who has one in hand, and when they are due.

use footfall::event::Zone;
use footfall::meta::{Cohort, CohortChange, MAX_COHORTS, Meta, MetaError, Page};
use serde_json::json;
use uuid::Uuid;

use crate::databases::{Database, NOW};
use crate::repository::registered;

crate::databases::on_both!(
    a_cohort_is_kept_changed_and_deleted_by_its_project_only,
    of_two_workers_one_gets_a_cohort_that_is_due,
    what_changed_while_members_were_looked_for_is_due_again,
    whoever_looked_for_members_while_somebody_was_removed_looks_again,
    a_project_has_so_many_cohorts,
);

const MINUTE: i64 = 60_000;

fn rules(name: &str) -> CohortChange {
    CohortChange {
        name: Some(name.to_owned()),
        description: None,
        definition: Some(json!({"did": {"event": "purchase"}})),
    }
}

async fn projects(meta: &Meta) -> [Uuid; 2] {
    let ada = registered(meta, "ada@example.com").await;
    let one = meta
        .projects_of(ada.user.id, Page::first(1))
        .await
        .unwrap()
        .rows
        .remove(0);
    let zone = Zone::utc();
    let other = meta.create_project(one.organization_id, "Blog", &zone, NOW).await;
    [one.id, other.unwrap().id]
}

/// A project with a cohort.
async fn buyers(meta: &Meta) -> (Uuid, Cohort) {
    let [shop, _] = projects(meta).await;
    let buyers = meta.create_cohort(shop, &rules("Buyers"), "a", NOW).await;
    (shop, buyers.unwrap())
}

async fn a_cohort_is_kept_changed_and_deleted_by_its_project_only(database: Database) {
    let meta = database.meta().await;
    let [shop, blog] = projects(&meta).await;
    let buyers = meta
        .create_cohort(shop, &rules("Buyers"), "ada@example.com", NOW)
        .await
        .unwrap();
    assert_eq!(
        (&*buyers.name, &*buyers.description, buyers.refreshed_at),
        ("Buyers", "", None)
    );
    let list = CohortChange {
        name: Some("Beta".to_owned()),
        ..CohortChange::default()
    };
    let list = meta
        .create_cohort(shop, &list, "ada@example.com", NOW + 1)
        .await
        .unwrap();
    assert_eq!(list.definition, None);
    let page = meta.cohorts(shop, Page::first(1)).await.unwrap();
    assert_eq!((page.rows[0].id, page.next), (buyers.id, Some(buyers.id)));
    assert_eq!(meta.cohorts(blog, Page::first(9)).await.unwrap().rows, []);
    assert_eq!(meta.cohort(blog, buyers.id).await.unwrap(), None);

    let renamed = CohortChange {
        name: Some("Customers".to_owned()),
        ..CohortChange::default()
    };
    let elsewhere = meta
        .change_cohort(blog, buyers.id, &renamed, "eve@example.com", NOW)
        .await;
    assert!(matches!(elsewhere, Err(MetaError::NotFound("cohort"))));
    let changed = meta
        .change_cohort(shop, buyers.id, &renamed, "bob@example.com", NOW + 5)
        .await
        .unwrap();
    assert_eq!(
        (&*changed.name, &*changed.changed_by),
        ("Customers", "bob@example.com")
    );
    assert_eq!(
        (changed.definition, changed.created_at),
        (buyers.definition, buyers.created_at)
    );

    assert!(matches!(
        meta.delete_cohort(blog, buyers.id).await,
        Err(MetaError::NotFound(_))
    ));
    meta.delete_cohort(shop, buyers.id).await.unwrap();
    assert_eq!(meta.cohort(shop, buyers.id).await.unwrap(), None);
    assert_eq!(meta.cohort_definition(buyers.id).await.unwrap(), None);
}

async fn of_two_workers_one_gets_a_cohort_that_is_due(database: Database) {
    let meta = database.meta().await;
    let (shop, buyers) = buyers(&meta).await;
    let claim = async |now: i64| {
        let claimed = meta
            .claim_cohort(now - 30 * MINUTE, now, now + 5 * MINUTE)
            .await
            .unwrap();
        claimed.map(|due| due.id)
    };
    assert_eq!(claim(NOW).await, Some(buyers.id));
    assert_eq!(claim(NOW).await, None, "somebody has it");
    assert_eq!(
        claim(NOW + 5 * MINUTE).await,
        Some(buyers.id),
        "who fell silent is succeeded"
    );
    meta.cohort_refreshed(buyers.id, NOW + 5 * MINUTE, Err("too slow"))
        .await
        .unwrap();
    let told = meta.cohort(shop, buyers.id).await.unwrap().unwrap();
    assert_eq!(
        (told.problem.as_deref(), told.computed_at),
        (Some("too slow"), None)
    );
    assert_eq!(claim(NOW + 35 * MINUTE).await, None, "not yet");
    assert_eq!(claim(NOW + 36 * MINUTE).await, Some(buyers.id));
    meta.cohort_refreshed(buyers.id, NOW + 36 * MINUTE, Ok(7))
        .await
        .unwrap();
    let told = meta.cohort(shop, buyers.id).await.unwrap().unwrap();
    assert_eq!((told.problem, told.size), (None, 7));
    assert_eq!(told.computed_at.map(|at| at.0), Some(NOW + 36 * MINUTE));
    let number = meta.project(shop).await.unwrap().unwrap().number;
    meta.cohorts_are_due(number, NOW + 36 * MINUTE).await.unwrap();
    assert_eq!(claim(NOW + 37 * MINUTE).await, Some(buyers.id));
    meta.forget_cohorts(number).await.unwrap();
    assert_eq!(meta.cohort(shop, buyers.id).await.unwrap(), None);
}

async fn what_changed_while_members_were_looked_for_is_due_again(database: Database) {
    let meta = database.meta().await;
    let (shop, buyers) = buyers(&meta).await;
    let change = CohortChange {
        definition: Some(json!({"did": {}})),
        ..CohortChange::default()
    };
    meta.change_cohort(shop, buyers.id, &change, "a", NOW + 2)
        .await
        .unwrap();
    meta.cohort_refreshed(buyers.id, NOW + 1, Ok(7)).await.unwrap();
    assert_eq!(
        meta.cohort(shop, buyers.id).await.unwrap().unwrap().refreshed_at,
        None
    );
    assert!(meta.claim_cohort(NOW, NOW + 3, NOW + 9).await.unwrap().is_some());
    meta.cohort_refreshed(buyers.id, NOW + 3, Ok(7)).await.unwrap();
    assert!(meta.claim_cohort(NOW, NOW + 4, NOW + 9).await.unwrap().is_none());
}

async fn whoever_looked_for_members_while_somebody_was_removed_looks_again(database: Database) {
    let meta = database.meta().await;
    let (shop, buyers) = buyers(&meta).await;
    let number = meta.project(shop).await.unwrap().unwrap().number;
    let claim = async |now: i64| meta.claim_cohort(now - 1, now, now + 9).await.unwrap();
    let first = claim(NOW + 1).await.expect("never looked for");
    assert!(!first.after_removal);
    meta.cohorts_are_due(number, NOW + 2).await.unwrap();
    meta.cohort_refreshed(buyers.id, NOW + 1, Ok(7)).await.unwrap();
    let again = claim(NOW + 3).await.expect("what was found may be gone");
    assert!(again.after_removal);
    meta.cohort_refreshed(buyers.id, NOW + 3, Ok(6)).await.unwrap();
    assert_eq!(claim(NOW + 3).await, None);
    let later = claim(NOW + 10).await.expect("it is old");
    assert!(!later.after_removal);
}

async fn a_project_has_so_many_cohorts(database: Database) {
    let meta = database.meta().await;
    let [shop, blog] = projects(&meta).await;
    for n in 0..MAX_COHORTS {
        meta.create_cohort(shop, &rules(&n.to_string()), "a", NOW)
            .await
            .unwrap();
    }
    let one_more = meta.create_cohort(shop, &rules("one more"), "a", NOW).await;
    assert!(matches!(one_more, Err(MetaError::CohortLimit)));
    meta.create_cohort(blog, &rules("elsewhere"), "a", NOW)
        .await
        .unwrap();
}
