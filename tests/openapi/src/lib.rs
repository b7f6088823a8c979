//! The API as one document (`OpenAPI` 3.1), made from the Rust types and the functions' own annotations.

mod queued_claims;

use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, ComponentsBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "flashsale",
        version = "1",
        description = "Coupons of a homestay platform: operators publish templates and campaigns, guests claim coupons and use them. \
            Notifications: operators and services send messages, guests read and choose them.\n\n\
            Errors are problems (RFC 9457) whose `type` is `urn:flashsale:problem:<slug>`; the slugs are listed with \
            each response. Without a valid access token API Gateway itself answers 401, and 429 above its limits. \
            Money is an integer number of fen. Times are RFC 3339.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "Where the API is deployed")),
    tags(
        (name = "sales", description = "What can be claimed; public"),
        (name = "campaigns", description = "Sales under one schedule, audience and budget"),
        (name = "coupons", description = "What a guest claims, holds and uses"),
        (name = "homestays", description = "What hosts offer, and how guests find it"),
        (name = "notifications", description = "Messages to guests: sent by operators and services, now or later"),
        (name = "inbox", description = "What a guest was told within the app, and what a guest wants to be told"),
        (name = "search", description = "Homestays found, queries completed, what others and oneself searched for"),
        (name = "providers", description = "What providers of messages tell about them; each proves who it is in its own way"),
        (name = "internal", description = "What services do in a guest's name, signed with IAM credentials"),
        (name = "admin", description = "What operators do, as members of the group `admin`"),
    ),
    paths(
        list_coupon_templates::handler::list,
        list_coupon_templates::handler::show,
        list_campaigns::handler::list,
        list_campaigns::handler::show,
        claim_coupon::handler::handle,
        claim_coupon::campaign::handle,
        queued_claims::enqueue,
        show_claim::handler::handle,
        exchange_coupon::handler::handle,
        list_my_coupons::handler::list,
        list_my_coupons::handler::show,
        quote_coupons::handler::handle,
        use_coupon::handler::lock,
        use_coupon::handler::redeem,
        use_coupon::handler::release,
        use_coupon::handler::lock_for_guest,
        use_coupon::handler::redeem_for_guest,
        use_coupon::handler::release_for_guest,
        use_coupon::handler::refund_for_guest,
        manage_coupon_templates::handler::create,
        manage_coupon_templates::handler::list,
        manage_coupon_templates::handler::show,
        manage_coupon_templates::handler::change,
        show_coupon_report::handler::of_template,
        show_coupon_report::handler::of_campaign,
        manage_campaigns::handler::create,
        manage_campaigns::handler::list,
        manage_campaigns::handler::show,
        manage_campaigns::handler::change,
        manage_campaigns::handler::offer,
        manage_campaigns::handler::withdraw,
        manage_exchange_codes::handler::create,
        manage_exchange_codes::handler::list,
        manage_exchange_codes::handler::show,
        manage_exchange_codes::handler::change,
        manage_grants::handler::create,
        manage_grants::handler::list,
        manage_grants::handler::show,
        manage_grants::handler::change,
        manage_grants::handler::show_report,
        manage_grants::handler::prepare,
        manage_search_index::handler::show,
        manage_search_index::handler::rebuild,
        manage_search_index::handler::list,
        manage_search_index::handler::show_rebuild,
        manage_search_index::handler::cancel,
        manage_search_index::handler::back,
        manage_search_index::handler::reconcile,
        send_notification::handler::send,
        send_notification::handler::send_as_service,
        send_notification::handler::show,
        send_notification::handler::show_as_service,
        send_notification::handler::list,
        send_notification::handler::list_as_service,
        send_notification::handler::cancel_one,
        send_notification::handler::cancel_as_service,
        send_notification::broadcasts::create,
        send_notification::broadcasts::list,
        send_notification::broadcasts::show,
        send_notification::broadcasts::cancel,
        redrive_notifications::handler::put_back,
        redrive_notifications::handler::depths,
        manage_inbox::handler::list,
        manage_inbox::handler::unread_count,
        manage_inbox::handler::read,
        manage_inbox::handler::read_all,
        manage_inbox::handler::delete,
        manage_notification_preferences::handler::show,
        manage_notification_preferences::handler::change,
        manage_notification_preferences::handler::add_device,
        manage_notification_preferences::handler::remove_device,
        manage_notification_preferences::handler::show_contacts,
        manage_notification_preferences::handler::change_contacts,
        manage_notification_rules::handler::list,
        manage_notification_rules::handler::show,
        manage_notification_rules::handler::put,
        manage_notification_rules::handler::delete,
        manage_notification_rules::handler::try_out,
        manage_notification_templates::handler::create,
        manage_notification_templates::handler::list,
        manage_notification_templates::handler::show,
        manage_notification_templates::handler::change,
        manage_notification_templates::handler::publish,
        manage_notification_templates::handler::show_version,
        manage_notification_templates::handler::preview,
        manage_notification_templates::handler::test_send,
        receive_delivery_report::handler::receive,
        receive_delivery_report::handler::verify,
        manage_homestays::handler::show,
        manage_homestays::handler::create,
        manage_homestays::handler::change,
        manage_homestays::handler::delete,
        manage_homestays::handler::list_own,
        manage_homestays::handler::show_own,
        manage_homestays::imports::prepare,
        manage_homestays::imports::start,
        manage_homestays::imports::list,
        manage_homestays::imports::show,
        manage_homestays::imports::show_report,
        manage_homestays::imports::cancel,
        search_homestays::handler::search,
        search_homestays::handler::search_as_operator,
        suggest_homestays::handler::handle,
        list_hot_searches::handler::handle,
        record_search_click::handler::handle,
        manage_search_history::handler::list,
        manage_search_history::handler::add,
        manage_search_history::handler::delete,
        manage_search_history::handler::clear,
        show_search_report::handler::handle,
    ),
    modifiers(&Security),
)]
struct Api;

/// The ways in.
struct Security;

impl Modify for Security {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token (not an id token) of the Cognito user pool"))
            .build();
        let signature = ApiKeyValue::with_description(
            "Authorization",
            "AWS Signature Version 4 of a principal that may `execute-api:Invoke` the route",
        );
        let components = api.components.take().unwrap_or_default();
        let components = ComponentsBuilder::from(components)
            .security_scheme("jwt", SecurityScheme::Http(scheme))
            .security_scheme("iam", SecurityScheme::ApiKey(ApiKey::Header(signature)));
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
