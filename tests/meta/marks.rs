//! What people say about names, on SQLite and on PostgreSQL.

use footfall::meta::{MOST_MARKS, Mark, MarkChange, MetaError, Named};

use crate::databases::{Database, NOW};
use crate::repository::registered;

crate::databases::on_both!(
    a_mark_changes_member_by_member_and_goes_when_it_says_nothing,
    a_project_has_so_many_marks_and_no_more,
);

const BY: (&str, i64) = ("ada@example.com", NOW);

async fn a_mark_changes_member_by_member_and_goes_when_it_says_nothing(database: Database) {
    let meta = database.meta().await;
    let project = registered(&meta, "ada@example.com")
        .await
        .project
        .expect("a project")
        .id;
    let other = registered(&meta, "eve@example.com")
        .await
        .project
        .expect("a project")
        .id;
    let buy = (Named::Event, "größe/buy");
    let described = MarkChange {
        description: Some("An order was paid".to_owned()),
        ..MarkChange::default()
    };
    let mark = meta.mark(project, buy, &described, BY).await.unwrap();
    assert_eq!(
        (mark.description.as_str(), mark.hidden, mark.verified),
        ("An order was paid", false, false)
    );
    let verified = MarkChange {
        verified: Some(true),
        ..MarkChange::default()
    };
    let mark = meta.mark(project, buy, &verified, BY).await.unwrap();
    assert_eq!(
        (mark.description.as_str(), mark.hidden, mark.verified),
        ("An order was paid", false, true)
    );
    // The same name of something else, and of somebody else.
    meta.mark(project, (Named::Person, "größe/buy"), &verified, BY)
        .await
        .unwrap();
    let hidden = MarkChange {
        hidden: Some(true),
        ..MarkChange::default()
    };
    meta.mark(other, buy, &hidden, BY).await.unwrap();
    assert_eq!(
        meta.marks(project, Named::Event).await.unwrap(),
        [("größe/buy".to_owned(), mark)]
    );
    assert_eq!(meta.marks(project, Named::Property).await.unwrap(), []);
    assert!(meta.marks(other, Named::Event).await.unwrap()[0].1.hidden);

    let nothing = MarkChange {
        description: Some(String::new()),
        hidden: Some(false),
        verified: Some(false),
    };
    assert_eq!(
        meta.mark(project, buy, &nothing, BY).await.unwrap(),
        Mark::default()
    );
    assert_eq!(meta.marks(project, Named::Event).await.unwrap(), []);
    assert_eq!(meta.marks(project, Named::Person).await.unwrap().len(), 1);
    // They go with the project.
    meta.delete_project(project, "ada@example.com", NOW)
        .await
        .unwrap();
    assert_eq!(meta.marks(project, Named::Person).await.unwrap(), []);
    assert_eq!(meta.marks(other, Named::Event).await.unwrap().len(), 1);
}

async fn a_project_has_so_many_marks_and_no_more(database: Database) {
    let meta = database.meta().await;
    let project = registered(&meta, "ada@example.com")
        .await
        .project
        .expect("a project")
        .id;
    database
        .run(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MOST_MARKS})
             INSERT INTO schema_marks (project_id, kind, name, description, hidden, verified, updated_at, updated_by)
             SELECT '{project}', 'event', 'e' || i, '', 1, 0, 0, 'ada@example.com' FROM n"
        ))
        .await;
    let verified = MarkChange {
        verified: Some(true),
        ..MarkChange::default()
    };
    let refused = meta
        .mark(project, (Named::Event, "one more"), &verified, BY)
        .await;
    assert!(
        matches!(refused, Err(MetaError::MarkLimit(MOST_MARKS))),
        "{refused:?}"
    );
    assert_eq!(
        meta.marks(project, Named::Event).await.unwrap().len() as i64,
        MOST_MARKS
    );
    // One that is there may change.
    assert!(
        meta.mark(project, (Named::Event, "e1"), &verified, BY)
            .await
            .unwrap()
            .verified
    );
}
