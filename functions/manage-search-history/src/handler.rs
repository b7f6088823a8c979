//! `/v1/me/search-history`, for the guest whose history it is.

use std::convert::Infallible;

use coupon_http::{JsonBody, ProblemView, SignedIn, guest, store_problem};
use domain_ids::GuestId;
use domain_search::{HistoryId, SearchHistory, forget, recall, remember};
use jiff::Timestamp;
use platform_http::{
    Body, Problem, Request, Response, StatusCode, json, json_body, no_content, path_id, route_key,
    route_not_found,
};
use search_http::{HistoryEntryView, HistoryList, HistoryRequest, history_entry_not_found};

/// 200 or 204 for a guest, about the own history.
pub async fn handle(
    history: &impl SearchHistory,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match guest(&request) {
        Ok(guest) => route(history, &guest, now, &request).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route(
    history: &impl SearchHistory,
    guest: &GuestId,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    match route_key(request) {
        "GET /v1/me/search-history" => list(history, guest, now).await,
        "POST /v1/me/search-history" => add(history, guest, now, request).await,
        "DELETE /v1/me/search-history/{id}" => delete(history, guest, request).await,
        "DELETE /v1/me/search-history" => clear(history, guest).await,
        _ => Err(route_not_found()),
    }
}

/// The history.
#[utoipa::path(
    get, path = "/v1/me/search-history", operation_id = "listMySearchHistory", tag = "search",
    summary = "List what I searched for",
    responses(
        (status = 200, description = "The newest first: at most 50, of the last 90 days", body = HistoryList),
        SignedIn,
    ),
    security(("jwt" = [])),
)]
pub async fn list(
    history: &impl SearchHistory,
    guest: &GuestId,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let entries = recall(history, guest, now).await.map_err(|error| store_problem(&error))?;
    tracing::info!(history.count = entries.len(), "listed search history");
    let items = entries.into_iter().map(HistoryEntryView::from).collect();
    Ok(json(StatusCode::OK, &HistoryList { items }))
}

/// Adds an entry, or moves it up.
#[utoipa::path(
    post, path = "/v1/me/search-history", operation_id = "addToMySearchHistory", tag = "search",
    summary = "Keep what I searched for",
    description = "The app sends it for guests who want a history; a search by itself keeps none. What is in the history already, in \
        whatever spelling, moves to the top. The 51st entry, and what is older than 90 days, falls out.",
    request_body(content = HistoryRequest),
    responses(
        (status = 200, description = "The entry", body = HistoryEntryView),
        SignedIn, JsonBody,
    ),
    security(("jwt" = [])),
)]
pub async fn add(
    history: &impl SearchHistory,
    guest: &GuestId,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let typed = json_body::<HistoryRequest>(request)?.parse()?;
    let entry = remember(history, guest, typed, now).await.map_err(|error| store_problem(&error))?;
    tracing::info!("added to search history");
    Ok(json(StatusCode::OK, &HistoryEntryView::from(entry)))
}

/// Removes an entry.
#[utoipa::path(
    delete, path = "/v1/me/search-history/{id}", operation_id = "deleteMySearchHistoryEntry", tag = "search",
    summary = "Forget one thing I searched for",
    params(("id" = String, Path, description = "The entry", example = "6f1ed002ab5595859014ebf0951522d9")),
    responses(
        (status = 204, description = "It is gone"),
        SignedIn,
        (status = 404, description = "`history-entry-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn delete(
    history: &impl SearchHistory,
    guest: &GuestId,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id: HistoryId = path_id(request, "id").ok_or_else(history_entry_not_found)?;
    let was_there = history.delete(guest, id).await.map_err(|error| store_problem(&error))?;
    tracing::info!(history.found = was_there, "deleted from search history");
    if was_there { Ok(no_content()) } else { Err(history_entry_not_found()) }
}

/// Removes all entries.
#[utoipa::path(
    delete, path = "/v1/me/search-history", operation_id = "clearMySearchHistory", tag = "search",
    summary = "Forget all that I searched for",
    description = "A repeat changes nothing.",
    responses((status = 204, description = "All of it is gone"), SignedIn),
    security(("jwt" = [])),
)]
pub async fn clear(history: &impl SearchHistory, guest: &GuestId) -> Result<Response<Body>, Problem> {
    forget(history, guest).await.map_err(|error| store_problem(&error))?;
    tracing::info!("cleared search history");
    Ok(no_content())
}
