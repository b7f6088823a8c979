use domain_ids::ProviderName;
use domain_notification::{Channels, DeliveryReport, ProviderKind};
use jiff::{SignedDuration, Timestamp};
use notification_sendgrid::{SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookKey};
use platform_http::{Body, Request, Response, StatusCode, header, json, no_content, query, with_header};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::{error::ReceiveError, handler::MAX_REPORTS};

/// Characters of the token in the address that Aliyun and Tencent Cloud call. They sign nothing, so that the token is all
/// there is: a shorter one counts as none.
const MIN_CALLBACK_TOKEN_CHARS: usize = 32;

/// Characters of the token that `WeChat` signs with: it allows 3 to 32, and whoever guesses it signs as `WeChat`. A shorter
/// one counts as none.
const MIN_WECHAT_TOKEN_CHARS: usize = 16;

/// How far the time of a signature of `WeChat`'s may be from now: enough for its repeats and for clocks that differ. The
/// signature does not cover the body, so that who has seen one could say anything with it, for as long.
const MAX_SIGNATURE_AGE: SignedDuration = SignedDuration::from_mins(10);

/// How a provider calls back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Aliyun,
    Tencent,
    Sendgrid,
    Wechat,
}

/// A provider that reports here.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub name: &'a ProviderName,
    manner: Manner,
    /// Null where it has none.
    secret: &'a Value,
}

impl<'a> Source<'a> {
    /// The provider of this name, with its member of `secrets`, which are null if they could not be read yet.
    pub fn find(
        channels: &'a Channels,
        secrets: &'a Value,
        name: &ProviderName,
    ) -> Result<Self, ReceiveError> {
        let config = channels.providers().find(|provider| provider.name == *name);
        let config = config.ok_or(ReceiveError::UnknownProvider)?;
        let manner = match config.kind {
            ProviderKind::Aliyun => Manner::Aliyun,
            ProviderKind::Tencent => Manner::Tencent,
            ProviderKind::Sendgrid => Manner::Sendgrid,
            ProviderKind::WechatOfficial | ProviderKind::WechatMini => Manner::Wechat,
            // AWS reports by events, a mail server by mail, and the inbox has nothing to report.
            ProviderKind::SnsSms
            | ProviderKind::Ses
            | ProviderKind::Smtp
            | ProviderKind::SnsPush
            | ProviderKind::Inbox => return Err(ReceiveError::UnknownProvider),
        };
        // Nobody is refused for what we could not read: the provider would not come again.
        if secrets.is_null() {
            return Err(ReceiveError::NoSecrets);
        }
        let secret = secrets.get(config.name.as_str()).unwrap_or(&Value::Null);
        Ok(Self { name: &config.name, manner, secret })
    }

    /// Makes sure that the provider has sent `request`, as far as its manner allows.
    pub fn authenticate(&self, request: &Request, now: Timestamp) -> Result<(), ReceiveError> {
        let is_genuine = match self.manner {
            Manner::Aliyun | Manner::Tencent => {
                let expected = self.token("callbackToken", MIN_CALLBACK_TOKEN_CHARS)?;
                expected.as_bytes().ct_eq(parameter(request, "token").as_bytes()).into()
            }
            Manner::Wechat => {
                let token = self.token("token", MIN_WECHAT_TOKEN_CHARS)?;
                let [timestamp, nonce, signature] =
                    ["timestamp", "nonce", "signature"].map(|name| parameter(request, name));
                is_recent(&timestamp, now)
                    && notification_wechat::is_signed(token, &timestamp, &nonce, &signature)
            }
            Manner::Sendgrid => {
                let key = self.secret.get("webhookPublicKey").and_then(Value::as_str);
                let key: WebhookKey =
                    key.and_then(|key| key.parse().ok()).ok_or_else(|| self.no_secret("webhookPublicKey"))?;
                let [signature, timestamp] = [SIGNATURE_HEADER, TIMESTAMP_HEADER]
                    .map(|name| request.headers().get(name)?.to_str().ok());
                key.verify(signature, timestamp, request.body().as_ref(), now).is_ok()
            }
        };
        if is_genuine { Ok(()) } else { Err(ReceiveError::InvalidSignature) }
    }

    /// What is answered to a provider that wants to know whether the address is ours. Only `WeChat` asks.
    pub fn echo(&self, request: &Request, now: Timestamp) -> Result<Response<Body>, ReceiveError> {
        match self.manner {
            Manner::Wechat => {
                self.authenticate(request, now)?;
                Ok(text(parameter(request, "echostr")))
            }
            Manner::Aliyun | Manner::Tencent | Manner::Sendgrid => Err(ReceiveError::UnknownProvider),
        }
    }

    /// The reports in `body`.
    pub fn reports(&self, body: &[u8]) -> Result<Vec<DeliveryReport>, ReceiveError> {
        match self.manner {
            Manner::Aliyun => {
                at_most_max_reports(entries(body))?;
                notification_aliyun::delivery_reports(self.name, body).map_err(|_| ReceiveError::Unreadable)
            }
            Manner::Tencent => {
                at_most_max_reports(entries(body))?;
                notification_tencent::delivery_reports(self.name, body).map_err(|_| ReceiveError::Unreadable)
            }
            Manner::Wechat => {
                notification_wechat::delivery_reports(self.name, body).map_err(|_| ReceiveError::Unreadable)
            }
            Manner::Sendgrid => {
                let reports = notification_sendgrid::delivery_reports(self.name, body)
                    .map_err(|_| ReceiveError::Unreadable)?;
                // What is opened and clicked comes along and is no report.
                at_most_max_reports(reports.len())?;
                Ok(reports)
            }
        }
    }

    /// What tells the provider not to come again with the same.
    pub fn thanks(&self) -> Response<Body> {
        match self.manner {
            Manner::Aliyun => json(StatusCode::OK, &json!({ "code": 0, "msg": "ok" })),
            Manner::Tencent => json(StatusCode::OK, &json!({ "result": 0, "errmsg": "OK" })),
            Manner::Wechat => text("success".to_owned()),
            Manner::Sendgrid => no_content(),
        }
    }

    fn token(&self, member: &'static str, min_chars: usize) -> Result<&'a str, ReceiveError> {
        let token = self.secret.get(member).and_then(Value::as_str);
        token.filter(|token| token.len() >= min_chars).ok_or_else(|| self.no_secret(member))
    }

    /// What the provider sends cannot be told from what others send.
    fn no_secret(&self, member: &'static str) -> ReceiveError {
        tracing::error!(
            provider = self.name.as_str(),
            secret.member = member,
            "nothing usable to know the provider by"
        );
        ReceiveError::InvalidSignature
    }
}

/// A query parameter; empty where it is missing, repeated or too long, none of which a provider sends.
fn parameter(request: &Request, name: &'static str) -> String {
    query(request, name).ok().flatten().unwrap_or_default()
}

fn is_recent(seconds: &str, now: Timestamp) -> bool {
    let at = seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.is_some_and(|at| now.duration_since(at).abs() <= MAX_SIGNATURE_AGE)
}

/// The entries of a list. The parsers read as many as they allow, and what they leave out would be lost.
fn entries(body: &[u8]) -> usize {
    serde_json::from_slice::<Vec<IgnoredAny>>(body).map_or(0, |entries| entries.len())
}

fn at_most_max_reports(reports: usize) -> Result<(), ReceiveError> {
    if reports > MAX_REPORTS { Err(ReceiveError::TooManyReports) } else { Ok(()) }
}

fn text(body: String) -> Response<Body> {
    let mut response = no_content();
    *response.status_mut() = StatusCode::OK;
    *response.body_mut() = Body::Text(body);
    with_header(response, header::CONTENT_TYPE, "text/plain; charset=utf-8")
}
