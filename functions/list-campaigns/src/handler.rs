//! `GET /v1/campaigns` and `GET /v1/campaigns/{id}`.

use std::{convert::Infallible, sync::Arc};

use campaign_http::{CampaignCursor, CampaignList, CampaignSalesView, CampaignView, campaign_not_found};
use coupon_http::{Everybody, Paged, ProblemView, SaleView, store_problem};
use domain_campaign::{Campaign, CampaignPhase, CampaignShelf, Recent, list_open};
use domain_coupon::{StoreError, TemplateShelf};
use domain_ids::{CampaignId, TemplateId};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use platform_http::{Body, Problem, Request, Response, StatusCode, header, json, path_id, with_header};

/// Campaigns on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// A page of the largest campaigns is 600 KB, within the 1 MB of one query.
const MAX_LIMIT: u16 = 50;

/// Templates whose stock is added up at once.
const CONCURRENCY: usize = 8;

/// How old a shown campaign may be. Adding up the shards of its sales costs up to thousands of read units: too much for
/// every look, little every five seconds.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_secs(5);

/// Browsers and a CDN may answer from their copy for as long.
const CACHE_CONTROL: &str = "public, max-age=5";

/// What one execution environment remembers of what it has shown.
pub type Shown = Recent<Arc<CampaignSalesView>>;

/// 200 with campaigns; public, so that nothing in it depends on who asks.
pub async fn handle(
    campaigns: &impl CampaignShelf,
    templates: &impl TemplateShelf,
    shown: &Shown,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match platform_http::route_key(&request) {
        "GET /v1/campaigns" => list(campaigns, now, &request).await,
        "GET /v1/campaigns/{id}" => show(campaigns, templates, shown, now, &request).await,
        _ => Err(platform_http::route_not_found()),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

/// A page of the running and coming campaigns.
#[utoipa::path(
    get, path = "/v1/campaigns", operation_id = "listCampaigns", tag = "campaigns",
    summary = "List running and coming campaigns",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 50, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The campaigns, the next to end first", body = CampaignList,
            headers(("Cache-Control" = String, description = "`public, max-age=5`"))),
        Everybody, Paged,
    ),
)]
pub async fn list(
    campaigns: &impl CampaignShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let after = CampaignCursor::from_query(request)?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = list_open(campaigns, after, limit, now).await.map_err(|error| store_problem(&error))?;
    let items: Vec<_> = page.items.iter().map(|campaign| CampaignView::new(campaign, now)).collect();
    tracing::info!(campaigns.count = items.len(), "listed campaigns");
    let next_cursor = page.next.map(|position| CampaignCursor(position).encode());
    Ok(cacheable(json(StatusCode::OK, &CampaignList { items, next_cursor })))
}

/// One campaign.
#[utoipa::path(
    get, path = "/v1/campaigns/{id}", operation_id = "getCampaign", tag = "campaigns",
    summary = "Show a campaign and what can be claimed in it",
    params(("id" = String, Path, description = "The campaign")),
    responses(
        (status = 200, description = "The campaign", body = CampaignSalesView,
            headers(("Cache-Control" = String, description = "`public, max-age=5`"))),
        Everybody,
        (status = 404, description = "`campaign-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    campaigns: &impl CampaignShelf,
    templates: &impl TemplateShelf,
    shown: &Shown,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id: CampaignId = path_id(request, "id").ok_or_else(campaign_not_found)?;
    let known = shown.recall(id, now);
    tracing::info!(campaign.id = %id, campaign.remembered = known.is_some(), "show campaign");
    if let Some(view) = known {
        return Ok(cacheable(json(StatusCode::OK, &*view)));
    }
    let campaign = campaigns.campaign(id).await.map_err(|error| store_problem(&error))?;
    let campaign =
        campaign.filter(|known| known.phase(now) != CampaignPhase::Draft).ok_or_else(campaign_not_found)?;
    let sales = sales(templates, &campaign, now).await.map_err(|error| store_problem(&error))?;
    let view = Arc::new(CampaignSalesView { campaign: CampaignView::new(&campaign, now), sales });
    shown.learn(id, Arc::clone(&view), now);
    Ok(cacheable(json(StatusCode::OK, &*view)))
}

/// The sales of a campaign, in the order of their templates.
async fn sales(
    templates: &impl TemplateShelf,
    campaign: &Campaign,
    now: Timestamp,
) -> Result<Vec<SaleView>, StoreError> {
    let ids: Vec<TemplateId> = campaign.offers.keys().copied().collect();
    let sales: Vec<Option<SaleView>> = stream::iter(ids)
        .map(|template| sale(templates, campaign.id, template, now))
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    Ok(sales.into_iter().flatten().collect())
}

/// `None` for a template that is committed, but has not joined: its offer was cut off.
async fn sale(
    templates: &impl TemplateShelf,
    campaign: CampaignId,
    template: TemplateId,
    now: Timestamp,
) -> Result<Option<SaleView>, StoreError> {
    let joined = templates.template(template).await?.filter(|known| known.campaign == Some(campaign));
    let Some(template) = joined else { return Ok(None) };
    let remaining = templates.remaining(&template).await?;
    Ok(Some(SaleView::new(&template, remaining, now)))
}

fn cacheable(response: Response<Body>) -> Response<Body> {
    with_header(response, header::CACHE_CONTROL, CACHE_CONTROL)
}
