//! `/v1/homestays` and `/v1/me/homestays`, for hosts, operators and guests; and `/v1/admin/homestay-imports`, see
//! [`crate::imports`].

use std::convert::Infallible;

use coupon_http::{
    Everybody, JsonBody, Operator, Paged, ProblemView, Versioned, invalid, invalid_idempotency_key,
    store_problem, try_again,
};
use domain_homestay::{
    CreateHomestay, Editor, Homestay, HomestayShelf, HomestayStore, ImportDesk, ImportFiles, ImportQueue,
    ImportUploads, Version, change_homestay, create_homestay, delete_homestay, editable_homestay,
    id_from_parts, id_of_request, visible_homestay,
};
use domain_ids::{HomestayId, HostId};
use homestay_http::{
    CreateHomestayRequest, HomestayCursor, HomestayList, HomestayView, OwnHomestayView, PatchHomestayRequest,
    change_problem, create_problem, homestay_not_found, invalid_body,
};
use jiff::Timestamp;
use platform_http::{
    Body, Caller, ETag, Problem, Request, Response, StatusCode, caller, header, if_match, json, json_body,
    no_content, path_id, unauthenticated, with_header,
};
use platform_idempotency::{IDEMPOTENT_REPLAYED, IdempotencyKey};

use crate::imports;

/// The group whose members have all homestays.
const ADMIN: &str = "admin";

/// The group whose members have their own.
const HOST: &str = "host";

/// Homestays on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// A page of the largest homestays is 1.2 MB, two reads of the index.
const MAX_LIMIT: u16 = 50;

/// What hosts and operators work on.
#[derive(Debug)]
pub struct Stores<H, F, Q> {
    /// The homestays, and the imports.
    pub homestays: H,
    /// Files to import, and reports.
    pub files: F,
    /// Where the steps of imports wait.
    pub queue: Q,
}

/// What an invocation cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes part of the id of a new homestay, upload or import.
    pub id: u128,
}

impl Chance {
    pub(crate) fn created_ms(self) -> u64 {
        u64::try_from(self.at.as_millisecond()).unwrap_or_default()
    }
}

/// The answer to a host, an operator or, where the route is public, anybody.
pub async fn handle<H, F, Q>(
    stores: &Stores<H, F, Q>,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible>
where
    H: HomestayStore + HomestayShelf + ImportDesk,
    F: ImportUploads + ImportFiles,
    Q: ImportQueue,
{
    Ok(route(stores, chance, &request).await.unwrap_or_else(Problem::into_response))
}

async fn route<H, F, Q>(
    stores: &Stores<H, F, Q>,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem>
where
    H: HomestayStore + HomestayShelf + ImportDesk,
    F: ImportUploads + ImportFiles,
    Q: ImportQueue,
{
    let Stores { homestays, files, .. } = stores;
    match platform_http::route_key(request) {
        "GET /v1/homestays/{id}" => show(homestays, request).await,
        "POST /v1/homestays" => create(homestays, chance, request).await,
        "PATCH /v1/homestays/{id}" => change(homestays, chance.at, request).await,
        "DELETE /v1/homestays/{id}" => delete(homestays, chance.at, request).await,
        "GET /v1/me/homestays" => list_own(homestays, request).await,
        "GET /v1/me/homestays/{id}" => show_own(homestays, request).await,
        "POST /v1/admin/homestay-uploads" => imports::prepare(files, chance, request).await,
        "POST /v1/admin/homestay-imports" => imports::start(stores, chance, request).await,
        "GET /v1/admin/homestay-imports" => imports::list(homestays, request).await,
        "GET /v1/admin/homestay-imports/{id}" => imports::show(homestays, request).await,
        "GET /v1/admin/homestay-imports/{id}/report" => imports::show_report(homestays, files, request).await,
        "POST /v1/admin/homestay-imports/{id}/cancel" => imports::cancel(homestays, chance.at, request).await,
        _ => Err(platform_http::route_not_found()),
    }
}

/// The caller, who must be an operator.
pub(crate) fn operator(request: &Request) -> Result<Caller, Problem> {
    let caller = caller(request)?;
    caller.require_group(ADMIN).map(|()| caller)
}

/// The caller, and as whom they edit homestays: an operator, or a host of the caller's name.
fn editor(request: &Request) -> Result<(HostId, Editor), Problem> {
    let caller = caller(request)?;
    let own: HostId = caller.subject.parse().map_err(|_| unauthenticated())?;
    if caller.require_group(ADMIN).is_ok() {
        return Ok((own, Editor::Operator));
    }
    caller.require_group(HOST)?;
    Ok((own.clone(), Editor::Host(own)))
}

/// A homestay that guests find.
#[utoipa::path(
    get, path = "/v1/homestays/{id}", operation_id = "getHomestay", tag = "homestays",
    summary = "Show a homestay",
    description = "A homestay that is not published is not found.",
    params(("id" = String, Path, description = "The homestay")),
    responses(
        (status = 200, description = "The homestay", body = HomestayView, headers(("ETag" = String, description = "Its version"))),
        Everybody,
        (status = 404, description = "`homestay-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
)]
pub async fn show(homestays: &impl HomestayStore, request: &Request) -> Result<Response<Body>, Problem> {
    let id = homestay_id(request)?;
    let homestay = visible_homestay(homestays, &id).await.map_err(|error| store_problem(&error))?;
    tracing::info!(homestay.id = %id, homestay.found = homestay.is_some(), "showed homestay");
    let homestay = homestay.ok_or_else(homestay_not_found)?;
    let response = json(StatusCode::OK, &HomestayView::from(&homestay));
    Ok(with_header(response, header::ETAG, ETag(homestay.version.get())))
}

/// Creates a homestay.
#[utoipa::path(
    post, path = "/v1/homestays", operation_id = "createHomestay", tag = "homestays",
    summary = "Create a homestay",
    description = "For hosts, who get it as their own, and operators. Guests find it within two seconds if it is `published`. A repeat \
        with the same `Idempotency-Key` returns the same homestay.",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", example = "7f3c1e0a-homestay")),
    request_body = CreateHomestayRequest,
    responses(
        (status = 201, description = "The homestay", body = OwnHomestayView, headers(
            ("Location" = String, description = "Where its owner can read it"), ("ETag" = String, description = "Its version"),
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this key created it"))),
        Operator, JsonBody,
        (status = 400, description = "`invalid-json`, `invalid-idempotency-key`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`homestay-deleted`: the one that the key created is gone", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn create(
    homestays: &impl HomestayStore,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let (own, editor) = editor(request)?;
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| invalid_idempotency_key())?;
    let body: CreateHomestayRequest = json_body(request)?;
    let (new, host) = body.parse().map_err(|violations| invalid(&violations))?;
    let host = match (host, &editor) {
        (Some(other), Editor::Host(own)) if other != *own => {
            return Err(invalid_body().field("hostId", "must be left out: only an operator sets it"));
        }
        (Some(host), Editor::Host(_) | Editor::Operator) => host,
        (None, Editor::Host(_) | Editor::Operator) => own.clone(),
    };
    let id = match key {
        Some(key) => id_of_request(own.as_str(), key.as_str()),
        None => id_from_parts(chance.created_ms(), chance.id),
    };
    let id = id.map_err(|_| try_again())?;
    let order = CreateHomestay { id, host, editor, new, at: chance.at };
    let created = create_homestay(homestays, order).await.map_err(|error| create_problem(&error))?;
    let id = &created.homestay.id;
    tracing::info!(homestay.id = %id, homestay.replayed = created.replayed, "created homestay");
    let response = tagged(StatusCode::CREATED, &created.homestay);
    let response = with_header(response, header::LOCATION, format!("/v1/me/homestays/{id}"));
    Ok(if created.replayed { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response })
}

/// Changes, publishes or unpublishes a homestay.
#[utoipa::path(
    patch, path = "/v1/homestays/{id}", operation_id = "changeHomestay", tag = "homestays",
    summary = "Change, publish or unpublish a homestay",
    description = "For its host and operators. Guests see a change within two seconds.",
    params(
        ("id" = String, Path, description = "The homestay"),
        ("If-Match" = String, Header, description = "The `ETag` the change is based on", example = "\"1\""),
    ),
    request_body = PatchHomestayRequest,
    responses(
        (status = 200, description = "The homestay as it is now", body = OwnHomestayView, headers(("ETag" = String, description = "Its new version"))),
        Operator, JsonBody, Versioned,
        (status = 400, description = "`invalid-json`, `invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`homestay-not-found`: also where it is another host's", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn change(
    homestays: &impl HomestayStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let (_, editor) = editor(request)?;
    let id = homestay_id(request)?;
    let expected = Version::from_stored(if_match(request.headers())?);
    let body: PatchHomestayRequest = json_body(request)?;
    let change = body.parse().map_err(|violations| invalid(&violations))?;
    let changed = change_homestay(homestays, &editor, (&id, expected), change, now).await;
    let homestay = changed.map_err(|error| change_problem(&error))?;
    tracing::info!(homestay.id = %id, homestay.version = homestay.version.get(), "changed homestay");
    Ok(tagged(StatusCode::OK, &homestay))
}

/// Deletes a homestay.
#[utoipa::path(
    delete, path = "/v1/homestays/{id}", operation_id = "deleteHomestay", tag = "homestays",
    summary = "Delete a homestay",
    description = "For its host and operators. Guests no longer find it within two seconds.",
    params(
        ("id" = String, Path, description = "The homestay"),
        ("If-Match" = String, Header, description = "The `ETag` the deletion is based on", example = "\"1\""),
    ),
    responses(
        (status = 204, description = "It is gone"),
        Operator, Versioned,
        (status = 400, description = "`invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`homestay-not-found`: also where it is another host's", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn delete(
    homestays: &impl HomestayStore,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let (_, editor) = editor(request)?;
    let id = homestay_id(request)?;
    let expected = Version::from_stored(if_match(request.headers())?);
    let deleted = delete_homestay(homestays, &editor, (&id, expected), now).await;
    deleted.map_err(|error| change_problem(&error))?;
    tracing::info!(homestay.id = %id, "deleted homestay");
    Ok(no_content())
}

/// A page of the caller's homestays.
#[utoipa::path(
    get, path = "/v1/me/homestays", operation_id = "listMyHomestays", tag = "homestays",
    summary = "List one's own homestays",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 50, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The homestays, the newest first", body = HomestayList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list_own(homestays: &impl HomestayShelf, request: &Request) -> Result<Response<Body>, Problem> {
    let (own, _) = editor(request)?;
    let after = HomestayCursor::from_query(request)?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = homestays.of_host(&own, after, limit).await.map_err(|error| store_problem(&error))?;
    tracing::info!(homestays.count = page.items.len(), "listed homestays");
    let items = page.items.iter().map(OwnHomestayView::from).collect();
    let next_cursor = page.next.map(|position| HomestayCursor(position).encode());
    Ok(json(StatusCode::OK, &HomestayList { items, next_cursor }))
}

/// One of the caller's homestays.
#[utoipa::path(
    get, path = "/v1/me/homestays/{id}", operation_id = "getMyHomestay", tag = "homestays",
    summary = "Show one's own homestay, published or not",
    description = "Operators see every homestay here.",
    params(("id" = String, Path, description = "The homestay")),
    responses(
        (status = 200, description = "The homestay", body = OwnHomestayView, headers(("ETag" = String, description = "Its version"))),
        Operator,
        (status = 404, description = "`homestay-not-found`: also where it is another host's", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show_own(homestays: &impl HomestayStore, request: &Request) -> Result<Response<Body>, Problem> {
    let (_, editor) = editor(request)?;
    let id = homestay_id(request)?;
    let homestay = editable_homestay(homestays, &editor, &id).await;
    let homestay = homestay.map_err(|error| change_problem(&error))?;
    tracing::info!(homestay.id = %id, "showed own homestay");
    Ok(tagged(StatusCode::OK, &homestay))
}

fn homestay_id(request: &Request) -> Result<HomestayId, Problem> {
    path_id(request, "id").ok_or_else(homestay_not_found)
}

fn tagged(status: StatusCode, homestay: &Homestay) -> Response<Body> {
    let response = json(status, &OwnHomestayView::from(homestay));
    with_header(response, header::ETAG, ETag(homestay.version.get()))
}
