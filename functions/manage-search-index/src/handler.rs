//! `/v1/admin/search-index`, for the group `admin`.

use std::convert::Infallible;

use coupon_http::{Operator, Paged, ProblemView, invalid_idempotency_key, store_problem};
use domain_homestay::{
    CancelRebuildError, Filters, IndexAdmin, IndexError, IndexQuery, JobBook, JobKey, JobKind, JobQueue,
    Match, NewJob, OrderJobError, OrderedJob, Ranking, RollBackError, SearchIndex, Sort, Start,
    cancel_rebuild, order_job, roll_back,
};
use domain_ids::RebuildId;
use domain_text::TextQuery;
use homestay_http::{RebuildList, RebuildView, ReconciliationView, SearchIndexView, index_problem};
use jiff::Timestamp;
use platform_http::{
    Body, Caller, Problem, Request, Response, StatusCode, caller, cursor, header, json, path_id, with_header,
};
use platform_idempotency::{IDEMPOTENT_REPLAYED, IdempotencyKey};
use platform_telemetry::Chain;
use serde::Serialize;

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// Rebuilds on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// About 50 KB.
const MAX_LIMIT: u16 = 100;

/// What operators work on.
#[derive(Debug)]
pub struct Stores<I, B, Q> {
    /// The index.
    pub index: I,
    /// The jobs.
    pub book: B,
    /// Where their steps wait.
    pub queue: Q,
}

/// What an invocation cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes part of the id of a new job.
    pub id: u128,
}

impl Chance {
    fn job(self) -> RebuildId {
        RebuildId::from_parts(u64::try_from(self.at.as_millisecond()).unwrap_or_default(), self.id)
    }
}

/// 200 or 202 for a member of the group `admin`.
pub async fn handle<I, B, Q>(
    stores: &Stores<I, B, Q>,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible>
where
    I: IndexAdmin + SearchIndex,
    B: JobBook,
    Q: JobQueue,
{
    let answer = match caller(&request).and_then(|caller| caller.require_group(ADMIN).map(|()| caller)) {
        Ok(caller) => route(stores, chance, &caller, &request).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route<I, B, Q>(
    stores: &Stores<I, B, Q>,
    chance: Chance,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem>
where
    I: IndexAdmin + SearchIndex,
    B: JobBook,
    Q: JobQueue,
{
    match platform_http::route_key(request) {
        "GET /v1/admin/search-index" => show(stores, chance.at).await,
        "POST /v1/admin/search-index/rebuilds" => rebuild(stores, chance, caller, request).await,
        "GET /v1/admin/search-index/rebuilds" => list(&stores.book, request).await,
        "GET /v1/admin/search-index/rebuilds/{id}" => show_rebuild(&stores.book, request).await,
        "POST /v1/admin/search-index/rebuilds/{id}/cancel" => cancel(stores, chance.at, request).await,
        "POST /v1/admin/search-index/rebuilds/{id}/roll-back" => back(stores, chance, request).await,
        "POST /v1/admin/search-index/reconciliations" => reconcile(stores, chance, caller, request).await,
        _ => Err(platform_http::route_not_found()),
    }
}

/// The index as it is.
#[utoipa::path(
    get, path = "/v1/admin/search-index", operation_id = "getSearchIndex", tag = "admin",
    summary = "Show the search index",
    description = "Its generations, how many homestays can be found, and the rebuild and the comparison that are running or were the last.",
    responses(
        (status = 200, description = "The index", body = SearchIndexView),
        Operator,
    ),
    security(("jwt" = [])),
)]
pub async fn show<I, B, Q>(stores: &Stores<I, B, Q>, now: Timestamp) -> Result<Response<Body>, Problem>
where
    I: IndexAdmin + SearchIndex,
    B: JobBook,
{
    let Stores { index, book, .. } = stores;
    let generations = index.generations().await.map_err(|error| failed(&error))?;
    let visible = match index.search(&everything(now)).await {
        Ok(found) => Some(found.total),
        Err(IndexError::Missing) => None,
        Err(error) => return Err(failed(&error)),
    };
    let rebuild = book.latest(JobKind::Rebuild, None, 1).await.map_err(|error| store_problem(&error))?;
    let reconciliation =
        book.latest(JobKind::Reconciliation, None, 1).await.map_err(|error| store_problem(&error))?;
    tracing::info!(index.visible = visible, "showed index");
    let view = SearchIndexView {
        generations: generations.into(),
        visible,
        rebuild: rebuild.items.first().map(Into::into),
        reconciliation: reconciliation.items.first().map(Into::into),
    };
    Ok(json(StatusCode::OK, &view))
}

/// Counts all that can be found.
fn everything(now: Timestamp) -> IndexQuery {
    IndexQuery {
        text: TextQuery::default(),
        matching: Match::All,
        filters: Filters::default(),
        near: None,
        sort: Sort::Newest,
        ranking: Ranking::default(),
        start: Start::Offset(0),
        limit: 1,
        facets: false,
        now,
    }
}

/// Orders a rebuild.
#[utoipa::path(
    post, path = "/v1/admin/search-index/rebuilds", operation_id = "createRebuild", tag = "admin",
    summary = "Rebuild the search index",
    description = "Builds a new generation from the table in the background, compares it, and has it searched: while searches and writes \
        go on. `GET /v1/admin/search-index/rebuilds/{id}` shows how far it is. A repeat with the same `Idempotency-Key` returns the same \
        rebuild. One runs at a time.",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", example = "7f3c1e0a-rebuild")),
    responses(
        (status = 202, description = "The rebuild", body = RebuildView, headers(
            ("Location" = String, description = "Where the rebuild can be read"),
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this key ordered it"))),
        Operator,
        (status = 400, description = "`invalid-idempotency-key`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`rebuild-running` (with `running`, its id)", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn rebuild<I, B: JobBook, Q: JobQueue>(
    stores: &Stores<I, B, Q>,
    chance: Chance,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let ordered = order(stores, chance, JobKind::Rebuild, caller, request).await?;
    let location = format!("/v1/admin/search-index/rebuilds/{}", ordered.job.id);
    let response = accepted(&RebuildView::from(&ordered.job), ordered.replayed);
    Ok(with_header(response, header::LOCATION, location))
}

/// Orders a comparison.
#[utoipa::path(
    post, path = "/v1/admin/search-index/reconciliations", operation_id = "createReconciliation", tag = "admin",
    summary = "Compare the search index with the table",
    description = "Compares in the background, and repairs what differs; `GET /v1/admin/search-index` shows how far it is. It happens every \
        hour anyway. A repeat with the same `Idempotency-Key` returns the same comparison. One runs at a time.",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", example = "7f3c1e0a-compare")),
    responses(
        (status = 202, description = "The comparison", body = ReconciliationView, headers(
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this key ordered it"))),
        Operator,
        (status = 400, description = "`invalid-idempotency-key`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`reconciliation-running` (with `running`, its id)", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn reconcile<I, B: JobBook, Q: JobQueue>(
    stores: &Stores<I, B, Q>,
    chance: Chance,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let ordered = order(stores, chance, JobKind::Reconciliation, caller, request).await?;
    Ok(accepted(&ReconciliationView::from(&ordered.job), ordered.replayed))
}

async fn order<I, B: JobBook, Q: JobQueue>(
    stores: &Stores<I, B, Q>,
    chance: Chance,
    kind: JobKind,
    caller: &Caller,
    request: &Request,
) -> Result<OrderedJob, Problem> {
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| invalid_idempotency_key())?;
    let key = key.map(|key| JobKey::new(&caller.subject, kind, key.as_str()));
    let new = NewJob { id: chance.job(), kind, key, at: chance.at };
    let ordered = order_job(&stores.book, &stores.queue, new).await.map_err(|error| match error {
        OrderJobError::Running(running) => {
            let (slug, title) = match kind {
                JobKind::Rebuild => ("rebuild-running", "A rebuild is running"),
                JobKind::Reconciliation => ("reconciliation-running", "A comparison is running"),
            };
            Problem::new(StatusCode::CONFLICT, slug, title).with("running", running)
        }
        OrderJobError::Store(error) => store_problem(&error),
    })?;
    tracing::info!(job.id = %ordered.job.id, job.replayed = ordered.replayed, "ordered job");
    Ok(ordered)
}

fn accepted(view: &impl Serialize, replayed: bool) -> Response<Body> {
    let response = json(StatusCode::ACCEPTED, view);
    if replayed { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response }
}

/// A page of all rebuilds.
#[utoipa::path(
    get, path = "/v1/admin/search-index/rebuilds", operation_id = "listRebuilds", tag = "admin",
    summary = "List rebuilds of the search index",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The rebuilds, the newest first", body = RebuildList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(book: &impl JobBook, request: &Request) -> Result<Response<Body>, Problem> {
    let after = cursor::from_query(request)?;
    let after = after.map(|id| id.parse::<RebuildId>().map_err(|_| cursor::invalid())).transpose()?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = book.latest(JobKind::Rebuild, after, limit).await.map_err(|error| store_problem(&error))?;
    tracing::info!(rebuilds.count = page.items.len(), "listed rebuilds");
    let items = page.items.iter().map(RebuildView::from).collect();
    let next_cursor = page.next.map(|id| cursor::encode(&id.to_string()));
    Ok(json(StatusCode::OK, &RebuildList { items, next_cursor }))
}

/// One rebuild.
#[utoipa::path(
    get, path = "/v1/admin/search-index/rebuilds/{id}", operation_id = "getRebuild", tag = "admin",
    summary = "Show a rebuild and how far it is",
    params(("id" = String, Path, description = "The rebuild")),
    responses(
        (status = 200, description = "The rebuild", body = RebuildView),
        Operator,
        (status = 404, description = "`rebuild-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show_rebuild(book: &impl JobBook, request: &Request) -> Result<Response<Body>, Problem> {
    let id: RebuildId = path_id(request, "id").ok_or_else(rebuild_not_found)?;
    let job = book.job(id).await.map_err(|error| store_problem(&error))?;
    let job = job.filter(|job| job.kind() == JobKind::Rebuild);
    tracing::info!(job.id = %id, job.found = job.is_some(), "showed rebuild");
    Ok(json(StatusCode::OK, &RebuildView::from(&job.ok_or_else(rebuild_not_found)?)))
}

/// Cancels a rebuild.
#[utoipa::path(
    post, path = "/v1/admin/search-index/rebuilds/{id}/cancel", operation_id = "cancelRebuild", tag = "admin",
    summary = "Cancel a rebuild",
    description = "What it has built is dropped; the live generation stays. May be repeated.",
    params(("id" = String, Path, description = "The rebuild")),
    responses(
        (status = 200, description = "The rebuild as it is now", body = RebuildView),
        Operator,
        (status = 404, description = "`rebuild-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`rebuild-over`: it is done, about to be, or has failed", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn cancel<I, B: JobBook, Q: JobQueue>(
    stores: &Stores<I, B, Q>,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id: RebuildId = path_id(request, "id").ok_or_else(rebuild_not_found)?;
    let job = cancel_rebuild(&stores.book, &stores.queue, id, now).await.map_err(|error| match error {
        CancelRebuildError::NotFound => rebuild_not_found(),
        CancelRebuildError::Over => Problem::new(StatusCode::CONFLICT, "rebuild-over", "The rebuild is over"),
        CancelRebuildError::Busy => coupon_http::try_again(),
        CancelRebuildError::Store(error) => store_problem(&error),
    })?;
    tracing::info!(job.id = %id, "cancelled rebuild");
    Ok(json(StatusCode::OK, &RebuildView::from(&job)))
}

/// Rolls a rebuild back.
#[utoipa::path(
    post, path = "/v1/admin/search-index/rebuilds/{id}/roll-back", operation_id = "rollBackRebuild", tag = "admin",
    summary = "Go back to the generation before a rebuild",
    description = "At once: the generation before has been kept in step since. A comparison with the table follows. May be repeated.",
    params(("id" = String, Path, description = "The rebuild whose generation is searched")),
    responses(
        (status = 200, description = "The rebuild as it is now", body = RebuildView),
        Operator,
        (status = 404, description = "`rebuild-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`rebuild-not-live`: it is not done, or its generation is not the one searched; `nothing-to-roll-back-to`: the generation before is not there any more", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn back<I: IndexAdmin, B: JobBook, Q: JobQueue>(
    stores: &Stores<I, B, Q>,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let Stores { index, book, queue } = stores;
    let id: RebuildId = path_id(request, "id").ok_or_else(rebuild_not_found)?;
    let job = roll_back(index, book, id, chance.at).await.map_err(|error| match error {
        RollBackError::NotFound => rebuild_not_found(),
        RollBackError::NotLive => {
            Problem::new(StatusCode::CONFLICT, "rebuild-not-live", "The rebuild is not the one in use")
        }
        RollBackError::NothingBefore => {
            let title = "The generation before is not there any more";
            Problem::new(StatusCode::CONFLICT, "nothing-to-roll-back-to", title)
        }
        RollBackError::Index(error) => failed(&error),
        RollBackError::Store(error) => store_problem(&error),
    })?;
    let new = NewJob { id: chance.job(), kind: JobKind::Reconciliation, key: None, at: chance.at };
    match order_job(book, queue, new).await {
        // The one that is running compares both generations.
        Ok(_) | Err(OrderJobError::Running(_)) => {}
        // It is rolled back, and compared within the hour.
        Err(OrderJobError::Store(error)) => {
            tracing::error!(error = %Chain(&error), "the comparison was not ordered");
        }
    }
    tracing::warn!(job.id = %id, "rolled back");
    Ok(json(StatusCode::OK, &RebuildView::from(&job)))
}

fn rebuild_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "rebuild-not-found", "There is no such rebuild")
}

/// What a caller is told when the index fails; the cause goes to the log.
fn failed(error: &IndexError) -> Problem {
    tracing::error!(error = %Chain(error), "the index failed");
    index_problem(error)
}
