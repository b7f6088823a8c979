//! `GET /v1/admin/coupon-templates/{id}/report` and `GET /v1/admin/campaigns/{id}/report`, for the group `admin`.

use std::{collections::BTreeMap, convert::Infallible};

use campaign_http::campaign_not_found;
use coupon_http::{Operator, ProblemView, template_not_found, too_many_requests, try_again};
use domain_coupon::StoreError;
use domain_ids::{CampaignId, TemplateId};
use domain_report::{Counters, Hour, Report, ReportShelf};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use platform_http::{
    Body, Problem, Request, Response, StatusCode, caller, json, path_id, route_key, route_not_found,
};
use platform_telemetry::Chain;

use crate::{CampaignReportView, ReportView, TemplateReportView, period::period};

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// Templates of a campaign that are read at once.
const CONCURRENCY: usize = 4;

/// 200 with a report for a member of the group `admin`.
pub async fn handle(
    store: &impl ReportShelf,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match caller(&request).and_then(|caller| caller.require_group(ADMIN)) {
        Ok(()) => route(store, now, &request).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route(
    store: &impl ReportShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    match route_key(request) {
        "GET /v1/admin/coupon-templates/{id}/report" => of_template(store, now, request).await,
        "GET /v1/admin/campaigns/{id}/report" => of_campaign(store, now, request).await,
        _ => Err(route_not_found()),
    }
}

/// The report on a template.
#[utoipa::path(
    get, path = "/v1/admin/coupon-templates/{id}/report", operation_id = "getTemplateReport", tag = "admin",
    summary = "Report on a coupon template",
    description = "`totals` are since ever; `series` is the period asked for. Days are those of Asia/Shanghai. Counts are \
        some seconds old.",
    params(
        ("id" = String, Path, description = "The template"),
        ("from" = Option<String>, Query, description = "First day; without it, six days before the last", example = "2026-11-11"),
        ("to" = Option<String>, Query, description = "Last day; without it, today", example = "2026-11-17"),
        ("granularity" = Option<String>, Query, description = "`hour` (at most 31 days) or `day` (at most 366); `day` without it", example = "day"),
    ),
    responses(
        (status = 200, description = "The report", body = TemplateReportView),
        Operator,
        (status = 400, description = "`invalid-parameter`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn of_template(
    store: &impl ReportShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let template_id: TemplateId = path_id(request, "id").ok_or_else(template_not_found)?;
    let period = period(request, now)?;
    if !store.has_template(template_id).await.map_err(|error| to_problem(&error))? {
        return Err(template_not_found());
    }
    let hours = store.hours(template_id).await.map_err(|error| to_problem(&error))?;
    tracing::info!(template.id = %template_id, report.hours = hours.len(), "reported on template");
    let report = ReportView::new(&Report::new(&hours, &period), now);
    Ok(json(StatusCode::OK, &TemplateReportView { template_id, report }))
}

/// The report on a campaign.
#[utoipa::path(
    get, path = "/v1/admin/campaigns/{id}/report", operation_id = "getCampaignReport", tag = "admin",
    summary = "Report on a campaign",
    description = "As for a template, for all templates together that the campaign has now.",
    params(
        ("id" = String, Path, description = "The campaign"),
        ("from" = Option<String>, Query, description = "First day; without it, six days before the last", example = "2026-11-11"),
        ("to" = Option<String>, Query, description = "Last day; without it, today", example = "2026-11-17"),
        ("granularity" = Option<String>, Query, description = "`hour` (at most 31 days) or `day` (at most 366); `day` without it", example = "day"),
    ),
    responses(
        (status = 200, description = "The report", body = CampaignReportView),
        Operator,
        (status = 400, description = "`invalid-parameter`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`campaign-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn of_campaign(
    store: &impl ReportShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let campaign_id: CampaignId = path_id(request, "id").ok_or_else(campaign_not_found)?;
    let period = period(request, now)?;
    let template_ids = store
        .templates_of(campaign_id)
        .await
        .map_err(|error| to_problem(&error))?
        .ok_or_else(campaign_not_found)?;
    let hours = hours_of(store, &template_ids).await.map_err(|error| to_problem(&error))?;
    tracing::info!(campaign.id = %campaign_id, templates.count = template_ids.len(), "reported on campaign");
    let report = ReportView::new(&Report::new(&hours, &period), now);
    Ok(json(StatusCode::OK, &CampaignReportView { campaign_id, template_ids, report }))
}

async fn hours_of(
    store: &impl ReportShelf,
    templates: &[TemplateId],
) -> Result<BTreeMap<Hour, Counters>, StoreError> {
    stream::iter(templates.to_vec())
        .map(|template| store.hours(template))
        .buffer_unordered(CONCURRENCY)
        .try_fold(BTreeMap::new(), async |mut sums: BTreeMap<Hour, Counters>, hours| {
            for (hour, counters) in &hours {
                *sums.entry(*hour).or_default() += counters;
            }
            Ok(sums)
        })
        .await
}

/// What an operator is told when the store fails; the cause goes to the log.
fn to_problem(error: &StoreError) -> Problem {
    tracing::error!(error = %Chain(error), "the store failed");
    match error {
        StoreError::Throttled(_) => too_many_requests(),
        StoreError::Unavailable(_) | StoreError::Corrupt(_) => try_again(),
    }
}
