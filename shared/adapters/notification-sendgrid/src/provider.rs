use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use domain_ids::ProviderName;
use domain_notification::{
    Accepted, Address, Failure, MAX_CODE_CHARS, MailAddress, Outgoing, Provider, Verdict,
};
use futures_util::future::BoxFuture;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER},
};
use jiff::fmt::rfc2822;
use platform_http_client::{Error, HttpClient, InvalidSettings, Settings};
use serde::{Deserialize, Serialize};

/// The custom argument that carries our message id: events repeat the arguments of their mail.
pub const MESSAGE_ARG: &str = "message_id";

/// Where `SendGrid` is.
const ENDPOINT: &str = "https://api.sendgrid.com";

/// Characters of the sender's name.
const MAX_NAME_CHARS: usize = 100;

/// The longest pause that is believed: a reset lies within the minute, and a clock that is wrong must not stop the mail.
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// An account at `SendGrid`.
pub struct SendGrid {
    name: ProviderName,
    http: HttpClient,
    url: String,
    authorization: HeaderValue,
    from: MailAddress,
    from_name: Option<String>,
}

#[derive(Serialize)]
struct MailSend<'a> {
    personalizations: [Personalization<'a>; 1],
    from: Party<'a>,
    subject: &'a str,
    content: Vec<Content<'a>>,
}

#[derive(Serialize)]
struct Personalization<'a> {
    to: [Party<'a>; 1],
    custom_args: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Party<'a> {
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct Content<'a> {
    r#type: &'static str,
    value: &'a str,
}

/// What `SendGrid` says of a mail it does not take. The prose is left where it is.
#[derive(Deserialize)]
struct Refusal {
    errors: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    field: Option<String>,
}

impl SendGrid {
    /// The account that the secret opens.
    pub fn from_settings(
        name: &ProviderName,
        endpoint: Option<&str>,
        settings: &BTreeMap<String, String>,
        secret: &serde_json::Value,
        timeout: Duration,
    ) -> Result<Self, InvalidSettings> {
        let settings = Settings::new(endpoint, settings, secret, &["from", "fromName"])?;
        let from = MailAddress::from_str(settings.required("from")?)
            .map_err(|_| InvalidSettings::new("from", "a mail address"))?;
        let from_name = settings.optional("fromName");
        let is_name =
            |name: &str| name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control);
        if from_name.is_some_and(|name| !is_name(name)) {
            let must = "at most 100 characters, none of them a control character";
            return Err(InvalidSettings::new("fromName", must));
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", settings.secret("apiKey")?))
            .map_err(|_| InvalidSettings::new("secret/apiKey", "visible ASCII characters"))?;
        authorization.set_sensitive(true);
        let http = HttpClient::new(timeout)
            .map_err(|_| InvalidSettings::new("endpoint", "reachable: this system cannot do TLS"))?;
        Ok(Self {
            name: name.clone(),
            http,
            url: format!("{}/v3/mail/send", settings.endpoint(ENDPOINT)?),
            authorization,
            from,
            from_name: from_name.map(str::to_owned),
        })
    }

    async fn send_mail(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let Address::Mail(to) = &outgoing.address else {
            return Err(Failure::new(Verdict::FailOver, "wrong-channel"));
        };
        let answer = self.http.send(self.request(to, outgoing)?).await.map_err(|error| match error {
            Error::NotSent(_) => Failure::new(Verdict::FailOver, "unreachable"),
            Error::Unanswered(_) => Failure::new(Verdict::Unknown, "lost"),
        })?;
        if !answer.status().is_success() {
            return Err(refusal(&answer));
        }
        let reference = text(answer.headers(), "x-message-id");
        Ok(Accepted {
            reference: reference.map(|id| id.chars().take(MAX_CODE_CHARS).collect()),
            dead: Vec::new(),
        })
    }

    fn request(&self, to: &MailAddress, outgoing: &Outgoing) -> Result<Request<Vec<u8>>, Failure> {
        let rendered = &outgoing.rendered;
        let title = rendered.title.as_deref().filter(|title| !title.is_empty());
        let title = title.ok_or_else(|| Failure::new(Verdict::GiveUp, "no-title"))?;
        // A subject is one line: a line break in it would begin another header.
        let subject: String = title.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        let plain = Content { r#type: "text/plain", value: &rendered.content };
        let html = rendered.html.as_deref().map(|html| Content { r#type: "text/html", value: html });
        let mail = MailSend {
            personalizations: [Personalization {
                to: [Party { email: to.as_str(), name: None }],
                custom_args: BTreeMap::from([(MESSAGE_ARG, outgoing.id.to_string())]),
            }],
            from: Party { email: self.from.as_str(), name: self.from_name.as_deref() },
            subject: &subject,
            content: std::iter::once(plain).chain(html).collect(),
        };
        let body = serde_json::to_vec(&mail).map_err(|_| Failure::new(Verdict::GiveUp, "not-built"))?;
        Request::post(&self.url)
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|_| Failure::new(Verdict::FailOver, "not-built"))
    }
}

fn refusal(answer: &Response<impl AsRef<[u8]>>) -> Failure {
    let status = answer.status();
    let field = serde_json::from_slice::<Refusal>(answer.body().as_ref())
        .ok()
        .and_then(|refusal| refusal.errors.into_iter().find_map(|reason| reason.field));
    let verdict = match status {
        StatusCode::BAD_REQUEST if field.as_deref().is_some_and(is_of_account) => Verdict::FailOver,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Verdict::GiveUp,
        StatusCode::TOO_MANY_REQUESTS => Verdict::Retry,
        StatusCode::GATEWAY_TIMEOUT => Verdict::Unknown,
        _ => Verdict::FailOver,
    };
    let failure = match field {
        Some(field) => Failure::new(verdict, format!("{}-{field}", status.as_u16())),
        None => Failure::new(verdict, status.as_u16().to_string()),
    };
    match pause(answer.headers()) {
        Some(pause) if verdict == Verdict::Retry => failure.retry_after(pause),
        Some(_) | None => failure,
    }
}

/// Whether a field is the same in every mail of ours: then the account is set up wrongly, and another provider may do.
fn is_of_account(field: &str) -> bool {
    let root = field.split('.').next().unwrap_or_default();
    matches!(root, "from" | "reply_to" | "asm" | "ip_pool_name" | "template_id" | "categories")
}

/// How long to wait: so many seconds, or until a second of the server's clock, which its `Date` shows.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let after = text(headers, RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse::<u64>().ok());
    let until = || {
        let reset: i64 = text(headers, "x-ratelimit-reset")?.parse().ok()?;
        let now = rfc2822::parse(text(headers, DATE.as_str())?).ok()?.timestamp().as_second();
        u64::try_from(reset.checked_sub(now)?).ok()
    };
    after.or_else(until).map(Duration::from_secs).map(|pause| pause.min(MAX_PAUSE))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl fmt::Debug for SendGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendGrid").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Provider for SendGrid {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(self.send_mail(outgoing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> Failure {
        let mut answer = Response::new(body.as_bytes().to_vec());
        *answer.status_mut() = status.try_into().unwrap();
        for (name, value) in headers {
            answer.headers_mut().insert(*name, value.parse().unwrap());
        }
        refusal(&answer)
    }

    #[test]
    fn each_status_has_its_verdict() {
        for (status, verdict) in [
            (302, Verdict::FailOver),
            (400, Verdict::GiveUp),
            (401, Verdict::FailOver),
            (403, Verdict::FailOver),
            (404, Verdict::FailOver),
            (413, Verdict::GiveUp),
            (429, Verdict::Retry),
            (500, Verdict::FailOver),
            (503, Verdict::FailOver),
            (504, Verdict::Unknown),
        ] {
            assert_eq!(answered(status, &[], "<html>"), Failure::new(verdict, status.to_string()));
        }
    }

    #[test]
    fn a_bad_request_is_judged_by_its_field_and_its_prose_is_left_out() {
        let of = |field: &str| {
            let body = format!(
                r#"{{"errors": [{{"message": "of ann@example.com", "field": {field}, "help": null}}]}}"#
            );
            answered(400, &[], &body)
        };
        assert_eq!(of("\"from.email\""), Failure::new(Verdict::FailOver, "400-from.email"));
        let to = "personalizations.0.to.0.email";
        assert_eq!(of(&format!("{to:?}")), Failure::new(Verdict::GiveUp, format!("400-{to}")));
        assert_eq!(of("null"), Failure::new(Verdict::GiveUp, "400"));
    }

    #[test]
    fn a_throttled_client_is_told_when_to_come_back() {
        let date = ("date", "Tue, 24 Nov 2026 10:00:00 GMT");
        let at = |seconds: i64| (1_795_514_400_i64 + seconds).to_string();
        for (headers, pause) in [
            (vec![("retry-after", "7".to_owned())], Some(7)),
            (vec![(date.0, date.1.to_owned()), ("x-ratelimit-reset", at(20))], Some(20)),
            (vec![(date.0, date.1.to_owned()), ("x-ratelimit-reset", at(-1))], None),
            (vec![(date.0, date.1.to_owned()), ("x-ratelimit-reset", at(100_000))], Some(300)),
            (vec![("x-ratelimit-reset", at(20))], None),
            (vec![("retry-after", "soon".to_owned())], None),
            (vec![], None),
        ] {
            let headers: Vec<(&'static str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let failure = answered(429, &headers, "");
            assert_eq!(failure.retry_after, pause.map(Duration::from_secs), "{headers:?}");
        }
        assert_eq!(answered(503, &[("retry-after", "7")], "").retry_after, None, "others may serve");
    }
}
