//! Who asks, and whether they may.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{AUTHORIZATION, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use uuid::Uuid;

use super::Accounts;
use crate::meta::{KeyInfo, KeyKind, Meta, Project, Role};
use crate::problem::Problem;

/// What a request needs of a project or an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Look at reports, events, settings: every role, and the project's secret keys.
    Read,
    /// Save something for the team: from member on.
    Write,
    /// Manage projects, keys, members: from admin on.
    Admin,
    /// Manage the organization and its owners, erase for good: owners.
    Own,
}

impl Need {
    fn role(self) -> Role {
        match self {
            Need::Read => Role::Viewer,
            Need::Write => Role::Member,
            Need::Admin => Role::Admin,
            Need::Own => Role::Owner,
        }
    }

    /// Refuses a role that does not suffice.
    pub fn check(self, role: Role) -> Result<(), Problem> {
        if role >= self.role() {
            return Ok(());
        }
        Err(Problem::forbidden(format!(
            "this needs the role {}, yours is {}",
            self.role().as_str(),
            role.as_str()
        )))
    }
}

/// Who sent the request: an extractor. A request without valid credentials never reaches the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody who signed in.
    User {
        /// The user's id.
        id: Uuid,
        /// The session that the access token belongs to.
        session: Uuid,
        /// When the access token ends, UTC milliseconds.
        until: i64,
    },
    /// A program with a secret key.
    ApiKey(KeyInfo),
}

impl Caller {
    /// The user, for what only people may do.
    pub fn user(&self) -> Result<Uuid, Problem> {
        match self {
            Caller::User { id, .. } => Ok(*id),
            Caller::ApiKey(_) => Err(Problem::forbidden(
                "an API key reads its project; this needs somebody who signed in",
            )),
        }
    }

    /// The user's address, for what is remembered with who asked for it.
    pub async fn email(&self, meta: &Meta) -> Result<String, Problem> {
        let user = meta.user(self.user()?).await?;
        Ok(user.ok_or_else(|| Problem::not_found("user"))?.email)
    }

    /// The project, if this caller may do with it what is needed. What does not exist, what was deleted and
    /// what belongs to others look the same: 404.
    pub async fn project(&self, meta: &Meta, project: Uuid, need: Need) -> Result<Project, Problem> {
        let found = match self {
            Caller::User { id, .. } => meta.project_for(project, *id).await?,
            Caller::ApiKey(key) if key.project_id == project => meta.project(project).await?,
            Caller::ApiKey(_) => None,
        };
        let project = found.ok_or_else(|| Problem::not_found("project"))?;
        if need != Need::Read {
            self.user()?;
        }
        need.check(project.role)?;
        Ok(project)
    }

    /// The project, for what members and servers may say about its persons, and the name of who says it.
    pub async fn says(&self, accounts: &Accounts, project: Uuid) -> Result<(Project, String), Problem> {
        match self {
            Caller::User { .. } => {
                let project = self.project(&accounts.meta, project, Need::Write).await?;
                Ok((project, self.email(&accounts.meta).await?))
            }
            Caller::ApiKey(key) => {
                let project = self.project(&accounts.meta, project, Need::Read).await?;
                Ok((project, format!("key {}", key.key_id)))
            }
        }
    }

    /// The project, for a question about it: as [`Caller::project`], from memory.
    pub async fn reads(&self, accounts: &Accounts, project: Uuid) -> Result<Project, Problem> {
        let found = match self {
            Caller::User { id, .. } => accounts.authority.project(project, Some(*id)).await?,
            Caller::ApiKey(key) if key.project_id == project => {
                accounts.authority.project(project, None).await?
            }
            Caller::ApiKey(_) => None,
        };
        let project = found.ok_or_else(|| Problem::not_found("project"))?;
        Need::Read.check(project.role)?;
        Ok(project)
    }

    /// The project, for what outlives it: its owners go on to see a deleted one.
    pub async fn project_even_deleted(
        &self,
        meta: &Meta,
        project: Uuid,
        need: Need,
    ) -> Result<Project, Problem> {
        if let Caller::User { id, .. } = self
            && let Some(found) = meta.project_even_deleted(project, *id).await?
            && found.role == Role::Owner
        {
            return Ok(found);
        }
        self.project(meta, project, need).await
    }

    /// The same once more, for an answer that lasts: the credential may have ended since the request came, the
    /// member may have left, the project may be gone.
    pub async fn still_reads(&self, accounts: &Accounts, project: Uuid) -> Result<(), Problem> {
        match self {
            Caller::User { until, .. } if *until <= accounts.clock.now_ms() => {
                return Err(super::token::expired());
            }
            Caller::ApiKey(key) if !accounts.meta.key_is_valid(key.key_id).await? => {
                return Err(revoked_key());
            }
            Caller::User { .. } | Caller::ApiKey(_) => {}
        }
        self.project(&accounts.meta, project, Need::Read).await?;
        Ok(())
    }

    /// The caller's role in an organization, if it suffices. Not a member: 404.
    pub async fn organization(&self, meta: &Meta, organization: Uuid, need: Need) -> Result<Role, Problem> {
        let Caller::User { id, .. } = self else {
            return Err(Problem::not_found("organization"));
        };
        let role = meta
            .role_in(organization, *id)
            .await?
            .ok_or_else(|| Problem::not_found("organization"))?;
        need.check(role)?;
        Ok(role)
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Caller, Problem> {
        let accounts = Accounts::from_ref(state);
        let credential = credential(&parts.headers).ok_or_else(|| {
            Problem::unauthenticated("send an access token or a secret key: Authorization: Bearer …")
        })?;
        if credential.starts_with(KeyKind::Write.prefix()) {
            return Err(Problem::forbidden(
                "a write key sends events and reads nothing: use a secret key (ffs_…)",
            ));
        }
        if !credential.starts_with(KeyKind::Secret.prefix()) {
            let token = accounts.tokens.read(credential, accounts.clock.now_ms())?;
            // A good signature tells nothing about an account that went with a restored backup.
            if !accounts.authority.knows_user(token.user).await? {
                return Err(Problem::unauthenticated("the account is gone"));
            }
            return Ok(Caller::User {
                id: token.user,
                session: token.session,
                until: token.until,
            });
        }
        if parts.headers.contains_key(ORIGIN) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "secret_key_in_browser",
                "this secret key is in a web page, where everybody can read it: revoke it now and use it on servers only",
            ));
        }
        let key = accounts
            .authority
            .find_key(credential)
            .await?
            .ok_or_else(revoked_key)?;
        if let Err(error) = accounts.meta.touch_key(key.key_id, accounts.clock.now_ms()).await {
            // A note for people; the question itself needs no write.
            tracing::warn!(%error, "the use of a key could not be noted");
        }
        Ok(Caller::ApiKey(key))
    }
}

fn revoked_key() -> Problem {
    Problem::unauthenticated("this secret key is not valid: it may have been revoked")
}

/// `Authorization: Bearer …`, or `X-Api-Key`.
fn credential(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, credential) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim());
    }
    headers.get("x-api-key")?.to_str().ok().map(str::trim)
}
