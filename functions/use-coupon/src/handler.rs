//! `POST /v1/me/coupons/{id}/lock|redeem|release` for guests, and `POST
//! /v1/internal/guests/{guestId}/coupons/{id}/lock|redeem|release|refund` for the order service.

use std::convert::Infallible;

use coupon_http::{CouponView, JsonBody, ProblemView, SignedIn, coupon_not_found, guest};
use domain_coupon::{Actor, CouponStore, TemplateShelf, Transition, transition};
use domain_ids::{CouponId, GuestId, OrderId};
use domain_quote::{LockCoupon, UsageMemory, lock_coupon};
use jiff::Timestamp;
use platform_http::{
    Body, Problem, Request, Response, StatusCode, json, json_body, path_id, require_signature, route_key,
    route_not_found,
};
use quote_http::invalid_draft;

use crate::problem::{lock_problem, transition_problem};
pub use crate::view::{LockRequest, LockView, OrderRequest};

/// 200 with the coupon as it is afterwards, also where it was so before.
pub async fn handle(
    store: &(impl CouponStore + TemplateShelf),
    memory: &UsageMemory,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let (action, answer) = match route_key(&request) {
        "POST /v1/me/coupons/{id}/lock" => ("lock", lock(store, memory, now, &request).await),
        "POST /v1/me/coupons/{id}/redeem" => ("redeem", redeem(store, now, &request).await),
        "POST /v1/me/coupons/{id}/release" => ("release", release(store, now, &request).await),
        "POST /v1/internal/guests/{guestId}/coupons/{id}/lock" => {
            ("lock", lock_for_guest(store, memory, now, &request).await)
        }
        "POST /v1/internal/guests/{guestId}/coupons/{id}/redeem" => {
            ("redeem", redeem_for_guest(store, now, &request).await)
        }
        "POST /v1/internal/guests/{guestId}/coupons/{id}/release" => {
            ("release", release_for_guest(store, now, &request).await)
        }
        "POST /v1/internal/guests/{guestId}/coupons/{id}/refund" => {
            ("refund", refund_for_guest(store, now, &request).await)
        }
        _ => ("none", Err(route_not_found())),
    };
    let outcome = answer.as_ref().map_or_else(Problem::slug, |_| "done");
    metrics::counter!("CouponUses", "action" => action, "outcome" => outcome).increment(1);
    tracing::info!(coupon.action = action, coupon.outcome = outcome, "used coupon");
    Ok(answer.unwrap_or_else(Problem::into_response))
}

/// Hold a coupon for an order, by the guest who holds it.
#[utoipa::path(
    post, path = "/v1/me/coupons/{id}/lock", operation_id = "lockMyCoupon", tag = "coupons",
    summary = "Hold a coupon for an order",
    description = "One call for each coupon. `order` is what all coupons that the order holds save together: charge by that of the last answer. A repeat changes nothing; with another draft it works the saving out anew. After 503 `try-again` repeat it; to give up, release what is held.",
    params(
        ("id" = String, Path, description = "The coupon"),
    ),
    request_body = LockRequest,
    responses(
        (status = 200, description = "The coupon, locked for 30 minutes, and what the order saves in all", body = LockView),
        SignedIn, JsonBody,
        (status = 404, description = "`coupon-not-found`, also where another guest holds it", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`coupon-locked` with `lockedUntil`, `coupon-used`, `coupon-expired`, `coupon-refunded`, `coupon-not-applicable` with `reasons`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn lock(
    store: &(impl CouponStore + TemplateShelf),
    memory: &UsageMemory,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    hold(store, memory, by_guest(request)?, now, request).await
}

/// Use a coupon that the order holds, by the guest who holds it.
#[utoipa::path(
    post, path = "/v1/me/coupons/{id}/redeem", operation_id = "redeemMyCoupon", tag = "coupons",
    summary = "Use a coupon that the order holds",
    description = "Once the order is paid, one call for each coupon. A repeat changes nothing.",
    params(
        ("id" = String, Path, description = "The coupon"),
    ),
    request_body = OrderRequest,
    responses(
        (status = 200, description = "The coupon, used", body = CouponView),
        SignedIn, JsonBody,
        (status = 404, description = "`coupon-not-found`, also where another guest holds it", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`coupon-not-locked`, `coupon-locked` with `lockedUntil`, `coupon-used`, `coupon-expired`, `coupon-refunded`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn redeem(
    store: &impl CouponStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let transition = |order| Transition::Redeem { order };
    change(store, by_guest(request)?, transition, now, request).await
}

/// Give up a coupon that the order holds, by the guest who holds it.
#[utoipa::path(
    post, path = "/v1/me/coupons/{id}/release", operation_id = "releaseMyCoupon", tag = "coupons",
    summary = "Give up a coupon that the order holds",
    description = "Afterwards the order does not hold the coupon, whether it did before or not. Lock the order's other coupons again: what they save may have changed.",
    params(
        ("id" = String, Path, description = "The coupon"),
    ),
    request_body = OrderRequest,
    responses(
        (status = 200, description = "The coupon, which the order does not hold", body = CouponView),
        SignedIn, JsonBody,
        (status = 404, description = "`coupon-not-found`, also where another guest holds it", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`coupon-used`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn release(
    store: &impl CouponStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let transition = |order| Transition::Release { order };
    change(store, by_guest(request)?, transition, now, request).await
}

/// Hold a coupon for an order, by the order service.
#[utoipa::path(
    post, path = "/v1/internal/guests/{guestId}/coupons/{id}/lock", operation_id = "lockCouponForGuest", tag = "internal",
    summary = "Hold a coupon for an order",
    description = "One call for each coupon. `order` is what all coupons that the order holds save together: charge by that of the last answer. A repeat changes nothing; with another draft it works the saving out anew. After 503 `try-again` repeat it; to give up, release what is held.",
    params(
        ("guestId" = String, Path, description = "Who holds the coupon"),
        ("id" = String, Path, description = "The coupon"),
    ),
    request_body = LockRequest,
    responses(
        (status = 200, description = "The coupon, locked for 30 minutes, and what the order saves in all", body = LockView),
        SignedIn, JsonBody,
        (status = 404, description = "`coupon-not-found`, also where another guest holds it", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`coupon-locked` with `lockedUntil`, `coupon-used`, `coupon-expired`, `coupon-refunded`, `coupon-not-applicable` with `reasons`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("iam" = [])),
)]
pub async fn lock_for_guest(
    store: &(impl CouponStore + TemplateShelf),
    memory: &UsageMemory,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    hold(store, memory, by_service(request)?, now, request).await
}

/// Use a coupon that the order holds, by the order service.
#[utoipa::path(
    post, path = "/v1/internal/guests/{guestId}/coupons/{id}/redeem", operation_id = "redeemCouponForGuest", tag = "internal",
    summary = "Use a coupon that the order holds",
    description = "Once the order is paid, one call for each coupon. A repeat changes nothing.",
    params(
        ("guestId" = String, Path, description = "Who holds the coupon"),
        ("id" = String, Path, description = "The coupon"),
    ),
    request_body = OrderRequest,
    responses(
        (status = 200, description = "The coupon, used", body = CouponView),
        SignedIn, JsonBody,
        (status = 404, description = "`coupon-not-found`, also where another guest holds it", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`coupon-not-locked`, `coupon-locked` with `lockedUntil`, `coupon-used`, `coupon-expired`, `coupon-refunded`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("iam" = [])),
)]
pub async fn redeem_for_guest(
    store: &impl CouponStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let transition = |order| Transition::Redeem { order };
    change(store, by_service(request)?, transition, now, request).await
}

/// Give up a coupon that the order holds, by the order service.
#[utoipa::path(
    post, path = "/v1/internal/guests/{guestId}/coupons/{id}/release", operation_id = "releaseCouponForGuest", tag = "internal",
    summary = "Give up a coupon that the order holds",
    description = "Afterwards the order does not hold the coupon, whether it did before or not. Lock the order's other coupons again: what they save may have changed.",
    params(
        ("guestId" = String, Path, description = "Who holds the coupon"),
        ("id" = String, Path, description = "The coupon"),
    ),
    request_body = OrderRequest,
    responses(
        (status = 200, description = "The coupon, which the order does not hold", body = CouponView),
        SignedIn, JsonBody,
        (status = 404, description = "`coupon-not-found`, also where another guest holds it", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`coupon-used`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("iam" = [])),
)]
pub async fn release_for_guest(
    store: &impl CouponStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let transition = |order| Transition::Release { order };
    change(store, by_service(request)?, transition, now, request).await
}

/// Note that the order a coupon was used with was cancelled, by the order service.
#[utoipa::path(
    post, path = "/v1/internal/guests/{guestId}/coupons/{id}/refund", operation_id = "refundCouponForGuest", tag = "internal",
    summary = "Note that the order a coupon was used with was cancelled",
    description = "The coupon does not come back to the guest; where its template says so, it goes back to sale. A repeat changes nothing.",
    params(
        ("guestId" = String, Path, description = "Who holds the coupon"),
        ("id" = String, Path, description = "The coupon"),
    ),
    request_body = OrderRequest,
    responses(
        (status = 200, description = "The coupon, refunded", body = CouponView),
        SignedIn, JsonBody,
        (status = 404, description = "`coupon-not-found`, also where another guest holds it", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`coupon-not-used`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("iam" = [])),
)]
pub async fn refund_for_guest(
    store: &impl CouponStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let transition = |order| Transition::Refund { order };
    change(store, by_service(request)?, transition, now, request).await
}

/// Whose coupon it is, and who asks.
struct Caller {
    actor: Actor,
    guest: GuestId,
}

fn by_guest(request: &Request) -> Result<Caller, Problem> {
    Ok(Caller { actor: Actor::Guest, guest: guest(request)? })
}

fn by_service(request: &Request) -> Result<Caller, Problem> {
    require_signature(request)?;
    let guest = path_id(request, "guestId").ok_or_else(coupon_not_found)?;
    Ok(Caller { actor: Actor::Service, guest })
}

fn coupon_id(request: &Request) -> Result<CouponId, Problem> {
    path_id(request, "id").ok_or_else(coupon_not_found)
}

async fn hold(
    store: &(impl CouponStore + TemplateShelf),
    memory: &UsageMemory,
    Caller { actor, guest }: Caller,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let coupon = coupon_id(request)?;
    let LockRequest { order_id: order, draft } = json_body(request)?;
    let draft = draft.parse(Some(order.clone())).map_err(|error| invalid_draft(&error, "draft/"))?;
    let command = LockCoupon { actor, guest, coupon, order, draft, at: now };
    let held = lock_coupon(store, memory, &command).await.map_err(|error| lock_problem(&error))?;
    Ok(json(StatusCode::OK, &LockView::new(&held, now)))
}

async fn change(
    store: &impl CouponStore,
    Caller { actor, guest }: Caller,
    to: impl FnOnce(OrderId) -> Transition,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id = coupon_id(request)?;
    let OrderRequest { order_id } = json_body(request)?;
    let coupon = transition(store, actor, &guest, id, &to(order_id), now)
        .await
        .map_err(|error| transition_problem(&error))?;
    Ok(json(StatusCode::OK, &CouponView::new(&coupon, now)))
}
