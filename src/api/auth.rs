//! Sign-in: register, login, refresh, logout.
//!
//! An access token (15 minutes) proves who somebody is; a refresh token (30 days unused) gets the next one and
//! is replaced each time. Browsers keep the refresh token in a cookie that no script can read.

use axum::Json;
use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::AppendHeaders;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiJson, WithBody};
use super::fields::Fields;
use super::throttle::{Peer, too_many_attempts};
use super::token::ACCESS_TOKEN_LIFE_S;
use super::{Accounts, Answered};
use crate::meta::{
    OpenSession, REFRESH_TOKEN_LIFE_MS, Registration, Rotation, User, hash_password, verify_password,
};
use crate::problem::Problem;

const COOKIE_NAME: &str = "ff_refresh";

/// What a sign-in page must know first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AuthStatus {
    /// Nobody has an account yet: the first registration sets the installation up.
    pub needs_setup: bool,
    /// Anybody may register.
    pub open_signup: bool,
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com", "password": "correct horse battery", "name": "Ada",
    "organization": "Acme", "project": "Web shop", "timezone": "Europe/Berlin"}))]
pub struct RegisterRequest {
    /// Unique in the installation; upper and lower case are the same.
    pub email: String,
    /// 10 to 200 characters.
    #[schema(min_length = 10, max_length = 200)]
    pub password: String,
    /// The person's name.
    #[schema(max_length = 100)]
    pub name: String,
    /// Name of the organization to create.
    #[schema(max_length = 100)]
    pub organization: String,
    /// Name of a first project to create at once.
    #[schema(max_length = 100)]
    pub project: Option<String>,
    /// Zone of the first project, an IANA name; UTC if not given.
    pub timezone: Option<String>,
    /// True: the refresh token comes as a cookie, not in the body.
    #[serde(default)]
    pub cookie: bool,
}

/// Who wants in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com", "password": "correct horse battery"}))]
pub struct LoginRequest {
    /// The account's address.
    pub email: String,
    /// Its password.
    pub password: String,
    /// True: the refresh token comes as the cookie `ff_refresh` (HttpOnly, SameSite=Lax), not in the body.
    #[serde(default)]
    pub cookie: bool,
}

/// A refresh token, unless it is in the cookie.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "3f6c1b0d9e8a7766554433221100ffeeddccbbaa99887766554433221100ffee"}))]
pub struct RefreshRequest {
    /// From the last login or refresh. Not given: the cookie is used.
    pub refresh_token: Option<String>,
}

/// Somebody is signed in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"access_token": "eyJhbGciOiJIUzI1NiJ9.…", "token_type": "Bearer", "expires_in": 900,
    "refresh_token": "3f6c1b0d9e8a7766554433221100ffeeddccbbaa99887766554433221100ffee",
    "user": {"id": "019ab2c4-7d1e-7c3a-9f00-5b1f8a6f2d11", "email": "ada@example.com", "name": "Ada"}}))]
pub struct Session {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u32,
    /// Exchange it at `/v1/auth/refresh`, once. Absent when it travels in the cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Who is signed in.
    pub user: User,
}

type CookieHeader = AppendHeaders<Option<(HeaderName, HeaderValue)>>;
type SignedInAnswer = Answered<(StatusCode, CookieHeader, Json<Session>)>;

/// Tells whether the installation waits for its set-up.
#[utoipa::path(get, path = "/v1/auth/status", operation_id = "get_auth_status", tag = "auth", security(()),
    responses((status = 200, description = "What a sign-in page must know", body = AuthStatus,
        example = json!({"needs_setup": true, "open_signup": false}))))]
pub async fn status(State(accounts): State<Accounts>) -> Answered<Json<AuthStatus>> {
    Ok(Json(AuthStatus {
        needs_setup: !accounts.meta.has_users().await?,
        open_signup: accounts.open_signup,
    }))
}

/// Creates an account with its organization, and a project if named. Only the first account of an installation
/// may register, unless sign-up is open; others are added by an administrator.
#[utoipa::path(post, path = "/v1/auth/register", operation_id = "register", tag = "auth", security(()),
    request_body = RegisterRequest,
    responses((status = 201, description = "Registered and signed in", body = Session),
        (status = 403, description = "`registration_closed`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`email_taken`", body = Problem, content_type = "application/problem+json"),
        WithBody))]
pub async fn register(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    ApiJson(new): ApiJson<RegisterRequest>,
) -> SignedInAnswer {
    let mut fields = Fields::default();
    let email = fields.email("/email", &new.email);
    fields.password("/password", &new.password);
    let name = fields.name("/name", &new.name);
    let organization = fields.name("/organization", &new.organization);
    let project = new.project.as_deref().map(|name| fields.name("/project", name));
    let zone = fields.zone("/timezone", new.timezone.as_deref());
    fields.finish()?;
    // Asked before hashing, so that a closed door costs nothing. The transaction decides.
    if !accounts.open_signup && accounts.meta.has_users().await? {
        return Err(crate::meta::MetaError::RegistrationClosed.into());
    }
    let registration = Registration {
        email,
        password_hash: hash_password(new.password).await?,
        name,
        organization,
        project,
        zone,
    };
    let now_ms = accounts.clock.now_ms();
    let registered = accounts
        .meta
        .register(registration, accounts.open_signup, now_ms)
        .await?;
    let session = accounts.meta.begin_session(registered.user.id, now_ms).await?;
    let delivery = Delivery::new(new.cookie, &headers);
    signed_in(&accounts, StatusCode::CREATED, registered.user, session, delivery)
}

/// Signs in. Ten failures for one account from one IP address within 15 minutes, or a hundred from everywhere: 429.
#[utoipa::path(post, path = "/v1/auth/login", operation_id = "login", tag = "auth", security(()),
    request_body = LoginRequest,
    responses((status = 200, description = "Signed in", body = Session),
        (status = 401, description = "`wrong_credentials`: address or password; it is not said which",
            body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_attempts`, with `Retry-After`", body = Problem,
            content_type = "application/problem+json"),
        WithBody))]
pub async fn login(
    State(accounts): State<Accounts>,
    peer: Peer,
    headers: HeaderMap,
    ApiJson(login): ApiJson<LoginRequest>,
) -> SignedInAnswer {
    let wrong = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong_credentials",
            "wrong email address or password",
        )
    };
    let now_ms = accounts.clock.now_ms();
    let email = login.email.trim().to_lowercase();
    if email.len() > 254 || login.password.chars().count() > 200 {
        return Err(wrong());
    }
    accounts
        .throttle
        .attempt(&email, peer, now_ms)
        .map_err(too_many_attempts)?;
    let known = accounts.meta.credentials(&email).await?;
    let hash = known.as_ref().map(|known| known.password_hash.clone());
    let matches = verify_password(login.password, hash).await?;
    let user = known.filter(|_| matches).ok_or_else(wrong)?.user;
    accounts.throttle.forget(&email, peer);
    let session = accounts.meta.begin_session(user.id, now_ms).await?;
    let delivery = Delivery::new(login.cookie, &headers);
    signed_in(&accounts, StatusCode::OK, user, session, delivery)
}

/// Exchanges a refresh token (from the body, else from the cookie) for a new pair; the new refresh token comes
/// the way the old one did. A token that was used before ends the whole session: somebody has a copy. Only the
/// last one may come again within ten seconds (two tabs, a lost answer) and gets another new one.
#[utoipa::path(post, path = "/v1/auth/refresh", operation_id = "refresh", tag = "auth", security(()),
    request_body(content = RefreshRequest, description = "Empty when the token is in the cookie"),
    responses((status = 200, description = "The next pair of tokens", body = Session),
        (status = 401, description = "`invalid_refresh_token`, or `refresh_token_reused`: the session is ended",
            body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site_request`: the cookie came from another site's page",
            body = Problem, content_type = "application/problem+json"),
        WithBody))]
pub async fn refresh(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    body: OptionalRefresh,
) -> SignedInAnswer {
    let (token, delivery) = presented(body.0, &headers)?.ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "invalid_refresh_token",
            "no refresh token, neither in the body nor as a cookie",
        )
    })?;
    let now_ms = accounts.clock.now_ms();
    let refused = |code, detail| Err(Problem::new(StatusCode::UNAUTHORIZED, code, detail));
    let session = match accounts.meta.rotate_session(&token, now_ms).await? {
        Rotation::Rotated(session) => session,
        Rotation::Reused => {
            return refused(
                "refresh_token_reused",
                "this refresh token was used before: the session is ended, sign in again",
            );
        }
        Rotation::Invalid => {
            return refused(
                "invalid_refresh_token",
                "this refresh token is unknown, expired or revoked: sign in again",
            );
        }
    };
    let user = accounts
        .meta
        .user(session.user)
        .await?
        .ok_or_else(|| Problem::unauthenticated("the account is gone"))?;
    signed_in(&accounts, StatusCode::OK, user, session, delivery)
}

/// Ends the session of a refresh token (from the body, else from the cookie). Access tokens run out by
/// themselves within 15 minutes.
#[utoipa::path(post, path = "/v1/auth/logout", operation_id = "logout", tag = "auth", security(()),
    request_body(content = RefreshRequest, description = "Empty when the token is in the cookie"),
    responses((status = 204, description = "Signed out; also when the token was not valid any more"),
        (status = 403, description = "`cross_site_request`: the cookie came from another site's page",
            body = Problem, content_type = "application/problem+json"),
        WithBody))]
pub async fn logout(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    body: OptionalRefresh,
) -> Answered<(StatusCode, CookieHeader)> {
    let mut cookie = None;
    if let Some((token, delivery)) = presented(body.0, &headers)? {
        accounts.meta.end_session(&token, accounts.clock.now_ms()).await?;
        if let Delivery::Cookie { secure } = delivery {
            cookie = Some(set_cookie("", 0, secure)?);
        }
    }
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookie)))
}

/// How the refresh token travels.
#[derive(Clone, Copy)]
enum Delivery {
    Body,
    Cookie { secure: bool },
}

impl Delivery {
    fn new(cookie: bool, headers: &HeaderMap) -> Delivery {
        if !cookie {
            return Delivery::Body;
        }
        // We speak plain HTTP; TLS ends at a proxy, which says so. Without TLS a browser would drop the cookie.
        let secure = headers
            .get("x-forwarded-proto")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(',').next())
            .is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"));
        Delivery::Cookie { secure }
    }
}

fn signed_in(
    accounts: &Accounts,
    status: StatusCode,
    user: User,
    session: OpenSession,
    delivery: Delivery,
) -> SignedInAnswer {
    let OpenSession {
        family,
        refresh_token,
        ..
    } = session;
    let (cookie, in_body) = match delivery {
        Delivery::Body => (None, Some(refresh_token)),
        Delivery::Cookie { secure } => {
            let cookie = set_cookie(&refresh_token, REFRESH_TOKEN_LIFE_MS / 1000, secure)?;
            (Some(cookie), None)
        }
    };
    let session = Session {
        access_token: accounts.tokens.issue(user.id, family, accounts.clock.now_ms())?,
        token_type: "Bearer".to_owned(),
        expires_in: ACCESS_TOKEN_LIFE_S,
        refresh_token: in_body,
        user,
    };
    Ok((status, AppendHeaders(cookie), Json(session)))
}

fn set_cookie(token: &str, max_age_s: i64, secure: bool) -> Result<(HeaderName, HeaderValue), Problem> {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{COOKIE_NAME}={token}; Path=/v1/auth; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
    let value = HeaderValue::try_from(text).map_err(Problem::internal)?;
    Ok((SET_COOKIE, value))
}

/// The refresh token of a request and the way it came.
fn presented(body: RefreshRequest, headers: &HeaderMap) -> Result<Option<(String, Delivery)>, Problem> {
    if let Some(token) = body.refresh_token {
        return Ok(Some((token, Delivery::Body)));
    }
    let cookie = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, token)| *name == COOKIE_NAME && !token.is_empty());
    let Some((_, token)) = cookie else {
        return Ok(None);
    };
    // SameSite keeps other sites out; this keeps out other origins of the same site.
    let site = headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "cross_site_request",
            "the cookie works from this server's own pages only",
        ));
    }
    Ok(Some((token.to_owned(), Delivery::new(true, headers))))
}

/// The body of refresh and logout: nothing at all is an empty request.
pub struct OptionalRefresh(RefreshRequest);

impl<S: Send + Sync> axum::extract::FromRequest<S> for OptionalRefresh {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Problem> {
        let declared = request.headers().get(axum::http::header::CONTENT_TYPE).is_some();
        let length = request.headers().get(axum::http::header::CONTENT_LENGTH);
        if length.is_some_and(|length| length == "0") || (length.is_none() && !declared) {
            return Ok(OptionalRefresh(RefreshRequest::default()));
        }
        let ApiJson(body) = ApiJson::from_request(request, state).await?;
        Ok(OptionalRefresh(body))
    }
}
