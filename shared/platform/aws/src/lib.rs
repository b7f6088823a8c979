//! How every AWS client of the house is set up: where it talks to, how long it waits, how often it tries.
//!
//! # Cold start
//!
//! Lambda hands a function its region and credentials in the environment. `aws_config::load_defaults` would look
//! there too, but also for profiles, roles and the instance metadata service, and would bring their clients along. So
//! the configuration is put together here from the environment alone: no file is read, no request is sent.
//!
//! # Where services are
//!
//! `AWS_ENDPOINT_URL` points every client at another place, which is how the local stack is used; the likes of
//! `AWS_ENDPOINT_URL_SQS` point those of one service, and win. IPv6 addresses are tried first, for functions whose network
//! drops IPv4 without a word (decision 17); where there is no IPv6, connecting fails at once, and the next address is
//! tried. Proxies that the environment names are not used.
//!
//! # Deadlines and retries
//!
//! An attempt takes at most [`ATTEMPT_TIMEOUT`], all of them [`OPERATION_TIMEOUT`]; there are at most
//! [`MAX_ATTEMPTS`]. The SDK waits between them, with full jitter, and stops retrying altogether when most calls fail
//! (its token bucket), so that a struggling service is not finished off.
//!
//! A retry is safe where the call is: reads and conditional writes are. `TransactWriteItems` gets a
//! `ClientRequestToken` from the SDK where the caller sets none, before the request is serialized, which happens once,
//! ahead of the loop of attempts; so every attempt sends the same token, and `DynamoDB` runs the transaction once
//! (within 10 minutes). A test below holds the SDK to it. `TransactionCanceledException`, among it
//! `TransactionConflict`, is not retried by the SDK: the domain decides what a conflict means.

mod endpoints;
mod ipv6_first;
mod once;

use std::time::Duration;

use aws_config::{
    BehaviorVersion, SdkConfig,
    environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider},
    meta::region::ProvideRegion,
    retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use platform_config::Env;

use crate::{endpoints::Endpoints, ipv6_first::Ipv6First};

pub use once::{once, was_never_sent};

/// Time to reach a server, TLS included. Within a region that takes a few milliseconds; the SDK would wait 3.1 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Time for one attempt. `DynamoDB` answers in under 10 ms; after a second the server or the connection is lost.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for a call with all its attempts and pauses. A guest does not wait longer, and API Gateway not beyond 30 s.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);

/// Attempts of a call, the first included. Three of them and their pauses fit into [`OPERATION_TIMEOUT`] unless they
/// all run out of time.
pub const MAX_ATTEMPTS: u32 = 3;

/// The longest pause before the second attempt; it doubles with each, and the actual one is random below it.
pub const INITIAL_BACKOFF: Duration = Duration::from_millis(50);

/// The longest pause between attempts.
pub const MAX_BACKOFF: Duration = Duration::from_millis(500);

/// The configuration all clients share. Built once, in `main`.
///
/// Where the region or the credentials are missing, the first call says so.
pub async fn sdk_config() -> SdkConfig {
    let region = EnvironmentVariableRegionProvider::new().region().await;
    located(Env::process())
        .into_builder()
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .build()
}

/// Whose clients look for services where `env` says.
fn located(env: Env) -> SdkConfig {
    let endpoints = Endpoints::new(env);
    // Made when the first client is, as the SDK's own would be; all clients share its connections.
    let mut config = bounded().into_builder().http_client(ipv6_first::http_client(Ipv6First));
    config.set_endpoint_url(endpoints.of_all());
    config.service_config(endpoints).build()
}

/// What does not depend on where the function runs.
fn bounded() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT);
    let retries = RetryConfig::standard()
        .with_max_attempts(MAX_ATTEMPTS)
        .with_initial_backoff(INITIAL_BACKOFF)
        .with_max_backoff(MAX_BACKOFF);
    SdkConfig::builder()
        // Named, not `latest()`: an update of the SDK must not change deadlines and retries unseen. The compiler
        // reports it as deprecated when there is a newer one.
        .behavior_version(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts.build())
        .retry_config(retries)
        // It watches long transfers; ours are small, and the attempt has a deadline.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{Arc, Mutex},
    };

    use aws_config::Region;
    use aws_credential_types::Credentials;
    use aws_sdk_dynamodb::{
        Client,
        error::DisplayErrorContext,
        types::{AttributeValue, Put, TransactWriteItem},
    };
    use aws_smithy_runtime_api::client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    };
    use aws_smithy_types::body::SdkBody;
    use tokio::time::Instant;

    use super::*;

    /// A server that gives these answers, one after the other, and then none. It keeps what it is asked.
    #[derive(Debug, Clone)]
    struct Server {
        answers: Arc<Mutex<Vec<u16>>>,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        fn answering(statuses: &[u16]) -> (Self, Client) {
            let answers = statuses.iter().rev().copied().collect();
            let server = Self { answers: Arc::new(Mutex::new(answers)), asked: Arc::default() };
            let connector = SharedHttpConnector::new(server.clone());
            let config = bounded()
                .into_builder()
                .region(Region::from_static("eu-central-1"))
                .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
                .http_client(http_client_fn(move |_, _| connector.clone()))
                .build();
            (server, Client::new(&config))
        }

        fn asked(&self) -> Vec<String> {
            self.asked.lock().unwrap().clone()
        }
    }

    impl HttpConnector for Server {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let body = String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap();
            self.asked.lock().unwrap().push(body);
            match self.answers.lock().unwrap().pop() {
                Some(status) => HttpConnectorFuture::ready(Ok(HttpResponse::new(
                    status.try_into().unwrap(),
                    SdkBody::from("{}"),
                ))),
                None => HttpConnectorFuture::new(pending()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_keeps_its_token_over_all_attempts() {
        let (server, client) = Server::answering(&[500, 503, 200]);
        let put = Put::builder().table_name("t").item("pk", AttributeValue::S("1".into())).build().unwrap();
        let write = TransactWriteItem::builder().put(put).build();
        client.transact_write_items().transact_items(write).send().await.unwrap();
        let asked = server.asked();
        assert_eq!(asked.len(), 3);
        assert!(asked[0].contains("\"ClientRequestToken\":\""), "{}", asked[0]);
        assert!(asked.iter().all(|request| *request == asked[0]), "{asked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_tried_three_times_within_its_backoff() {
        let (server, client) = Server::answering(&[500, 500, 500, 200]);
        let start = Instant::now();
        assert!(client.list_tables().send().await.is_err());
        assert_eq!(server.asked().len(), 3);
        assert!(start.elapsed() <= INITIAL_BACKOFF + 2 * INITIAL_BACKOFF, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_not_repeated() {
        let (server, client) = Server::answering(&[400]);
        assert!(client.list_tables().send().await.is_err());
        assert_eq!(server.asked().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up_in_time() {
        let (server, client) = Server::answering(&[]);
        let start = Instant::now();
        let error = client.list_tables().send().await.unwrap_err();
        assert_eq!(start.elapsed().as_secs(), OPERATION_TIMEOUT.as_secs());
        assert_eq!(server.asked().len(), 3, "an attempt has a deadline of its own");
        assert!(DisplayErrorContext(&error).to_string().contains("timeout"));
    }
}
