//! `/v1/admin/broadcasts`, for the group `admin`.

use coupon_http::{JsonBody, Operator, Paged, ProblemView, store_problem};
use domain_ids::BroadcastId;
use domain_notification::{
    Audience, BroadcastShelf, BroadcastSteps, Broadcasts, Fault, MessageStore, NewBroadcast, NewNotification,
    Renderer, TemplateReader, cancel_broadcast, create_broadcast,
};
use jiff::Timestamp;
use notification_http::{
    Acceptance, BroadcastCursor, BroadcastList, BroadcastView, DryRunView, SendNotificationRequest,
    broadcast_not_found, cancel_broadcast_problem, create_broadcast_problem, faulty,
};
use platform_http::{Body, Problem, Request, Response, StatusCode, header, json, path_id, with_header};
use platform_idempotency::IDEMPOTENT_REPLAYED;

use crate::{
    Sender,
    handler::{Chance, Ports, Sound, preview, read},
};

/// Broadcasts on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// Each broadcast costs a read.
const MAX_LIMIT: u16 = 50;

/// Creates a broadcast.
#[utoipa::path(
    post, path = "/v1/admin/broadcasts", operation_id = "createBroadcast", tag = "admin",
    summary = "Send a notification to every guest of a segment",
    description = "The same request as that of `POST /v1/notifications`, with a segment or group as `to`. It is worked off in the \
        background, page by page of the directory; `GET /v1/admin/broadcasts/{id}` shows how far it is. A repeat with the same \
        idempotency key returns the same broadcast, and has it go on should it have come to a halt. Each guest gets one notification. \
        A change of the template counts for the pages that follow.",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request, unless the body does: 1 to 255 visible ASCII characters", example = "double-eleven")),
    request_body = SendNotificationRequest,
    responses(
        (status = 202, description = "The broadcast", body = BroadcastView, headers(
            ("Location" = String, description = "Where the broadcast can be read"),
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this key ordered it"))),
        (status = 200, description = "With `dryRun`: what would be sent", body = DryRunView),
        Operator, JsonBody, Acceptance,
    ),
    security(("jwt" = [])),
)]
pub async fn create<S, Q, T, R>(
    ports: &Ports<S, Q, T, R>,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem>
where
    S: MessageStore + Broadcasts,
    Q: BroadcastSteps,
    T: TemplateReader,
    R: Renderer,
{
    let sender = Sender::operator(request)?;
    let Sound { notification, audience, dry_run } = read(ports, chance.at, &sender, request).await?;
    let Some(audience) = audience else {
        return Err(faulty(&[Fault::new("to", "must be a segment or a group")]));
    };
    if dry_run {
        preview(ports, &notification, false, chance.at).await
    } else {
        begin(ports, chance, audience, notification).await
    }
}

/// 202 with the broadcast.
pub(crate) async fn begin<S, Q, T, R>(
    ports: &Ports<S, Q, T, R>,
    chance: Chance,
    audience: Audience,
    notification: NewNotification,
) -> Result<Response<Body>, Problem>
where
    S: Broadcasts,
    Q: BroadcastSteps,
    T: TemplateReader,
    R: Renderer,
{
    let created_ms = u64::try_from(chance.at.as_millisecond()).unwrap_or_default();
    let new = NewBroadcast { id: BroadcastId::from_parts(created_ms, chance.id), audience, notification };
    let Ports { store, queue, templates, renderer } = ports;
    let created = create_broadcast(store, queue, templates, renderer, new, chance.at).await;
    let created = created.map_err(|error| create_broadcast_problem(&error))?;
    let id = created.broadcast.id;
    tracing::info!(broadcast.id = %id, broadcast.replayed = created.is_repeat, "began broadcast");
    let response = json(StatusCode::ACCEPTED, &BroadcastView::from(&created.broadcast));
    let response = with_header(response, header::LOCATION, format!("/v1/admin/broadcasts/{id}"));
    Ok(if created.is_repeat { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response })
}

/// A page of all broadcasts.
#[utoipa::path(
    get, path = "/v1/admin/broadcasts", operation_id = "listBroadcasts", tag = "admin",
    summary = "List broadcasts",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 50, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The broadcasts, the newest first", body = BroadcastList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(store: &impl BroadcastShelf, request: &Request) -> Result<Response<Body>, Problem> {
    Sender::operator(request)?;
    let after = BroadcastCursor::from_query(request)?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = store.newest(after, limit).await.map_err(|error| store_problem(&error))?;
    tracing::info!(broadcasts.count = page.items.len(), "listed broadcasts");
    let items = page.items.iter().map(BroadcastView::from).collect();
    let next_cursor = page.next.map(|id| BroadcastCursor(id).encode());
    Ok(json(StatusCode::OK, &BroadcastList { items, next_cursor }))
}

/// One broadcast.
#[utoipa::path(
    get, path = "/v1/admin/broadcasts/{id}", operation_id = "getBroadcast", tag = "admin",
    summary = "Show a broadcast and how far it is",
    params(("id" = String, Path, description = "The broadcast")),
    responses(
        (status = 200, description = "The broadcast", body = BroadcastView),
        Operator,
        (status = 404, description = "`broadcast-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show(store: &impl Broadcasts, request: &Request) -> Result<Response<Body>, Problem> {
    Sender::operator(request)?;
    let id: BroadcastId = path_id(request, "id").ok_or_else(broadcast_not_found)?;
    let broadcast = store.broadcast(id).await.map_err(|error| store_problem(&error))?;
    tracing::info!(broadcast.id = %id, broadcast.found = broadcast.is_some(), "showed broadcast");
    Ok(json(StatusCode::OK, &BroadcastView::from(&broadcast.ok_or_else(broadcast_not_found)?)))
}

/// Cancels a broadcast.
#[utoipa::path(
    post, path = "/v1/admin/broadcasts/{id}/cancel", operation_id = "cancelBroadcast", tag = "admin",
    summary = "Stop a broadcast",
    description = "No further page is worked off; at most the one that is worked off at the moment is. Notifications that were taken \
        stay as they are: cancel them one by one. May be repeated.",
    params(("id" = String, Path, description = "The broadcast")),
    responses(
        (status = 200, description = "The broadcast, cancelled", body = BroadcastView),
        Operator,
        (status = 404, description = "`broadcast-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`broadcast-not-cancellable`, with `broadcastStatus`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn cancel(
    store: &impl Broadcasts,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    Sender::operator(request)?;
    let id: BroadcastId = path_id(request, "id").ok_or_else(broadcast_not_found)?;
    let cancelled = cancel_broadcast(store, id, now).await;
    let broadcast = cancelled.map_err(|error| cancel_broadcast_problem(&error))?;
    tracing::info!(broadcast.id = %id, "cancelled broadcast");
    Ok(json(StatusCode::OK, &BroadcastView::from(&broadcast)))
}
