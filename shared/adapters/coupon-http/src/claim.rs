use domain_coupon::{ClaimError, Claimed, Window};
use jiff::Timestamp;
use platform_http::{Body, HeaderName, Problem, Response, StatusCode, header::LOCATION, json, with_header};

use crate::{CouponView, store_problem, template_not_found, too_many_requests, try_again};

/// Says that an earlier request with the same key made the result.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// 201 with the coupon and where it can be read; a repeat says that it is one.
pub fn claim_answer(claimed: &Claimed, now: Timestamp) -> Response<Body> {
    let coupon = CouponView::new(&claimed.coupon, now);
    let location = format!("/v1/me/coupons/{}", coupon.id);
    let response = with_header(json(StatusCode::CREATED, &coupon), LOCATION, location);
    if claimed.replayed { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response }
}

/// Why no coupon was issued, the same whichever way it was claimed.
pub fn claim_problem(error: &ClaimError) -> Problem {
    let conflict = |slug, title| Problem::new(StatusCode::CONFLICT, slug, title);
    match error {
        ClaimError::TemplateNotFound => template_not_found(),
        ClaimError::NotClaimable => {
            conflict("template-not-claimable", "These coupons are issued another way")
        }
        ClaimError::QueueOnly => conflict(
            "queued-claims-only",
            "These coupons are claimed by POST /v1/coupon-templates/{id}/queued-claims",
        ),
        ClaimError::CampaignOnly => {
            conflict("campaign-only", "These coupons are claimed by POST /v1/campaigns/{id}/claims")
        }
        ClaimError::CodeUsed => conflict("code-used", "The exchange code has been used"),
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

/// Why no coupon was issued, as a word for metrics and logs.
pub fn claim_reason(error: &ClaimError) -> &'static str {
    match error {
        ClaimError::TemplateNotFound => "template_not_found",
        ClaimError::NotClaimable => "not_claimable",
        ClaimError::QueueOnly => "queue_only",
        ClaimError::CampaignOnly => "campaign_only",
        ClaimError::CodeUsed => "code_used",
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
