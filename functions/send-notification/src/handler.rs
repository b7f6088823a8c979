//! `/v1/notifications`, for the groups `admin` and `service`, and `/v1/internal/notifications`, for services that sign.

use std::{collections::BTreeSet, convert::Infallible};

use coupon_http::{JsonBody, Operator, Paged, ProblemView, SignedIn, invalid_idempotency_key, store_problem};
use domain_coupon::StoreError;
use domain_ids::MessageId;
use domain_notification::{
    AcceptError, Audience, BroadcastShelf, BroadcastSteps, Message, MessageShelf, MessageStore,
    NewNotification, Receiver, Rendered, Renderer, TemplateReader, TemplateRef, accept, cancel, check,
    check_broadcast,
};
use jiff::Timestamp;
use notification_http::{
    Acceptance, AcceptedView, DryRunView, NotificationCursor, NotificationList, NotificationView,
    SendNotificationRequest, SendOrder, accept_problem, cancel_problem, faulty, notification_not_found,
};
use platform_http::{
    Body, Problem, Request, Response, StatusCode, json, json_body, path_id, query, route_key,
    route_not_found, with_header,
};
use platform_idempotency::{IDEMPOTENT_REPLAYED, IdempotencyKey};

use crate::{Sender, broadcasts};

/// Notifications on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// The limit of the `BatchGetItem` that reads them.
const MAX_LIMIT: u16 = 100;

/// What senders work on.
#[derive(Debug)]
pub struct Ports<S, Q, T, R> {
    /// Messages and broadcasts.
    pub store: S,
    /// Where broadcasts begin.
    pub queue: Q,
    /// What messages say.
    pub templates: T,
    /// What fills it in.
    pub renderer: R,
}

/// What an invocation cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes part of the id of a new broadcast.
    pub id: u128,
}

/// 200 or 202 for who may send.
pub async fn handle<S, Q, T, R>(
    ports: &Ports<S, Q, T, R>,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible>
where
    S: MessageShelf + BroadcastShelf,
    Q: BroadcastSteps,
    T: TemplateReader,
    R: Renderer,
{
    let (store, now) = (&ports.store, chance.at);
    let answer = match route_key(&request) {
        "POST /v1/notifications" => send(ports, chance, &request).await,
        "GET /v1/notifications" => list(store, &request).await,
        "GET /v1/notifications/{id}" => show(ports, &request).await,
        "POST /v1/notifications/{id}/cancel" => cancel_one(store, now, &request).await,
        "POST /v1/internal/notifications" => send_as_service(ports, chance, &request).await,
        "GET /v1/internal/notifications" => list_as_service(store, &request).await,
        "GET /v1/internal/notifications/{id}" => show_as_service(ports, &request).await,
        "POST /v1/internal/notifications/{id}/cancel" => cancel_as_service(store, now, &request).await,
        "POST /v1/admin/broadcasts" => broadcasts::create(ports, chance, &request).await,
        "GET /v1/admin/broadcasts" => broadcasts::list(store, &request).await,
        "GET /v1/admin/broadcasts/{id}" => broadcasts::show(store, &request).await,
        "POST /v1/admin/broadcasts/{id}/cancel" => broadcasts::cancel(store, now, &request).await,
        _ => Err(route_not_found()),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

/// Sends a notification.
#[utoipa::path(
    post, path = "/v1/notifications", operation_id = "sendNotification", tag = "notifications",
    summary = "Send a notification",
    description = "Takes one notification for each receiver and returns their ids; what then becomes of each is shown by \
        `GET /v1/notifications/{id}`. Template, variables, receivers and times are checked now. A repeat with the same idempotency key \
        takes what is missing and returns the same ids. With a segment or group as `to` it is a broadcast, in the same way as by \
        `POST /v1/admin/broadcasts`. With `dryRun` nothing is taken, and what would be sent is shown.",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request, unless the body does: 1 to 255 visible ASCII characters", example = "order-confirmed-O-1")),
    request_body = SendNotificationRequest,
    responses(
        (status = 202, description = "The notifications; or, for a segment or group, a `BroadcastView`", body = AcceptedView, headers(
            ("Idempotent-Replayed" = bool, description = "`true` where all of it had been taken before"))),
        (status = 200, description = "With `dryRun`: what would be sent", body = DryRunView),
        Operator, JsonBody, Acceptance,
    ),
    security(("jwt" = [])),
)]
pub async fn send<S, Q, T, R>(
    ports: &Ports<S, Q, T, R>,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem>
where
    S: MessageStore + BroadcastShelf,
    Q: BroadcastSteps,
    T: TemplateReader,
    R: Renderer,
{
    order(ports, chance, &Sender::with_token(request)?, request).await
}

/// Sends a notification for a service.
#[utoipa::path(
    post, path = "/v1/internal/notifications", operation_id = "sendNotificationAsService", tag = "internal",
    summary = "Send a notification",
    description = "As `POST /v1/notifications`. Idempotency keys are those of the role that signs.",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request, unless the body does: 1 to 255 visible ASCII characters", example = "order-confirmed-O-1")),
    request_body = SendNotificationRequest,
    responses(
        (status = 202, description = "The notifications; or, for a segment or group, a `BroadcastView`", body = AcceptedView, headers(
            ("Idempotent-Replayed" = bool, description = "`true` where all of it had been taken before"))),
        (status = 200, description = "With `dryRun`: what would be sent", body = DryRunView),
        SignedIn, JsonBody, Acceptance,
    ),
    security(("iam" = [])),
)]
pub async fn send_as_service<S, Q, T, R>(
    ports: &Ports<S, Q, T, R>,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem>
where
    S: MessageStore + BroadcastShelf,
    Q: BroadcastSteps,
    T: TemplateReader,
    R: Renderer,
{
    order(ports, chance, &Sender::with_signature(request)?, request).await
}

async fn order<S, Q, T, R>(
    ports: &Ports<S, Q, T, R>,
    chance: Chance,
    sender: &Sender,
    request: &Request,
) -> Result<Response<Body>, Problem>
where
    S: MessageStore + BroadcastShelf,
    Q: BroadcastSteps,
    T: TemplateReader,
    R: Renderer,
{
    let Sound { notification, audience, dry_run } = read(ports, chance.at, sender, request).await?;
    match audience {
        _ if dry_run => preview(ports, &notification, audience.is_none(), chance.at).await,
        Some(audience) => broadcasts::begin(ports, chance, audience, notification).await,
        None => take(ports, notification, chance.at).await,
    }
}

/// A request without faults of its own.
pub(crate) struct Sound {
    pub(crate) notification: NewNotification,
    pub(crate) audience: Option<Audience>,
    pub(crate) dry_run: bool,
}

/// The order of a request, or all that is wrong with it.
pub(crate) async fn read<S, Q, T: TemplateReader, R: Renderer>(
    ports: &Ports<S, Q, T, R>,
    now: Timestamp,
    sender: &Sender,
    request: &Request,
) -> Result<Sound, Problem> {
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| invalid_idempotency_key())?;
    let body: SendNotificationRequest = json_body(request)?;
    let SendOrder { notification, audience, dry_run, mut faults } =
        body.parse(sender.scope().to_owned(), key.as_ref());
    let notification = match notification {
        Some(notification) if faults.is_empty() => return Ok(Sound { notification, audience, dry_run }),
        other => other,
    };
    // What can be read is checked all the same, so that the caller learns everything at once.
    let checked = match (notification, audience) {
        (Some(new), Some(_)) => check_broadcast(&ports.templates, &ports.renderer, &new, now).await,
        (Some(new), None) => check(&ports.templates, &ports.renderer, new, now).await.map(|_| ()),
        (None, _) => Ok(()),
    };
    match checked {
        Ok(()) | Err(AcceptError::NoTemplate | AcceptError::Disabled | AcceptError::KeyReused) => {}
        Err(AcceptError::Invalid(more)) => faults.extend(more),
        Err(AcceptError::Store(error)) => return Err(store_problem(&error)),
    }
    Err(faulty(&faults))
}

async fn take<S: MessageStore, Q, T: TemplateReader, R: Renderer>(
    ports: &Ports<S, Q, T, R>,
    new: NewNotification,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let (channel, priority) = (new.channel, new.priority);
    let checked = check(&ports.templates, &ports.renderer, new, now).await;
    let checked = checked.map_err(|error| accept_problem(&error))?;
    let taken = accept(&ports.store, &checked, now).await.map_err(|error| accept_problem(&error))?;
    let view = AcceptedView::from(taken);
    let accepted = u64::try_from(view.accepted).unwrap_or(u64::MAX);
    metrics::counter!("NotificationsAccepted", "type" => channel.name()).increment(accepted);
    tracing::info!(
        notification.type = %channel,
        notification.priority = %priority,
        notifications.accepted = view.accepted,
        notifications.repeated = view.repeated,
        "took notifications"
    );
    let response = json(StatusCode::ACCEPTED, &view);
    Ok(if view.accepted == 0 { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response })
}

pub(crate) async fn preview<S, Q, T: TemplateReader, R: Renderer>(
    ports: &Ports<S, Q, T, R>,
    new: &NewNotification,
    is_to_receivers: bool,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let Ports { templates, renderer, .. } = ports;
    let checked = if is_to_receivers {
        check(templates, renderer, new.clone(), now).await.map(|_| ())
    } else {
        check_broadcast(templates, renderer, new, now).await
    };
    checked.map_err(|error| accept_problem(&error))?;
    let rendered = render_present(ports, new).await.map_err(|error| accept_problem(&error))?;
    let receivers = is_to_receivers.then(|| new.receivers.iter().collect::<BTreeSet<_>>().len());
    tracing::info!(notification.template = %new.template, "checked notification");
    Ok(json(StatusCode::OK, &DryRunView::new(receivers, rendered.0, rendered.1)))
}

/// The template's present version, filled in.
async fn render_present<S, Q, T: TemplateReader, R: Renderer>(
    ports: &Ports<S, Q, T, R>,
    new: &NewNotification,
) -> Result<(u32, Rendered), AcceptError> {
    let template = ports.templates.template(&new.template).await?.ok_or(AcceptError::NoTemplate)?;
    let of = TemplateRef { code: template.code, version: template.version };
    let version = ports.templates.version(&of).await?.ok_or(AcceptError::NoTemplate)?;
    let rendered = ports.renderer.render(&version, None, &new.params).map_err(AcceptError::Invalid)?;
    Ok((version.version, rendered))
}

/// Shows a notification.
#[utoipa::path(
    get, path = "/v1/notifications/{id}", operation_id = "getNotification", tag = "notifications",
    summary = "Show a notification and what has become of it",
    description = "With its text, as the version of the template that it was taken with says it.",
    params(("id" = String, Path, description = "The notification")),
    responses(
        (status = 200, description = "The notification", body = NotificationView),
        Operator,
        (status = 404, description = "`notification-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show<S: MessageStore, Q, T: TemplateReader, R: Renderer>(
    ports: &Ports<S, Q, T, R>,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    Sender::with_token(request)?;
    show_it(ports, request).await
}

/// Shows a notification to a service.
#[utoipa::path(
    get, path = "/v1/internal/notifications/{id}", operation_id = "getNotificationAsService", tag = "internal",
    summary = "Show a notification and what has become of it",
    params(("id" = String, Path, description = "The notification")),
    responses(
        (status = 200, description = "The notification", body = NotificationView),
        SignedIn,
        (status = 404, description = "`notification-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("iam" = [])),
)]
pub async fn show_as_service<S: MessageStore, Q, T: TemplateReader, R: Renderer>(
    ports: &Ports<S, Q, T, R>,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    Sender::with_signature(request)?;
    show_it(ports, request).await
}

async fn show_it<S: MessageStore, Q, T: TemplateReader, R: Renderer>(
    ports: &Ports<S, Q, T, R>,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id = notification_id(request)?;
    let message = ports.store.message(id).await.map_err(|error| store_problem(&error))?;
    tracing::info!(notification.id = %id, notification.found = message.is_some(), "showed notification");
    let message = message.ok_or_else(notification_not_found)?;
    let rendered = render(ports, &message).await.map_err(|error| store_problem(&error))?;
    Ok(json(StatusCode::OK, &NotificationView::new(&message, rendered)))
}

/// What a message says, where that can be told: of a digest only what it bundles can.
async fn render<S, Q, T: TemplateReader, R: Renderer>(
    ports: &Ports<S, Q, T, R>,
    message: &Message,
) -> Result<Option<Rendered>, StoreError> {
    let version = ports.templates.version(&message.template).await?;
    Ok(version.and_then(|version| ports.renderer.render(&version, None, &message.params).ok()))
}

/// Lists the notifications to a receiver.
#[utoipa::path(
    get, path = "/v1/notifications", operation_id = "listNotifications", tag = "notifications",
    summary = "List the notifications to a receiver",
    params(
        ("receiver" = String, Query, description = "A guest's id, or an address as a URI, percent-encoded", example = "tel:+8613800138000"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The notifications without their texts, the newest first", body = NotificationList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(store: &impl MessageShelf, request: &Request) -> Result<Response<Body>, Problem> {
    Sender::with_token(request)?;
    list_them(store, request).await
}

/// Lists the notifications to a receiver for a service.
#[utoipa::path(
    get, path = "/v1/internal/notifications", operation_id = "listNotificationsAsService", tag = "internal",
    summary = "List the notifications to a receiver",
    params(
        ("receiver" = String, Query, description = "A guest's id, or an address as a URI, percent-encoded", example = "tel:+8613800138000"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The notifications without their texts, the newest first", body = NotificationList),
        SignedIn, Paged,
    ),
    security(("iam" = [])),
)]
pub async fn list_as_service(
    store: &impl MessageShelf,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    Sender::with_signature(request)?;
    list_them(store, request).await
}

async fn list_them(store: &impl MessageShelf, request: &Request) -> Result<Response<Body>, Problem> {
    let receiver: Option<Receiver> = query(request, "receiver")?;
    let receiver = receiver.ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid-parameter", "A query parameter is not valid")
            .field("receiver", "must be present")
    })?;
    let after = NotificationCursor::from_query(request)?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = store.messages_to(&receiver, after, limit).await.map_err(|error| store_problem(&error))?;
    let items: Vec<_> = page.items.iter().map(|message| NotificationView::new(message, None)).collect();
    tracing::info!(notifications.count = items.len(), "listed notifications");
    let next_cursor = page.next.map(|position| NotificationCursor(position).encode());
    Ok(json(StatusCode::OK, &NotificationList { items, next_cursor }))
}

/// Cancels a notification.
#[utoipa::path(
    post, path = "/v1/notifications/{id}/cancel", operation_id = "cancelNotification", tag = "notifications",
    summary = "Cancel a notification that is pending",
    description = "May be repeated. Where 200 is answered, it is not sent.",
    params(("id" = String, Path, description = "The notification")),
    responses(
        (status = 200, description = "The notification, cancelled", body = NotificationView),
        Operator,
        (status = 404, description = "`notification-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`notification-not-cancellable`, with `notificationStatus`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn cancel_one(
    store: &impl MessageStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    Sender::with_token(request)?;
    cancel_it(store, now, request).await
}

/// Cancels a notification for a service.
#[utoipa::path(
    post, path = "/v1/internal/notifications/{id}/cancel", operation_id = "cancelNotificationAsService", tag = "internal",
    summary = "Cancel a notification that is pending",
    description = "May be repeated. Where 200 is answered, it is not sent.",
    params(("id" = String, Path, description = "The notification")),
    responses(
        (status = 200, description = "The notification, cancelled", body = NotificationView),
        SignedIn,
        (status = 404, description = "`notification-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`notification-not-cancellable`, with `notificationStatus`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("iam" = [])),
)]
pub async fn cancel_as_service(
    store: &impl MessageStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    Sender::with_signature(request)?;
    cancel_it(store, now, request).await
}

async fn cancel_it(
    store: &impl MessageStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id = notification_id(request)?;
    let message = cancel(store, id, now).await.map_err(|error| cancel_problem(&error))?;
    tracing::info!(notification.id = %id, "cancelled notification");
    Ok(json(StatusCode::OK, &NotificationView::new(&message, None)))
}

fn notification_id(request: &Request) -> Result<MessageId, Problem> {
    path_id(request, "id").ok_or_else(notification_not_found)
}
