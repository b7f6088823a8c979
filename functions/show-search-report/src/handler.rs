//! `GET /v1/admin/search-report`, for the group `admin`.

use std::convert::Infallible;

use coupon_http::{Operator, ProblemView, store_problem};
use domain_search::{Report, ReportShelf};
use jiff::Timestamp;
use platform_http::{Body, Problem, Request, Response, StatusCode, caller, json};
use search_http::{SearchReportView, period};

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// 200 with a report for a member of the group `admin`.
#[utoipa::path(
    get, path = "/v1/admin/search-report", operation_id = "getSearchReport", tag = "admin",
    summary = "Report on searches",
    description = "Days are those of Asia/Shanghai; a click counts on the day of its search. Counts are some minutes old. A keyword's \
        numbers are those of the days on which it was among the 300 most frequent.",
    params(
        ("from" = Option<String>, Query, description = "First day; without it, six days before the last", example = "2026-11-11"),
        ("to" = Option<String>, Query, description = "Last day; without it, today. At most 92 days", example = "2026-11-17"),
    ),
    responses(
        (status = 200, description = "The report", body = SearchReportView),
        Operator,
        (status = 400, description = "`invalid-parameter`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn handle(
    store: &impl ReportShelf,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    Ok(report(store, now, &request).await.unwrap_or_else(Problem::into_response))
}

async fn report(
    store: &impl ReportShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    caller(request)?.require_group(ADMIN)?;
    let period = period(request, now)?;
    let days = store.days(&period).await.map_err(|error| store_problem(&error))?;
    tracing::info!(report.days = days.len(), "reported on searches");
    Ok(json(StatusCode::OK, &SearchReportView::new(&period, &Report::new(&period, &days), now)))
}
