//! `/v1/delivery-reports/{provider}`, for the providers: API Gateway lets everybody in, and who calls is found out here.

use std::{convert::Infallible, pin::pin};

use coupon_http::{Everybody, ProblemView};
use domain_coupon::StoreError;
use domain_ids::ProviderName;
use domain_notification::{
    Channels, DeliveryReport, Fate, Guests, MessageStore, Recorded, References, record,
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use platform_http::{Body, Problem, Request, Response, path_id, route_key, route_not_found};
use serde_json::Value;

use crate::{
    error::{ReceiveError, to_problem},
    source::Source,
};

/// Bytes of a body: `SendGrid` sends 768 KB at most, the others far less.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Reports of one call: some three calls of the store each, which must end within the invocation.
pub const MAX_REPORTS: usize = 1_000;

/// Reports that are recorded at once.
const CONCURRENCY: usize = 8;

/// How providers are known: what they are, and what they sign with.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Which there are.
    pub channels: &'a Channels,
    /// Their secrets by name; null if these could not be read yet.
    pub secrets: &'a Value,
}

impl std::fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("channels", self.channels).finish_non_exhaustive()
    }
}

/// What the provider expects, once everything that it reports is recorded.
pub async fn handle(
    store: &(impl MessageStore + Guests + References),
    known: Known<'_>,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match route_key(&request) {
        "POST /v1/delivery-reports/{provider}" => receive(store, known, now, &request).await,
        "GET /v1/delivery-reports/{provider}" => verify(known, now, &request),
        _ => Err(route_not_found()),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

/// Records what a provider reports.
#[utoipa::path(
    post, path = "/v1/delivery-reports/{provider}", operation_id = "receiveDeliveryReports", tag = "providers",
    summary = "Report what became of messages",
    description = "Called by providers, each in its own format: the HTTP batch push of Aliyun and Tencent Cloud, the Event Webhook of \
        SendGrid (signed), the message push of WeChat (XML or JSON, plain mode). Nothing is done before the caller is known: \
        Aliyun and Tencent Cloud by `token`, WeChat by `signature`, SendGrid by its headers. Reports may come in any order and more \
        than once; those of messages that nobody knows are taken and change nothing.",
    params(
        ("provider" = String, Path, description = "The provider's name in the channels' configuration", example = "aliyun"),
        ("token" = Option<String>, Query, description = "Of Aliyun and Tencent Cloud: the secret's `callbackToken`"),
        ("signature" = Option<String>, Query, description = "Of WeChat: SHA-1 of its token, `timestamp` and `nonce`"),
        ("timestamp" = Option<String>, Query, description = "Of WeChat: seconds since 1970, within ten minutes of now"),
        ("nonce" = Option<String>, Query, description = "Of WeChat"),
        ("X-Twilio-Email-Event-Webhook-Signature" = Option<String>, Header, description = "Of SendGrid: ECDSA over timestamp and body"),
        ("X-Twilio-Email-Event-Webhook-Timestamp" = Option<String>, Header, description = "Of SendGrid: seconds since 1970, within ten minutes of now"),
    ),
    request_body(content = String, description = "As the provider documents it; at most 1 MiB and 1,000 reports"),
    responses(
        (status = 200, description = "Taken, in the provider's words: `{\"code\":0,\"msg\":\"ok\"}` for Aliyun, \
            `{\"result\":0,\"errmsg\":\"OK\"}` for Tencent Cloud, `success` for WeChat"),
        (status = 204, description = "Taken, for SendGrid"),
        Everybody,
        (status = 400, description = "`unreadable-report`", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, description = "`invalid-signature`: missing, more than ten minutes old, or wrong",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`unknown-provider`: none of this name, or it does not report here",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 413, description = "`body-too-large`, `too-many-reports`", body = ProblemView, content_type = "application/problem+json"),
    ),
)]
pub async fn receive(
    store: &(impl MessageStore + Guests + References),
    known: Known<'_>,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let received = async {
        let source = source(known, request)?;
        let body: &[u8] = request.body().as_ref();
        // Before the body is hashed for its signature.
        if body.len() > MAX_BODY_BYTES {
            return Err(ReceiveError::BodyTooLarge);
        }
        source.authenticate(request, now)?;
        record_all(store, source.name, source.reports(body)?).await?;
        Ok(source.thanks())
    };
    received.await.map_err(|error| refused(request, &error))
}

/// Shows a provider that the address is ours.
#[utoipa::path(
    get, path = "/v1/delivery-reports/{provider}", operation_id = "verifyDeliveryReportUrl", tag = "providers",
    summary = "Show WeChat that the address is ours",
    description = "Called by WeChat once, when the address is entered there.",
    params(
        ("provider" = String, Path, description = "The provider's name in the channels' configuration", example = "wechat_official"),
        ("signature" = String, Query, description = "SHA-1 of the token, `timestamp` and `nonce`"),
        ("timestamp" = String, Query, description = "Seconds since 1970, within ten minutes of now"),
        ("nonce" = String, Query, description = "A random text"),
        ("echostr" = String, Query, description = "What is to be answered"),
    ),
    responses(
        (status = 200, description = "`echostr`", body = String, content_type = "text/plain"),
        Everybody,
        (status = 401, description = "`invalid-signature`: missing, more than ten minutes old, or wrong",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`unknown-provider`: none of this name, or it is none of WeChat's",
            body = ProblemView, content_type = "application/problem+json"),
    ),
)]
pub fn verify(known: Known<'_>, now: Timestamp, request: &Request) -> Result<Response<Body>, Problem> {
    let verified = source(known, request).and_then(|source| source.echo(request, now));
    verified.map_err(|error| refused(request, &error))
}

fn source<'a>(known: Known<'a>, request: &Request) -> Result<Source<'a>, ReceiveError> {
    let name: ProviderName = path_id(request, "provider").ok_or(ReceiveError::UnknownProvider)?;
    Source::find(known.channels, known.secrets, &name)
}

/// Records reports, a few at once. One that cannot be recorded does not keep the others from it; a store that fails does.
async fn record_all(
    store: &(impl MessageStore + Guests + References),
    provider: &ProviderName,
    reports: Vec<DeliveryReport>,
) -> Result<(), StoreError> {
    let (count, mut changed) = (reports.len(), 0_u64);
    let recording = stream::iter(reports)
        .map(|report| async move { (record(store, provider, &report).await, fate_name(&report.fate)) });
    let mut recording = pin!(recording.buffer_unordered(CONCURRENCY));
    let mut unrecorded = None;
    while let Some((recorded, fate)) = recording.next().await {
        match recorded {
            Ok(recorded) => {
                changed += u64::from(recorded == Recorded::Changed);
                metrics::counter!("DeliveryReports", "provider" => provider.to_string(), "fate" => fate)
                    .increment(1);
            }
            Err(error @ StoreError::Corrupt(_)) => unrecorded = Some(error),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Throttled(_))) => return Err(error),
        }
    }
    tracing::info!(
        provider = provider.as_str(),
        reports.count = count,
        messages.changed = changed,
        "recorded delivery reports"
    );
    unrecorded.map_or(Ok(()), Err)
}

/// As metrics spell it.
fn fate_name(fate: &Fate) -> &'static str {
    match fate {
        Fate::Delivered => "delivered",
        Fate::Failed(_) => "failed",
        Fate::Bounced(_) => "bounced",
        Fate::Complained => "complained",
    }
}

fn refused(request: &Request, error: &ReceiveError) -> Problem {
    let problem = to_problem(error);
    // What does not name a provider may be anything, and is not repeated.
    let provider = match error {
        ReceiveError::UnknownProvider => None,
        ReceiveError::NoSecrets
        | ReceiveError::InvalidSignature
        | ReceiveError::BodyTooLarge
        | ReceiveError::TooManyReports
        | ReceiveError::Unreadable
        | ReceiveError::Store(_) => path_id::<ProviderName>(request, "provider"),
    };
    let provider = provider.as_ref().map(ProviderName::as_str);
    tracing::warn!(provider, reason = problem.slug(), "took no delivery reports");
    problem
}
