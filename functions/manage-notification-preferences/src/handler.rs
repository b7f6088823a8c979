//! `/v1/me/notification-preferences` and `/v1/me/devices` for guests, and `/v1/internal/guests/{guestId}/contacts` for the
//! user service, which signs.

use std::convert::Infallible;

use coupon_http::{JsonBody, ProblemView, SignedIn, Versioned, guest, store_problem, try_again};
use domain_ids::GuestId;
use jiff::Timestamp;
use notification_dynamodb::{NotificationTable, StoredContacts};
use notification_http::{
    DeviceId, DeviceView, GuestContactsDocument, NotificationPreferencesDocument, RegisterDeviceRequest,
    device_not_found, faulty, invalid_token, push_not_available,
};
use notification_sns::RegisterError;
use platform_http::{
    Body, ETag, Problem, Request, Response, StatusCode, header, if_match, json, json_body, no_content,
    path_id, require_signature, route_key, route_not_found, with_header,
};
use platform_telemetry::Chain;
use serde::Serialize;

use crate::push::{PushError, PushRegistry};

/// 200 or 204, for a guest about the own things, and for a service that has signed.
pub async fn handle(
    table: &NotificationTable,
    push: &impl PushRegistry,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match route_key(&request) {
        "GET /v1/me/notification-preferences" => show(table, &request).await,
        "PUT /v1/me/notification-preferences" => change(table, &request).await,
        "PUT /v1/me/devices/{deviceId}" => add_device(table, push, now, &request).await,
        "DELETE /v1/me/devices/{deviceId}" => remove_device(table, &request).await,
        "GET /v1/internal/guests/{guestId}/contacts" => show_contacts(table, &request).await,
        "PUT /v1/internal/guests/{guestId}/contacts" => change_contacts(table, &request).await,
        _ => Err(route_not_found()),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

/// A guest's preferences.
#[utoipa::path(
    get, path = "/v1/me/notification-preferences", operation_id = "getMyNotificationPreferences", tag = "inbox",
    summary = "Show how I want to be told things",
    responses(
        (status = 200, description = "The preferences; empty, with the `ETag` `\"0\"`, where nothing was ever said",
            body = NotificationPreferencesDocument, headers(("ETag" = String, description = "Their revision"))),
        SignedIn,
    ),
    security(("jwt" = [])),
)]
pub async fn show(table: &NotificationTable, request: &Request) -> Result<Response<Body>, Problem> {
    let guest = guest(request)?;
    let preferences = table.preferences(&guest).await.map_err(|error| store_problem(&error))?;
    tracing::info!(preferences.revision = preferences.revision, "showed preferences");
    Ok(tagged(&NotificationPreferencesDocument::from(&preferences), preferences.revision))
}

/// Replaces a guest's preferences.
#[utoipa::path(
    put, path = "/v1/me/notification-preferences", operation_id = "changeMyNotificationPreferences", tag = "inbox",
    summary = "Say how I want to be told things",
    description = "Replaces all of it: what is left out is said no more. Codes and security (`account`) come whatever is said, and so does \
        the record of orders (`order`) in the inbox.",
    params(("If-Match" = String, Header, description = "The `ETag` the change is based on; `\"0\"` for the first", example = "\"0\"")),
    request_body = NotificationPreferencesDocument,
    responses(
        (status = 200, description = "The preferences as they are now", body = NotificationPreferencesDocument,
            headers(("ETag" = String, description = "Their new revision"))),
        SignedIn, JsonBody, Versioned,
        (status = 400, description = "`invalid-json`, `invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn change(table: &NotificationTable, request: &Request) -> Result<Response<Body>, Problem> {
    let guest = guest(request)?;
    let revision = next_revision(request)?;
    let body: NotificationPreferencesDocument = json_body(request)?;
    let next = body.parse(revision).map_err(|faults| faulty(&faults))?;
    let written = table.put_preferences(&guest, &next).await.map_err(|error| store_problem(&error))?;
    if !written {
        return Err(outdated());
    }
    tracing::info!(preferences.revision = revision, "changed preferences");
    Ok(tagged(&NotificationPreferencesDocument::from(&next), revision))
}

/// Registers a device.
#[utoipa::path(
    put, path = "/v1/me/devices/{deviceId}", operation_id = "addMyDevice", tag = "inbox",
    summary = "Have push messages sent to this device",
    description = "Each time the app starts with somebody signed in, and when its token changes. The newest 10 devices are kept. Whoever \
        was signed in on it before has no messages there any more.",
    params(("deviceId" = String, Path, description = "What the app calls the device: 1 to 64 of `A-Z a-z 0-9 - _`", example = "9c5a8d1e-pixel-10")),
    request_body = RegisterDeviceRequest,
    responses(
        (status = 200, description = "The device", body = DeviceView),
        SignedIn, JsonBody,
        (status = 404, description = "`device-not-found`: the id is none", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`push-not-available`: there is no push for this platform", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn add_device(
    table: &NotificationTable,
    push: &impl PushRegistry,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let guest = guest(request)?;
    let device_id = device_id(request)?;
    let body: RegisterDeviceRequest = json_body(request)?;
    let (platform, token) = body.parse().map_err(|faults| faulty(&faults))?;
    let device = push.register(platform, &token, &guest).await.map_err(|error| push_problem(&error))?;
    let added = table.add_device(&guest, device_id.as_str(), &device, now).await;
    added.map_err(|error| store_problem(&error))?;
    tracing::info!(device.platform = ?platform, "added device");
    Ok(json(StatusCode::OK, &DeviceView { device_id, platform, register_time: now }))
}

/// Forgets a device.
#[utoipa::path(
    delete, path = "/v1/me/devices/{deviceId}", operation_id = "removeMyDevice", tag = "inbox",
    summary = "Have no more push messages sent to this device",
    description = "When the guest signs out. A repeat changes nothing.",
    params(("deviceId" = String, Path, description = "What the app calls the device", example = "9c5a8d1e-pixel-10")),
    responses(
        (status = 204, description = "The device has no push messages of this guest any more"),
        SignedIn,
        (status = 404, description = "`device-not-found`: the id is none", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn remove_device(table: &NotificationTable, request: &Request) -> Result<Response<Body>, Problem> {
    let guest = guest(request)?;
    let device_id = device_id(request)?;
    let removed = table.remove_device(&guest, device_id.as_str()).await;
    removed.map_err(|error| store_problem(&error))?;
    tracing::info!("removed device");
    Ok(no_content())
}

/// Where a guest is reached.
#[utoipa::path(
    get, path = "/v1/internal/guests/{guestId}/contacts", operation_id = "getContactsOfGuest", tag = "internal",
    summary = "Show where a guest is reached",
    params(("guestId" = String, Path, description = "The guest")),
    responses(
        (status = 200, description = "The contacts; empty, with the `ETag` `\"0\"`, where none were ever told", body = GuestContactsDocument,
            headers(("ETag" = String, description = "Their revision"))),
        SignedIn,
        (status = 404, description = "`guest-not-found`: the id is none", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("iam" = [])),
)]
pub async fn show_contacts(table: &NotificationTable, request: &Request) -> Result<Response<Body>, Problem> {
    require_signature(request)?;
    let stored = table.contacts(&guest_id(request)?).await.map_err(|error| store_problem(&error))?;
    tracing::info!(contacts.revision = stored.revision, "showed contacts");
    Ok(tagged(&GuestContactsDocument::from(&stored.contacts), stored.revision))
}

/// Replaces where a guest is reached.
#[utoipa::path(
    put, path = "/v1/internal/guests/{guestId}/contacts", operation_id = "changeContactsOfGuest", tag = "internal",
    summary = "Say where a guest is reached",
    description = "By the user service, with every change. Replaces all of it: a guest whose phone is left out has none. Devices stay.",
    params(
        ("guestId" = String, Path, description = "The guest"),
        ("If-Match" = String, Header, description = "The `ETag` the change is based on; `\"0\"` for the first", example = "\"0\""),
    ),
    request_body = GuestContactsDocument,
    responses(
        (status = 200, description = "The contacts as they are now", body = GuestContactsDocument, headers(("ETag" = String, description = "Their new revision"))),
        SignedIn, JsonBody, Versioned,
        (status = 400, description = "`invalid-json`, `invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`guest-not-found`: the id is none", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("iam" = [])),
)]
pub async fn change_contacts(
    table: &NotificationTable,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    require_signature(request)?;
    let guest = guest_id(request)?;
    let revision = next_revision(request)?;
    let body: GuestContactsDocument = json_body(request)?;
    let contacts = body.parse().map_err(|faults| faulty(&faults))?;
    let next = StoredContacts { contacts, revision };
    let written = table.put_contacts(&guest, &next).await.map_err(|error| store_problem(&error))?;
    if !written {
        return Err(outdated());
    }
    tracing::info!(contacts.revision = revision, "changed contacts");
    Ok(tagged(&GuestContactsDocument::from(&next.contacts), revision))
}

fn device_id(request: &Request) -> Result<DeviceId, Problem> {
    path_id(request, "deviceId").ok_or_else(device_not_found)
}

fn guest_id(request: &Request) -> Result<GuestId, Problem> {
    path_id(request, "guestId")
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "guest-not-found", "There is no such guest"))
}

/// The revision after the one that the change is based on. No stored one is as high as what does not fit.
fn next_revision(request: &Request) -> Result<u32, Problem> {
    let expected = if_match(request.headers())?;
    u32::try_from(expected).ok().and_then(|expected| expected.checked_add(1)).ok_or_else(outdated)
}

fn outdated() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition-failed",
        "Somebody else has changed it; read it again",
    )
}

fn push_problem(error: &PushError) -> Problem {
    match error {
        PushError::NotSetUp => push_not_available(),
        PushError::Registry(RegisterError::InvalidToken) => faulty(&[invalid_token()]),
        PushError::Registry(RegisterError::Application(_)) => {
            tracing::error!(error = %Chain(error), "the platform application is not usable");
            push_not_available()
        }
        PushError::Registry(RegisterError::Unavailable(_)) => {
            tracing::error!(error = %Chain(error), "SNS failed");
            try_again()
        }
    }
}

fn tagged(document: &impl Serialize, revision: u32) -> Response<Body> {
    with_header(json(StatusCode::OK, document), header::ETAG, ETag(revision.into()))
}
