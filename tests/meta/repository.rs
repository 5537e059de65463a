//! Every rule of the control database, on SQLite and on PostgreSQL.

use footfall::event::Zone;
use footfall::meta::{Meta, MetaError, NewMember, Page, ProjectChange, Registered, Registration, Role};
use sqlx::{AnyConnection, Connection};
use uuid::Uuid;

use crate::databases::{Database, NOW};

crate::databases::on_both!(
    processes_that_start_together_migrate_once,
    an_edited_migration_and_a_newer_database_are_refused,
    of_two_first_registrations_one_wins,
    an_address_has_one_account,
    a_member_is_added_once_and_an_unknown_address_needs_a_password,
    the_last_owner_stays,
    of_two_owners_who_demote_each_other_one_stays,
    a_deleted_projects_number_is_never_given_again,
    a_zone_change_is_pending_until_its_own_rebuild_is_queued,
    pages_show_every_row_once,
);

pub async fn registered(meta: &Meta, email: &str) -> Registered {
    let registration = Registration {
        email: email.to_owned(),
        password_hash: "$argon2id$not-looked-at-here".to_owned(),
        name: "Ada".to_owned(),
        organization: "Acme".to_owned(),
        project: Some("Web shop".to_owned()),
        zone: Zone::parse("Europe/Berlin").unwrap(),
    };
    meta.register(registration, true, NOW).await.unwrap()
}

fn member(email: &str, role: Role) -> NewMember {
    NewMember {
        email: email.to_owned(),
        role,
        name: "Grace".to_owned(),
        password_hash: Some("hash".to_owned()),
    }
}

async fn processes_that_start_together_migrate_once(database: Database) {
    let (one, two) = (
        Meta::connect(&database.url).await.unwrap(),
        Meta::connect(&database.url).await.unwrap(),
    );
    let (first, second) = tokio::join!(one.migrate(NOW), two.migrate(NOW));
    let mut applied = [first.unwrap(), second.unwrap()];
    applied.sort_by_key(Vec::len);
    assert!(applied[0].is_empty(), "{applied:?}");
    assert_eq!(applied[1][0].name, "0001_accounts");
    assert!(one.migrate(NOW).await.unwrap().is_empty());
    one.ping().await.unwrap();
}

async fn an_edited_migration_and_a_newer_database_are_refused(database: Database) {
    let meta = database.meta().await;
    let mut connection = AnyConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("INSERT INTO migrations (name, checksum, applied_at) VALUES ('9999_future', 'x', 1)")
        .execute(&mut connection)
        .await
        .unwrap();
    let refusal = meta.migrate(NOW).await.unwrap_err().to_string();
    assert!(refusal.contains("9999_future"), "{refusal}");
    sqlx::raw_sql(
        "DELETE FROM migrations WHERE name = '9999_future';
         UPDATE migrations SET checksum = 'x' WHERE name = '0002_projects'",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let refusal = meta.migrate(NOW).await.unwrap_err().to_string();
    assert!(refusal.contains("migrations/meta/0002_projects.sql"), "{refusal}");
}

async fn of_two_first_registrations_one_wins(database: Database) {
    let meta = database.meta().await;
    assert!(!meta.has_users().await.unwrap());
    let registration = |email: &str| Registration {
        email: email.to_owned(),
        password_hash: "hash".to_owned(),
        name: "Ada".to_owned(),
        organization: "Acme".to_owned(),
        project: None,
        zone: Zone::utc(),
    };
    let outcomes = tokio::join!(
        meta.register(registration("a@example.com"), false, NOW),
        meta.register(registration("b@example.com"), false, NOW),
    );
    let outcomes = [outcomes.0, outcomes.1];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(
        outcomes
            .iter()
            .any(|outcome| matches!(outcome, Err(MetaError::RegistrationClosed)))
    );
    assert!(meta.has_users().await.unwrap());
}

async fn an_address_has_one_account(database: Database) {
    let meta = database.meta().await;
    let ada = registered(&meta, "ada@example.com").await;
    let known = meta.credentials("ada@example.com").await.unwrap().unwrap();
    assert_eq!(known.user, ada.user);
    assert!(meta.credentials("b@example.com").await.unwrap().is_none());
    let again = Registration {
        email: "ada@example.com".to_owned(),
        password_hash: "hash".to_owned(),
        name: "Eve".to_owned(),
        organization: "Half stored".to_owned(),
        project: None,
        zone: Zone::utc(),
    };
    assert!(matches!(
        meta.register(again, true, NOW).await,
        Err(MetaError::EmailTaken)
    ));
    let organizations = meta.organizations_of(ada.user.id, Page::first(9)).await.unwrap();
    assert_eq!(organizations.rows, [ada.organization], "nothing is half stored");
}

async fn a_member_is_added_once_and_an_unknown_address_needs_a_password(database: Database) {
    let meta = database.meta().await;
    let acme = registered(&meta, "ada@example.com").await.organization.id;
    let new = member("grace@example.com", Role::Viewer);
    let without = NewMember {
        password_hash: None,
        ..new.clone()
    };
    assert!(matches!(
        meta.add_member(acme, without, NOW).await,
        Err(MetaError::PasswordNeeded)
    ));
    let grace = meta.add_member(acme, new.clone(), NOW).await.unwrap();
    assert!(grace.account_created);
    assert_eq!(
        meta.role_in(acme, grace.member.user_id).await.unwrap(),
        Some(Role::Viewer)
    );
    assert!(matches!(
        meta.add_member(acme, new.clone(), NOW).await,
        Err(MetaError::AlreadyMember)
    ));
    let other = registered(&meta, "eve@example.com").await.organization.id;
    let linked = meta.add_member(other, new, NOW).await.unwrap();
    assert!(!linked.account_created, "the account exists: it is linked");
    assert_eq!(linked.member.user_id, grace.member.user_id);
}

async fn the_last_owner_stays(database: Database) {
    let meta = database.meta().await;
    let ada = registered(&meta, "ada@example.com").await;
    let (acme, ada) = (ada.organization.id, ada.user.id);
    assert!(matches!(
        meta.change_role(acme, ada, Role::Admin).await,
        Err(MetaError::LastOwner)
    ));
    assert!(matches!(
        meta.remove_member(acme, ada).await,
        Err(MetaError::LastOwner)
    ));
    let grace = meta
        .add_member(acme, member("grace@example.com", Role::Owner), NOW)
        .await
        .unwrap()
        .member;
    assert_eq!(
        meta.change_role(acme, ada, Role::Viewer).await.unwrap().role,
        Role::Viewer
    );
    meta.remove_member(acme, ada).await.unwrap();
    assert_eq!(meta.role_in(acme, ada).await.unwrap(), None);
    assert_eq!(meta.members(acme, Page::first(9)).await.unwrap().rows, [grace]);
    assert!(matches!(
        meta.remove_member(acme, Uuid::nil()).await,
        Err(MetaError::NotFound("member"))
    ));
}

async fn of_two_owners_who_demote_each_other_one_stays(database: Database) {
    let meta = database.meta().await;
    // Several times: on the first one the second connection may open too late to be in time for the race.
    for n in 0..20 {
        let ada = registered(&meta, &format!("ada{n}@example.com")).await;
        let (acme, ada) = (ada.organization.id, ada.user.id);
        let grace = member(&format!("grace{n}@example.com"), Role::Owner);
        let grace = meta.add_member(acme, grace, NOW).await.unwrap();
        let (one, two) = tokio::join!(
            meta.change_role(acme, ada, Role::Member),
            meta.remove_member(acme, grace.member.user_id),
        );
        assert_ne!(one.is_ok(), two.is_ok(), "{one:?} {two:?}");
    }
}

async fn a_deleted_projects_number_is_never_given_again(database: Database) {
    let meta = database.meta().await;
    let ada = registered(&meta, "ada@example.com").await;
    let first = ada.project.unwrap();
    assert_eq!(first.number.0, 1);
    meta.delete_project(first.id, "ada@example.com", NOW)
        .await
        .unwrap();
    assert!(meta.project(first.id).await.unwrap().is_none());
    assert!(meta.project_for(first.id, ada.user.id).await.unwrap().is_none());
    assert!(meta.project_zones().await.unwrap().is_empty());
    assert!(matches!(
        meta.delete_project(first.id, "ada@example.com", NOW).await,
        Err(MetaError::NotFound("project"))
    ));
    let second = meta
        .create_project(ada.organization.id, "Blog", &Zone::utc(), NOW)
        .await
        .unwrap();
    assert_eq!(second.number.0, 2);
    let seen = meta.project_for(second.id, ada.user.id).await.unwrap().unwrap();
    assert_eq!(seen, second, "what was answered at creation is what is stored");
}

async fn a_zone_change_is_pending_until_its_own_rebuild_is_queued(database: Database) {
    let meta = database.meta().await;
    let ada = registered(&meta, "ada@example.com").await;
    let (project, user) = (ada.project.unwrap(), ada.user.id);
    let to = |zone: &str| ProjectChange {
        zone: Some(Zone::parse(zone).unwrap()),
        ..ProjectChange::default()
    };
    let same = meta
        .update_project(project.id, user, to("Europe/Berlin"), NOW)
        .await
        .unwrap();
    assert_eq!(same.zone_change, None, "the same zone is no change");
    let version = meta.version().await.unwrap();
    let paris = meta
        .update_project(project.id, user, to("Europe/Paris"), NOW + 1)
        .await
        .unwrap();
    assert_eq!(paris.project.timezone, "Europe/Paris");
    let tokyo = meta
        .update_project(project.id, user, to("Asia/Tokyo"), NOW + 2)
        .await
        .unwrap();
    assert_eq!(
        meta.version().await.unwrap(),
        version + 2,
        "capture learns about it"
    );
    meta.zone_rebuild_queued(&paris.zone_change.unwrap())
        .await
        .unwrap();
    let tokyo = tokyo.zone_change.unwrap();
    assert_eq!(
        meta.pending_zone_changes().await.unwrap(),
        std::slice::from_ref(&tokyo)
    );
    meta.zone_rebuild_queued(&tokyo).await.unwrap();
    assert!(meta.pending_zone_changes().await.unwrap().is_empty());
    assert_eq!(
        meta.project_zones().await.unwrap(),
        [(project.number, tokyo.zone)]
    );
    let renamed = ProjectChange {
        name: Some("Shop".to_owned()),
        ..ProjectChange::default()
    };
    let renamed = meta.update_project(project.id, user, renamed, NOW).await.unwrap();
    assert_eq!(
        (renamed.project.name.as_str(), renamed.zone_change),
        ("Shop", None)
    );
    assert!(matches!(
        meta.update_project(project.id, Uuid::nil(), to("UTC"), NOW).await,
        Err(MetaError::NotFound("project"))
    ));
}

async fn pages_show_every_row_once(database: Database) {
    let meta = database.meta().await;
    let ada = registered(&meta, "ada@example.com").await;
    for n in 0..4 {
        meta.create_project(
            ada.organization.id,
            &format!("Project {n}"),
            &Zone::utc(),
            NOW + n,
        )
        .await
        .unwrap();
    }
    let (mut page, mut names) = (Page::first(2), Vec::new());
    loop {
        let part = meta.projects_of(ada.user.id, page).await.unwrap();
        assert!(part.rows.len() <= 2);
        names.extend(part.rows.into_iter().map(|project| project.name));
        match part.next {
            Some(id) => page.after = Some(id),
            None => break,
        }
    }
    names.sort();
    assert_eq!(
        names,
        ["Project 0", "Project 1", "Project 2", "Project 3", "Web shop"]
    );
}
