//! The role that answers questions: accounts and projects here, questions about events beside them.
//!
//! [`routes()`] is the table of contents: every route of the API stands there once, together with its
//! description, so that the served routes and the OpenAPI document cannot drift apart.

pub mod accounts;
pub mod assets;
pub mod audit;
pub mod auth;
pub mod authority;
pub mod caller;
pub mod cohorts;
pub mod erasures;
pub mod error;
pub mod events;
pub mod export;
mod fields;
pub mod keys;
pub mod ledger;
pub mod letters;
pub mod live;
pub mod members;
pub mod merges;
pub mod openapi;
mod problems;
pub mod projects;
pub mod questions;
pub mod saved;
pub mod schema;
mod throttle;
pub mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::routing::any;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::meta::{Meta, ZoneChange};
use crate::problem::Problem;

pub use authority::Authority;
pub use caller::{Caller, Need};
pub use openapi::document;
pub use questions::Questions;
pub use token::AccessTokens;

/// Called after a project's zone changed: queues the rebuild of its days. An error leaves the change pending
/// in [`Meta::pending_zone_changes`], where the next start finds it.
pub type ZoneHook = Arc<dyn Fn(ZoneChange) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What the routes of accounts, projects and keys need, and what a [`Caller`] is recognized with.
#[derive(Clone)]
pub struct Accounts {
    /// The control database.
    pub meta: Meta,
    /// Who may ask, from memory.
    pub authority: Authority,
    /// Tells the time.
    pub clock: Clock,
    /// Issues and reads access tokens.
    pub tokens: AccessTokens,
    /// Counts failed logins; one per process.
    pub throttle: throttle::LoginThrottle,
    /// Whether anybody may register, not only the first.
    pub open_signup: bool,
    /// Told about zone changes.
    pub on_zone_change: ZoneHook,
}

impl Accounts {
    /// Accounts of an installation whose access tokens are signed with `secret` (32 random bytes or more).
    pub fn new(
        meta: Meta,
        clock: Clock,
        secret: &[u8],
        open_signup: bool,
        on_zone_change: ZoneHook,
    ) -> Accounts {
        Accounts {
            authority: Authority::new(meta.clone()),
            meta,
            clock,
            tokens: AccessTokens::new(secret),
            throttle: throttle::LoginThrottle::default(),
            open_signup,
            on_zone_change,
        }
    }
}

/// Everything that the routes need. Handlers take the part they use (`State<Accounts>`).
#[derive(Clone, FromRef)]
pub struct ApiState {
    /// Accounts, projects, keys.
    pub accounts: Accounts,
    /// Facts and freshness.
    pub questions: Questions,
    /// Ends the live streams when the process stops.
    pub stop: CancellationToken,
}

/// The route table.
pub fn routes() -> OpenApiRouter<ApiState> {
    account_routes().merge(question_routes())
}

/// Questions about events.
fn question_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(questions::ask))
        .routes(routes!(questions::diff::diff))
        .routes(routes!(questions::active::get_active_users))
        .routes(routes!(questions::trends::get_trends))
        .routes(routes!(questions::funnels::get_funnel))
        .routes(routes!(questions::conversion::get_conversion))
        .routes(routes!(questions::retention::get_retention))
        .routes(routes!(questions::lifecycle::get_lifecycle))
        .routes(routes!(questions::lifecycle::get_stickiness))
        .routes(routes!(questions::paths::get_paths))
        .routes(routes!(questions::visits::get_web))
        .routes(routes!(cohorts::list_cohorts, cohorts::create_cohort))
        .routes(routes!(cohorts::preview_cohort))
        .routes(routes!(
            cohorts::get_cohort,
            cohorts::update_cohort,
            cohorts::delete_cohort
        ))
        .routes(routes!(cohorts::refresh_cohort))
        .routes(routes!(
            cohorts::members::list_cohort_members,
            cohorts::members::upload_cohort_members
        ))
        .routes(routes!(cohorts::members::explain_cohort_member))
        .routes(routes!(events::event_names))
        .routes(routes!(events::list_events))
        .routes(routes!(schema::events::schema_events))
        .routes(routes!(schema::events::schema_event, schema::marks::mark_event))
        .routes(routes!(schema::properties::schema_properties))
        .routes(routes!(schema::marks::mark_property))
        .routes(routes!(schema::values::schema_values))
        .routes(routes!(export::export_events))
        .routes(routes!(live::live))
        .routes(routes!(audit::audit_project))
        .routes(routes!(ledger::get_ledger))
        .routes(routes!(ledger::get_rejections))
        .routes(routes!(letters::list_letters))
        .routes(routes!(letters::replay_all_letters))
        .routes(routes!(letters::get_letter, letters::discard_letter))
        .routes(routes!(letters::replay_letter))
        .routes(routes!(merges::merge_persons))
        .routes(routes!(merges::unmerge_persons))
        .routes(routes!(merges::preview_merge))
        .routes(routes!(merges::list_rulings))
        .routes(routes!(saved::list_saved, saved::save))
        .routes(routes!(
            saved::get_saved,
            saved::change_saved,
            saved::delete_saved
        ))
        .routes(routes!(saved::saved_result))
        .routes(routes!(saved::list_saved_versions))
        .routes(routes!(saved::restore_saved_version))
        .routes(routes!(saved::undo_saved))
        .routes(routes!(saved::restore_saved))
        .routes(routes!(saved::move_saved))
}

/// Sign-in, organizations, members, projects, keys. Generic, so that they can be served (and tested) with
/// nothing but the control database.
pub fn account_routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::with_openapi(openapi::preamble())
        // sign-in
        .routes(routes!(auth::status))
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        // accounts
        .routes(routes!(accounts::me))
        .routes(routes!(accounts::change_password))
        .routes(routes!(
            accounts::list_organizations,
            accounts::create_organization
        ))
        .routes(routes!(members::list_members, members::add_member))
        .routes(routes!(members::change_member, members::remove_member))
        // projects
        .routes(routes!(projects::list_projects, projects::create_project))
        .routes(routes!(
            projects::get_project,
            projects::update_project,
            projects::delete_project
        ))
        .routes(routes!(erasures::list_erasures, erasures::request_erasure))
        .routes(routes!(erasures::get_erasure))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::revoke_key))
}

/// The API as a router. What it does not know below `/v1` is a problem document; everything else falls
/// through to whatever the caller merges it with (capture, the dashboard).
pub fn router(state: ApiState) -> Router {
    finish(routes(), state)
}

/// Turns a route table into a router whose unknown routes and methods answer as problems.
pub fn finish<S: Clone + Send + Sync + 'static>(routes: OpenApiRouter<S>, state: S) -> Router {
    let (router, _) = routes.split_for_parts();
    router
        .method_not_allowed_fallback(error::wrong_method)
        .route("/v1", any(error::no_such_route))
        .route("/v1/", any(error::no_such_route))
        .route("/v1/{*rest}", any(error::no_such_route))
        // Tokens, keys and people's data: nothing is kept by caches unless a handler says so itself.
        .layer(SetResponseHeaderLayer::if_not_present(
            CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .with_state(state)
}

/// What a handler answers with.
pub type Answered<T> = Result<T, Problem>;
