use anyhow::{Context, Result, anyhow};
use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{DisplayErrorContext, SdkError},
    operation::admin_create_user::AdminCreateUserError,
    types::{AttributeType, AuthFlowType, MessageActionType},
};
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Endpoints, aws};

/// The users of a deployment.
#[derive(Debug, Clone)]
pub struct Identity {
    client: Client,
    pool: String,
    pool_client: String,
}

/// An access token and what it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// What goes after `Bearer`.
    pub access_token: String,
    /// Who it was made for: the user's id in the pool.
    pub subject: String,
    /// When it is no longer accepted.
    pub expires_at: Timestamp,
}

impl Identity {
    /// The users of the deployment at `endpoints`.
    pub async fn new(endpoints: &Endpoints) -> Self {
        Self {
            client: Client::new(&aws::config(endpoints).await),
            pool: endpoints.user_pool_id.clone(),
            pool_client: endpoints.user_pool_client_id.clone(),
        }
    }

    /// Makes the user, or sets the password of the one that is there. No mail is sent. Returns a name by which the
    /// user is found at once; by address, the local AWS looks through all of them.
    pub async fn ensure_user(&self, name: &str, password: &str) -> Result<String> {
        let email = AttributeType::builder().name("email").value(name).build()?;
        let verified = AttributeType::builder().name("email_verified").value("true").build()?;
        let created = self
            .client
            .admin_create_user()
            .user_pool_id(&self.pool)
            .username(name)
            .user_attributes(email)
            .user_attributes(verified)
            .message_action(MessageActionType::Suppress)
            .send()
            .await;
        let username = match created {
            Ok(output) => output.user.and_then(|user| user.username).unwrap_or_else(|| name.to_owned()),
            Err(error) if is_there(&error) => name.to_owned(),
            Err(error) => {
                return Err(explain(error)).with_context(|| format!("cannot create the user {name}"));
            }
        };
        self.client
            .admin_set_user_password()
            .user_pool_id(&self.pool)
            .username(&username)
            .password(password)
            .permanent(true)
            .send()
            .await
            .map_err(explain)
            .with_context(|| format!("cannot set the password of {name}"))?;
        Ok(username)
    }

    /// Puts the user into the group.
    pub async fn add_to_group(&self, name: &str, group: &str) -> Result<()> {
        self.client
            .admin_add_user_to_group()
            .user_pool_id(&self.pool)
            .username(name)
            .group_name(group)
            .send()
            .await
            .map_err(explain)
            .with_context(|| format!("cannot put {name} into the group {group}"))?;
        Ok(())
    }

    /// Signs the user in.
    pub async fn token(&self, name: &str, password: &str) -> Result<Token> {
        let output = self
            .client
            .initiate_auth()
            .client_id(&self.pool_client)
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .auth_parameters("USERNAME", name)
            .auth_parameters("PASSWORD", password)
            .send()
            .await
            .map_err(explain)
            .with_context(|| format!("cannot sign in {name}"))?;
        let access_token = output
            .authentication_result
            .and_then(|result| result.access_token)
            .with_context(|| format!("{name} must answer a challenge to sign in"))?;
        Token::read(access_token)
    }
}

impl Token {
    /// Whether it will still be accepted at `time`.
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        self.expires_at > time
    }

    /// Reads its claims without checking the signature: it comes from the issuer itself.
    fn read(access_token: String) -> Result<Self> {
        #[derive(Deserialize)]
        struct Claims {
            sub: String,
            exp: i64,
        }
        let payload = access_token.split('.').nth(1).context("an access token without a payload")?;
        let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).context("an access token that is no JWT")?;
        let Claims { sub, exp } =
            serde_json::from_slice(&payload).context("an access token without claims")?;
        Ok(Self { access_token, subject: sub, expires_at: Timestamp::from_second(exp)? })
    }
}

fn is_there(error: &SdkError<AdminCreateUserError>) -> bool {
    error.as_service_error().is_some_and(AdminCreateUserError::is_username_exists_exception)
}

/// The whole chain of causes in one line; the SDK's own message is `service error`.
fn explain<E: std::error::Error + Send + Sync + 'static>(error: SdkError<E>) -> anyhow::Error {
    anyhow!("{}", DisplayErrorContext(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_whom_it_is_for_and_when_it_ends() {
        let payload = BASE64URL_NOPAD.encode(br#"{"sub":"0198-abc","exp":1800000000,"scope":"x"}"#);
        let token = Token::read(format!("header.{payload}.signature")).unwrap();
        assert_eq!(token.subject, "0198-abc");
        assert!(token.is_valid_at(Timestamp::from_second(1_799_999_999).unwrap()));
        assert!(!token.is_valid_at(Timestamp::from_second(1_800_000_000).unwrap()));
    }

    #[test]
    fn what_is_no_token_is_an_error() {
        for text in ["", "a.b", "header.%%%.signature"] {
            assert!(Token::read(text.into()).is_err(), "{text}");
        }
    }
}
