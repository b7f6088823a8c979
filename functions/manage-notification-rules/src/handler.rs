//! `/v1/admin/notification-rules`, for the group `admin`.

use std::convert::Infallible;

use coupon_http::{JsonBody, Operator, Paged, ProblemView, Versioned, store_problem};
use domain_coupon::StoreError;
use domain_ids::RuleId;
use domain_notification::{
    AcceptError, Action, Consequence, Fault, MAX_RULES, NewNotification, ParamValue, Params, RULE_SCOPE,
    Renderer, Rule, RuleShelf, TemplateReader, TemplateRef, TemplateVersion, check, message_id,
};
use jiff::Timestamp;
use notification_http::{
    NotificationRuleCursor, NotificationRuleList, NotificationRuleRequest, NotificationRuleView,
    TriedNotificationRuleView, TriedOutcome, TryNotificationRuleRequest, faulty, notification_rule_not_found,
};
use platform_http::{
    Body, ETag, Problem, Request, Response, StatusCode, caller, header, if_match, json, json_body,
    no_content, path_id, with_header,
};
use serde_json::Value;

/// The group whose members may come in.
const ADMIN: &str = "admin";

/// Rules on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// A rule has at most 8 KB: a page stays below the 6 MB of a response.
const MAX_LIMIT: u16 = 100;

/// 200, 201 or 204 for a member of the group `admin`.
pub async fn handle(
    rules: &impl RuleShelf,
    templates: &impl TemplateReader,
    renderer: &impl Renderer,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match caller(&request).and_then(|caller| caller.require_group(ADMIN)) {
        Ok(()) => route(rules, templates, renderer, now, &request).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

async fn route(
    rules: &impl RuleShelf,
    templates: &impl TemplateReader,
    renderer: &impl Renderer,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    match platform_http::route_key(request) {
        "GET /v1/admin/notification-rules" => list(rules, request).await,
        "GET /v1/admin/notification-rules/{id}" => show(rules, request).await,
        "PUT /v1/admin/notification-rules/{id}" => put(rules, templates, renderer, request).await,
        "DELETE /v1/admin/notification-rules/{id}" => delete(rules, request).await,
        "POST /v1/admin/notification-rules/{id}/try" => {
            try_out(rules, templates, renderer, now, request).await
        }
        _ => Err(platform_http::route_not_found()),
    }
}

/// A page of all rules.
#[utoipa::path(
    get, path = "/v1/admin/notification-rules", operation_id = "listNotificationRules", tag = "admin",
    summary = "List the rules that turn events into notifications",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The rules, in the order of their ids", body = NotificationRuleList),
        Operator, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(rules: &impl RuleShelf, request: &Request) -> Result<Response<Body>, Problem> {
    let after = NotificationRuleCursor::from_query(request)?;
    let limit = usize::from(platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?);
    // There are few enough to read all of them for a page.
    let mut all = rules.rules().await.map_err(|error| store_problem(&error))?;
    all.sort_by(|one, other| one.id.cmp(&other.id));
    all.retain(|rule| after.as_ref().is_none_or(|after| rule.id > *after));
    let has_more = all.len() > limit;
    all.truncate(limit);
    let items: Vec<_> = all.iter().map(NotificationRuleView::from).collect();
    tracing::info!(rules.count = items.len(), "listed rules");
    let next_cursor = all.last().filter(|_| has_more);
    let next_cursor = next_cursor.map(|rule| NotificationRuleCursor(rule.id.clone()).encode());
    Ok(json(StatusCode::OK, &NotificationRuleList { items, next_cursor }))
}

/// One rule.
#[utoipa::path(
    get, path = "/v1/admin/notification-rules/{id}", operation_id = "getNotificationRule", tag = "admin",
    summary = "Show a rule",
    params(("id" = String, Path, description = "The rule", example = "check-in-reminder")),
    responses(
        (status = 200, description = "The rule", body = NotificationRuleView, headers(("ETag" = String, description = "Its revision"))),
        Operator,
        (status = 404, description = "`notification-rule-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show(rules: &impl RuleShelf, request: &Request) -> Result<Response<Body>, Problem> {
    let rule = present(rules, request).await?;
    tracing::info!(rule.id = %rule.id, "showed rule");
    Ok(tagged(StatusCode::OK, &rule))
}

/// Creates or replaces a rule.
#[utoipa::path(
    put, path = "/v1/admin/notification-rules/{id}", operation_id = "putNotificationRule", tag = "admin",
    summary = "Create or replace a rule",
    description = "With `If-None-Match: *` it is created, with `If-Match` replaced. Of an event that comes again there is one message, told by \
        the values of `key`. A rule of the type `cancel` takes back what another one has scheduled for the same key; where the cancelling event \
        is the first to come, the message is never sent. It is in force within five seconds.",
    params(
        ("id" = String, Path, description = "Names it for good: 1 to 64 of `A-Z a-z 0-9 - _ .`", example = "check-in-reminder"),
        ("If-None-Match" = Option<String>, Header, description = "`*` to create", example = "*"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` the change is based on"),
    ),
    request_body = NotificationRuleRequest,
    responses(
        (status = 200, description = "The rule as it is now", body = NotificationRuleView, headers(("ETag" = String, description = "Its new revision"))),
        (status = 201, description = "The new rule", body = NotificationRuleView, headers(
            ("Location" = String, description = "Where the rule can be read"), ("ETag" = String, description = "Its revision"))),
        Operator, JsonBody, Versioned,
        (status = 400, description = "`invalid-json`, `invalid-if-match`, `invalid-if-none-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`notification-rule-not-found`: the id is none", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`too-many-rules`: there are 200", body = ProblemView, content_type = "application/problem+json"),
        (status = 412, description = "`precondition-failed`: somebody else has created, changed or deleted it", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-body`, with the fields at fault; `action/template` where there is no such template, `action/channel` \
            where it has another one, `action/params/…` where a variable is not filled in, `action/rule` where there is no such rule that sends",
            body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn put(
    rules: &impl RuleShelf,
    templates: &impl TemplateReader,
    renderer: &impl Renderer,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id = rule_id(request)?;
    let revision = next_revision(request)?;
    let body: NotificationRuleRequest = json_body(request)?;
    let rule = body.parse(id, revision).map_err(|faults| faulty(&faults))?;
    let faults = faults(rules, templates, renderer, &rule).await.map_err(|error| store_problem(&error))?;
    if !faults.is_empty() {
        return Err(faulty(&faults));
    }
    let is_new = revision == FIRST;
    // Of several that are created at once one too many may come in: the limit bounds what is read, not to the rule.
    if is_new && rules.rules().await.map_err(|error| store_problem(&error))?.len() >= MAX_RULES {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "too-many-rules",
            "There are as many rules as there may be",
        )
        .with("maxRules", MAX_RULES));
    }
    if !rules.put_rule(&rule).await.map_err(|error| store_problem(&error))? {
        return Err(outdated());
    }
    tracing::info!(rule.id = %rule.id, rule.revision = revision, "put rule");
    if is_new {
        let location = format!("/v1/admin/notification-rules/{}", rule.id);
        return Ok(with_header(tagged(StatusCode::CREATED, &rule), header::LOCATION, location));
    }
    Ok(tagged(StatusCode::OK, &rule))
}

/// Deletes a rule.
#[utoipa::path(
    delete, path = "/v1/admin/notification-rules/{id}", operation_id = "deleteNotificationRule", tag = "admin",
    summary = "Delete a rule",
    description = "What it has scheduled is still sent. A rule that cancels its messages does nothing any more.",
    params(
        ("id" = String, Path, description = "The rule", example = "check-in-reminder"),
        ("If-Match" = String, Header, description = "The `ETag` the change is based on", example = "\"2\""),
    ),
    responses(
        (status = 204, description = "It is gone"),
        Operator, Versioned,
        (status = 400, description = "`invalid-if-match`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`notification-rule-not-found`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn delete(rules: &impl RuleShelf, request: &Request) -> Result<Response<Body>, Problem> {
    let expected = if_match(request.headers())?;
    let rule = present(rules, request).await?;
    let expected = u32::try_from(expected).map_err(|_| outdated())?;
    let removed = rules.remove_rule(&rule.id, expected).await.map_err(|error| store_problem(&error))?;
    if !removed {
        return Err(outdated());
    }
    tracing::info!(rule.id = %rule.id, "deleted rule");
    Ok(no_content())
}

/// Tries a rule.
#[utoipa::path(
    post, path = "/v1/admin/notification-rules/{id}/try", operation_id = "tryNotificationRule", tag = "admin",
    summary = "See what a rule would do about an event",
    description = "As if the rule were in force. Nothing is sent, scheduled or cancelled.",
    params(("id" = String, Path, description = "The rule", example = "check-in-reminder")),
    request_body = TryNotificationRuleRequest,
    responses(
        (status = 200, description = "What it would do", body = TriedNotificationRuleView),
        Operator, JsonBody,
        (status = 404, description = "`notification-rule-not-found`", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-body`; `detail/…` where the event lacks what the rule needs", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn try_out(
    rules: &impl RuleShelf,
    templates: &impl TemplateReader,
    renderer: &impl Renderer,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let rule = Rule { enabled: true, ..present(rules, request).await? };
    let body: TryNotificationRuleRequest = json_body(request)?;
    let consequence = rule.apply(&rule.event, &Value::Object(body.detail), now);
    let consequence = consequence.map_err(|unmatched| {
        faulty(&[Fault::new(
            format!("detail{}", unmatched.pointer),
            "must be there, and be what the rule needs",
        )])
    })?;
    let view = match consequence {
        None => nothing(),
        Some(Consequence::Cancel { key, receiver }) => TriedNotificationRuleView {
            outcome: TriedOutcome::Cancel,
            message_id: Some(message_id(RULE_SCOPE, &key, &receiver)),
            receiver: Some(receiver.to_string()),
            ..nothing()
        },
        Some(Consequence::Send(new)) => {
            sent(templates, renderer, new, now).await.map_err(|error| store_problem(&error))?
        }
    };
    tracing::info!(rule.id = %rule.id, rule.outcome = ?view.outcome, "tried rule");
    Ok(json(StatusCode::OK, &view))
}

fn nothing() -> TriedNotificationRuleView {
    TriedNotificationRuleView {
        outcome: TriedOutcome::Nothing,
        message_id: None,
        receiver: None,
        scheduled_at: None,
        preview: None,
        faults: Vec::new(),
    }
}

/// What would be sent, or why it would not be accepted.
async fn sent(
    templates: &impl TemplateReader,
    renderer: &impl Renderer,
    new: NewNotification,
    now: Timestamp,
) -> Result<TriedNotificationRuleView, StoreError> {
    let receiver = new.receivers.first();
    let view = TriedNotificationRuleView {
        message_id: receiver.map(|receiver| message_id(&new.scope, &new.key, receiver)),
        receiver: receiver.map(ToString::to_string),
        scheduled_at: new.scheduled_at,
        ..nothing()
    };
    let preview = match version(templates, &new.template).await? {
        Some(version) => renderer.render(&version, None, &new.params).ok(),
        None => None,
    };
    let faults = match check(templates, renderer, new, now).await {
        Err(AcceptError::NoTemplate) => vec![Fault::new("template", "must be a template that there is")],
        Err(AcceptError::Disabled) => vec![Fault::new("template", "must be a template that is enabled")],
        Err(AcceptError::Invalid(faults)) => faults,
        // Only what is accepted can meet a key.
        Ok(_) | Err(AcceptError::KeyReused) => Vec::new(),
        Err(AcceptError::Store(error)) => return Err(error),
    };
    let outcome = if faults.is_empty() { TriedOutcome::Send } else { TriedOutcome::Refuse };
    let faults = faults.into_iter().map(Into::into).collect();
    Ok(TriedNotificationRuleView { outcome, preview: preview.map(Into::into), faults, ..view })
}

/// What is wrong with a rule beside what it says itself: with its template, or with the rule whose messages it cancels.
async fn faults(
    rules: &impl RuleShelf,
    templates: &impl TemplateReader,
    renderer: &impl Renderer,
    rule: &Rule,
) -> Result<Vec<Fault>, StoreError> {
    match &rule.action {
        Action::Cancel { rule: cancelled } => {
            let is_sender = |other: &Rule| matches!(other.action, Action::Send { .. });
            Ok(match rules.rule(cancelled).await?.filter(is_sender) {
                None => vec![Fault::new("action/rule", "must be a rule that sends")],
                Some(other) if other.key.len() != rule.key.len() => {
                    vec![Fault::new(
                        "key",
                        "must have as many pointers as that of the rule whose message is cancelled",
                    )]
                }
                Some(_) => Vec::new(),
            })
        }
        Action::Send { channel, template, params, .. } => {
            let Some(version) = version(templates, template).await? else {
                return Ok(vec![Fault::new("action/template", "must be a template that there is")]);
            };
            let mut faults = Vec::new();
            if version.channel != *channel {
                faults.push(Fault::new(
                    "action/channel",
                    format!("must be that of the template, {}", version.channel),
                ));
            }
            let sample = Params(
                params.iter().map(|(name, from)| (name.clone(), sample(&version, name, from))).collect(),
            );
            let unfilled = renderer.render(&version, None, &sample).err().unwrap_or_default();
            faults.extend(
                unfilled.into_iter().map(|fault| Fault { field: format!("action/{}", fault.field), ..fault }),
            );
            Ok(faults)
        }
    }
}

/// What the rule may put into a variable: the text itself, or, for a place in an event that is yet to come, the example.
fn sample(version: &TemplateVersion, name: &str, from: &str) -> ParamValue {
    let variable = version.variables.iter().find(|variable| variable.name == name);
    let example = variable.filter(|_| from.starts_with('/')).map(|variable| variable.example.clone());
    example.unwrap_or_else(|| ParamValue::Text(from.to_owned()))
}

async fn version(
    templates: &impl TemplateReader,
    code: &domain_ids::TemplateCode,
) -> Result<Option<std::sync::Arc<TemplateVersion>>, StoreError> {
    let Some(template) = templates.template(code).await? else { return Ok(None) };
    templates.version(&TemplateRef { code: template.code, version: template.version }).await
}

/// The revision of a rule that is created.
const FIRST: u32 = 1;

/// The revision that the rule gets: the first with `If-None-Match: *`, the next after that of `If-Match` else.
fn next_revision(request: &Request) -> Result<u32, Problem> {
    let mut tags = request.headers().get_all(header::IF_NONE_MATCH).iter();
    match tags.next() {
        None => {
            let expected = if_match(request.headers())?;
            let expected = u32::try_from(expected).ok().filter(|expected| *expected >= FIRST);
            expected.and_then(|expected| expected.checked_add(1)).ok_or_else(outdated)
        }
        Some(tag) => {
            let is_any = tag.as_bytes().trim_ascii() == b"*" && tags.next().is_none();
            // Both at once ask for what is there and for what is not.
            if is_any && !request.headers().contains_key(header::IF_MATCH) {
                Ok(FIRST)
            } else {
                Err(Problem::new(
                    StatusCode::BAD_REQUEST,
                    "invalid-if-none-match",
                    "If-None-Match must be * alone, without If-Match",
                ))
            }
        }
    }
}

fn rule_id(request: &Request) -> Result<RuleId, Problem> {
    path_id(request, "id").ok_or_else(notification_rule_not_found)
}

async fn present(rules: &impl RuleShelf, request: &Request) -> Result<Rule, Problem> {
    let rule = rules.rule(&rule_id(request)?).await.map_err(|error| store_problem(&error))?;
    rule.ok_or_else(notification_rule_not_found)
}

fn outdated() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition-failed",
        "Somebody else has changed the rule; read it again",
    )
}

fn tagged(status: StatusCode, rule: &Rule) -> Response<Body> {
    let response = json(status, &NotificationRuleView::from(rule));
    with_header(response, header::ETAG, ETag(rule.revision.into()))
}
