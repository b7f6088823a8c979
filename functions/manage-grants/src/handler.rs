//! `/v1/admin/grants` and `/v1/admin/grant-uploads`, for the group `admin`.

use std::convert::Infallible;

use coupon_http::{
    JsonBody, Operator, Paged, ProblemView, claim_problem, invalid_idempotency_key, store_problem,
};
use domain_coupon::TemplateShelf;
use domain_grant::{
    CreateError, FileError, Grant, GrantDesk, GrantKey, JobFiles, Lists, NewGrant, PauseError,
    ReportPosition, Secret, UPLOAD_OPEN_FOR, UploadId, Wanted, WorkQueue, check_list, create_grant, pause,
    report, resume,
};
use domain_ids::{GrantId, TemplateId};
use jiff::{SignedDuration, Timestamp};
use platform_http::{
    Body, Caller, Problem, Request, Response, StatusCode, caller, cursor, header, json, json_body, path_id,
    with_header,
};
use platform_idempotency::{IDEMPOTENT_REPLAYED, IdempotencyKey};

use crate::{
    request::{
        CreateGrantRequest, CreateUploadRequest, GrantSwitch, Order, PatchGrantRequest, invalid,
        no_such_upload,
    },
    view::{GrantList, GrantReport, GrantView, ListCheckView, UploadView},
};

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// Grants on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// Each grant costs a read.
const MAX_LIMIT: u16 = 50;

/// Rows of a report on a page, unless the caller wants another number.
const DEFAULT_REPORT_LIMIT: u16 = 100;

/// About 100 KB.
const MAX_REPORT_LIMIT: u16 = 1_000;

/// What operators work on.
#[derive(Debug)]
pub struct Stores<G, T, F, Q> {
    /// The grants.
    pub grants: G,
    /// What can be granted.
    pub templates: T,
    /// Lists and reports.
    pub files: F,
    /// Where the work waits.
    pub queue: Q,
}

/// What an invocation cannot compute: the time, and random bits from a cryptographic source.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes part of the id of a new grant or upload.
    pub id: u128,
    /// Makes the codes of a new grant's coupons.
    pub secret: [u8; 16],
}

impl Chance {
    fn created_ms(self) -> u64 {
        u64::try_from(self.at.as_millisecond()).unwrap_or_default()
    }
}

/// 200, 201 or 202 for a member of the group `admin`.
pub async fn handle<G, T, F, Q>(
    stores: &Stores<G, T, F, Q>,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible>
where
    G: GrantDesk,
    T: TemplateShelf,
    F: Lists + JobFiles,
    Q: WorkQueue,
{
    let answer = match caller(&request).and_then(|caller| caller.require_group(ADMIN).map(|()| caller)) {
        Ok(caller) => route(stores, chance, &caller, &request).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route<G, T, F, Q>(
    stores: &Stores<G, T, F, Q>,
    chance: Chance,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem>
where
    G: GrantDesk,
    T: TemplateShelf,
    F: Lists + JobFiles,
    Q: WorkQueue,
{
    match platform_http::route_key(request) {
        "POST /v1/admin/grants" => create(stores, chance, caller, request).await,
        "POST /v1/admin/grant-uploads" => prepare(&stores.files, chance, request).await,
        "GET /v1/admin/grants" => list(&stores.grants, request).await,
        "GET /v1/admin/grants/{id}" => show(&stores.grants, request).await,
        "PATCH /v1/admin/grants/{id}" => change(&stores.grants, &stores.queue, chance.at, request).await,
        "GET /v1/admin/grants/{id}/report" => show_report(&stores.grants, &stores.files, request).await,
        _ => Err(platform_http::route_not_found()),
    }
}

/// Orders a grant, or counts what a list would come to.
#[utoipa::path(
    post, path = "/v1/admin/grants", operation_id = "createGrant", tag = "admin",
    summary = "Give coupons to many guests",
    description = "Orders a grant: each guest of a list or a segment gets one coupon, as far as the stock goes and the guest may hold \
        one. It is worked on in the background; `GET /v1/admin/grants/{id}` shows how far it is. A repeat with the same \
        `Idempotency-Key` returns the same grant. With `dryRun` nothing is granted, and a list of guests is counted.",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", example = "7f3c1e0a-grant")),
    request_body = CreateGrantRequest,
    responses(
        (status = 202, description = "The grant", body = GrantView, headers(
            ("Location" = String, description = "Where the grant can be read"),
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this key ordered it"))),
        (status = 200, description = "With `dryRun`: what the list would come to", body = ListCheckView),
        Operator, JsonBody,
        (status = 400, description = "`invalid-json`, `invalid-idempotency-key`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`template-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`template-not-claimable`, `sale-not-started`, `sale-ended`, `sale-paused` (with `startTime` and `endTime`)", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn create<G: GrantDesk, T: TemplateShelf, F: Lists, Q: WorkQueue>(
    stores: &Stores<G, T, F, Q>,
    chance: Chance,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| invalid_idempotency_key())?;
    let body: CreateGrantRequest = json_body(request)?;
    let template = body.template_id;
    match body.parse()? {
        Order::Check(guests) => check(&stores.templates, template, &guests, chance.at).await,
        Order::Grant(wanted) => {
            let key = key.map(|key| GrantKey::new(&caller.subject, key.as_str()));
            order(stores, chance, template, wanted, key).await
        }
    }
}

async fn check(
    templates: &impl TemplateShelf,
    template: TemplateId,
    guests: &[String],
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let check = check_list(templates, template, guests, now).await.map_err(|error| create_problem(&error))?;
    tracing::info!(template.id = %template, grant.rows = guests.len(), "checked list");
    Ok(json(StatusCode::OK, &ListCheckView::from(check)))
}

async fn order<G: GrantDesk, T: TemplateShelf, F: Lists, Q: WorkQueue>(
    stores: &Stores<G, T, F, Q>,
    chance: Chance,
    template: TemplateId,
    wanted: Wanted,
    key: Option<GrantKey>,
) -> Result<Response<Body>, Problem> {
    let new = NewGrant {
        id: GrantId::from_parts(chance.created_ms(), chance.id),
        template,
        wanted,
        secret: Secret::from_random(chance.secret),
        key,
        at: chance.at,
    };
    let Stores { grants, templates, files, queue } = stores;
    let created = create_grant(grants, templates, files, queue, new).await;
    let created = created.map_err(|error| create_problem(&error))?;
    let id = created.grant.id;
    tracing::info!(grant.id = %id, grant.replayed = created.replayed, "ordered grant");
    let response = json(StatusCode::ACCEPTED, &GrantView::from(&created.grant));
    let response = with_header(response, header::LOCATION, format!("/v1/admin/grants/{id}"));
    Ok(if created.replayed { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response })
}

/// An address to upload a list to.
#[utoipa::path(
    post, path = "/v1/admin/grant-uploads", operation_id = "createGrantUpload", tag = "admin",
    summary = "Prepare the upload of a list of guests",
    description = "Send the list to the returned `url` with `PUT` within 15 minutes, then order the grant with `upload`. The list \
        is CSV in UTF-8: one guest id a line, further columns are ignored, lines have at most 1,024 bytes, and a first line that \
        begins with `guestId` is a header. At most 64 MiB, about 1,800,000 guests.",
    request_body = CreateUploadRequest,
    responses(
        (status = 201, description = "Where to", body = UploadView),
        Operator, JsonBody,
    ),
    security(("jwt" = [])),
)]
pub async fn prepare(
    files: &impl Lists,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: CreateUploadRequest = json_body(request)?;
    let bytes = body.parse()?;
    let upload = UploadId::from_parts(chance.created_ms(), chance.id);
    let url = files.prepare(upload, bytes, chance.at).await.map_err(|error| store_problem(&error))?;
    let open_for = SignedDuration::try_from(UPLOAD_OPEN_FOR).unwrap_or_default();
    tracing::info!(grant.upload_bytes = bytes, "prepared upload");
    Ok(json(StatusCode::CREATED, &UploadView::new(upload, url, bytes, chance.at + open_for)))
}

/// A page of all grants.
#[utoipa::path(
    get, path = "/v1/admin/grants", operation_id = "listGrants", tag = "admin",
    summary = "List grants",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 50, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The grants, the newest first", body = GrantList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(grants: &impl GrantDesk, request: &Request) -> Result<Response<Body>, Problem> {
    let after = cursor::from_query(request)?;
    let after = after.map(|id| id.parse::<GrantId>().map_err(|_| cursor::invalid())).transpose()?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = grants.newest(after, limit).await.map_err(|error| store_problem(&error))?;
    tracing::info!(grants.count = page.items.len(), "listed grants");
    let items = page.items.iter().map(GrantView::from).collect();
    let next_cursor = page.next.map(|id| cursor::encode(&id.to_string()));
    Ok(json(StatusCode::OK, &GrantList { items, next_cursor }))
}

/// One grant.
#[utoipa::path(
    get, path = "/v1/admin/grants/{id}", operation_id = "getGrant", tag = "admin",
    summary = "Show a grant and how far it is",
    params(("id" = String, Path, description = "The grant")),
    responses(
        (status = 200, description = "The grant", body = GrantView),
        Operator,
        (status = 404, description = "`grant-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show(grants: &impl GrantDesk, request: &Request) -> Result<Response<Body>, Problem> {
    let id: GrantId = path_id(request, "id").ok_or_else(grant_not_found)?;
    let grant = grants.grant(id).await.map_err(|error| store_problem(&error))?;
    tracing::info!(grant.id = %id, grant.found = grant.is_some(), "showed grant");
    Ok(json(StatusCode::OK, &GrantView::from(&grant.ok_or_else(grant_not_found)?)))
}

/// Pauses or resumes a grant.
#[utoipa::path(
    patch, path = "/v1/admin/grants/{id}", operation_id = "changeGrant", tag = "admin",
    summary = "Pause or resume a grant",
    description = "May be repeated. `running` also helps a grant whose messages are lost: everything that is not done is put into \
        the queue again.",
    params(("id" = String, Path, description = "The grant")),
    request_body = PatchGrantRequest,
    responses(
        (status = 200, description = "The grant as it is now", body = GrantView),
        Operator, JsonBody,
        (status = 404, description = "`grant-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`grant-finished`: it is done or has failed", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn change(
    grants: &impl GrantDesk,
    queue: &impl WorkQueue,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id: GrantId = path_id(request, "id").ok_or_else(grant_not_found)?;
    let body: PatchGrantRequest = json_body(request)?;
    let changed = match body.status {
        GrantSwitch::Paused => pause(grants, id, now).await,
        GrantSwitch::Running => resume(grants, queue, id, now).await,
    };
    let grant: Grant = changed.map_err(|error| match error {
        PauseError::NotFound => grant_not_found(),
        PauseError::Over => Problem::new(StatusCode::CONFLICT, "grant-finished", "The grant is over"),
        PauseError::Store(error) => store_problem(&error),
    })?;
    tracing::info!(grant.id = %id, grant.paused = grant.paused, "changed grant");
    Ok(json(StatusCode::OK, &GrantView::from(&grant)))
}

/// A page of a grant's report.
#[utoipa::path(
    get, path = "/v1/admin/grants/{id}/report", operation_id = "getGrantReport", tag = "admin",
    summary = "Show who got nothing, and why",
    description = "As far as the grant is done. Reports are kept for 30 days.",
    params(
        ("id" = String, Path, description = "The grant"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 1000, 100 without it", example = 100),
    ),
    responses(
        (status = 200, description = "Who got nothing", body = GrantReport),
        Operator, Paged,
        (status = 404, description = "`grant-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 410, description = "`report-expired`: it was kept for 30 days", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show_report(
    grants: &impl GrantDesk,
    files: &impl JobFiles,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id: GrantId = path_id(request, "id").ok_or_else(grant_not_found)?;
    let after = cursor::from_query(request)?
        .map_or(Ok(ReportPosition::default()), |text| parse_position(&text).ok_or_else(cursor::invalid))?;
    let limit = platform_http::limit(request, DEFAULT_REPORT_LIMIT, MAX_REPORT_LIMIT)?;
    let grant = grants.grant(id).await.map_err(|error| store_problem(&error))?;
    if grant.is_none() {
        return Err(grant_not_found());
    }
    let page = report(grants, files, id, after, limit).await.map_err(|error| match error {
        FileError::Missing | FileError::Changed => {
            Problem::new(StatusCode::GONE, "report-expired", "The report was kept for 30 days")
        }
        FileError::Store(error) => store_problem(&error),
    })?;
    tracing::info!(grant.id = %id, grant.rows = page.items.len(), "showed report");
    let items = page.items.into_iter().map(Into::into).collect();
    let next_cursor = page.next.map(|at| cursor::encode(&format!("{}.{}", at.chunk, at.shown)));
    Ok(json(StatusCode::OK, &GrantReport { items, next_cursor }))
}

fn parse_position(text: &str) -> Option<ReportPosition> {
    let (chunk, shown) = text.split_once('.')?;
    Some(ReportPosition { chunk: chunk.parse().ok()?, shown: shown.parse().ok()? })
}

fn grant_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "grant-not-found", "There is no such grant")
}

fn create_problem(error: &CreateError) -> Problem {
    match error {
        CreateError::Refused(refusal) => claim_problem(refusal),
        CreateError::UploadNotFound => no_such_upload(),
        CreateError::UploadEmpty => invalid().field("recipients/upload", "must not be empty"),
        CreateError::UploadTooLong => {
            invalid().field("recipients/upload", "must be at most 67108864 bytes long")
        }
        CreateError::Store(error) => store_problem(error),
    }
}
