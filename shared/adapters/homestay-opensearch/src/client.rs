use std::{error::Error, fmt, time::Duration};

use aws_config::SdkConfig;
use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use bytes::Bytes;
use domain_homestay::IndexError;
use opensearch::{
    OpenSearch,
    auth::Credentials,
    http::{
        Method, Url,
        headers::{CONTENT_TYPE, HeaderMap, HeaderValue},
        transport::{SingleNodeConnectionPool, TransportBuilder},
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Clock, Endpoint, breaker::Breaker};

/// How a domain is asked.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How long a question may take; a search takes milliseconds. Tried [`attempts`](Self::attempts) times it stays below the
    /// 10 s that functions of the API may run.
    pub ask_timeout: Duration,
    /// How long a change may take, be it of a thousand documents.
    pub write_timeout: Duration,
    /// How often a call is made, the first included. Each can be repeated: searches change nothing, documents have versions.
    pub attempts: usize,
    /// The pause before the second attempt; it doubles with each, up to a second, with jitter.
    pub pause: Duration,
    /// After so many calls in a row without an answer, the domain is left alone for [`rest`](Self::rest).
    pub failures: u32,
    /// For how long a domain that does not answer is left alone.
    pub rest: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ask_timeout: Duration::from_secs(3),
            write_timeout: Duration::from_secs(20),
            attempts: 3,
            pause: Duration::from_millis(50),
            failures: 5,
            rest: Duration::from_secs(10),
        }
    }
}

impl Policy {
    /// The pauses between attempts.
    pub(crate) fn pauses(&self) -> impl BackoffBuilder {
        ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(self.pause)
            .with_max_delay(Duration::from_secs(1).max(self.pause))
            .with_max_times(self.attempts.saturating_sub(1))
    }
}

/// Nothing can be sent: there is neither a region nor credentials to sign with, or nothing to make TLS connections with.
#[derive(Debug, thiserror::Error)]
#[error("the domain cannot be asked")]
pub struct Unusable(#[source] Box<dyn Error + Send + Sync>);

/// There is no useful answer. It tells nothing of what was asked: a reason of the domain may repeat what a guest typed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the domain is left alone for a while, since it did not answer")]
    Resting,
    #[error("the domain did not answer")]
    Unanswered(#[source] opensearch::Error),
    #[error("the domain answered {status} {kind}")]
    Refused { status: u16, kind: String },
    #[error("the answer of the domain cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl Failure {
    /// Whether the same call may be answered a moment later.
    fn is_passing(&self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            Self::Refused { status, .. } => matches!(status, 429 | 502..=504),
            Self::Resting | Self::Unreadable(_) => false,
        }
    }

    /// Whether it speaks for the domain being down.
    fn is_outage(&self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Resting | Self::Unreadable(_) => false,
        }
    }

    /// Whether it is this kind of exception.
    pub(crate) fn is(&self, exception: &str) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == exception)
    }

    /// Whether there is no such thing.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

impl From<Failure> for IndexError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { status: 404, .. } => Self::Missing,
            Failure::Refused { status: 429, .. } => Self::Busy(failure.into()),
            // Permissions are corrected without a change here.
            Failure::Refused { status: 401 | 403 | 500.., .. }
            | Failure::Resting
            | Failure::Unanswered(_) => Self::Unavailable(failure.into()),
            Failure::Refused { .. } | Failure::Unreadable(_) => Self::Corrupt(failure.into()),
        }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Made of names that need no escaping.
    pub(crate) path: String,
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<Bytes>,
    /// Whether it may take as long as a change.
    pub(crate) is_write: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn get(path: String, query: &'a [(&'a str, &'a str)]) -> Self {
        Self { method: Method::Get, path, query, body: None, is_write: false }
    }

    pub(crate) fn post(path: String, query: &'a [(&'a str, &'a str)], body: &Value) -> Self {
        Self { method: Method::Post, path, query, body: Some(body.to_string().into()), is_write: false }
    }

    pub(crate) fn writing(self) -> Self {
        Self { is_write: true, ..self }
    }
}

/// Asks a domain: signed, within a time, again if it makes sense, and not at all while it is down.
pub(crate) struct Client {
    server: OpenSearch,
    policy: Policy,
    breaker: Breaker,
    clock: Clock,
}

impl Client {
    pub(crate) fn new(
        endpoint: &Endpoint,
        aws: &SdkConfig,
        policy: Policy,
        clock: Clock,
    ) -> Result<Self, Unusable> {
        let url = Url::parse(&endpoint.to_string()).map_err(|error| Unusable(error.into()))?;
        // Requests are signed for this one server: no proxy.
        let mut transport = TransportBuilder::new(SingleNodeConnectionPool::new(url)).disable_proxy();
        if endpoint.is_https() {
            transport = transport.auth(Credentials::try_from(aws).map_err(|error| Unusable(error.into()))?);
        }
        let transport = transport.build().map_err(|error| Unusable(error.into()))?;
        let breaker = Breaker::new(policy.failures, policy.rest);
        Ok(Self { server: OpenSearch::new(transport), policy, breaker, clock })
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The answer to `call`.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Failure> {
        if !self.breaker.admits((self.clock)()) {
            return Err(Failure::Resting);
        }
        let answer = (|| self.attempt(call)).retry(self.policy.pauses()).when(Failure::is_passing).await;
        match &answer {
            Err(failure) if failure.is_outage() => {
                if self.breaker.failed((self.clock)()) {
                    tracing::warn!(error = %failure, "the search domain is left alone for a while");
                }
            }
            Ok(_) | Err(_) => self.breaker.succeeded(),
        }
        Ok(serde_json::from_slice(&answer?)?)
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Bytes, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let timeout = if call.is_write { self.policy.write_timeout } else { self.policy.ask_timeout };
        let query = (!call.query.is_empty()).then_some(call.query);
        let response = self
            .server
            .send(call.method, &call.path, headers, query, call.body.clone(), Some(timeout))
            .await
            .map_err(Failure::Unanswered)?;
        let status = response.status_code();
        let body = response.bytes().await.map_err(Failure::Unanswered)?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(Failure::Refused { status: status.as_u16(), kind: kind_of(&body) })
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("policy", &self.policy)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: Exception,
}

/// What went wrong, as the domain names it.
#[derive(Deserialize)]
pub(crate) struct Exception {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    root_cause: Vec<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(rename = "type")]
    kind: String,
}

/// The type of the exception, or of the first cause, and nothing else: reasons have in them what was asked.
fn kind_of(body: &[u8]) -> String {
    serde_json::from_slice(body).map_or_else(
        |_| "for an unknown reason".to_owned(),
        |Refusal { error }| error.root_cause.into_iter().next().map_or(error.kind, |cause| cause.kind),
    )
}
