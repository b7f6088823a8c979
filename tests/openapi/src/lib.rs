//! The API as one document (`OpenAPI` 3.1), made from the Rust types and the functions' own annotations.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, ComponentsBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "flashsale",
        version = "1",
        description = "Coupons of a homestay platform: operators publish templates, guests claim coupons.\n\n\
            Errors are problems (RFC 9457) whose `type` is `urn:flashsale:problem:<slug>`; the slugs are listed with \
            each response. Without a valid access token API Gateway itself answers 401, and 429 above its limits. \
            Money is an integer number of fen. Times are RFC 3339.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "Where the API is deployed")),
    tags(
        (name = "sales", description = "What can be claimed; public"),
        (name = "coupons", description = "What a guest claims and holds"),
        (name = "admin", description = "What operators do, as members of the group `admin`"),
    ),
    paths(
        list_coupon_templates::handler::list,
        list_coupon_templates::handler::show,
        claim_coupon::handler::handle,
        list_my_coupons::handler::list,
        list_my_coupons::handler::show,
        manage_coupon_templates::handler::create,
        manage_coupon_templates::handler::list,
        manage_coupon_templates::handler::show,
        manage_coupon_templates::handler::change,
    ),
    modifiers(&AccessToken),
)]
struct Api;

struct AccessToken;

impl Modify for AccessToken {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token (not an id token) of the Cognito user pool"))
            .build();
        let components = api.components.take().unwrap_or_default();
        let components =
            ComponentsBuilder::from(components).security_scheme("jwt", SecurityScheme::Http(scheme));
        api.components = Some(components.build());
    }
}

/// The document as it stands in `docs/openapi.json`: every object in the order of its names, since `serde_json`'s own
/// order depends on what else is built.
///
/// # Errors
///
/// Where the document cannot be written as JSON, a defect of the annotations.
pub fn document() -> Result<String, serde_json::Error> {
    let mut document = serde_json::to_value(Api::openapi())?;
    document.sort_all_objects();
    serde_json::to_string_pretty(&document).map(|json| json + "\n")
}
