//! `POST /v1/search-clicks`.

use std::convert::Infallible;

use coupon_http::{Everybody, JsonBody, store_problem};
use domain_search::{SearchEvent, SearchLog};
use jiff::Timestamp;
use platform_http::{Body, Problem, Request, Response, StatusCode, json, json_body};
use search_http::{ClickAccepted, ClickRequest, client};

/// 202: the click waits to be counted. Public, as search is.
#[utoipa::path(
    post, path = "/v1/search-clicks", operation_id = "recordSearchClick", tag = "search",
    summary = "Tell which result was opened",
    description = "So that the search gets better. A click counts with its search, within a day of it; the same result of the same \
        search counts once. Nothing is stored of who clicked.",
    request_body(content = ClickRequest),
    responses(
        (status = 202, description = "It will be counted", body = ClickAccepted),
        Everybody, JsonBody,
    ),
)]
pub async fn handle(
    log: &impl SearchLog,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    Ok(record(log, now, &request).await.unwrap_or_else(Problem::into_response))
}

async fn record(log: &impl SearchLog, now: Timestamp, request: &Request) -> Result<Response<Body>, Problem> {
    let click = json_body::<ClickRequest>(request)?.parse(client(request), now)?;
    let (search_id, position) = (click.search, click.position.get());
    log.record(SearchEvent::Clicked(click)).await.map_err(|error| store_problem(&error))?;
    metrics::counter!("SearchClicks").increment(1);
    tracing::info!(search.id = %search_id, click.position = position, "took note of a click");
    Ok(json(StatusCode::ACCEPTED, &ClickAccepted { search_id }))
}
