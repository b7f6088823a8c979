use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use jiff::{SignedDuration, Timestamp};
use platform_config::{ConfigError, Env};
use platform_telemetry::Chain;
use serde_json::Value;

/// How long a secret is believed: one that is replaced must work for as long beside the new one.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

/// How long after a failure Secrets Manager is left alone.
const RETRY_INTERVAL: SignedDuration = SignedDuration::from_secs(10);

/// A secret that is JSON and may change while the function runs.
///
/// It is read when it is first needed, and again every five minutes: what does not need it works without. Where it cannot
/// be read, the one of before stays, and it is tried again after ten seconds.
#[derive(Debug)]
pub struct CachedSecret {
    client: Client,
    id: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    secret: Arc<Value>,
    asked_again_at: Option<Timestamp>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("asked_again_at", &self.asked_again_at).finish_non_exhaustive()
    }
}

impl CachedSecret {
    /// The secret with this name or ARN, read through `client`.
    pub fn new(client: Client, id: String) -> Self {
        Self { client, id, known: Mutex::default() }
    }

    /// The secret whose name or ARN is the value of the environment variable `name`. It is not read yet.
    pub fn from_env(config: &SdkConfig, env: &Env, name: &'static str) -> Result<Self, ConfigError> {
        let id = env.required(name)?;
        Ok(Self::new(Client::new(config), id))
    }

    /// What is in force at `now`; null before it could ever be read.
    pub async fn current(&self, now: Timestamp) -> Arc<Value> {
        let (secret, is_fresh) = self.known(now);
        if is_fresh {
            return secret;
        }
        let read = self.client.get_secret_value().secret_id(&self.id).send().await;
        let (next, good_for) = match read {
            Ok(output) => {
                if let Ok(value) = serde_json::from_str(output.secret_string().unwrap_or_default()) {
                    (Arc::new(value), GOOD_FOR)
                } else {
                    tracing::error!(secret.id = self.id, "a secret is no JSON");
                    (secret, RETRY_INTERVAL)
                }
            }
            Err(error) => {
                tracing::error!(secret.id = self.id, error = %Chain(&error), "a secret cannot be read");
                (secret, RETRY_INTERVAL)
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Known { secret: Arc::clone(&next), asked_again_at: now.checked_add(good_for).ok() };
        next
    }

    /// What was read last, and whether that is good enough.
    fn known(&self, now: Timestamp) -> (Arc<Value>, bool) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&known.secret), known.asked_again_at.is_some_and(|at| now < at))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[tokio::test]
    async fn a_secret_is_read_once_in_a_while_and_stays_when_it_cannot_be() {
        let holding = |text: &'static str| {
            mock!(Client::get_secret_value)
                .then_output(move || GetSecretValueOutput::builder().secret_string(text).build())
        };
        let gone = mock!(Client::get_secret_value).then_error(|| GetSecretValueError::unhandled("gone"));
        let (first, garbled, second) =
            (holding(r#"{"a": {"key": "1"}}"#), holding("hunter2"), holding(r#"{"a": {"key": "hunter2"}}"#));
        let client =
            mock_client!(aws_sdk_secretsmanager, RuleMode::Sequential, [&first, &gone, &garbled, &second]);
        let secret = CachedSecret::new(client, "arn".into());
        let one = json!({ "a": { "key": "1" } });
        for (seconds, calls) in [(0, 1), (299, 1), (300, 2), (309, 2), (310, 3)] {
            assert_eq!(*secret.current(at(seconds)).await, one, "{seconds}");
            assert_eq!(first.num_calls() + gone.num_calls() + garbled.num_calls(), calls, "{seconds}");
        }
        assert_eq!(*secret.current(at(320)).await, json!({ "a": { "key": "hunter2" } }));
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_secret_that_could_never_be_read_is_null() {
        let gone = mock!(Client::get_secret_value).then_error(|| GetSecretValueError::unhandled("gone"));
        let client = mock_client!(aws_sdk_secretsmanager, RuleMode::Sequential, [&gone]);
        assert_eq!(*CachedSecret::new(client, "arn".into()).current(at(0)).await, Value::Null);
    }

    #[test]
    fn a_variable_that_is_missing_is_named() {
        let config = SdkConfig::builder().build();
        let env = Env::from_pairs::<&str, &str>([]);
        let error = CachedSecret::from_env(&config, &env, "SECRET_ID").unwrap_err();
        assert!(error.to_string().contains("SECRET_ID"), "{error}");
    }
}
