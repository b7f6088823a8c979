//! Template and subscribe messages through `WeChat`.
//!
//! [`Wechat::official`] sends template messages to followers of the official account, [`Wechat::mini`] subscribe
//! messages to users of the mini program. Both need an access token, of which there is one for all execution
//! environments: [`AccessTokens`] keeps it. [`verdict`] is what error codes mean to us; [`delivery_reports`] reads what
//! `WeChat` pushes afterwards, [`is_signed`] checks that it does.
//!
//! Settings: `appId`, and for the official account `url` (where a tap leads), for the mini program `page` and `state`
//! (`formal`, `trial` or `developer`). Secret: `{"appSecret": …}`.
//!
//! The official account recognises a repeated message by its id, for ten minutes; the mini program does not.

mod answer;
mod codes;
mod push;
mod token;

use std::{collections::BTreeMap, fmt, time::Duration};

use domain_ids::ProviderName;
use domain_notification::{
    Accepted, Address, Failure, FilledTemplate, OpenId, Outgoing, Provider, SharedTokens, Verdict,
};
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use platform_http_client::{Error, HttpClient, InvalidSettings, Settings};
use serde_json::{Map, Value, json};

pub use answer::{read_sent, read_token};
pub use codes::{is_token_refused, verdict};
pub use push::{MAX_PUSH_BYTES, MAX_REPORTS, UnreadableReports, delivery_reports, echo, is_signed};
pub use token::{AccessTokens, Time};

/// How long `WeChat` knows a repeat by its `client_msg_id`: ten minutes, of which one is left for the way there.
const RECOGNISED_FOR: SignedDuration = SignedDuration::from_mins(9);

/// Where `WeChat` is.
pub const DEFAULT_ENDPOINT: &str = "https://api.weixin.qq.com";

/// Which of our apps speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// The official account.
    Official,
    /// The mini program.
    Mini,
}

/// An app of ours on `WeChat`. `Debug` hides the secret.
#[derive(Clone)]
pub struct Config {
    /// What it is called in the configuration and in templates.
    pub name: ProviderName,
    /// Which app.
    pub app: App,
    /// Where `WeChat` is, without a slash at the end.
    pub endpoint: String,
    /// The id of the app.
    pub app_id: String,
    /// Its secret.
    pub app_secret: String,
    /// What else its messages say, besides the receiver, the template and what fills it in.
    pub extra: Map<String, Value>,
    /// How long sending a message may take, a new access token included.
    pub timeout: Duration,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("app", &self.app)
            .field("endpoint", &self.endpoint)
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

/// Sends messages of one app. Access tokens are shared through `T`.
pub struct Wechat<T> {
    config: Config,
    http: HttpClient,
    tokens: AccessTokens<T>,
}

impl<T> fmt::Debug for Wechat<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wechat").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<T: SharedTokens> Wechat<T> {
    /// With where tokens are shared, and what tells the time and waits.
    pub fn new(config: Config, tokens: T, time: Time) -> Result<Self, InvalidSettings> {
        let http = HttpClient::new(config.timeout)
            .map_err(|_| InvalidSettings::new("endpoint", "on a system with TLS roots"))?;
        let tokens = AccessTokens::new(&config, http.clone(), tokens, time);
        Ok(Self { config, http, tokens })
    }

    /// The official account, as operators write it.
    pub fn official(
        name: ProviderName,
        endpoint: Option<&str>,
        settings: &BTreeMap<String, String>,
        secret: &Value,
        timeout: Duration,
        tokens: T,
        time: Time,
    ) -> Result<Self, InvalidSettings> {
        let settings = Settings::new(endpoint, settings, secret, &["appId", "url"])?;
        let mut extra = Map::new();
        if let Some(url) = settings.optional("url") {
            extra.insert("url".to_owned(), url.into());
        }
        Self::new(config(name, App::Official, settings, extra, timeout)?, tokens, time)
    }

    /// The mini program, as operators write it.
    pub fn mini(
        name: ProviderName,
        endpoint: Option<&str>,
        settings: &BTreeMap<String, String>,
        secret: &Value,
        timeout: Duration,
        tokens: T,
        time: Time,
    ) -> Result<Self, InvalidSettings> {
        let settings = Settings::new(endpoint, settings, secret, &["appId", "page", "state"])?;
        let mut extra = Map::new();
        if let Some(page) = settings.optional("page") {
            extra.insert("page".to_owned(), page.into());
        }
        let state = settings.optional("state").unwrap_or("formal");
        if !["formal", "trial", "developer"].contains(&state) {
            return Err(InvalidSettings::new("state", "formal, trial or developer"));
        }
        extra.insert("miniprogram_state".to_owned(), state.into());
        Self::new(config(name, App::Mini, settings, extra, timeout)?, tokens, time)
    }

    async fn send_message(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let Address::Wechat { official, mini } = &outgoing.address else {
            return Err(Failure::new(Verdict::GiveUp, "no-openid"));
        };
        let to = match self.config.app {
            App::Official => official,
            App::Mini => mini,
        };
        let Some(to) = to else { return Err(Failure::new(Verdict::Skip, "no-openid")) };
        let Some(template) = outgoing.rendered.provider_templates.get(&self.config.name) else {
            return Err(Failure::new(Verdict::Skip, "no-template"));
        };
        let body = self.body(outgoing, to, template);
        let began_at = self.tokens.now();
        let token = self.tokens.get(None, began_at).await?;
        let first = self.call(&token, &body, began_at).await;
        match first {
            // Nothing was sent with a token that is not good: with another one it may be.
            Err(failure) if is_token_refused(&failure.code) => {
                let token = self.tokens.get(Some(&token), began_at).await?;
                self.call(&token, &body, began_at).await
            }
            first => first,
        }
    }

    fn body(&self, outgoing: &Outgoing, to: &OpenId, template: &FilledTemplate) -> Value {
        let blanks: Map<String, Value> =
            template.params.iter().map(|(name, text)| (name.clone(), json!({ "value": text }))).collect();
        let mut body = self.config.extra.clone();
        body.insert("touser".to_owned(), to.as_str().into());
        body.insert("template_id".to_owned(), template.id.as_str().into());
        body.insert("data".to_owned(), Value::Object(blanks));
        match self.config.app {
            App::Official => body.insert("client_msg_id".to_owned(), outgoing.id.to_string().into()),
            App::Mini => body.insert("lang".to_owned(), lang(outgoing.rendered.language.as_str()).into()),
        };
        Value::Object(body)
    }

    async fn call(&self, token: &str, body: &Value, began_at: Timestamp) -> Result<Accepted, Failure> {
        let path = match self.config.app {
            App::Official => "/cgi-bin/message/template/send",
            App::Mini => "/cgi-bin/message/subscribe/send",
        };
        let token = utf8_percent_encode(token, NON_ALPHANUMERIC);
        let uri = format!("{}{path}?access_token={token}", self.config.endpoint);
        let spent = self.tokens.now().duration_since(began_at).max(SignedDuration::ZERO).unsigned_abs();
        let left = self.config.timeout.saturating_sub(spent);
        if left.is_zero() {
            return Err(Failure::new(Verdict::Retry, "no-time-left"));
        }
        match post(&self.http, &uri, body, left).await {
            Ok((status, body)) => read_sent(status, &body),
            Err(Error::NotSent(_)) => Err(Failure::new(Verdict::FailOver, "not-sent")),
            Err(Error::Unanswered(_)) => Err(Failure::new(Verdict::Unknown, "unanswered")),
        }
    }
}

impl<T: SharedTokens> Provider for Wechat<T> {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(self.send_message(outgoing))
    }

    /// By `client_msg_id`, which `WeChat` remembers for ten minutes and only with template messages.
    fn recognises(&self, sent_at: Timestamp, now: Timestamp) -> bool {
        self.config.app == App::Official && now.duration_since(sent_at) < RECOGNISED_FOR
    }
}

fn config(
    name: ProviderName,
    app: App,
    settings: Settings<'_>,
    extra: Map<String, Value>,
    timeout: Duration,
) -> Result<Config, InvalidSettings> {
    Ok(Config {
        name,
        app,
        endpoint: settings.endpoint(DEFAULT_ENDPOINT)?,
        app_id: settings.required("appId")?.to_owned(),
        app_secret: settings.secret("appSecret")?.to_owned(),
        extra,
        timeout,
    })
}

/// The language of the mini program around a message: one of those that `WeChat` knows.
fn lang(language: &str) -> &'static str {
    match language {
        "zh-HK" | "zh-Hant-HK" => "zh_HK",
        "zh-TW" | "zh-Hant" | "zh-Hant-TW" => "zh_TW",
        _ if language == "en" || language.starts_with("en-") => "en_US",
        _ => "zh_CN",
    }
}

async fn post(
    http: &HttpClient,
    uri: &str,
    body: &Value,
    timeout: Duration,
) -> Result<(StatusCode, Vec<u8>), Error> {
    let uri: Uri = uri.parse().map_err(|error: http::uri::InvalidUri| Error::NotSent(error.into()))?;
    let request = Request::post(uri)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .map_err(|error| Error::NotSent(error.into()))?;
    let response = http.send_within(request, timeout).await?;
    Ok((response.status(), response.into_body().into()))
}
