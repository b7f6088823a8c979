//! `/v1/admin/notification-redrives`, for the group `admin`.

use std::convert::Infallible;

use coupon_http::{JsonBody, Operator, ProblemView};
use domain_channel::Priority;
use domain_notification::{DeadLetterBox, DispatchQueue, MessageStore, redrive};
use jiff::Timestamp;
use notification_http::{
    DeadLetterDepth, DeadLetterDepths, RedriveRequest, RedriveView, faulty, queue_problem, redrive_problem,
};
use platform_http::{Body, Problem, Request, Response, StatusCode, caller, json, json_body};

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// What operators work on.
#[derive(Debug)]
pub struct Ports<S, Q, L> {
    /// The messages.
    pub store: S,
    /// Where they wait for their dispatch.
    pub queue: Q,
    /// Where they ended.
    pub letters: L,
}

/// 200 for a member of the group `admin`.
pub async fn handle<S: MessageStore, Q: DispatchQueue, L: DeadLetterBox>(
    ports: &Ports<S, Q, L>,
    now: Timestamp,
    has_time: impl Fn() -> bool + Sync,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match caller(&request).and_then(|caller| caller.require_group(ADMIN)) {
        Ok(()) => match platform_http::route_key(&request) {
            "POST /v1/admin/notification-redrives" => put_back(ports, now, has_time, &request).await,
            "GET /v1/admin/notification-redrives" => depths(&ports.letters).await,
            _ => Err(platform_http::route_not_found()),
        },
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

/// Puts dead letters back.
#[utoipa::path(
    post, path = "/v1/admin/notification-redrives", operation_id = "redriveNotifications", tag = "admin",
    summary = "Send again what has failed, once whatever was wrong is repaired",
    description = "Looks through the dead letters of a priority. Those that match become pending, with three attempts as at the \
        beginning, and go into their queue. Without `\"dryRun\": false` it only tells what it would do. Letters of notifications that \
        need nothing any more are deleted. After 503 `try-again` repeat it: nothing is lost, and nothing is sent twice.",
    request_body = RedriveRequest,
    responses(
        (status = 200, description = "What was found and done", body = RedriveView),
        Operator, JsonBody,
        (status = 503, description = "`try-again`, with `Retry-After`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn put_back<S: MessageStore, Q: DispatchQueue, L: DeadLetterBox>(
    ports: &Ports<S, Q, L>,
    now: Timestamp,
    has_time: impl Fn() -> bool + Sync,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: RedriveRequest = json_body(request)?;
    let order = body.parse().map_err(|faults| faulty(&faults))?;
    let Ports { store, queue, letters } = ports;
    let done = redrive(store, queue, letters, &order, now, has_time).await;
    let done = done.map_err(|error| redrive_problem(&error))?;
    metrics::counter!("NotificationsRedriven").increment(done.redriven.into());
    tracing::info!(
        redrive.priority = %order.priority,
        redrive.dry_run = order.dry_run,
        redrive.scanned = done.scanned,
        redrive.matched = done.matched,
        redrive.redriven = done.redriven,
        redrive.stale = done.stale,
        redrive.unreadable = done.unreadable,
        "redrove"
    );
    Ok(json(StatusCode::OK, &RedriveView::new(done, order.dry_run)))
}

/// How many dead letters there are.
#[utoipa::path(
    get, path = "/v1/admin/notification-redrives", operation_id = "countDeadLetters", tag = "admin",
    summary = "Count the dead letters of notifications",
    description = "About as many as there are, also those that somebody looks at just now.",
    responses(
        (status = 200, description = "The dead letters of each priority", body = DeadLetterDepths),
        Operator,
    ),
    security(("jwt" = [])),
)]
pub async fn depths(letters: &impl DeadLetterBox) -> Result<Response<Body>, Problem> {
    let mut items = Vec::with_capacity(Priority::ALL.len());
    for &priority in Priority::ALL.iter().rev() {
        let letters = letters.depth(priority).await.map_err(|error| queue_problem(&error))?;
        items.push(DeadLetterDepth { priority, letters });
    }
    tracing::info!("counted dead letters");
    Ok(json(StatusCode::OK, &DeadLetterDepths { items }))
}
