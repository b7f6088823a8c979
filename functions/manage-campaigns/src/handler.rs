//! `/v1/admin/campaigns`, for the group `admin`.

use std::convert::Infallible;

use campaign_http::{
    CampaignAdminList, CampaignAdminView, CampaignCursor, CreateCampaignRequest, OfferRequest,
    PatchCampaignRequest, campaign_not_found,
};
use coupon_http::{
    JsonBody, Operator, Paged, ProblemView, Versioned, invalid, store_problem, template_not_found,
};
use domain_campaign::{
    Campaign, CampaignShelf, CampaignStore, ChangeError, CreateError, change_campaign, create_campaign,
    offer_template, withdraw_template,
};
use domain_coupon::TemplateStore;
use domain_ids::{CampaignId, TemplateId};
use jiff::Timestamp;
use platform_http::{
    Body, ETag, Problem, Request, Response, StatusCode, caller, header, if_match, json, json_body, path_id,
    with_header,
};

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// Campaigns on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// A page of the largest campaigns is 600 KB, within the 1 MB of one query.
const MAX_LIMIT: u16 = 50;

/// What an invocation cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes part of a new campaign's id.
    pub id: u128,
}

/// 200 or 201 for a member of the group `admin`.
pub async fn handle(
    campaigns: &(impl CampaignStore + CampaignShelf),
    templates: &impl TemplateStore,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match caller(&request).and_then(|caller| caller.require_group(ADMIN)) {
        Ok(()) => route(campaigns, templates, chance, &request).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route(
    campaigns: &(impl CampaignStore + CampaignShelf),
    templates: &impl TemplateStore,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    match platform_http::route_key(request) {
        "POST /v1/admin/campaigns" => create(campaigns, chance, request).await,
        "GET /v1/admin/campaigns" => list(campaigns, chance.at, request).await,
        "GET /v1/admin/campaigns/{id}" => show(campaigns, chance.at, request).await,
        "PATCH /v1/admin/campaigns/{id}" => change(campaigns, chance.at, request).await,
        "PUT /v1/admin/campaigns/{id}/templates/{templateId}" => {
            offer(campaigns, templates, chance.at, request).await
        }
        "DELETE /v1/admin/campaigns/{id}/templates/{templateId}" => {
            withdraw(campaigns, templates, chance.at, request).await
        }
        _ => Err(platform_http::route_not_found()),
    }
}

/// Begins a campaign.
#[utoipa::path(
    post, path = "/v1/admin/campaigns", operation_id = "createCampaign", tag = "admin",
    summary = "Begin a campaign",
    description = "It is a draft, which no guest sees, until its status is changed to `active`.",
    request_body = CreateCampaignRequest,
    responses(
        (status = 201, description = "The campaign", body = CampaignAdminView, headers(
            ("Location" = String, description = "Where the campaign can be read"), ("ETag" = String, description = "Its version"))),
        Operator, JsonBody,
    ),
    security(("jwt" = [])),
)]
pub async fn create(
    campaigns: &impl CampaignStore,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: CreateCampaignRequest = json_body(request)?;
    let new = body.parse().map_err(|violations| invalid(&violations))?;
    let created_ms = u64::try_from(chance.at.as_millisecond()).unwrap_or_default();
    let id = CampaignId::from_parts(created_ms, chance.id);
    let campaign = create_campaign(campaigns, id, new, chance.at).await.map_err(|error| match error {
        CreateError::Invalid(violations) => invalid(&violations),
        CreateError::Store(error) => store_problem(&error),
    })?;
    tracing::info!(campaign.id = %id, "created campaign");
    let response = tagged(StatusCode::CREATED, &campaign, chance.at);
    Ok(with_header(response, header::LOCATION, format!("/v1/admin/campaigns/{id}")))
}

/// A page of all campaigns.
#[utoipa::path(
    get, path = "/v1/admin/campaigns", operation_id = "listAllCampaigns", tag = "admin",
    summary = "List all campaigns",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 50, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The campaigns, the last to end first", body = CampaignAdminList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(
    campaigns: &impl CampaignShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let after = CampaignCursor::from_query(request)?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = campaigns.all(after, limit).await.map_err(|error| store_problem(&error))?;
    let items: Vec<_> = page.items.iter().map(|campaign| CampaignAdminView::new(campaign, now)).collect();
    tracing::info!(campaigns.count = items.len(), "listed campaigns");
    let next_cursor = page.next.map(|position| CampaignCursor(position).encode());
    Ok(json(StatusCode::OK, &CampaignAdminList { items, next_cursor }))
}

/// One campaign.
#[utoipa::path(
    get, path = "/v1/admin/campaigns/{id}", operation_id = "getCampaignAsAdmin", tag = "admin",
    summary = "Show a campaign with its budget",
    params(("id" = String, Path, description = "The campaign")),
    responses(
        (status = 200, description = "The campaign", body = CampaignAdminView, headers(("ETag" = String, description = "Its version"))),
        Operator,
        (status = 404, description = "`campaign-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show(
    campaigns: &impl CampaignShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id = campaign_id(request)?;
    let campaign = campaigns.campaign(id).await.map_err(|error| store_problem(&error))?;
    tracing::info!(campaign.id = %id, campaign.found = campaign.is_some(), "showed campaign");
    Ok(tagged(StatusCode::OK, &campaign.ok_or_else(campaign_not_found)?, now))
}

/// Changes a campaign.
#[utoipa::path(
    patch, path = "/v1/admin/campaigns/{id}", operation_id = "changeCampaign", tag = "admin",
    summary = "Rename, extend, start, pause, resume or end a campaign, or move its budget",
    description = "`endTime` can only be extended, `budgetFen` not go below what is committed. `status` goes from `draft` to \
        `active`, then to and from `paused`, and to `ended` for good. Guests see a change within two seconds.",
    params(
        ("id" = String, Path, description = "The campaign"),
        ("If-Match" = String, Header, description = "The `ETag` the change is based on", example = "\"1\""),
    ),
    request_body = PatchCampaignRequest,
    responses(
        (status = 200, description = "The campaign as it is now", body = CampaignAdminView, headers(("ETag" = String, description = "Its new version"))),
        Operator, JsonBody, Versioned,
        (status = 400, description = "`invalid-json`, `invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`campaign-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`campaign-ended`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn change(
    campaigns: &impl CampaignStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id = campaign_id(request)?;
    let expected = if_match(request.headers())?;
    let body: PatchCampaignRequest = json_body(request)?;
    let changed = change_campaign(campaigns, id, expected, body.parse(), now).await;
    let campaign = changed.map_err(|error| to_problem(&error))?;
    tracing::info!(campaign.id = %id, campaign.version = campaign.version, "changed campaign");
    Ok(tagged(StatusCode::OK, &campaign, now))
}

/// Puts a template into a campaign.
#[utoipa::path(
    put, path = "/v1/admin/campaigns/{id}/templates/{templateId}", operation_id = "offerTemplate", tag = "admin",
    summary = "Put a template into a campaign, or top it up",
    description = "What the coupons on sale may cost at most is committed of the campaign's budget, before they are on sale: \
        `totalCount` times the amount, or the cap of a discount. From then on the template is claimed through the campaign, and topped up \
        here. A repeat finishes what was cut off.",
    params(
        ("id" = String, Path, description = "The campaign"),
        ("templateId" = String, Path, description = "The template"),
        ("If-Match" = String, Header, description = "The campaign's `ETag` the change is based on", example = "\"1\""),
    ),
    request_body = OfferRequest,
    responses(
        (status = 200, description = "The campaign as it is now", body = CampaignAdminView, headers(("ETag" = String, description = "Its new version"))),
        Operator, JsonBody, Versioned,
        (status = 400, description = "`invalid-json`, `invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`campaign-not-found`, `template-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`budget-exceeded` (with `budgetFen`, `committedFen` and `neededFen`), `campaign-ended`",
            body = ProblemView, content_type = "application/problem+json",
            example = json!({"type": "urn:flashsale:problem:budget-exceeded", "title": "The budget does not cover these coupons", "status": 409,
                "budgetFen": 10_000_000, "committedFen": 9_000_000, "neededFen": 2_000_000})),
        (status = 422, description = "`invalid-body`, with the fields at fault; `templateId` where the template cannot be in the campaign",
            body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn offer(
    campaigns: &impl CampaignStore,
    templates: &impl TemplateStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let (id, template) = (campaign_id(request)?, template_id(request)?);
    let expected = if_match(request.headers())?;
    let body: OfferRequest = json_body(request)?;
    let offered = offer_template(campaigns, templates, (id, template), expected, &body.parse(), now).await;
    let campaign = offered.map_err(|error| to_problem(&error))?;
    tracing::info!(campaign.id = %id, template.id = %template, campaign.version = campaign.version, "offered template");
    Ok(tagged(StatusCode::OK, &campaign, now))
}

/// Takes a template out of a campaign.
#[utoipa::path(
    delete, path = "/v1/admin/campaigns/{id}/templates/{templateId}", operation_id = "withdrawTemplate", tag = "admin",
    summary = "Take a template out of a draft",
    description = "The template is on its own again: within its time guests can claim it directly. Pause it first if they must not.",
    params(
        ("id" = String, Path, description = "The campaign"),
        ("templateId" = String, Path, description = "The template"),
        ("If-Match" = String, Header, description = "The campaign's `ETag` the change is based on", example = "\"2\""),
    ),
    responses(
        (status = 200, description = "The campaign as it is now", body = CampaignAdminView, headers(("ETag" = String, description = "Its new version"))),
        Operator, Versioned,
        (status = 400, description = "`invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`campaign-not-found`, `template-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`campaign-started`: only a draft loses templates", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn withdraw(
    campaigns: &impl CampaignStore,
    templates: &impl TemplateStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let (id, template) = (campaign_id(request)?, template_id(request)?);
    let expected = if_match(request.headers())?;
    let withdrawn = withdraw_template(campaigns, templates, (id, template), expected, now).await;
    let campaign = withdrawn.map_err(|error| to_problem(&error))?;
    tracing::info!(campaign.id = %id, template.id = %template, campaign.version = campaign.version, "withdrew template");
    Ok(tagged(StatusCode::OK, &campaign, now))
}

fn campaign_id(request: &Request) -> Result<CampaignId, Problem> {
    path_id(request, "id").ok_or_else(campaign_not_found)
}

fn template_id(request: &Request) -> Result<TemplateId, Problem> {
    path_id(request, "templateId").ok_or_else(template_not_found)
}

fn to_problem(error: &ChangeError) -> Problem {
    let conflict = |slug, title| Problem::new(StatusCode::CONFLICT, slug, title);
    match error {
        ChangeError::NotFound => campaign_not_found(),
        ChangeError::TemplateNotFound => template_not_found(),
        ChangeError::Outdated => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "Somebody else has changed the campaign; read it again",
        ),
        ChangeError::Over => conflict("campaign-ended", "The campaign has ended"),
        ChangeError::Started => conflict("campaign-started", "The campaign has started"),
        ChangeError::OverBudget(shortage) => {
            conflict("budget-exceeded", "The budget does not cover these coupons")
                .with("budgetFen", shortage.budget)
                .with("committedFen", shortage.committed)
                .with("neededFen", shortage.needed)
        }
        ChangeError::Invalid(violations) => invalid(violations),
        ChangeError::Store(error) => store_problem(error),
    }
}

fn tagged(status: StatusCode, campaign: &Campaign, now: Timestamp) -> Response<Body> {
    let response = json(status, &CampaignAdminView::new(campaign, now));
    with_header(response, header::ETAG, ETag(campaign.version))
}
