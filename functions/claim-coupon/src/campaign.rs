//! `POST /v1/campaigns/{id}/claims`.

use std::convert::Infallible;

use campaign_http::{ClaimInCampaignRequest, campaign_not_found};
use coupon_http::{
    CouponView, JsonBody, ProblemView, SignedIn, claim_answer, claim_problem, claim_reason, guest,
    invalid_idempotency_key, store_problem, template_not_found,
};
use domain_campaign::{
    CampaignClaimError, CampaignMemory, CampaignSource, ClaimInCampaign, claim_in_campaign,
};
use domain_coupon::{ClaimStore, CouponCode, SaleMemory};
use platform_http::{Body, Problem, Request, Response, StatusCode, caller, json_body, path_id};
use platform_idempotency::IdempotencyKey;

use crate::handler::{Chance, count};

/// What API Gateway calls the route.
pub const ROUTE: &str = "POST /v1/campaigns/{id}/claims";

/// 201 with the coupon; also for a repeat of the same claim, then with `Idempotent-Replayed: true`.
#[utoipa::path(
    post, path = "/v1/campaigns/{id}/claims", operation_id = "claimInCampaign", tag = "campaigns",
    summary = "Claim a coupon of a campaign",
    description = "Issues one coupon to the guest, of the template that the guest names or, where the campaign has a split, \
        of the one that it has assigned to the guest for good. Apart from that it is as claiming a coupon of a template.",
    params(
        ("id" = String, Path, description = "The campaign"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", example = "7f3c1e0a-claim"),
    ),
    request_body(content = Option<ClaimInCampaignRequest>, description = "Without a body where the campaign has a split"),
    responses(
        (status = 201, description = "The coupon", body = CouponView, headers(
            ("Location" = String, description = "Where the coupon can be read"),
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this key issued it"),
        )),
        SignedIn, JsonBody,
        (status = 400, description = "`invalid-idempotency-key`, `invalid-json`", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "`not-in-audience`, `challenge-required`, `request-blocked`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`campaign-not-found`, `template-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`campaign-not-running` (with `phase`, `startTime` and `endTime`), and all that claiming a coupon of the \
            template can be refused for", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`choose-a-template` (with `templateIds`), `invalid-body`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn handle(
    campaigns: &impl CampaignSource,
    known: &CampaignMemory,
    coupons: &impl ClaimStore,
    memory: &SaleMemory,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = respond(campaigns, known, coupons, memory, chance, &request).await;
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn respond(
    campaigns: &impl CampaignSource,
    known: &CampaignMemory,
    coupons: &impl ClaimStore,
    memory: &SaleMemory,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let wish = parse(chance, request)?;
    let outcome = claim_in_campaign(campaigns, known, coupons, memory, &wish).await;
    let name = count(outcome.as_ref().map_err(reason));
    let template = outcome.as_ref().ok().map(|claimed| claimed.coupon.template().to_string());
    tracing::info!(campaign.id = %wish.campaign, template.id = template, claim.outcome = name, "claim");
    match outcome {
        Ok(claimed) => Ok(claim_answer(&claimed, chance.at)),
        Err(error) => Err(to_problem(&error)),
    }
}

fn parse(chance: Chance, request: &Request) -> Result<ClaimInCampaign, Problem> {
    let (guest, groups) = (guest(request)?, caller(request)?.groups);
    let campaign = path_id(request, "id").ok_or_else(campaign_not_found)?;
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| invalid_idempotency_key())?;
    let body =
        if request.body().is_empty() { ClaimInCampaignRequest::default() } else { json_body(request)? };
    Ok(ClaimInCampaign {
        campaign,
        guest,
        groups,
        choice: body.template_id,
        key: key.map(|key| key.as_str().to_owned()),
        code: CouponCode::from_random(chance.code),
        at: chance.at,
        seed: chance.seed,
    })
}

fn to_problem(error: &CampaignClaimError) -> Problem {
    let unprocessable = |slug, title| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, slug, title);
    match error {
        CampaignClaimError::NotFound => campaign_not_found(),
        CampaignClaimError::NotRunning { phase, window } => {
            Problem::new(StatusCode::CONFLICT, "campaign-not-running", "The campaign is not running")
                .with("phase", phase)
                .with("startTime", window.starts_at)
                .with("endTime", window.ends_at)
        }
        CampaignClaimError::NotInAudience => {
            Problem::new(StatusCode::FORBIDDEN, "not-in-audience", "The campaign is for other guests")
        }
        CampaignClaimError::Choose { templates } => {
            unprocessable("choose-a-template", "Say which coupon of the campaign you want")
                .detail("Send one of templateIds as templateId.")
                .with("templateIds", templates)
        }
        CampaignClaimError::NoChoice => unprocessable("invalid-body", "The body is not valid")
            .field("templateId", "must not be sent: the campaign chooses"),
        CampaignClaimError::NotOffered => template_not_found(),
        CampaignClaimError::Claim(error) => claim_problem(error),
        CampaignClaimError::Store(error) => store_problem(error),
    }
}

fn reason(error: &CampaignClaimError) -> &'static str {
    match error {
        CampaignClaimError::NotFound => "campaign_not_found",
        CampaignClaimError::NotRunning { .. } => "campaign_not_running",
        CampaignClaimError::NotInAudience => "not_in_audience",
        CampaignClaimError::Choose { .. } => "no_choice",
        CampaignClaimError::NoChoice => "choice_not_open",
        CampaignClaimError::NotOffered => "not_offered",
        CampaignClaimError::Claim(error) => claim_reason(error),
        CampaignClaimError::Store(_) => "store_failed",
    }
}
