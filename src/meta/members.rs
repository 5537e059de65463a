//! Who belongs to an organization, and what each may do there.

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::{User, insert_user};
use super::{Meta, MetaError, Moment, Page, Paged, Result, raise_version, uuid_at};

/// What a member may do. Each role may do everything that the weaker ones may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works: reads, and saves what it found.
    Member,
    /// Manages projects, keys and members.
    Admin,
    /// Manages the organization and its owners.
    Owner,
}

impl Role {
    /// As stored and as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Member => "member",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }
}

/// A user's place in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"user_id": "019ab2c4-7d1e-7c3a-9f00-5b1f8a6f2d11", "email": "grace@example.com",
    "name": "Grace", "role": "viewer", "created_at": "2026-11-23T10:15:00Z"}))]
pub struct Member {
    /// The user's id.
    pub user_id: Uuid,
    /// The user's address.
    pub email: String,
    /// The user's name.
    pub name: String,
    /// What the user may do here.
    pub role: Role,
    /// When the user became a member.
    pub created_at: Moment,
}

/// Somebody to add to an organization.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// Lower case.
    pub email: String,
    /// What the user may do.
    pub role: Role,
    /// Name of the account, if one must be created.
    pub name: String,
    /// Hash of the password of the account, if one must be created.
    pub password_hash: Option<String>,
}

/// A member that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddedMember {
    /// The member.
    #[serde(flatten)]
    pub member: Member,
    /// Whether an account was created with the password given. False: the account existed, its password and
    /// name stay as they were.
    pub account_created: bool,
}

impl Meta {
    /// The role of a user in an organization; `None`: not a member, or no such organization.
    pub async fn role_in(&self, organization: Uuid, user: Uuid) -> Result<Option<Role>> {
        let row = sqlx::query("SELECT role FROM members WHERE organization_id = $1 AND user_id = $2")
            .bind(organization.to_string())
            .bind(user.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_role).transpose()
    }

    /// The members of an organization.
    pub async fn members(&self, organization: Uuid, page: Page) -> Result<Paged<Member>> {
        let rows = sqlx::query(
            "SELECT m.user_id, u.email, u.name, m.role, m.created_at FROM members m JOIN users u ON u.id = m.user_id
             WHERE m.organization_id = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3",
        )
        .bind(organization.to_string())
        .bind(page.after_text())
        .bind(page.fetch())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(read_member)
        .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(rows, page, |member| member.user_id))
    }

    /// Adds the account of an address, created first if there is none and a password is given.
    pub async fn add_member(&self, organization: Uuid, new: NewMember, now_ms: i64) -> Result<AddedMember> {
        let mut tx = self.write().await?;
        let known = sqlx::query("SELECT id, email, name FROM users WHERE email = $1")
            .bind(&new.email)
            .fetch_optional(&mut *tx)
            .await?;
        let (user, account_created) = match (known, &new.password_hash) {
            (Some(row), _) => {
                let user = User {
                    id: uuid_at(&row, "id")?,
                    email: row.try_get("email")?,
                    name: row.try_get("name")?,
                };
                (user, false)
            }
            (None, Some(hash)) => (
                insert_user(&mut tx, &new.email, &new.name, hash, now_ms).await?,
                true,
            ),
            (None, None) => return Err(MetaError::PasswordNeeded),
        };
        insert(&mut tx, organization, user.id, new.role, now_ms).await?;
        tx.commit().await?;
        Ok(AddedMember {
            member: Member {
                user_id: user.id,
                email: user.email,
                name: user.name,
                role: new.role,
                created_at: Moment(now_ms),
            },
            account_created,
        })
    }

    /// Gives a member another role. The last owner stays owner.
    pub async fn change_role(&self, organization: Uuid, user: Uuid, role: Role) -> Result<Member> {
        let mut tx = self.write().await?;
        let before = locked_member(&mut tx, organization, user).await?;
        if before.role == Role::Owner && role != Role::Owner {
            refuse_last_owner(&mut tx, organization).await?;
        }
        sqlx::query("UPDATE members SET role = $3 WHERE organization_id = $1 AND user_id = $2")
            .bind(organization.to_string())
            .bind(user.to_string())
            .bind(role.as_str())
            .execute(&mut *tx)
            .await?;
        raise_version(&mut tx).await?;
        tx.commit().await?;
        Ok(Member { role, ..before })
    }

    /// Ends a membership; the account stays. The last owner stays.
    pub async fn remove_member(&self, organization: Uuid, user: Uuid) -> Result<()> {
        let mut tx = self.write().await?;
        let before = locked_member(&mut tx, organization, user).await?;
        if before.role == Role::Owner {
            refuse_last_owner(&mut tx, organization).await?;
        }
        sqlx::query("DELETE FROM members WHERE organization_id = $1 AND user_id = $2")
            .bind(organization.to_string())
            .bind(user.to_string())
            .execute(&mut *tx)
            .await?;
        raise_version(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

pub(super) async fn insert(
    tx: &mut Transaction<'static, Any>,
    organization: Uuid,
    user: Uuid,
    role: Role,
    now_ms: i64,
) -> Result<()> {
    sqlx::query("INSERT INTO members (organization_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)")
        .bind(organization.to_string())
        .bind(user.to_string())
        .bind(role.as_str())
        .bind(now_ms)
        .execute(&mut **tx)
        .await
        .map_err(|error| MetaError::or_taken(error, MetaError::AlreadyMember))?;
    Ok(())
}

pub(super) fn read_role(row: &AnyRow) -> Result<Role> {
    let text: String = row.try_get("role")?;
    [Role::Viewer, Role::Member, Role::Admin, Role::Owner]
        .into_iter()
        .find(|role| role.as_str() == text)
        .ok_or_else(|| MetaError::Stored(format!("role: {text}")))
}

/// Reads a member and holds the organization's row, so that two owners who demote each other at the same
/// moment go one after the other (a portable `SELECT … FOR UPDATE`).
async fn locked_member(tx: &mut Transaction<'static, Any>, organization: Uuid, user: Uuid) -> Result<Member> {
    sqlx::query("UPDATE organizations SET name = name WHERE id = $1")
        .bind(organization.to_string())
        .execute(&mut **tx)
        .await?;
    let row = sqlx::query(
        "SELECT m.user_id, u.email, u.name, m.role, m.created_at FROM members m JOIN users u ON u.id = m.user_id
         WHERE m.organization_id = $1 AND m.user_id = $2",
    )
    .bind(organization.to_string())
    .bind(user.to_string())
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(MetaError::NotFound("member"))?;
    read_member(&row)
}

async fn refuse_last_owner(tx: &mut Transaction<'static, Any>, organization: Uuid) -> Result<()> {
    let owners =
        sqlx::query("SELECT user_id FROM members WHERE organization_id = $1 AND role = 'owner' LIMIT 2")
            .bind(organization.to_string())
            .fetch_all(&mut **tx)
            .await?;
    if owners.len() < 2 {
        return Err(MetaError::LastOwner);
    }
    Ok(())
}

fn read_member(row: &AnyRow) -> Result<Member> {
    Ok(Member {
        user_id: uuid_at(row, "user_id")?,
        email: row.try_get("email")?,
        name: row.try_get("name")?,
        role: read_role(row)?,
        created_at: Moment(row.try_get("created_at")?),
    })
}
