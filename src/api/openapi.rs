//! The OpenAPI document: what stands before the paths, and the whole.

mod unions;

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Footfall",
        description = "Product analytics that a team runs itself.\n\nErrors are RFC 9457 problem documents with a \
            stable `code`. Lists page by cursor. Times are RFC 3339 in UTC, days are the project's.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "auth", description = "Sign-in: short access tokens, rotating refresh tokens"),
        (name = "accounts", description = "The signed-in user, organizations, members and roles"),
        (name = "projects", description = "Projects and their keys"),
        (name = "questions", description = "Active users, trends, funnels, conversion, retention"),
        (name = "saved", description = "Saved questions, dashboards and annotations: shared, versioned, undone"),
        (name = "events", description = "Raw events: latest, live, export"),
        (name = "identity", description = "Which ids are one person: merging, unmerging, what that would change"),
        (name = "cohorts", description = "People by what they did, what is known of them, or a list"),
        (name = "schema", description = "Names of events and properties: what was seen, and what people say about it"),
        (name = "privacy", description = "Erasing persons, ranges of time, everything"),
        (name = "data health", description = "What became of every event received, why some were rejected, and whether everything adds up"),
        (name = "tracking", description = "Sending events")
    ),
    security(("access_token" = []), ("secret_key" = [])),
    modifiers(&Schemes)
)]
struct Preamble;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = |format: &str, description: &str| {
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format(format)
                    .description(Some(description))
                    .build(),
            )
        };
        components.add_security_scheme(
            "access_token",
            bearer(
                "JWT",
                "Access token of somebody who signed in, good for 15 minutes",
            ),
        );
        components.add_security_scheme(
            "secret_key",
            bearer(
                "ffs_live_…",
                "Secret key of a project, for servers: reads that project only",
            ),
        );
        components.add_security_scheme(
            "write_key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                "X-Api-Key",
                "Write key of a project (ffp_live_…): sends events, reads nothing",
            ))),
        );
    }
}

/// Title, tags and security schemes: what the route table starts from.
pub(super) fn preamble() -> utoipa::openapi::OpenApi {
    Preamble::openapi()
}

/// The document of the API's routes; the composition adds the tracking route.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = super::routes().into_openapi();
    unions::flatten(&mut document);
    document
}
