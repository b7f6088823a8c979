//! Calls to servers that are not ours: deadlines, sizes, and what an error says about whether the request was sent.
//!
//! Whoever sends a message by such a call must know whether to send it again. So an error tells one thing: the request
//! cannot have reached the server ([`Error::NotSent`]), or it may have ([`Error::Unanswered`]). In doubt it may have.
//!
//! Redirects are not followed and proxies not used: requests are signed for one server, and have secrets in them. For
//! the same reason no error shows an address. Requests are not repeated here.

mod settings;

use std::{error, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use reqwest::{Client, Url, redirect, retry};

pub use settings::{InvalidSettings, Settings};

/// Bytes of an answer that are read: answers to what we ask are a few hundred.
pub const MAX_BODY_BYTES: usize = 64 * 1_024;

/// How long a connection may take to be made, TLS included, within the time of the whole call. Much of that time must
/// be left for the answer, and a server that cannot be connected to is down: nothing was sent, another one can be tried.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection waits for its next request. An execution environment is frozen between invocations and servers
/// hang up meanwhile: a request on such a connection is lost, and nobody can tell whether it was read.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Connections that wait for their next request: as many as messages of one batch are sent at once.
const MAX_IDLE: usize = 16;

/// What servers see.
const USER_AGENT: &str = concat!("flashsale/", env!("CARGO_PKG_VERSION"));

/// There was no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot have reached the server: its name, the connection to it, or TLS failed.
    #[error("the request was not sent")]
    NotSent(#[source] Box<dyn error::Error + Send + Sync>),
    /// The request may have reached the server, and no whole answer came: it took too long, ended within, or was too
    /// large.
    #[error("the request was sent, and not answered")]
    Unanswered(#[source] Box<dyn error::Error + Send + Sync>),
}

/// The system has nothing to make TLS connections with.
#[derive(Debug, thiserror::Error)]
#[error("connections cannot be made")]
pub struct Unusable(#[source] reqwest::Error);

/// The answer is larger than [`MAX_BODY_BYTES`].
#[derive(Debug, thiserror::Error)]
#[error("the answer is too large")]
struct TooLarge;

/// Keeps connections to servers. Clones share them.
#[derive(Debug, Clone)]
pub struct HttpClient(Client);

impl HttpClient {
    /// Whose calls end within `timeout`, answers included.
    pub fn new(timeout: Duration) -> Result<Self, Unusable> {
        Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            .build()
            .map(Self)
            .map_err(Unusable)
    }

    /// Sends a request, whose URI is absolute, and reads the whole answer, whatever its status.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Bytes>, Error> {
        self.call(request, None).await
    }

    /// As [`send`](Self::send), within another time.
    pub async fn send_within(
        &self,
        request: Request<Vec<u8>>,
        timeout: Duration,
    ) -> Result<Response<Bytes>, Error> {
        self.call(request, Some(timeout)).await
    }

    async fn call(
        &self,
        request: Request<Vec<u8>>,
        timeout: Option<Duration>,
    ) -> Result<Response<Bytes>, Error> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| Error::NotSent(error.into()))?;
        let mut sending = self.0.request(parts.method, url).headers(parts.headers).body(body);
        if let Some(timeout) = timeout {
            sending = sending.timeout(timeout);
        }
        let mut answer = sending.send().await.map_err(classify)?;
        let mut read = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(unanswered)? {
            if read.len().saturating_add(chunk.len()) > MAX_BODY_BYTES {
                return Err(Error::Unanswered(TooLarge.into()));
            }
            read.extend_from_slice(&chunk);
        }
        let mut response = Response::new(read.freeze());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

/// The `Host` header that a request to `uri` has: some signatures cover it.
pub fn host(uri: &Uri) -> String {
    let default_port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let name = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(port) if port != default_port => format!("{name}:{port}"),
        Some(_) | None => name.to_owned(),
    }
}

fn classify(error: reqwest::Error) -> Error {
    // A time-out of the whole call while it connects is no connect error, and counts as sent: rather once too often.
    if error.is_builder() || error.is_connect() {
        Error::NotSent(error.without_url().into())
    } else {
        unanswered(error)
    }
}

fn unanswered(error: reqwest::Error) -> Error {
    Error::Unanswered(error.without_url().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_port_is_not_said() {
        for (uri, expected) in [
            ("https://a.example/b", "a.example"),
            ("https://a.example:443/b", "a.example"),
            ("http://127.0.0.1:80", "127.0.0.1"),
            ("http://127.0.0.1:443", "127.0.0.1:443"),
        ] {
            assert_eq!(host(&uri.parse().unwrap()), expected);
        }
    }
}
