//! `/v1/admin/notification-templates`, for the group `admin`.

use std::{convert::Infallible, sync::Arc};

use coupon_http::{
    JsonBody, Operator, Paged, ProblemView, Versioned, invalid_idempotency_key, store_problem,
};
use domain_channel::Priority;
use domain_coupon::StoreError;
use domain_ids::TemplateCode;
use domain_notification::{
    ChangeTemplateError, CreateTemplateError, Fault, MessageStore, NewNotification, Params, Renderer,
    Template, TemplateReader, TemplateRef, TemplateShelf, TemplateVersion, change_template, create_template,
    publish_version,
};
use jiff::Timestamp;
use notification_http::{
    CreateNotificationTemplateRequest, NotificationPreviewView, NotificationTemplateCursor,
    NotificationTemplateDraft, NotificationTemplateList, NotificationTemplateVersionView,
    NotificationTemplateView, PatchNotificationTemplateRequest, PreviewNotificationTemplateRequest,
    PreviewOf, TestNotificationTemplateRequest, TestSendView, accept_problem, faulty, in_draft,
    notification_template_not_found,
};
use platform_http::{
    Body, ETag, Problem, Request, Response, StatusCode, caller, header, if_match, json, json_body, path_id,
    with_header,
};
use platform_idempotency::{IDEMPOTENT_REPLAYED, IdempotencyKey};

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// Templates on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// A template without its texts is half a KB: a page is far below the 1 MB of one query.
const MAX_LIMIT: u16 = 100;

/// What an invocation cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now.
    pub at: Timestamp,
    /// Names a test that has no idempotency key, so that each is sent.
    pub key: u128,
}

/// 200, 201 or 202 for a member of the group `admin`.
pub async fn handle(
    store: &(impl TemplateShelf + MessageStore),
    renderer: &impl Renderer,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer =
        match caller(&request).and_then(|caller| caller.require_group(ADMIN).map(|()| caller.subject)) {
            Ok(subject) => route(store, renderer, chance, &subject, &request).await,
            Err(problem) => Err(problem),
        };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route(
    store: &(impl TemplateShelf + MessageStore),
    renderer: &impl Renderer,
    chance: Chance,
    operator: &str,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    match platform_http::route_key(request) {
        "POST /v1/admin/notification-templates" => create(store, renderer, chance.at, request).await,
        "GET /v1/admin/notification-templates" => list(store, request).await,
        "GET /v1/admin/notification-templates/{code}" => show(store, request).await,
        "PATCH /v1/admin/notification-templates/{code}" => change(store, chance.at, request).await,
        "POST /v1/admin/notification-templates/{code}/versions" => {
            publish(store, renderer, chance.at, request).await
        }
        "GET /v1/admin/notification-templates/{code}/versions/{version}" => {
            show_version(store, request).await
        }
        "POST /v1/admin/notification-templates/{code}/preview" => {
            preview(store, renderer, chance.at, request).await
        }
        "POST /v1/admin/notification-templates/{code}/test-sends" => {
            test_send(store, renderer, chance, operator, request).await
        }
        _ => Err(platform_http::route_not_found()),
    }
}

/// Creates a template.
#[utoipa::path(
    post, path = "/v1/admin/notification-templates", operation_id = "createNotificationTemplate", tag = "admin",
    summary = "Create a template of notifications",
    description = "Texts are templates of the Jinja language: `{{ guest }}`, `{% if count > 1 %}`, `{% for item in items %}`, with the \
        filters `default`, `first`, `join`, `last`, `length`, `lower`, `trim` and `upper`. Each is compiled, may use declared variables \
        only, and is rendered with the examples, once with and once without what is optional. Values are escaped in HTML.",
    request_body = CreateNotificationTemplateRequest,
    responses(
        (status = 201, description = "The template, in version 1", body = NotificationTemplateView, headers(
            ("Location" = String, description = "Where the template can be read"), ("ETag" = String, description = "Its revision"))),
        Operator, JsonBody,
        (status = 409, description = "`template-exists`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn create(
    store: &impl TemplateShelf,
    renderer: &impl Renderer,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: CreateNotificationTemplateRequest = json_body(request)?;
    let new = body.parse().map_err(|faults| faulty(&faults))?;
    let created = create_template(store, renderer, new, now).await;
    let template = created.map_err(|error| match error {
        CreateTemplateError::Taken => Problem::new(
            StatusCode::CONFLICT,
            "template-exists",
            "There is a template with this code; publish a version of it",
        ),
        CreateTemplateError::Invalid(faults) => faulty(&faults),
        CreateTemplateError::Store(error) => store_problem(&error),
    })?;
    tracing::info!(notification.template = %template.code, "created template");
    let location = format!("/v1/admin/notification-templates/{}", template.code);
    Ok(with_header(tagged(StatusCode::CREATED, &template), header::LOCATION, location))
}

/// A page of all templates.
#[utoipa::path(
    get, path = "/v1/admin/notification-templates", operation_id = "listNotificationTemplates", tag = "admin",
    summary = "List the templates of notifications",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The templates, in the order of their codes", body = NotificationTemplateList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(store: &impl TemplateShelf, request: &Request) -> Result<Response<Body>, Problem> {
    let after = NotificationTemplateCursor::from_query(request)?;
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = store.templates(after, limit).await.map_err(|error| store_problem(&error))?;
    let items: Vec<NotificationTemplateView> = page.items.iter().map(Into::into).collect();
    tracing::info!(notification.templates = items.len(), "listed templates");
    let next_cursor = page.next.map(|code| NotificationTemplateCursor(code).encode());
    Ok(json(StatusCode::OK, &NotificationTemplateList { items, next_cursor }))
}

/// One template.
#[utoipa::path(
    get, path = "/v1/admin/notification-templates/{code}", operation_id = "getNotificationTemplate", tag = "admin",
    summary = "Show a template of notifications",
    params(("code" = String, Path, description = "The template", example = "order_confirmed")),
    responses(
        (status = 200, description = "The template; what it says is in its `version`", body = NotificationTemplateView,
            headers(("ETag" = String, description = "Its revision"))),
        Operator,
        (status = 404, description = "`notification-template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show(store: &impl TemplateShelf, request: &Request) -> Result<Response<Body>, Problem> {
    let template = find(store, request).await?;
    tracing::info!(notification.template = %template.code, "showed template");
    Ok(tagged(StatusCode::OK, &template))
}

/// Changes a template.
#[utoipa::path(
    patch, path = "/v1/admin/notification-templates/{code}", operation_id = "changeNotificationTemplate", tag = "admin",
    summary = "Rename, enable or disable a template of notifications",
    description = "With a disabled template no message is taken; those taken before are sent. It takes up to five seconds to be known \
        everywhere.",
    params(
        ("code" = String, Path, description = "The template", example = "order_confirmed"),
        ("If-Match" = String, Header, description = "The `ETag` the change is based on", example = "\"1\""),
    ),
    request_body = PatchNotificationTemplateRequest,
    responses(
        (status = 200, description = "The template as it is now", body = NotificationTemplateView,
            headers(("ETag" = String, description = "Its new revision"))),
        Operator, JsonBody, Versioned,
        (status = 400, description = "`invalid-json`, `invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`notification-template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn change(
    store: &impl TemplateShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let code = code(request)?;
    let expected = if_match(request.headers())?;
    let body: PatchNotificationTemplateRequest = json_body(request)?;
    let changed = change_template(store, &code, expected, body.parse(), now).await;
    let template = changed.map_err(|error| change_problem(&error))?;
    tracing::info!(
        notification.template = %code, template.enabled = template.enabled, template.revision = template.revision,
        "changed template"
    );
    Ok(tagged(StatusCode::OK, &template))
}

/// Publishes a version.
#[utoipa::path(
    post, path = "/v1/admin/notification-templates/{code}/versions", operation_id = "publishNotificationTemplateVersion", tag = "admin",
    summary = "Publish a new version of a template of notifications",
    description = "Messages taken from now on (up to five seconds later) have it; those taken before keep theirs. A version never changes.",
    params(
        ("code" = String, Path, description = "The template", example = "order_confirmed"),
        ("If-Match" = String, Header, description = "The template's `ETag` the change is based on", example = "\"1\""),
    ),
    request_body = NotificationTemplateDraft,
    responses(
        (status = 201, description = "The version", body = NotificationTemplateVersionView, headers(
            ("Location" = String, description = "Where the version can be read"),
            ("ETag" = String, description = "The template's new revision"))),
        Operator, JsonBody, Versioned,
        (status = 400, description = "`invalid-json`, `invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`notification-template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn publish(
    store: &impl TemplateShelf,
    renderer: &impl Renderer,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let code = code(request)?;
    let expected = if_match(request.headers())?;
    let body: NotificationTemplateDraft = json_body(request)?;
    let draft = body.parse().map_err(|faults| faulty(&faults))?;
    let published = publish_version(store, renderer, &code, expected, draft, now).await;
    let (template, version) = published.map_err(|error| change_problem(&error))?;
    tracing::info!(notification.template = %code, template.version = version.version, "published version");
    let response = json(StatusCode::CREATED, &NotificationTemplateVersionView::from(&version));
    let response = with_header(response, header::ETAG, ETag(template.revision.into()));
    let location = format!("/v1/admin/notification-templates/{code}/versions/{}", version.version);
    Ok(with_header(response, header::LOCATION, location))
}

/// One version.
#[utoipa::path(
    get, path = "/v1/admin/notification-templates/{code}/versions/{version}", operation_id = "getNotificationTemplateVersion", tag = "admin",
    summary = "Show what a template of notifications says, or said",
    params(
        ("code" = String, Path, description = "The template", example = "order_confirmed"),
        ("version" = u32, Path, description = "From 1", example = 1),
    ),
    responses(
        (status = 200, description = "The version", body = NotificationTemplateVersionView),
        Operator,
        (status = 404, description = "`notification-template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show_version(store: &impl TemplateShelf, request: &Request) -> Result<Response<Body>, Problem> {
    let number = path_id(request, "version").ok_or_else(notification_template_not_found)?;
    let version = find_version(store, code(request)?, number).await?;
    tracing::info!(notification.template = %version.code, template.version = number, "showed version");
    Ok(json(StatusCode::OK, &NotificationTemplateVersionView::from(&version)))
}

/// Shows a message as it would be sent.
#[utoipa::path(
    post, path = "/v1/admin/notification-templates/{code}/preview", operation_id = "previewNotificationTemplate", tag = "admin",
    summary = "Show a message as it would be sent",
    description = "Of the present version, another one, or a draft, which is checked as if it were to be published. The variables' \
        examples stand for the parameters that are not sent. Nothing is kept, nothing is sent.",
    params(("code" = String, Path, description = "The template", example = "order_confirmed")),
    request_body = PreviewNotificationTemplateRequest,
    responses(
        (status = 200, description = "The message", body = NotificationPreviewView),
        Operator, JsonBody,
        (status = 404, description = "`notification-template-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn preview(
    store: &impl TemplateShelf,
    renderer: &impl Renderer,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: PreviewNotificationTemplateRequest = json_body(request)?;
    let wanted = body.parse().map_err(|faults| faulty(&faults))?;
    let version = match wanted.of {
        PreviewOf::Present => {
            let template = find(store, request).await?;
            find_version(store, template.code, template.version).await?
        }
        PreviewOf::Version(number) => find_version(store, code(request)?, number).await?,
        PreviewOf::Draft(draft) => {
            let template = find(store, request).await?;
            let version = draft.version_of(&template, now);
            let faults: Vec<Fault> = renderer.check(&version).into_iter().map(in_draft).collect();
            if !faults.is_empty() {
                return Err(faulty(&faults));
            }
            version
        }
    };
    let params = with_examples(&version, wanted.params);
    let message = renderer.render(&version, wanted.language.as_ref(), &params);
    let message = message.map_err(|faults| faulty(&faults))?;
    tracing::info!(notification.template = %version.code, "showed preview");
    Ok(json(StatusCode::OK, &NotificationPreviewView::from(message)))
}

/// Sends one message for a test.
#[utoipa::path(
    post, path = "/v1/admin/notification-templates/{code}/test-sends", operation_id = "testNotificationTemplate", tag = "admin",
    summary = "Send a template of notifications to somebody, for a test",
    description = "The message goes the way of every other: preferences, quiet hours and the suppression list hold for it. The variables' \
        examples stand for the parameters that are not sent.",
    params(
        ("code" = String, Path, description = "The template", example = "order_confirmed"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat harmless; without it each request is sent"),
    ),
    request_body = TestNotificationTemplateRequest,
    responses(
        (status = 202, description = "The message will be sent", body = TestSendView, headers(
            ("Idempotent-Replayed" = Option<bool>, description = "`true` where an earlier request had the same key"))),
        Operator, JsonBody,
        (status = 400, description = "`invalid-json`, `invalid-idempotency-key`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`notification-template-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`template-disabled`", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-body`, with the fields at fault; `idempotency-key-reused`", body = ProblemView,
            content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn test_send(
    store: &(impl TemplateShelf + MessageStore),
    renderer: &impl Renderer,
    chance: Chance,
    operator: &str,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let key = IdempotencyKey::from_headers(request.headers()).map_err(|_| invalid_idempotency_key())?;
    let body: TestNotificationTemplateRequest = json_body(request)?;
    let (receiver, params) = body.parse().map_err(|faults| faulty(&faults))?;
    let template = find(store, request).await?;
    let version = find_version(store, template.code.clone(), template.version).await?;
    let new = NewNotification {
        scope: format!("test-send/{operator}/{}", template.code),
        key: key.map_or_else(|| format!("{:032x}", chance.key), |key| key.as_str().to_owned()),
        channel: template.channel,
        priority: Priority::High,
        template: template.code.clone(),
        params: with_examples(&version, params),
        receivers: vec![receiver],
        scheduled_at: None,
        expires_at: None,
        transaction: None,
        broadcast: None,
    };
    let taken = async {
        let checked = domain_notification::check(&Present(store), renderer, new, chance.at).await?;
        domain_notification::accept(store, &checked, chance.at).await
    };
    let taken = taken.await.map_err(|error| accept_problem(&error))?;
    let taken = taken.first().ok_or_else(platform_http::route_not_found)?;
    tracing::info!(notification.template = %template.code, message.id = %taken.id, "took test");
    let response = json(StatusCode::ACCEPTED, &TestSendView { message_id: taken.id });
    Ok(if taken.is_repeat { with_header(response, IDEMPOTENT_REPLAYED, "true") } else { response })
}

/// Templates as they are now: who has just published a version wants to see that one.
struct Present<'a, S>(&'a S);

impl<S: TemplateShelf> TemplateReader for Present<'_, S> {
    async fn template(&self, code: &TemplateCode) -> Result<Option<Template>, StoreError> {
        self.0.template(code).await
    }

    async fn version(&self, of: &TemplateRef) -> Result<Option<Arc<TemplateVersion>>, StoreError> {
        Ok(self.0.version(of).await?.map(Arc::new))
    }
}

/// What was sent, and the examples for the rest.
fn with_examples(version: &TemplateVersion, mut params: Params) -> Params {
    for variable in &version.variables {
        params.0.entry(variable.name.clone()).or_insert_with(|| variable.example.clone());
    }
    params
}

fn code(request: &Request) -> Result<TemplateCode, Problem> {
    path_id(request, "code").ok_or_else(notification_template_not_found)
}

async fn find(store: &impl TemplateShelf, request: &Request) -> Result<Template, Problem> {
    let template = store.template(&code(request)?).await.map_err(|error| store_problem(&error))?;
    template.ok_or_else(notification_template_not_found)
}

async fn find_version(
    store: &impl TemplateShelf,
    code: TemplateCode,
    version: u32,
) -> Result<TemplateVersion, Problem> {
    let of = TemplateRef { code, version };
    let version = store.version(&of).await.map_err(|error| store_problem(&error))?;
    version.ok_or_else(notification_template_not_found)
}

fn change_problem(error: &ChangeTemplateError) -> Problem {
    match error {
        ChangeTemplateError::NotFound => notification_template_not_found(),
        ChangeTemplateError::Outdated => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "Somebody else has changed the template; read it again",
        ),
        ChangeTemplateError::Invalid(faults) => faulty(faults),
        ChangeTemplateError::Store(error) => store_problem(error),
    }
}

fn tagged(status: StatusCode, template: &Template) -> Response<Body> {
    let response = json(status, &NotificationTemplateView::from(template));
    with_header(response, header::ETAG, ETag(template.revision.into()))
}
