//! Clients of AWS: of the local one with its fixed credentials, of a real account with the caller's.

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::config::Credentials;

use crate::Endpoints;

pub(crate) const LOCAL_REGION: &str = "us-east-1";

/// Both halves of the credentials: the local AWS checks neither.
pub(crate) const LOCAL_KEY: &str = "test";

/// Thousands of guests are created at once, beyond the default rate of Cognito: wait instead of giving up.
const ATTEMPTS: u32 = 8;

pub(crate) async fn config(endpoints: &Endpoints) -> SdkConfig {
    match &endpoints.aws_endpoint {
        Some(url) => local_config(url).await,
        None => loader(&endpoints.region).load().await,
    }
}

pub(crate) async fn local_config(url: &str) -> SdkConfig {
    let credentials = Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, "local");
    loader(LOCAL_REGION).endpoint_url(url).credentials_provider(credentials).load().await
}

fn loader(region: &str) -> ConfigLoader {
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .retry_config(retries)
}
