//! `SendGrid` v3 Mail Send.
//!
//! <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>,
//! <https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits>

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::json;

use crate::{Desk, Received, Refusal, check::is_same, play};

/// The key that the stub lets in.
pub const SENDGRID_API_KEY: &str = "SG.stub.secret";

/// The sender that the stub has verified.
pub const SENDGRID_FROM: &str = "noreply@minsu.example";

/// "The total size of your email must be less than 30MB."
const MAX_MAIL_BYTES: usize = 30 * 1_024 * 1_024;

/// After how many seconds a throttled client may come back.
const RESET_SECONDS: i64 = 2;

pub(crate) fn router(desk: &Arc<Desk>) -> Router {
    Router::new().route("/sendgrid/v3/mail/send", post(call)).with_state(Arc::clone(desk))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailSend {
    personalizations: Vec<Personalization>,
    from: Party,
    reply_to: Option<Party>,
    subject: Option<String>,
    content: Vec<Content>,
    #[serde(default)]
    custom_args: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Personalization {
    to: Vec<Party>,
    subject: Option<String>,
    #[serde(default)]
    custom_args: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Party {
    email: String,
    #[expect(dead_code, reason = "it may be there")]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    r#type: String,
    value: String,
}

fn error(status: StatusCode, message: &str, field: Option<&str>) -> Response {
    (status, Json(json!({ "errors": [{ "message": message, "field": field, "help": null }] })))
        .into_response()
}

async fn call(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_same(header("authorization"), &format!("Bearer {SENDGRID_API_KEY}")) {
        let text = "The provided authorization grant is invalid, expired, or revoked";
        return error(StatusCode::UNAUTHORIZED, text, None);
    }
    if header("content-type") != "application/json" {
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The Content-Type should be JSON", None);
    }
    desk.count("sendgrid/send");
    play(desk.next_fault("sendgrid"), || send(&desk, &body), |refusal| refuse(&desk, refusal)).await
}

fn refuse(desk: &Desk, refusal: Refusal) -> Response {
    match refusal {
        Refusal::Throttle => {
            let reset = desk.now().as_second().saturating_add(RESET_SECONDS).to_string();
            let refused = error(StatusCode::TOO_MANY_REQUESTS, "too many requests", None);
            (
                [("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)],
                refused,
            )
                .into_response()
        }
        Refusal::InvalidNumber => invalid_address(),
        Refusal::NoCredit => error(StatusCode::UNAUTHORIZED, "Maximum credits exceeded", None),
        Refusal::Code(code) => {
            // `403`, or `400 from.email` with the field at fault.
            let (status, field) = code.split_once(' ').map_or((code.as_str(), None), |(a, b)| (a, Some(b)));
            let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
            error(status.unwrap_or(StatusCode::BAD_REQUEST), "The stub says so.", field)
        }
    }
}

fn invalid_address() -> Response {
    let field = "personalizations.0.to.0.email";
    error(StatusCode::BAD_REQUEST, "Does not contain a valid address.", Some(field))
}

fn send(desk: &Desk, body: &[u8]) -> Response {
    if body.len() > MAX_MAIL_BYTES {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "The mail is too large", None);
    }
    let Ok(mail) = serde_json::from_slice::<MailSend>(body) else {
        return error(StatusCode::BAD_REQUEST, "Bad Request", None);
    };
    if mail.from.email != SENDGRID_FROM {
        let text = "The from address does not match a verified Sender Identity.";
        return error(StatusCode::FORBIDDEN, text, Some("from"));
    }
    if mail.reply_to.is_some_and(|it| !it.email.contains('@')) {
        return error(StatusCode::BAD_REQUEST, "Does not contain a valid address.", Some("reply_to.email"));
    }
    if mail.personalizations.is_empty() {
        let text = "The personalizations field is required and must have at least one personalization.";
        return error(StatusCode::BAD_REQUEST, text, Some("personalizations"));
    }
    let types: Vec<&str> = mail.content.iter().map(|content| content.r#type.as_str()).collect();
    if !matches!(types.as_slice(), ["text/plain" | "text/html"] | ["text/plain", "text/html"])
        || mail.content.iter().any(|content| content.value.is_empty())
    {
        let text = "The content must be text/plain, then text/html, and none of them empty.";
        return error(StatusCode::BAD_REQUEST, text, Some("content"));
    }
    let value = |wanted: &str| {
        mail.content.iter().find(|content| content.r#type == wanted).map(|content| content.value.clone())
    };
    let mut messages = Vec::new();
    for personalization in &mail.personalizations {
        let title = personalization.subject.as_ref().or(mail.subject.as_ref());
        if title.is_none_or(String::is_empty) {
            return error(StatusCode::BAD_REQUEST, "The subject is required.", Some("subject"));
        }
        if personalization.to.is_empty() || personalization.to.iter().any(|to| !to.email.contains('@')) {
            return invalid_address();
        }
        let args = |name: &str| personalization.custom_args.get(name).or_else(|| mail.custom_args.get(name));
        messages.extend(personalization.to.iter().map(|to| Received {
            provider: "sendgrid".into(),
            to: to.email.clone(),
            title: title.cloned(),
            content: value("text/plain"),
            html: value("text/html"),
            message_id: args("message_id").cloned(),
            ..Received::default()
        }));
    }
    let reference = messages.into_iter().map(|message| desk.keep(message)).last().unwrap_or_default();
    (StatusCode::ACCEPTED, [("x-message-id", reference)]).into_response()
}
