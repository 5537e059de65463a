//! Users and organizations.

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use utoipa::ToSchema;
use uuid::Uuid;

use super::members::{self, Role};
use super::projects::{self, Project};
use super::{Meta, MetaError, Page, Paged, Result, new_id, uuid_at};
use crate::event::Zone;

/// Somebody who signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"id": "019ab2c4-7d1e-7c3a-9f00-5b1f8a6f2d11", "email": "ada@example.com", "name": "Ada"}))]
pub struct User {
    /// The user's id.
    pub id: Uuid,
    /// Lower case; unique in the installation.
    pub email: String,
    /// As shown to others.
    pub name: String,
}

/// What people and projects belong to. A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"id": "019ab2c4-7d1f-7d02-8a4c-cc2d90b1e6aa", "name": "Acme", "role": "owner"}))]
pub struct Organization {
    /// The organization's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What the caller may do in it.
    pub role: Role,
}

/// A new account with its organization, and a first project if named.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Lower case.
    pub email: String,
    /// From [`super::hash_password`].
    pub password_hash: String,
    /// The person's name.
    pub name: String,
    /// Name of the organization to create.
    pub organization: String,
    /// Name of the first project, if one is wanted at once.
    pub project: Option<String>,
    /// Zone of the first project.
    pub zone: Zone,
}

/// What [`Meta::register`] created.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The user, owner of the organization.
    pub user: User,
    /// The organization.
    pub organization: Organization,
    /// The first project, if one was asked for.
    pub project: Option<Project>,
}

/// A user together with what proves it.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// argon2id PHC string.
    pub password_hash: String,
}

impl Meta {
    /// Whether anybody has an account yet. Nobody: the installation waits for its set-up.
    pub async fn has_users(&self) -> Result<bool> {
        let row = sqlx::query("SELECT id FROM users LIMIT 1")
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.is_some())
    }

    /// Creates an account, its organization and maybe a project, all or nothing. Without `open_signup` only
    /// the very first call succeeds, also when two come at once.
    pub async fn register(&self, new: Registration, open_signup: bool, now_ms: i64) -> Result<Registered> {
        let mut tx = self.write().await?;
        // The row is the claim on being first: a second claimant waits for the first one's commit, then loses.
        let claimed = sqlx::query(
            "INSERT INTO counters (name, value) VALUES ('set_up', $1) ON CONFLICT (name) DO NOTHING",
        )
        .bind(now_ms)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if claimed == 0 && !open_signup {
            return Err(MetaError::RegistrationClosed);
        }
        let user = insert_user(&mut tx, &new.email, &new.name, &new.password_hash, now_ms).await?;
        let organization = insert_organization(&mut tx, user.id, &new.organization, now_ms).await?;
        let project = match &new.project {
            Some(name) => Some(projects::insert(&mut tx, organization.id, name, &new.zone, now_ms).await?),
            None => None,
        };
        tx.commit().await?;
        Ok(Registered {
            user,
            organization,
            project,
        })
    }

    /// The account of an address (given in lower case) with its password hash.
    pub async fn credentials(&self, email: &str) -> Result<Option<Credentials>> {
        let row = sqlx::query("SELECT id, email, name, password_hash FROM users WHERE email = $1")
            .bind(email)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_credentials).transpose()
    }

    /// The account of a user with its password hash.
    pub async fn credentials_of(&self, user: Uuid) -> Result<Option<Credentials>> {
        let row = sqlx::query("SELECT id, email, name, password_hash FROM users WHERE id = $1")
            .bind(user.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_credentials).transpose()
    }

    /// A user by id.
    pub async fn user(&self, id: Uuid) -> Result<Option<User>> {
        let row = sqlx::query("SELECT id, email, name FROM users WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_user).transpose()
    }

    /// The organizations that a user is a member of.
    pub async fn organizations_of(&self, user: Uuid, page: Page) -> Result<Paged<Organization>> {
        let rows = sqlx::query(
            "SELECT o.id, o.name, m.role FROM members m JOIN organizations o ON o.id = m.organization_id
             WHERE m.user_id = $1 AND o.id > $2 ORDER BY o.id LIMIT $3",
        )
        .bind(user.to_string())
        .bind(page.after_text())
        .bind(page.fetch())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(Organization {
                id: uuid_at(row, "id")?,
                name: row.try_get("name")?,
                role: members::read_role(row)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(rows, page, |organization| organization.id))
    }

    /// Creates an organization that `user` owns.
    pub async fn create_organization(&self, user: Uuid, name: &str, now_ms: i64) -> Result<Organization> {
        let mut tx = self.write().await?;
        let organization = insert_organization(&mut tx, user, name, now_ms).await?;
        tx.commit().await?;
        Ok(organization)
    }
}

pub(super) async fn insert_user(
    tx: &mut Transaction<'static, Any>,
    email: &str,
    name: &str,
    password_hash: &str,
    now_ms: i64,
) -> Result<User> {
    let id = new_id(now_ms);
    sqlx::query("INSERT INTO users (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.to_string())
        .bind(email)
        .bind(name)
        .bind(password_hash)
        .bind(now_ms)
        .execute(&mut **tx)
        .await
        .map_err(|error| MetaError::or_taken(error, MetaError::EmailTaken))?;
    Ok(User {
        id,
        email: email.to_owned(),
        name: name.to_owned(),
    })
}

async fn insert_organization(
    tx: &mut Transaction<'static, Any>,
    owner: Uuid,
    name: &str,
    now_ms: i64,
) -> Result<Organization> {
    let id = new_id(now_ms);
    sqlx::query("INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3)")
        .bind(id.to_string())
        .bind(name)
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    members::insert(tx, id, owner, Role::Owner, now_ms).await?;
    Ok(Organization {
        id,
        name: name.to_owned(),
        role: Role::Owner,
    })
}

fn read_user(row: &AnyRow) -> Result<User> {
    Ok(User {
        id: uuid_at(row, "id")?,
        email: row.try_get("email")?,
        name: row.try_get("name")?,
    })
}

fn read_credentials(row: &AnyRow) -> Result<Credentials> {
    Ok(Credentials {
        user: read_user(row)?,
        password_hash: row.try_get("password_hash")?,
    })
}
