//! `/v1/admin/coupon-templates/{id}/code-batches`, for the group `admin`.

use std::convert::Infallible;

use coupon_http::{
    JsonBody, Operator, Paged, ProblemView, invalid, invalid_idempotency_key, store_problem,
    template_not_found, try_again,
};
use domain_coupon::{TemplateShelf, Violation, Violations};
use domain_exchange::{
    BatchSeed, CodeBatch, CodeBatchStatus, CodeBatchStore, CodeDownloads, ExportQueue, OrderCodes,
    OrderError, order_batch, revoke_batch,
};
use domain_ids::{CodeBatchId, TemplateId};
use jiff::Timestamp;
use platform_http::{
    Body, Caller, Problem, Request, Response, StatusCode, caller, cursor, header::LOCATION, json, json_body,
    path_id, with_header,
};
use platform_idempotency::{IDEMPOTENT_REPLAYED, IdempotencyKey};

use crate::{CodeBatchList, CodeBatchView, CreateCodeBatchRequest, PatchCodeBatchRequest};

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// Batches on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// Each batch costs a read.
const MAX_LIMIT: u16 = 50;

/// What an invocation cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes part of a new batch's id.
    pub id: u128,
}

/// What operators work with.
#[derive(Debug)]
pub struct Office<T, B, Q, D> {
    /// Where templates are looked up.
    pub templates: T,
    /// Where batches are kept.
    pub batches: B,
    /// Where exports are asked for.
    pub exports: Q,
    /// Where files are downloaded.
    pub downloads: D,
}

/// 200 or 202 for a member of the group `admin`.
pub async fn handle<T: TemplateShelf, B: CodeBatchStore, Q: ExportQueue, D: CodeDownloads>(
    office: &Office<T, B, Q, D>,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match caller(&request) {
        Ok(caller) => route(office, &caller, chance, &request).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route<T: TemplateShelf, B: CodeBatchStore, Q: ExportQueue, D: CodeDownloads>(
    office: &Office<T, B, Q, D>,
    caller: &Caller,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    caller.require_group(ADMIN)?;
    match platform_http::route_key(request) {
        "POST /v1/admin/coupon-templates/{id}/code-batches" => create(office, caller, chance, request).await,
        "GET /v1/admin/coupon-templates/{id}/code-batches" => list(&office.batches, request).await,
        "GET /v1/admin/coupon-templates/{id}/code-batches/{batchId}" => {
            show(&office.batches, &office.downloads, request).await
        }
        "PATCH /v1/admin/coupon-templates/{id}/code-batches/{batchId}" => {
            change(&office.batches, chance.at, request).await
        }
        _ => Err(platform_http::route_not_found()),
    }
}

/// Orders a batch.
#[utoipa::path(
    post, path = "/v1/admin/coupon-templates/{id}/code-batches", operation_id = "createCodeBatch", tag = "admin",
    summary = "Order exchange codes",
    description = "The codes are written to a file, which takes some seconds: ask for the batch until it is `ready`. The \
        template must have the issue type `exchange`. With an `Idempotency-Key` a repeat returns the batch of the first \
        request.",
    params(
        ("id" = String, Path, description = "The template"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", example = "5b1d7c92-codes"),
    ),
    request_body = CreateCodeBatchRequest,
    responses(
        (status = 202, description = "The batch", body = CodeBatchView, headers(
            ("Location" = String, description = "Where the batch can be read"),
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this key ordered it"),
        )),
        Operator, JsonBody,
        (status = 400, description = "`invalid-json`, `invalid-idempotency-key`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`template-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`template-not-exchanged`, `too-many-codes` (with `codesLeft`)", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn create<T: TemplateShelf, B: CodeBatchStore, Q: ExportQueue, D>(
    office: &Office<T, B, Q, D>,
    caller: &Caller,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let template: TemplateId = path_id(request, "id").ok_or_else(template_not_found)?;
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| invalid_idempotency_key())?;
    let body: CreateCodeBatchRequest = json_body(request)?;
    let seed = match key {
        Some(key) => BatchSeed::from_key(&caller.subject, template, key.as_str()),
        None => BatchSeed::from_random(chance.id),
    };
    let order = OrderCodes::new(template, body.count, body.label, seed, chance.at)
        .map_err(|violations| invalid(&violations))?;
    let ordered = order_batch(&office.templates, &office.batches, &office.exports, &order)
        .await
        .map_err(|error| to_problem(&error))?;
    let batch = &ordered.batch;
    tracing::info!(template.id = %template, batch.id = %batch.id, batch.count = batch.count.get(), batch.replayed = ordered.replayed, "ordered codes");
    let location = format!("/v1/admin/coupon-templates/{template}/code-batches/{}", batch.id);
    let response = json(StatusCode::ACCEPTED, &CodeBatchView::from(batch));
    let response = with_header(response, LOCATION, location);
    Ok(if ordered.replayed { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response })
}

fn to_problem(error: &OrderError) -> Problem {
    let conflict = |slug, title| Problem::new(StatusCode::CONFLICT, slug, title);
    match error {
        OrderError::TemplateNotFound => template_not_found(),
        OrderError::NotExchanged => {
            conflict("template-not-exchanged", "Coupons of this template are not exchanged for codes")
        }
        OrderError::TooMany { left } => {
            conflict("too-many-codes", "The template would have more codes than coupons, or than 1000000")
                .with("codesLeft", left)
        }
        OrderError::Busy => try_again(),
        OrderError::Store(error) => store_problem(error),
    }
}

/// The batches of a template.
#[utoipa::path(
    get, path = "/v1/admin/coupon-templates/{id}/code-batches", operation_id = "listCodeBatches", tag = "admin",
    summary = "List the batches of exchange codes of a template",
    params(
        ("id" = String, Path, description = "The template"),
        ("limit" = Option<u16>, Query, description = "Batches on a page, 1 to 50; 20 where it is not sent"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
    ),
    responses(
        (status = 200, description = "The batches, the newest first", body = CodeBatchList),
        Operator, Paged,
        (status = 404, description = "`template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn list(store: &impl CodeBatchStore, request: &Request) -> Result<Response<Body>, Problem> {
    let template: TemplateId = path_id(request, "id").ok_or_else(template_not_found)?;
    let after: Option<CodeBatchId> = match cursor::from_query(request)? {
        Some(text) => Some(text.parse().map_err(|_| cursor::invalid())?),
        None => None,
    };
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = store.batches(template, after, limit).await.map_err(|error| store_problem(&error))?;
    tracing::info!(template.id = %template, batches.count = page.items.len(), "listed batches of codes");
    let items = page.items.iter().map(CodeBatchView::from).collect();
    let next_cursor = page.next.map(|id| cursor::encode(&id.to_string()));
    Ok(json(StatusCode::OK, &CodeBatchList { items, next_cursor }))
}

/// One batch, with where to download it.
#[utoipa::path(
    get, path = "/v1/admin/coupon-templates/{id}/code-batches/{batchId}", operation_id = "getCodeBatch", tag = "admin",
    summary = "Show a batch of exchange codes",
    description = "With a `downloadUrl` of 15 minutes once the batch is `ready`. The file is kept for 30 days.",
    params(
        ("id" = String, Path, description = "The template"),
        ("batchId" = String, Path, description = "The batch"),
    ),
    responses(
        (status = 200, description = "The batch", body = CodeBatchView),
        Operator,
        (status = 404, description = "`code-batch-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show(
    store: &impl CodeBatchStore,
    downloads: &impl CodeDownloads,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let (template, id) = named(request)?;
    let batch = store.batch(id.into()).await.map_err(|error| store_problem(&error))?;
    let batch = batch.filter(|batch: &CodeBatch| batch.id == id && batch.template == template);
    let batch = batch.ok_or_else(not_found)?;
    let mut view = CodeBatchView::from(&batch);
    if batch.status() == CodeBatchStatus::Ready {
        let url = downloads.download_url(&batch).await.map_err(|error| store_problem(&error))?;
        view.download_url = Some(url);
    }
    tracing::info!(batch.id = %id, batch.download = view.download_url.is_some(), "showed a batch of codes");
    Ok(json(StatusCode::OK, &view))
}

/// Revokes a batch.
#[utoipa::path(
    patch, path = "/v1/admin/coupon-templates/{id}/code-batches/{batchId}", operation_id = "changeCodeBatch", tag = "admin",
    summary = "Revoke a batch of exchange codes",
    description = "Every code of the batch is refused from two seconds later on, for good. Coupons that guests have got stay \
        good. It may be repeated.",
    params(
        ("id" = String, Path, description = "The template"),
        ("batchId" = String, Path, description = "The batch"),
    ),
    request_body = PatchCodeBatchRequest,
    responses(
        (status = 200, description = "The batch as it is now", body = CodeBatchView),
        Operator, JsonBody,
        (status = 404, description = "`code-batch-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-body`, with the field at fault", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn change(
    store: &impl CodeBatchStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let (template, id) = named(request)?;
    let body: PatchCodeBatchRequest = json_body(request)?;
    if !body.disabled {
        let mut wrong = Violations::default();
        wrong
            .check(false, Violation::new("disabled", "must be true: a batch that was revoked stays revoked"));
        return Err(invalid(&wrong));
    }
    let revoked = revoke_batch(store, template, id, now).await.map_err(|error| store_problem(&error))?;
    let batch = revoked.ok_or_else(not_found)?;
    tracing::info!(batch.id = %id, "revoked a batch of codes");
    Ok(json(StatusCode::OK, &CodeBatchView::from(&batch)))
}

/// The template and the batch of the path.
fn named(request: &Request) -> Result<(TemplateId, CodeBatchId), Problem> {
    path_id(request, "id").zip(path_id(request, "batchId")).ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "code-batch-not-found", "The template has no such batch of codes")
}
