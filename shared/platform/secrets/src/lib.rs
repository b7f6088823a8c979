//! Secrets from AWS Secrets Manager.
//!
//! The environment has a secret's name or ARN, never the secret: environments are shown in consoles and in deployments.
//!
//! What a function cannot work without, it [`read`]s once, in `main`: where it cannot have it, it fails its cold start with
//! a message that names the variable, and a secret that was changed is seen by the environments that start after that. A
//! [`CachedSecret`] is read when it is first needed, and again while the function runs.

mod cached;

use std::{error::Error, str::FromStr};

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use platform_config::{ConfigError, Env};

pub use cached::CachedSecret;

/// A secret is not to be had, or not usable. The text never shows it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Which secret, is not said.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Secrets Manager does not hand it out.
    #[error("the secret that {name} names cannot be read")]
    Unavailable {
        /// The variable.
        name: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It is not what it should be.
    #[error("the secret that {name} names is not usable")]
    Invalid {
        /// The variable.
        name: &'static str,
    },
}

/// The secret whose name or ARN is the value of the environment variable `name`.
pub async fn read<T: FromStr>(config: &SdkConfig, env: &Env, name: &'static str) -> Result<T, SecretError> {
    read_with(&Client::new(config), env, name).await
}

async fn read_with<T: FromStr>(client: &Client, env: &Env, name: &'static str) -> Result<T, SecretError> {
    let id: String = env.required(name)?;
    let unavailable = |source| SecretError::Unavailable { name, source };
    let secret =
        client.get_secret_value().secret_id(id).send().await.map_err(|error| unavailable(error.into()))?;
    secret.secret_string().and_then(|text| text.parse().ok()).ok_or(SecretError::Invalid { name })
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;

    async fn secret(rule: &Rule) -> Result<u64, SecretError> {
        let env = Env::from_pairs([("KEY_SECRET", "arn:key")]);
        read_with(&mock_client!(aws_sdk_secretsmanager, RuleMode::Sequential, [rule]), &env, "KEY_SECRET")
            .await
    }

    fn holding(text: Option<&'static str>) -> Rule {
        mock!(Client::get_secret_value)
            .match_requests(|request| request.secret_id() == Some("arn:key"))
            .then_output(move || {
                GetSecretValueOutput::builder().set_secret_string(text.map(Into::into)).build()
            })
    }

    #[tokio::test]
    async fn a_secret_is_read_and_parsed() {
        assert_eq!(secret(&holding(Some("4711"))).await.unwrap(), 4711);
    }

    #[tokio::test]
    async fn what_is_wrong_names_the_variable_and_never_shows_the_secret() {
        for text in [Some("hunter2"), None] {
            let error = secret(&holding(text)).await.unwrap_err();
            assert_eq!(error.to_string(), "the secret that KEY_SECRET names is not usable");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        let gone = mock!(Client::get_secret_value).then_error(|| GetSecretValueError::unhandled("gone"));
        let error = secret(&gone).await.unwrap_err();
        assert_eq!(error.to_string(), "the secret that KEY_SECRET names cannot be read");
        let client = mock_client!(aws_sdk_secretsmanager, RuleMode::Sequential, [&gone]);
        let missing = read_with::<u64>(&client, &Env::from_pairs::<&str, &str>([]), "KEY_SECRET").await;
        assert!(matches!(missing, Err(SecretError::Config(_))), "{missing:?}");
    }
}
