//! `GET /v1/claims/{requestId}`.

use std::convert::Infallible;

use claim_request_dynamodb::{ClaimRequests, KEPT_FOR, Outcome};
use coupon_http::{CouponView, ProblemView, SignedIn, guest, store_problem};
use domain_coupon::{CouponShelf, StoreError};
use domain_ids::RequestId;
use jiff::Timestamp;
use platform_http::{
    Body, Problem, Request, Response, StatusCode, header::RETRY_AFTER, json, path_id, query, with_header,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    place::{Ticket, ask_again_after},
    queue::{ClaimQueue, QueueWatch},
};

/// Where a claim is looked for, and what is remembered of the queue.
#[derive(Debug)]
pub struct Stores<S, Q> {
    /// Guests' coupons.
    pub coupons: S,
    /// Outcomes, and how many claims were taken.
    pub requests: ClaimRequests,
    /// How many wait.
    pub queue: Q,
    /// What was found out about both.
    pub watch: QueueWatch,
}

/// A queued claim.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
#[schema(example = json!({"status": "pending", "place": 1200, "estimatedWaitSeconds": 10, "ticket": "NjIwMC41MDAwLjE3OTQzMjY0MDAwMDA"}))]
pub enum ClaimView {
    /// It waits in the queue.
    Pending {
        /// About how many claims are before it, those on other templates among them: the queue is fair, so that
        /// another sale's crowd may be passed.
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<u64>,
        /// How many seconds that takes if the queue goes on as it has since the first question; from the second on.
        #[serde(rename = "estimatedWaitSeconds", skip_serializing_if = "Option::is_none")]
        estimated_wait_seconds: Option<u64>,
        /// To be sent with the next question: keeps the place.
        #[serde(skip_serializing_if = "Option::is_none")]
        ticket: Option<String>,
    },
    /// A coupon was issued.
    Issued {
        /// As it is now.
        #[schema(value_type = CouponView)]
        coupon: Box<CouponView>,
    },
    /// None was issued.
    Refused {
        /// Why: what `POST /v1/coupon-templates/{id}/claims` would have answered.
        #[schema(value_type = ProblemView)]
        problem: Value,
    },
}

/// 200 with what became of the claim, or that it is pending.
#[utoipa::path(
    get, path = "/v1/claims/{requestId}", operation_id = "getClaim", tag = "coupons",
    summary = "Show a queued claim",
    description = "What became of a claim that was put into the queue by `POST /v1/coupon-templates/{id}/queued-claims`, \
        whose `Location` this is. Ask again after `Retry-After` seconds as long as it is pending, with the `ticket` of \
        the answer before. An outcome is kept for 24 hours; the coupon is among the guest's own ever after. The queue \
        cannot be searched, so that an id which nobody was given is pending, too.",
    params(
        ("requestId" = String, Path, description = "The request that put the claim into the queue"),
        ("ticket" = Option<String>, Query, description = "`ticket` of the answer before"),
    ),
    responses(
        (status = 200, description = "The claim", body = ClaimView, headers(
            ("Retry-After" = u32, description = "Where it is pending: when to ask again, in seconds"),
        )),
        SignedIn,
        (status = 400, description = "`invalid-parameter`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`claim-not-found`: another guest's, or older than its outcome is kept", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn handle<S: CouponShelf, Q: ClaimQueue>(
    stores: &Stores<S, Q>,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    Ok(show(stores, now, &request).await.unwrap_or_else(Problem::into_response))
}

async fn show<S: CouponShelf, Q: ClaimQueue>(
    stores: &Stores<S, Q>,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let guest = guest(request)?;
    let id: RequestId = path_id(request, "requestId").ok_or_else(claim_not_found)?;
    let ticket: Option<Ticket> = query(request, "ticket")?;

    let settled = stores.requests.settled(&id).await.map_err(|error| store_problem(&error))?;
    let Some(settled) = settled else { return pending(stores, now, ticket).await };
    if settled.guest != guest {
        return Err(claim_not_found());
    }
    let view = match settled.outcome {
        Outcome::Issued(id) => {
            let coupon = stores.coupons.coupon(&guest, id).await.map_err(|error| store_problem(&error))?;
            let gone = || store_problem(&StoreError::Corrupt("an issued coupon is gone".into()));
            ClaimView::Issued { coupon: Box::new(CouponView::new(&coupon.ok_or_else(gone)?, now)) }
        }
        Outcome::Refused(problem) => ClaimView::Refused { problem },
    };
    tracing::info!(claim.settled = true, "showed claim");
    Ok(json(StatusCode::OK, &view))
}

/// Nobody knows whose it is, if anybody's: the place is about the queue, not about the claim.
async fn pending<S, Q: ClaimQueue>(
    stores: &Stores<S, Q>,
    now: Timestamp,
    ticket: Option<Ticket>,
) -> Result<Response<Body>, Problem> {
    if ticket.is_some_and(|ticket| now.duration_since(ticket.drawn_at()) > KEPT_FOR) {
        return Err(claim_not_found());
    }
    let queue = stores.watch.look(&stores.queue, &stores.requests, now).await;
    let ticket = ticket.or_else(|| Some(Ticket::draw(queue?, now)));
    let placed = ticket.zip(queue);
    let place = placed.map(|(ticket, queue)| ticket.place(queue));
    let wait = placed.and_then(|(ticket, queue)| ticket.wait_seconds(queue, now));
    tracing::info!(claim.settled = false, claim.place = place, "showed claim");
    let view = ClaimView::Pending {
        place,
        estimated_wait_seconds: wait,
        ticket: ticket.map(|ticket| ticket.to_string()),
    };
    let pause = ask_again_after(place.unwrap_or_default(), wait);
    Ok(with_header(json(StatusCode::OK, &view), RETRY_AFTER, pause.as_secs()))
}

fn claim_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "claim-not-found", "You have no such claim")
}
