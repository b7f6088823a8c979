//! `GET /v1/homestays/hot-searches`.

use std::convert::Infallible;

use coupon_http::{Everybody, ProblemView, store_problem};
use domain_search::{HotList, HotMemory};
use jiff::Timestamp;
use platform_http::{Body, Problem, Request, Response, StatusCode, header, json, limit, with_header};
use search_http::HotSearchList;

/// Queries shown, unless the caller wants another number: what fits below a search box.
const DEFAULT_LIMIT: u16 = 20;

/// Queries that are kept.
const MAX_LIMIT: u16 = 50;

/// Browsers and a CDN may answer from their copy for as long as the list is remembered here. It is made every few minutes.
const CACHE_CONTROL: &str = "public, max-age=30";

/// 200 with popular queries; public, so that nothing in it depends on who asks.
#[utoipa::path(
    get, path = "/v1/homestays/hot-searches", operation_id = "listHotSearches", tag = "search",
    summary = "List popular queries",
    description = "Made anew every few minutes from the searches of the last three days, the recent ones before the older ones. A query \
        needs several different people; what looks like somebody's own is not listed.",
    params(("limit" = Option<u16>, Query, description = "1 to 50, 20 without it", example = 20)),
    responses(
        (status = 200, description = "The queries, the most popular first", body = HotSearchList,
            headers(("Cache-Control" = String, description = "`public, max-age=30`"))),
        Everybody,
        (status = 400, description = "`invalid-parameter`", body = ProblemView, content_type = "application/problem+json"),
    ),
)]
pub async fn handle(
    store: &impl HotList,
    memory: &HotMemory,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    Ok(list(store, memory, now, &request).await.unwrap_or_else(Problem::into_response))
}

async fn list(
    store: &impl HotList,
    memory: &HotMemory,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let limit = limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let hot = memory.current(store, now).await.map_err(|error| store_problem(&error))?;
    let list = HotSearchList::new(hot.as_deref(), limit, now);
    tracing::info!(hot.count = list.items.len(), "listed hot searches");
    Ok(with_header(json(StatusCode::OK, &list), header::CACHE_CONTROL, CACHE_CONTROL))
}
