//! `/v1/admin/coupon-templates`, for the group `admin`.

use std::convert::Infallible;

use coupon_http::{
    CreateTemplateRequest, JsonBody, Operator, Paged, PatchTemplateRequest, ProblemView, TemplateCursor,
    TemplateList, TemplateView, Versioned, invalid, store_problem, template_not_found,
};
use domain_coupon::{
    ChangeError, CreateError, StoreError, Template, TemplateShelf, TemplateStore, change_template,
    create_template,
};
use domain_ids::TemplateId;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use platform_http::{
    Body, ETag, Problem, Request, Response, StatusCode, caller, cursor, header, if_match, json, json_body,
    path_id, with_header,
};

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// Templates on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// Each template costs a read of its shards.
const MAX_LIMIT: u16 = 50;

/// Templates whose stock is added up at once.
const CONCURRENCY: usize = 8;

/// What an invocation cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes part of a new template's id.
    pub id: u128,
}

/// 200 or 201 for a member of the group `admin`.
pub async fn handle(
    store: &(impl TemplateStore + TemplateShelf),
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match caller(&request).and_then(|caller| caller.require_group(ADMIN)) {
        Ok(()) => route(store, chance, &request).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route(
    store: &(impl TemplateStore + TemplateShelf),
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    match platform_http::route_key(request) {
        "POST /v1/admin/coupon-templates" => create(store, chance, request).await,
        "GET /v1/admin/coupon-templates" => list(store, chance.at, request).await,
        "GET /v1/admin/coupon-templates/{id}" => show(store, chance.at, request).await,
        "PATCH /v1/admin/coupon-templates/{id}" => change(store, chance.at, request).await,
        _ => Err(platform_http::route_not_found()),
    }
}

/// Publishes a template.
#[utoipa::path(
    post, path = "/v1/admin/coupon-templates", operation_id = "createTemplate", tag = "admin",
    summary = "Publish a coupon template",
    request_body = CreateTemplateRequest,
    responses(
        (status = 201, description = "The template", body = TemplateView, headers(
            ("Location" = String, description = "Where the template can be read"), ("ETag" = String, description = "Its version"))),
        Operator, JsonBody,
    ),
    security(("jwt" = [])),
)]
pub async fn create(
    store: &impl TemplateStore,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: CreateTemplateRequest = json_body(request)?;
    let new = body.parse().map_err(|violations| invalid(&violations))?;
    let created_ms = u64::try_from(chance.at.as_millisecond()).unwrap_or_default();
    let id = TemplateId::from_parts(created_ms, chance.id);
    let template = create_template(store, id, new, chance.at).await.map_err(|error| match error {
        CreateError::Invalid(violations) => invalid(&violations),
        CreateError::Store(error) => store_problem(&error),
    })?;
    tracing::info!(template.id = %id, "created template");
    let remaining = match &template.stock {
        domain_coupon::Stock::Unlimited => None,
        domain_coupon::Stock::Limited(stock) => Some(stock.total),
    };
    let response = tagged(StatusCode::CREATED, &template, remaining, chance.at);
    let location = format!("/v1/admin/coupon-templates/{id}");
    Ok(with_header(response, header::LOCATION, location))
}

/// A page of all templates.
#[utoipa::path(
    get, path = "/v1/admin/coupon-templates", operation_id = "listTemplates", tag = "admin",
    summary = "List coupon templates",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 50, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The templates, the last to end first", body = TemplateList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(
    store: &impl TemplateShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let after = TemplateCursor::from_query(request)?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = store.all(after, limit).await.map_err(|error| store_problem(&error))?;
    let items: Vec<TemplateView> = stream::iter(page.items)
        .map(|template| async move {
            let remaining = store.remaining(&template).await?;
            Ok::<_, StoreError>(TemplateView::new(&template, remaining, now))
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await
        .map_err(|error| store_problem(&error))?;
    tracing::info!(templates.count = items.len(), "listed templates");
    let next_cursor = page.next.map(|at| cursor::encode(&TemplateCursor(at).to_string()));
    Ok(json(StatusCode::OK, &TemplateList { items, next_cursor }))
}

/// One template.
#[utoipa::path(
    get, path = "/v1/admin/coupon-templates/{id}", operation_id = "getTemplate", tag = "admin",
    summary = "Show a coupon template",
    params(("id" = String, Path, description = "The template")),
    responses(
        (status = 200, description = "The template", body = TemplateView, headers(("ETag" = String, description = "Its version"))),
        Operator,
        (status = 404, description = "`template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show(
    store: &impl TemplateShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id: TemplateId = path_id(request, "id").ok_or_else(template_not_found)?;
    let template = store.template(id).await.map_err(|error| store_problem(&error))?;
    tracing::info!(template.id = %id, template.found = template.is_some(), "showed template");
    let template = template.ok_or_else(template_not_found)?;
    let remaining = store.remaining(&template).await.map_err(|error| store_problem(&error))?;
    Ok(tagged(StatusCode::OK, &template, remaining, now))
}

/// Changes a template.
#[utoipa::path(
    patch, path = "/v1/admin/coupon-templates/{id}", operation_id = "changeTemplate", tag = "admin",
    summary = "Rename, extend, top up, pause or resume a template",
    description = "`totalCount` is the new total, not the difference, and can only be raised; `endTime` can only be extended. \
        Guests see a change within two seconds.",
    params(
        ("id" = String, Path, description = "The template"),
        ("If-Match" = String, Header, description = "The `ETag` the change is based on", example = "\"1\""),
    ),
    request_body = PatchTemplateRequest,
    responses(
        (status = 200, description = "The template as it is now", body = TemplateView, headers(("ETag" = String, description = "Its new version"))),
        Operator, JsonBody, Versioned,
        (status = 400, description = "`invalid-json`, `invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn change(
    store: &(impl TemplateStore + TemplateShelf),
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id: TemplateId = path_id(request, "id").ok_or_else(template_not_found)?;
    let expected = if_match(request.headers())?;
    let body: PatchTemplateRequest = json_body(request)?;
    let template =
        change_template(store, id, expected, body.parse(), now).await.map_err(|error| match error {
            ChangeError::NotFound => template_not_found(),
            ChangeError::Outdated => Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition-failed",
                "Somebody else has changed the template; read it again",
            ),
            ChangeError::Invalid(violations) => invalid(&violations),
            ChangeError::Store(error) => store_problem(&error),
        })?;
    tracing::info!(template.id = %id, template.version = template.version, "changed template");
    let remaining = store.remaining(&template).await.map_err(|error| store_problem(&error))?;
    Ok(tagged(StatusCode::OK, &template, remaining, now))
}

fn tagged(status: StatusCode, template: &Template, remaining: Option<u32>, now: Timestamp) -> Response<Body> {
    let response = json(status, &TemplateView::new(template, remaining, now));
    with_header(response, header::ETAG, ETag(template.version))
}
