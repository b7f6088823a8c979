//! `/v1/admin/homestay-uploads` and `/v1/admin/homestay-imports`, for the group `admin`.

use coupon_http::{JsonBody, Operator, Paged, ProblemView, invalid_idempotency_key, store_problem};
use domain_homestay::{
    Import, ImportDesk, ImportFiles, ImportKey, ImportQueue, ImportShelf, ImportUploadId, ImportUploads,
    NewImport, UPLOAD_OPEN_FOR, cancel_import, import_report, start_import,
};
use domain_ids::ImportId;
use homestay_http::{
    CreateImportRequest, CreateImportUploadRequest, ImportList, ImportOrder, ImportReport, ImportUploadView,
    ImportView, cancel_problem, import_not_found, report_cursor, report_position, report_problem,
    start_problem,
};
use jiff::{SignedDuration, Timestamp};
use platform_http::{
    Body, Problem, Request, Response, StatusCode, cursor, header, json, json_body, path_id, with_header,
};
use platform_idempotency::{IDEMPOTENT_REPLAYED, IdempotencyKey};

use crate::handler::{Chance, Stores, operator};

/// Imports on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// The largest import's item has 40 KB; a page may take two reads of the index.
const MAX_LIMIT: u16 = 50;

/// Rows of a report on a page, unless the caller wants another number.
const DEFAULT_REPORT_LIMIT: u16 = 100;

/// About 200 KB.
const MAX_REPORT_LIMIT: u16 = 1_000;

/// An address to upload a file to.
#[utoipa::path(
    post, path = "/v1/admin/homestay-uploads", operation_id = "createHomestayUpload", tag = "admin",
    summary = "Prepare the upload of a file of homestays",
    description = "Send the file to the returned `url` with `PUT` within 15 minutes, then start the import with `uploadId`. The file is \
        CSV with a header or JSON Lines, in UTF-8, with the fields `externalId`, `title`, `lat`, `lon`, `city`, `priceFen`, `roomType`, \
        `capacity`, and optionally `subtitle`, `info`, `district`, `rating` with `ratingCount`, `sales`, `facilities` (`wifi|parking`), \
        `cover`, `rowState`, `createdAt`, `hostId`. A record has at most 65,536 bytes, a file 256 MiB.",
    request_body = CreateImportUploadRequest,
    responses(
        (status = 201, description = "Where to", body = ImportUploadView),
        Operator, JsonBody,
    ),
    security(("jwt" = [])),
)]
pub async fn prepare(
    files: &impl ImportUploads,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    operator(request)?;
    let body: CreateImportUploadRequest = json_body(request)?;
    let bytes = body.parse()?;
    let upload = ImportUploadId::from_parts(chance.created_ms(), chance.id);
    let url = files.prepare(upload, bytes, chance.at).await.map_err(|error| store_problem(&error))?;
    let open_for = SignedDuration::try_from(UPLOAD_OPEN_FOR).unwrap_or_default();
    tracing::info!(import.upload_bytes = bytes, "prepared upload");
    Ok(json(StatusCode::CREATED, &ImportUploadView::new(upload, url, bytes, chance.at + open_for)))
}

/// Starts an import.
#[utoipa::path(
    post, path = "/v1/admin/homestay-imports", operation_id = "createHomestayImport", tag = "admin",
    summary = "Import a file of homestays",
    description = "Each row creates the homestay `<source>-<externalId>`, changes it, or finds it as the row says. What a row does not \
        say stays as it is. It is worked on in the background; `GET /v1/admin/homestay-imports/{id}` shows how far it is. A repeat with \
        the same `Idempotency-Key` returns the same import. With `dryRun` nothing is written, only counted.",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", example = "7f3c1e0a-import")),
    request_body = CreateImportRequest,
    responses(
        (status = 202, description = "The import", body = ImportView, headers(
            ("Location" = String, description = "Where the import can be read"),
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this key started it"))),
        Operator, JsonBody,
        (status = 400, description = "`invalid-json`, `invalid-idempotency-key`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn start<H: ImportDesk, F: ImportUploads, Q: ImportQueue>(
    stores: &Stores<H, F, Q>,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let caller = operator(request)?;
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| invalid_idempotency_key())?;
    let body: CreateImportRequest = json_body(request)?;
    let ImportOrder { upload, format, source, host, dry_run, datum } = body.parse()?;
    let new = NewImport {
        id: ImportId::from_parts(chance.created_ms(), chance.id),
        upload,
        format,
        source,
        host,
        datum,
        dry_run,
        key: key.map(|key| ImportKey::new(&caller.subject, key.as_str())),
        at: chance.at,
    };
    let Stores { homestays, files, queue } = stores;
    let started = start_import(homestays, files, queue, new).await.map_err(|error| start_problem(&error))?;
    let id = started.import.id;
    tracing::info!(import.id = %id, import.replayed = started.replayed, "started import");
    let response = json(StatusCode::ACCEPTED, &ImportView::from(&started.import));
    let response = with_header(response, header::LOCATION, format!("/v1/admin/homestay-imports/{id}"));
    Ok(if started.replayed { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response })
}

/// A page of all imports.
#[utoipa::path(
    get, path = "/v1/admin/homestay-imports", operation_id = "listHomestayImports", tag = "admin",
    summary = "List imports of homestays",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 50, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The imports, the newest first", body = ImportList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(imports: &impl ImportDesk, request: &Request) -> Result<Response<Body>, Problem> {
    operator(request)?;
    let after = cursor::from_query(request)?;
    let after = after.map(|id| id.parse::<ImportId>().map_err(|_| cursor::invalid())).transpose()?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = imports.newest(after, limit).await.map_err(|error| store_problem(&error))?;
    tracing::info!(imports.count = page.items.len(), "listed imports");
    let items = page.items.iter().map(ImportView::from).collect();
    let next_cursor = page.next.map(|id| cursor::encode(&id.to_string()));
    Ok(json(StatusCode::OK, &ImportList { items, next_cursor }))
}

/// One import.
#[utoipa::path(
    get, path = "/v1/admin/homestay-imports/{id}", operation_id = "getHomestayImport", tag = "admin",
    summary = "Show an import and how far it is",
    params(("id" = String, Path, description = "The import")),
    responses(
        (status = 200, description = "The import", body = ImportView),
        Operator,
        (status = 404, description = "`import-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show(imports: &impl ImportShelf, request: &Request) -> Result<Response<Body>, Problem> {
    operator(request)?;
    let import = read(imports, request).await?;
    tracing::info!(import.id = %import.id, "showed import");
    Ok(json(StatusCode::OK, &ImportView::from(&import)))
}

/// A page of an import's report.
#[utoipa::path(
    get, path = "/v1/admin/homestay-imports/{id}/report", operation_id = "getHomestayImportReport", tag = "admin",
    summary = "Show which rows were refused, and why",
    description = "As far as the import is done: the first 10,000 refused rows. Reports are kept for 30 days.",
    params(
        ("id" = String, Path, description = "The import"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 1000, 100 without it", example = 100),
    ),
    responses(
        (status = 200, description = "The refused rows", body = ImportReport),
        Operator, Paged,
        (status = 404, description = "`import-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 410, description = "`report-expired`: it was kept for 30 days", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show_report(
    imports: &impl ImportShelf,
    files: &impl ImportFiles,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    operator(request)?;
    let after = report_position(request)?;
    let limit = platform_http::limit(request, DEFAULT_REPORT_LIMIT, MAX_REPORT_LIMIT)?;
    let import = read(imports, request).await?;
    let page = import_report(files, &import, after, limit).await.map_err(|error| report_problem(&error))?;
    tracing::info!(import.id = %import.id, import.rows = page.items.len(), "showed report");
    let items = page.items.into_iter().map(Into::into).collect();
    Ok(json(StatusCode::OK, &ImportReport { items, next_cursor: page.next.map(report_cursor) }))
}

/// Cancels an import.
#[utoipa::path(
    post, path = "/v1/admin/homestay-imports/{id}/cancel", operation_id = "cancelHomestayImport", tag = "admin",
    summary = "Stop an import for good",
    description = "The step that is worked on is finished and counted; what is written stays. May be repeated.",
    params(("id" = String, Path, description = "The import")),
    responses(
        (status = 200, description = "The import as it is now", body = ImportView),
        Operator,
        (status = 404, description = "`import-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`import-finished`: it is done or has failed", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn cancel(
    imports: &impl ImportDesk,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    operator(request)?;
    let id = import_id(request)?;
    let import = cancel_import(imports, id, now).await.map_err(|error| cancel_problem(&error))?;
    tracing::info!(import.id = %id, "cancelled import");
    Ok(json(StatusCode::OK, &ImportView::from(&import)))
}

async fn read(imports: &impl ImportShelf, request: &Request) -> Result<Import, Problem> {
    let import = imports.import(import_id(request)?).await.map_err(|error| store_problem(&error))?;
    import.ok_or_else(import_not_found)
}

fn import_id(request: &Request) -> Result<ImportId, Problem> {
    path_id(request, "id").ok_or_else(import_not_found)
}
