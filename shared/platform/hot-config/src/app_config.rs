use aws_sdk_appconfigdata::{
    Client,
    error::SdkError,
    operation::get_latest_configuration::{GetLatestConfigurationError, GetLatestConfigurationOutput},
};
use jiff::SignedDuration;

use crate::source::{FetchError, Fetched};

/// How often `AppConfig` is asked: a change is in force after that long. `AppConfig` wants at least 15 s.
const POLL_SECONDS: i32 = 30;

/// The longest interval that `AppConfig` is believed to want.
const MAX_POLL_SECONDS: i32 = 3_600;

/// A profile, and the session in which it is polled.
#[derive(Debug)]
pub(crate) struct AppConfig {
    pub client: Client,
    pub application: String,
    pub environment: String,
    pub profile: String,
    /// For the next poll, and for that one alone. Whatever goes wrong with it, the next poll begins a session anew.
    pub token: Option<String>,
}

impl AppConfig {
    pub async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        let output = match self.token.take() {
            Some(token) => match self.poll(token).await {
                // A token is good for one poll within 24 hours: an environment may sleep that long.
                Err(SdkError::ServiceError(refused)) if refused.err().is_bad_request_exception() => {
                    self.first_poll().await?
                }
                polled => polled.map_err(app_config)?,
            },
            None => self.first_poll().await?,
        };
        self.token = output.next_poll_configuration_token;
        let seconds = output.next_poll_interval_in_seconds.clamp(POLL_SECONDS, MAX_POLL_SECONDS);
        Ok(Fetched {
            // Empty where the session has had this version already.
            document: output
                .configuration
                .map(aws_sdk_appconfigdata::primitives::Blob::into_inner)
                .filter(|document| !document.is_empty()),
            poll_after: SignedDuration::from_secs(seconds.into()),
        })
    }

    /// Of a new session.
    async fn first_poll(&self) -> Result<GetLatestConfigurationOutput, FetchError> {
        let session = self
            .client
            .start_configuration_session()
            .application_identifier(&self.application)
            .environment_identifier(&self.environment)
            .configuration_profile_identifier(&self.profile)
            .required_minimum_poll_interval_in_seconds(POLL_SECONDS)
            .send()
            .await
            .map_err(app_config)?;
        let no_token = || FetchError::AppConfig("a session without a token".into());
        let token = session.initial_configuration_token.ok_or_else(no_token)?;
        self.poll(token).await.map_err(app_config)
    }

    async fn poll(
        &self,
        token: String,
    ) -> Result<GetLatestConfigurationOutput, SdkError<GetLatestConfigurationError>> {
        self.client.get_latest_configuration().configuration_token(token).send().await
    }
}

fn app_config(error: impl std::error::Error + Send + Sync + 'static) -> FetchError {
    FetchError::AppConfig(Box::new(error))
}
