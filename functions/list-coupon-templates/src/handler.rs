//! `GET /v1/coupon-templates` and `GET /v1/coupon-templates/{id}`.

use std::convert::Infallible;

use coupon_http::{
    Everybody, Paged, ProblemView, SaleList, SaleView, TemplateCursor, store_problem, template_not_found,
};
use domain_coupon::{Template, TemplateShelf};
use domain_ids::TemplateId;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use platform_http::{
    Body, Problem, Request, Response, StatusCode, cursor, header, json, path_id, with_header,
};

use crate::RemainingMemory;

/// Sales on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// Each sale costs a read of its shards.
const MAX_LIMIT: u16 = 50;

/// Sales whose stock is added up at once.
const CONCURRENCY: usize = 8;

/// Browsers and a CDN may answer from their copy for as long as the remaining stock is fresh.
const CACHE_CONTROL: &str = "public, max-age=5";

/// 200 with sales; public, so that nothing in it depends on who asks.
pub async fn handle(
    store: &impl TemplateShelf,
    memory: &RemainingMemory,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match platform_http::route_key(&request) {
        "GET /v1/coupon-templates" => list(store, memory, now, &request).await,
        "GET /v1/coupon-templates/{id}" => show(store, memory, now, &request).await,
        _ => Err(platform_http::route_not_found()),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

/// A page of the running and coming sales.
#[utoipa::path(
    get, path = "/v1/coupon-templates", operation_id = "listSales", tag = "sales",
    summary = "List running and coming sales",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 50, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The sales, the next to end first", body = SaleList,
            headers(("Cache-Control" = String, description = "`public, max-age=5`"))),
        Everybody, Paged,
    ),
)]
pub async fn list(
    store: &impl TemplateShelf,
    memory: &RemainingMemory,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let after = TemplateCursor::from_query(request)?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = store.on_sale(now, after, limit).await.map_err(|error| store_problem(&error))?;
    let items: Vec<SaleView> = stream::iter(page.items)
        .map(|template| async move { view(store, memory, now, &template).await })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    tracing::info!(sales.count = items.len(), "listed sales");
    let body =
        SaleList { items, next_cursor: page.next.map(|at| cursor::encode(&TemplateCursor(at).to_string())) };
    Ok(cacheable(json(StatusCode::OK, &body)))
}

/// One sale.
#[utoipa::path(
    get, path = "/v1/coupon-templates/{id}", operation_id = "getSale", tag = "sales",
    summary = "Show a sale",
    params(("id" = String, Path, description = "The template")),
    responses(
        (status = 200, description = "The sale", body = SaleView,
            headers(("Cache-Control" = String, description = "`public, max-age=5`"))),
        Everybody,
        (status = 404, description = "`template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    store: &impl TemplateShelf,
    memory: &RemainingMemory,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id: TemplateId = path_id(request, "id").ok_or_else(template_not_found)?;
    let template = store.template(id).await.map_err(|error| store_problem(&error))?;
    tracing::info!(template.id = %id, template.found = template.is_some(), "showed sale");
    let template = template.ok_or_else(template_not_found)?;
    let sale = view(store, memory, now, &template).await?;
    Ok(cacheable(json(StatusCode::OK, &sale)))
}

async fn view(
    store: &impl TemplateShelf,
    memory: &RemainingMemory,
    now: Timestamp,
    template: &Template,
) -> Result<SaleView, Problem> {
    let remaining = memory.of(store, template, now).await.map_err(|error| store_problem(&error))?;
    Ok(SaleView::new(template, remaining, now))
}

fn cacheable(response: Response<Body>) -> Response<Body> {
    with_header(response, header::CACHE_CONTROL, CACHE_CONTROL)
}
