//! `POST /v1/coupon-templates/{id}/claims`.

use std::convert::Infallible;

use coupon_http::{
    CouponView, ProblemView, SignedIn, claim_answer, claim_problem, claim_reason, guest,
    invalid_idempotency_key, template_not_found,
};
use domain_coupon::{ClaimCoupon, ClaimKey, ClaimStore, Claimed, CouponCode, SaleMemory, Source, claim};
use domain_ids::TemplateId;
use jiff::Timestamp;
use platform_http::{Body, Problem, Request, Response, path_id};
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
        SignedIn,
        (status = 400, description = "`invalid-idempotency-key`", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "`challenge-required`, `request-blocked`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`template-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`coupon-sold-out`, `claim-limit-reached` (with `couponIds`), `template-not-claimable`, \
            `queued-claims-only`, `campaign-only`, `sale-not-started`, `sale-ended`, `sale-paused` (with `startTime` and `endTime`)", body = ProblemView, content_type = "application/problem+json",
            example = json!({"type": "urn:flashsale:problem:claim-limit-reached", "title": "You already hold as many of these coupons as allowed", "status": 409,
                "couponIds": ["01KA3Z5QJ8M4T2R7V9X1C6B0NG-1-JRRFGR2VKZHEGU2V"]})),
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
    let name = count(outcome.as_ref().map_err(claim_reason));
    tracing::info!(template.id = %command.template, claim.outcome = name, "claim");
    match outcome {
        Ok(claimed) => Ok(claim_answer(&claimed, chance.at)),
        Err(error) => Err(claim_problem(&error)),
    }
}

fn parse(chance: Chance, request: &Request) -> Result<ClaimCoupon, Problem> {
    let guest = guest(request)?;
    let template: TemplateId = path_id(request, "id").ok_or_else(template_not_found)?;
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| invalid_idempotency_key())?;
    Ok(ClaimCoupon {
        key: key.map(|key| ClaimKey::new(&guest, template, key.as_str())),
        guest,
        template,
        source: Source::Claim,
        campaign: None,
        exchange: None,
        code: CouponCode::from_random(chance.code),
        at: chance.at,
        seed: chance.seed,
    })
}

/// The metrics of a claim, and what it came to as a word for the log.
pub(crate) fn count(outcome: Result<&Claimed, &'static str>) -> &'static str {
    match outcome {
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
        Err(reason) => {
            metrics::counter!("ClaimsRefused", "reason" => reason).increment(1);
            reason
        }
    }
}
