//! Text messages through Aliyun Dysmsapi.
//!
//! [`Aliyun`] sends by `SendSms` and asks what became of a message by `QuerySendDetails`, both signed as [`signature`]
//! says; [`verdict`] is what its codes mean to us; [`delivery_reports`] reads what it pushes afterwards.
//!
//! Settings: `signName`, and `region` if it matters. Secret: `{"accessKeyId": …, "accessKeySecret": …}`. Mainland
//! numbers are sent without their `+86`, others without their `+`, as the documentation has it.

mod answer;
mod codes;
mod report;
pub mod signature;

use std::{collections::BTreeMap, fmt, time::Duration};

use domain_ids::ProviderName;
use domain_notification::{Accepted, Address, Failure, Outcome, Outgoing, PhoneNumber, Provider, Verdict};
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, Uri};
use jiff::{
    SignedDuration, Timestamp,
    civil::Date,
    tz::{Offset, offset},
};
use platform_http_client::{Error, HttpClient, InvalidSettings, Settings, host};
use serde_json::Value;

pub use answer::{Page, read_details, read_sent};
pub use codes::verdict;
pub use report::{MAX_REPORTS, UnreadableReports, delivery_reports};
pub use signature::Credentials;

/// Where Aliyun is.
pub const DEFAULT_ENDPOINT: &str = "https://dysmsapi.aliyuncs.com";

/// The version of the API.
const VERSION: &str = "2017-05-25";

/// The days of `SendDate` and the times of reports are those of China, which has no summer time.
const SHANGHAI: Offset = offset(8);

/// Messages on a page of `QuerySendDetails`: the most there may be.
const PAGE_SIZE: usize = 50;

/// Pages that are read to find a message: Aliyun sends one number at most 50 messages a day.
const MAX_PAGES: usize = 2;

/// How soon after a message was sent Aliyun knows of it for sure: before that, that it is not found says nothing. Half
/// of how long dispatch waits before it asks.
const KNOWN_AFTER: SignedDuration = SignedDuration::from_secs(45);

/// An account at Aliyun.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it is called in the configuration and in templates.
    pub name: ProviderName,
    /// Where it is, without a slash at the end.
    pub endpoint: String,
    /// `RegionId`, if it is to be sent.
    pub region: Option<String>,
    /// The approved signature, for example `闪购民宿`.
    pub sign_name: String,
    /// Who we are.
    pub credentials: Credentials,
    /// How long a call may take.
    pub timeout: Duration,
}

/// Sends text messages through one account at Aliyun.
pub struct Aliyun {
    config: Config,
    http: HttpClient,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    nonce: Box<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for Aliyun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aliyun").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Aliyun {
    /// With a clock, and with what makes a nonce: a text that was never used before.
    pub fn new(
        config: Config,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        nonce: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result<Self, InvalidSettings> {
        let http = HttpClient::new(config.timeout)
            .map_err(|_| InvalidSettings::new("endpoint", "on a system with TLS roots"))?;
        Ok(Self { config, http, now: Box::new(now), nonce: Box::new(nonce) })
    }

    /// As operators write it, with a clock and what makes nonces.
    pub fn from_settings(
        name: ProviderName,
        endpoint: Option<&str>,
        settings: &BTreeMap<String, String>,
        secret: &Value,
        timeout: Duration,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        nonce: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result<Self, InvalidSettings> {
        let settings = Settings::new(endpoint, settings, secret, &["signName", "region"])?;
        let config = Config {
            name,
            endpoint: settings.endpoint(DEFAULT_ENDPOINT)?,
            region: settings.optional("region").map(str::to_owned),
            sign_name: settings.required("signName")?.to_owned(),
            credentials: Credentials {
                access_key_id: settings.secret("accessKeyId")?.to_owned(),
                access_key_secret: settings.secret("accessKeySecret")?.to_owned(),
            },
            timeout,
        };
        Self::new(config, now, nonce)
    }

    async fn send_sms(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let Address::Phone(phone) = &outgoing.address else {
            return Err(Failure::new(Verdict::GiveUp, "no-phone-number"));
        };
        let Some(template) = outgoing.rendered.provider_templates.get(&self.config.name) else {
            return Err(Failure::new(Verdict::Skip, "no-template"));
        };
        let blanks: serde_json::Map<String, Value> =
            template.params.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect();
        let params = [
            ("PhoneNumbers", number(phone).to_owned()),
            ("SignName", self.config.sign_name.clone()),
            ("TemplateCode", template.id.clone()),
            ("TemplateParam", Value::Object(blanks).to_string()),
            ("OutId", outgoing.id.to_string()),
        ];
        match self.call("SendSms", &params).await {
            Ok((status, body)) => read_sent(status, &body),
            Err(Error::NotSent(_)) => Err(Failure::new(Verdict::FailOver, "not-sent")),
            Err(Error::Unanswered(_)) => Err(Failure::new(Verdict::Unknown, "unanswered")),
        }
    }

    async fn ask(&self, outgoing: &Outgoing, sent_at: Timestamp) -> Outcome {
        let Address::Phone(phone) = &outgoing.address else { return Outcome::NotAccepted };
        for day in days(sent_at) {
            for page in 1..=MAX_PAGES {
                match self.details(phone, day, page, outgoing).await {
                    Some(Page::Found) => return Outcome::Accepted(Accepted::default()),
                    Some(Page::Last) => break,
                    Some(Page::More) if page < MAX_PAGES => {}
                    // There are more messages than are read: it may be one of them.
                    Some(Page::More) | None => return Outcome::Unknown,
                }
            }
        }
        if (self.now)().duration_since(sent_at) < KNOWN_AFTER {
            Outcome::Unknown
        } else {
            Outcome::NotAccepted
        }
    }

    async fn details(
        &self,
        phone: &PhoneNumber,
        day: Date,
        page: usize,
        outgoing: &Outgoing,
    ) -> Option<Page> {
        let params = [
            ("PhoneNumber", number(phone).to_owned()),
            ("SendDate", day.strftime("%Y%m%d").to_string()),
            ("PageSize", PAGE_SIZE.to_string()),
            ("CurrentPage", page.to_string()),
        ];
        let (_, body) = self.call("QuerySendDetails", &params).await.ok()?;
        read_details(&body, outgoing.id, PAGE_SIZE)
    }

    /// Calls `action`; its parameters are in the query, as its description in the `OpenAPI` portal says.
    async fn call(&self, action: &str, params: &[(&str, String)]) -> Result<(StatusCode, Vec<u8>), Error> {
        let region = self.config.region.iter().map(|region| ("RegionId", region.clone()));
        let params: Vec<(&str, String)> = params.iter().cloned().chain(region).collect();
        let query = signature::canonical_query(&params);
        let not_sent = |error: http::Error| Error::NotSent(error.into());
        let uri: Uri = format!("{}/?{query}", self.config.endpoint)
            .parse()
            .map_err(|error: http::uri::InvalidUri| not_sent(error.into()))?;
        let date = (self.now)().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let hash = signature::sha256_hex(b"");
        let mut headers = vec![
            ("host", host(&uri)),
            ("x-acs-action", action.to_owned()),
            ("x-acs-version", VERSION.to_owned()),
            ("x-acs-date", date),
            ("x-acs-signature-nonce", (self.nonce)()),
            ("x-acs-content-sha256", hash.clone()),
        ];
        let signed =
            signature::Signed { method: "POST", path: uri.path(), query: &query, body_sha256: &hash };
        headers.push(("authorization", signed.authorization(&self.config.credentials, &headers)));
        let mut request = Request::post(&uri).header("accept", "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Vec::new()).map_err(not_sent)?;
        let response = self.http.send(request).await?;
        Ok((response.status(), response.into_body().into()))
    }
}

impl Provider for Aliyun {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(self.send_sms(outgoing))
    }

    fn outcome<'a>(&'a self, outgoing: &'a Outgoing, sent_at: Timestamp) -> BoxFuture<'a, Outcome> {
        Box::pin(self.ask(outgoing, sent_at))
    }
}

/// A number as Aliyun writes it.
fn number(phone: &PhoneNumber) -> &str {
    let text = phone.as_str();
    match text.strip_prefix("+86") {
        Some(national) if national.len() == 11 => national,
        Some(_) | None => text.strip_prefix('+').unwrap_or(text),
    }
}

/// The days on which Aliyun may have a message that we handed over at `sent_at`: two around midnight.
fn days(sent_at: Timestamp) -> Vec<Date> {
    let day = |at: Timestamp| SHANGHAI.to_datetime(at).date();
    let later = sent_at.checked_add(SignedDuration::from_mins(1)).unwrap_or(sent_at);
    let mut days = vec![day(sent_at), day(later)];
    days.dedup();
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_the_documentation_has_it() {
        for (e164, written) in [
            ("+8613800138000", "13800138000"),
            ("+85261234567", "85261234567"),
            ("+14155550100", "14155550100"),
            ("+861012345678", "861012345678"),
        ] {
            assert_eq!(number(&e164.parse().unwrap()), written);
        }
    }

    #[test]
    fn a_message_of_midnight_is_looked_for_on_both_days() {
        let of = |text: &str| -> Vec<String> {
            days(text.parse().unwrap()).iter().map(|day| day.strftime("%Y%m%d").to_string()).collect()
        };
        assert_eq!(of("2026-11-24T15:59:30Z"), ["20261124", "20261125"]);
        assert_eq!(of("2026-11-24T16:00:00Z"), ["20261125"]);
    }
}
