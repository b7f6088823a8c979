//! `POST /v1/coupon-templates/{id}/claims`.

use std::convert::Infallible;

use coupon_http::{
    CouponView, ProblemView, guest, store_problem, template_not_found, too_many_requests, try_again,
};
use domain_coupon::{
    ClaimCoupon, ClaimError, ClaimKey, ClaimStore, Claimed, CouponCode, SaleMemory, Window, claim,
};
use domain_ids::TemplateId;
use jiff::Timestamp;
use platform_http::{
    Body, HeaderName, Problem, Request, Response, StatusCode, header::LOCATION, json, path_id, with_header,
};
use platform_idempotency::IdempotencyKey;

/// What an invocation cannot compute: the time, and random bits from a cryptographic source.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes the coupon's code.
    pub code: u128,
    /// Seeds the choice of shards and the jitter.
    pub seed: u64,
}

/// 201 with the coupon; also for a repeat of the same claim, then with `Idempotent-Replayed: true`.
#[utoipa::path(
    post, path = "/v1/coupon-templates/{id}/claims", operation_id = "claimCoupon", tag = "coupons",
    summary = "Claim a coupon",
    description = "Issues one coupon to the guest. With an `Idempotency-Key` a repeat returns the coupon of the first \
        request, even after the sale. Without one, a guest who holds as many as allowed is told which.",
    params(
        ("id" = String, Path, description = "The template"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", example = "7f3c1e0a-claim"),
    ),
    responses(
        (status = 201, description = "The coupon", body = CouponView, headers(
            ("Location" = String, description = "Where the coupon can be read"),
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this key issued it"),
        )),
        (status = 400, description = "`invalid-idempotency-key`", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`template-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`coupon-sold-out`, `claim-limit-reached` (with `couponIds`), `template-not-claimable`, \
            `sale-not-started`, `sale-ended`, `sale-paused` (with `startTime` and `endTime`)", body = ProblemView, content_type = "application/problem+json",
            example = json!({"type": "urn:flashsale:problem:claim-limit-reached", "title": "You already hold as many of these coupons as allowed", "status": 409,
                "couponIds": ["01KA3Z5QJ8M4T2R7V9X1C6B0NG-1-JRRFGR2VKZHEGU2V"]})),
        (status = 429, description = "`too-many-requests`, with `Retry-After`", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "`try-again`, with `Retry-After`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn handle(
    store: &impl ClaimStore,
    memory: &SaleMemory,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    Ok(match respond(store, memory, chance, &request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    })
}

async fn respond(
    store: &impl ClaimStore,
    memory: &SaleMemory,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let command = parse(chance, request)?;
    let outcome = claim(store, memory, &command).await;
    record(&outcome, command.template);
    match outcome {
        Ok(claimed) => Ok(created(&claimed, chance.at)),
        Err(error) => Err(to_problem(&error)),
    }
}

fn parse(chance: Chance, request: &Request) -> Result<ClaimCoupon, Problem> {
    let guest = guest(request)?;
    let template: TemplateId = path_id(request, "id").ok_or_else(template_not_found)?;
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-idempotency-key",
            "The Idempotency-Key must be 1 to 255 visible ASCII characters",
        )
    })?;
    Ok(ClaimCoupon {
        key: key.map(|key| ClaimKey::new(&guest, template, key.as_str())),
        guest,
        template,
        code: CouponCode::from_random(chance.code),
        at: chance.at,
        seed: chance.seed,
    })
}

fn created(claimed: &Claimed, now: Timestamp) -> Response<Body> {
    let coupon = CouponView::new(&claimed.coupon, now);
    let location = format!("/v1/me/coupons/{}", coupon.id);
    let response = with_header(json(StatusCode::CREATED, &coupon), LOCATION, location);
    if claimed.replayed { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response }
}

/// Says that an earlier request with the same key made the result.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

fn to_problem(error: &ClaimError) -> Problem {
    let conflict = |slug, title| Problem::new(StatusCode::CONFLICT, slug, title);
    match error {
        ClaimError::TemplateNotFound => template_not_found(),
        ClaimError::NotClaimable => {
            conflict("template-not-claimable", "These coupons are granted or exchanged, not claimed")
        }
        ClaimError::NotStarted(window) => {
            times(conflict("sale-not-started", "The sale has not started"), window)
        }
        ClaimError::Ended(window) => times(conflict("sale-ended", "The sale has ended"), window),
        ClaimError::Paused(window) => times(conflict("sale-paused", "The sale is paused"), window),
        ClaimError::SoldOut => conflict("coupon-sold-out", "Every coupon has been claimed"),
        ClaimError::LimitReached { held } => {
            conflict("claim-limit-reached", "You already hold as many of these coupons as allowed")
                .with("couponIds", held)
        }
        ClaimError::Busy => try_again(),
        ClaimError::Throttled => too_many_requests(),
        ClaimError::Store(error) => store_problem(error),
    }
}

fn times(problem: Problem, window: &Window) -> Problem {
    problem.with("startTime", window.starts_at).with("endTime", window.ends_at)
}

/// One log line and the metrics of a claim; no guest, no code.
fn record(outcome: &Result<Claimed, ClaimError>, template: TemplateId) {
    let name = match outcome {
        Ok(claimed) => {
            metrics::counter!("ClaimConflicts").increment(u64::from(claimed.conflicts));
            if claimed.replayed {
                metrics::counter!("ClaimsReplayed").increment(1);
                "replayed"
            } else {
                metrics::counter!("ClaimsIssued").increment(1);
                "issued"
            }
        }
        Err(error) => {
            let reason = reason(error);
            metrics::counter!("ClaimsRefused", "reason" => reason).increment(1);
            reason
        }
    };
    tracing::info!(template.id = %template, claim.outcome = name, "claim");
}

fn reason(error: &ClaimError) -> &'static str {
    match error {
        ClaimError::TemplateNotFound => "template_not_found",
        ClaimError::NotClaimable => "not_claimable",
        ClaimError::NotStarted(_) => "not_started",
        ClaimError::Ended(_) => "ended",
        ClaimError::Paused(_) => "paused",
        ClaimError::SoldOut => "sold_out",
        ClaimError::LimitReached { .. } => "limit_reached",
        ClaimError::Busy => "busy",
        ClaimError::Throttled => "throttled",
        ClaimError::Store(_) => "store_failed",
    }
}
