//! The route that API Gateway serves itself, by putting the claim into the queue.

use coupon_http::ProblemView;

/// Puts a claim into the queue.
#[utoipa::path(
    post, path = "/v1/coupon-templates/{id}/queued-claims", operation_id = "queueClaim", tag = "coupons",
    summary = "Claim a coupon through the queue",
    description = "Takes the claim in without looking at it: what came of it is told at the `Location`. Whatever could be wrong \
        with it, an unknown template among others, is told there too, as the problem that `POST …/claims` answers. With an \
        `Idempotency-Key` a repeat returns the coupon of the first request. Of a guest's claims on one template the \
        earlier come first where they are taken from the queue together; otherwise the queue keeps no order.",
    params(
        ("id" = String, Path, description = "The template, of issue mode `queued`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", example = "7f3c1e0a-claim"),
    ),
    responses(
        (status = 202, description = "It is in the queue", headers(
            ("Location" = String, description = "Where to ask what came of it: `/v1/claims/{requestId}`"))),
        (status = 401, description = "`unauthenticated`", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests: API Gateway's own body"),
        (status = 503, description = "The queue could not be reached: API Gateway's own body"),
    ),
    security(("jwt" = [])),
)]
#[expect(dead_code, reason = "no function serves the route: its annotation is all there is")]
pub(crate) fn enqueue() {}
