//! Text messages through Tencent Cloud SMS.
//!
//! [`Tencent`] sends by `SendSms` and asks what became of a message by `PullSmsSendStatusByPhoneNumber`, both signed as
//! [`signature`] says; [`verdict`] is what its codes mean to us; [`delivery_reports`] reads what it pushes afterwards.
//!
//! Settings: `sdkAppId`, `signName`, and `region`, [`DEFAULT_REGION`] unless said. Secret: `{"secretId": …,
//! "secretKey": …}`. What fills in a template goes by its place: the names of blanks do not matter.

mod answer;
mod codes;
mod report;
pub mod signature;

use std::{collections::BTreeMap, fmt, time::Duration};

use domain_ids::ProviderName;
use domain_notification::{Accepted, Address, Failure, Outcome, Outgoing, Provider, Verdict};
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use platform_http_client::{Error, HttpClient, InvalidSettings, Settings, host};
use serde_json::{Value, json};

pub use answer::{read_sent, read_statuses};
pub use codes::verdict;
pub use report::{MAX_REPORTS, UnreadableReports, delivery_reports};
pub use signature::Credentials;

/// Where Tencent Cloud is.
pub const DEFAULT_ENDPOINT: &str = "https://sms.tencentcloudapi.com";

/// Where it sends from, unless said.
pub const DEFAULT_REGION: &str = "ap-guangzhou";

/// The version of the API.
const VERSION: &str = "2021-01-11";

const SERVICE: &str = "sms";

const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// Statuses that are asked for: the most there may be.
const MAX_STATUSES: usize = 100;

/// Statuses are asked for from so long before we sent the message: their clock is not ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// An account at Tencent Cloud.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it is called in the configuration and in templates.
    pub name: ProviderName,
    /// Where it is, without a slash at the end.
    pub endpoint: String,
    /// Where it sends from.
    pub region: String,
    /// The app, for example `1400006666`.
    pub sdk_app_id: String,
    /// The approved signature, for example `闪购民宿`.
    pub sign_name: String,
    /// Who we are.
    pub credentials: Credentials,
    /// How long a call may take.
    pub timeout: Duration,
}

/// Sends text messages through one account at Tencent Cloud.
pub struct Tencent {
    config: Config,
    http: HttpClient,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl fmt::Debug for Tencent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tencent").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Tencent {
    /// With a clock.
    pub fn new(
        config: Config,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, InvalidSettings> {
        let http = HttpClient::new(config.timeout)
            .map_err(|_| InvalidSettings::new("endpoint", "on a system with TLS roots"))?;
        Ok(Self { config, http, now: Box::new(now) })
    }

    /// As operators write it, with a clock.
    pub fn from_settings(
        name: ProviderName,
        endpoint: Option<&str>,
        settings: &BTreeMap<String, String>,
        secret: &Value,
        timeout: Duration,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, InvalidSettings> {
        let settings = Settings::new(endpoint, settings, secret, &["sdkAppId", "signName", "region"])?;
        let config = Config {
            name,
            endpoint: settings.endpoint(DEFAULT_ENDPOINT)?,
            region: settings.optional("region").unwrap_or(DEFAULT_REGION).to_owned(),
            sdk_app_id: settings.required("sdkAppId")?.to_owned(),
            sign_name: settings.required("signName")?.to_owned(),
            credentials: Credentials {
                secret_id: settings.secret("secretId")?.to_owned(),
                secret_key: settings.secret("secretKey")?.to_owned(),
            },
            timeout,
        };
        Self::new(config, now)
    }

    async fn send_sms(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let Address::Phone(phone) = &outgoing.address else {
            return Err(Failure::new(Verdict::GiveUp, "no-phone-number"));
        };
        let Some(template) = outgoing.rendered.provider_templates.get(&self.config.name) else {
            return Err(Failure::new(Verdict::Skip, "no-template"));
        };
        let params: Vec<&str> = template.params.iter().map(|(_, text)| text.as_str()).collect();
        let mut body = json!({
            "PhoneNumberSet": [phone.as_str()],
            "SmsSdkAppId": self.config.sdk_app_id,
            "TemplateId": template.id,
            "TemplateParamSet": params,
            "SessionContext": outgoing.id,
        });
        // Signatures are approved for the mainland, and must be left out elsewhere unless approved there, too.
        if let (true, Some(body)) = (phone.as_str().starts_with("+86"), body.as_object_mut()) {
            body.insert("SignName".to_owned(), self.config.sign_name.as_str().into());
        }
        match self.call("SendSms", &body).await {
            Ok((status, body)) => read_sent(status, &body),
            Err(Error::NotSent(_)) => Err(Failure::new(Verdict::FailOver, "not-sent")),
            Err(Error::Unanswered(_)) => Err(Failure::new(Verdict::Unknown, "unanswered")),
        }
    }

    /// Tencent Cloud tells of messages that the carrier has reported on, and gives our id back to accounts for which it
    /// has been switched on (by its support): a message that is found was taken; of one that is not, nothing is known.
    async fn ask(&self, outgoing: &Outgoing, sent_at: Timestamp) -> Outcome {
        let Address::Phone(phone) = &outgoing.address else { return Outcome::NotAccepted };
        let body = json!({
            "BeginTime": sent_at.checked_sub(SKEW).unwrap_or(sent_at).as_second(),
            "Offset": 0,
            "Limit": MAX_STATUSES,
            "PhoneNumber": phone.as_str(),
            "SmsSdkAppId": self.config.sdk_app_id,
        });
        let answered = self.call("PullSmsSendStatusByPhoneNumber", &body).await.ok();
        let found = answered.and_then(|(_, body)| read_statuses(&body, outgoing.id));
        found.map_or(Outcome::Unknown, Outcome::Accepted)
    }

    async fn call(&self, action: &str, body: &Value) -> Result<(StatusCode, Vec<u8>), Error> {
        let not_sent = |error: http::Error| Error::NotSent(error.into());
        let uri: Uri = format!("{}/", self.config.endpoint)
            .parse()
            .map_err(|error: http::uri::InvalidUri| not_sent(error.into()))?;
        let (now, body) = ((self.now)(), body.to_string().into_bytes());
        let signed = [
            ("content-type", CONTENT_TYPE.to_owned()),
            ("host", host(&uri)),
            ("x-tc-action", action.to_owned()),
        ];
        let authorization = signature::authorization(&self.config.credentials, SERVICE, now, &signed, &body);
        let mut request = Request::post(&uri)
            .header("authorization", authorization)
            .header("x-tc-version", VERSION)
            .header("x-tc-timestamp", now.as_second().to_string())
            .header("x-tc-region", &self.config.region);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let response = self.http.send(request.body(body).map_err(not_sent)?).await?;
        Ok((response.status(), response.into_body().into()))
    }
}

impl Provider for Tencent {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(self.send_sms(outgoing))
    }

    fn outcome<'a>(&'a self, outgoing: &'a Outgoing, sent_at: Timestamp) -> BoxFuture<'a, Outcome> {
        Box::pin(self.ask(outgoing, sent_at))
    }
}
