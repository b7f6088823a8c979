//! `/v1/me/inbox`, for the guest whose inbox it is.

use std::convert::Infallible;

use coupon_http::{JsonBody, Paged, ProblemView, SignedIn, guest, store_problem};
use domain_channel::Category;
use domain_ids::GuestId;
use domain_notification::{Inbox, InboxPosition};
use jiff::Timestamp;
use notification_http::{
    InboxCursor, InboxEntryId, InboxEntryView, InboxList, ReadAllRequest, UnreadView, inbox_entry_not_found,
};
use platform_http::{
    Body, Problem, Request, Response, StatusCode, json, json_body, no_content, path_id, query, route_key,
    route_not_found,
};

/// Entries on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// Entries have some hundred bytes each; the longest, 32 KB, still fit by the hundred into a response.
const MAX_LIMIT: u16 = 100;

/// 200 or 204 for a guest, about the own inbox.
pub async fn handle(
    inbox: &impl Inbox,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match guest(&request) {
        Ok(guest) => route(inbox, &guest, now, &request).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route(
    inbox: &impl Inbox,
    guest: &GuestId,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    match route_key(request) {
        "GET /v1/me/inbox" => list(inbox, guest, now, request).await,
        "GET /v1/me/inbox/unread-count" => unread_count(inbox, guest).await,
        "POST /v1/me/inbox/{id}/read" => read(inbox, guest, now, request).await,
        "POST /v1/me/inbox/read-all" => read_all(inbox, guest, now, request).await,
        "DELETE /v1/me/inbox/{id}" => delete(inbox, guest, request).await,
        _ => Err(route_not_found()),
    }
}

/// A page of the inbox.
#[utoipa::path(
    get, path = "/v1/me/inbox", operation_id = "listMyInbox", tag = "inbox",
    summary = "List what I was told",
    description = "For 90 days. A page may have fewer entries than asked for, even none, where others follow: go on as long as there is \
        a `nextCursor`.",
    params(
        ("category" = Option<String>, Query, description = "`account`, `order`, `reminder` or `marketing`; all without it", example = "order"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The entries, the newest first", body = InboxList),
        SignedIn, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(
    inbox: &impl Inbox,
    guest: &GuestId,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let category: Option<Category> = query(request, "category")?;
    let after = InboxCursor::from_query(request)?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = inbox.entries(guest, category, after, limit).await.map_err(|error| store_problem(&error))?;
    tracing::info!(inbox.count = page.items.len(), "listed inbox");
    let items = page.items.into_iter().map(InboxEntryView::from).collect();
    let next_cursor = page.next.map(|position| InboxCursor(position).encode());
    Ok(json(StatusCode::OK, &InboxList { items, next_cursor, as_of: now }))
}

/// How much is unread.
#[utoipa::path(
    get, path = "/v1/me/inbox/unread-count", operation_id = "countMyUnreadInbox", tag = "inbox",
    summary = "Count what I have not read",
    responses(
        (status = 200, description = "In all and by category", body = UnreadView),
        SignedIn,
    ),
    security(("jwt" = [])),
)]
pub async fn unread_count(inbox: &impl Inbox, guest: &GuestId) -> Result<Response<Body>, Problem> {
    let unread = inbox.unread(guest).await.map_err(|error| store_problem(&error))?;
    let view = UnreadView::from(unread);
    tracing::info!(inbox.unread = view.total, "counted unread");
    Ok(json(StatusCode::OK, &view))
}

/// Marks one entry as read.
#[utoipa::path(
    post, path = "/v1/me/inbox/{id}/read", operation_id = "readMyInboxEntry", tag = "inbox",
    summary = "Mark an entry as read",
    description = "A repeat changes nothing.",
    params(("id" = String, Path, description = "The entry", example = "1794326400000-01KA3Z5QJ8M4T2R7V9X1C6B0NG")),
    responses(
        (status = 204, description = "It is read"),
        SignedIn,
        (status = 404, description = "`inbox-entry-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn read(
    inbox: &impl Inbox,
    guest: &GuestId,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let entry = entry(request)?;
    let is_there = inbox.mark_read(guest, entry, now).await.map_err(|error| store_problem(&error))?;
    tracing::info!(message.id = %entry.id, inbox.found = is_there, "read inbox entry");
    if is_there { Ok(no_content()) } else { Err(inbox_entry_not_found()) }
}

/// Marks everything as read.
#[utoipa::path(
    post, path = "/v1/me/inbox/read-all", operation_id = "readMyInbox", tag = "inbox",
    summary = "Mark everything as read",
    description = "With `until`, the `asOf` of the list that the guest sees, what has arrived meanwhile stays unread. The body may be left \
        out.",
    request_body(content = Option<ReadAllRequest>),
    responses(
        (status = 204, description = "It is read"),
        SignedIn, JsonBody,
    ),
    security(("jwt" = [])),
)]
pub async fn read_all(
    inbox: &impl Inbox,
    guest: &GuestId,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: ReadAllRequest = match request.body() {
        Body::Empty => ReadAllRequest::default(),
        _ => json_body(request)?,
    };
    // What is to come was not seen, whatever a caller's clock says.
    let until = body.until.map_or(now, |until| until.min(now));
    inbox.mark_all_read(guest, body.category, until).await.map_err(|error| store_problem(&error))?;
    tracing::info!(inbox.category = body.category.map_or("all", Category::name), "read inbox");
    Ok(no_content())
}

/// Removes an entry.
#[utoipa::path(
    delete, path = "/v1/me/inbox/{id}", operation_id = "deleteMyInboxEntry", tag = "inbox",
    summary = "Remove an entry",
    description = "For good: its text is erased, and the message does not come again.",
    params(("id" = String, Path, description = "The entry", example = "1794326400000-01KA3Z5QJ8M4T2R7V9X1C6B0NG")),
    responses(
        (status = 204, description = "It is gone"),
        SignedIn,
        (status = 404, description = "`inbox-entry-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn delete(
    inbox: &impl Inbox,
    guest: &GuestId,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let entry = entry(request)?;
    let was_there = inbox.delete(guest, entry).await.map_err(|error| store_problem(&error))?;
    tracing::info!(message.id = %entry.id, inbox.found = was_there, "deleted inbox entry");
    if was_there { Ok(no_content()) } else { Err(inbox_entry_not_found()) }
}

fn entry(request: &Request) -> Result<InboxPosition, Problem> {
    path_id::<InboxEntryId>(request, "id").map(|id| id.0).ok_or_else(inbox_entry_not_found)
}
