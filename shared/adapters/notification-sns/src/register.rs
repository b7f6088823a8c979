//! How a device gets its endpoint.

use std::error::Error;

use aws_sdk_sns::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::create_platform_endpoint::CreatePlatformEndpointError,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain_ids::GuestId;
use domain_notification::Device;

/// Characters of a device's token: APNs' have 64 to 200, FCM's some 200, and neither promises a length.
pub const MAX_TOKEN_CHARS: usize = 1_024;

/// The device was not registered. The text never shows the token.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The token is none that the platform knows the form of.
    #[error("the token is not one of the platform")]
    InvalidToken,
    /// There is no such platform application, or it may not be used.
    #[error("the platform application is not usable")]
    Application(#[source] Box<dyn Error + Send + Sync>),
    /// SNS could not be reached, or failed. A repeat does no harm.
    #[error("SNS is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl RegisterError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::InvalidToken | Self::Application(_) => false,
        }
    }
}

/// The endpoint of the device that has `token` at the platform application `application_arn`: a new one or the one there
/// is, enabled again if SNS had given it up, and now of `guest`. As often as it is called; so `client` may repeat.
///
/// The guest is kept at the endpoint (`CustomUserData`) for whoever looks at it in the console.
pub async fn register_device(
    client: &Client,
    application_arn: &str,
    token: &str,
    guest: &GuestId,
) -> Result<Device, RegisterError> {
    let is_token =
        (1..=MAX_TOKEN_CHARS).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
    if !is_token {
        return Err(RegisterError::InvalidToken);
    }
    let created = client
        .create_platform_endpoint()
        .platform_application_arn(application_arn)
        .token(token)
        .custom_user_data(guest.as_str())
        .send()
        .await;
    let device = match created {
        Ok(created) => created.endpoint_arn().and_then(|arn| arn.parse::<Device>().ok()),
        Err(error) => match existing(&error) {
            Some(device) => Some(device),
            None => return Err(refused(error)),
        },
    };
    let device = device.ok_or_else(|| RegisterError::Unavailable("SNS named no endpoint".into()))?;
    // An endpoint that there was may be disabled, or another guest's: the answer does not say.
    client
        .set_endpoint_attributes()
        .endpoint_arn(device.as_str())
        .attributes("Enabled", "true")
        .attributes("Token", token)
        .attributes("CustomUserData", guest.as_str())
        .send()
        .await
        .map_err(|error| RegisterError::Unavailable(Box::new(error)))?;
    Ok(device)
}

type CreateError = SdkError<CreatePlatformEndpointError, HttpResponse>;

/// The endpoint that has the token already, with other attributes. SNS names it in the text of the error alone, which is
/// how its documentation says to find it
/// (<https://docs.aws.amazon.com/sns/latest/dg/mobile-platform-endpoint.html>).
fn existing(error: &CreateError) -> Option<Device> {
    let Some(CreatePlatformEndpointError::InvalidParameterException(invalid)) = error.as_service_error()
    else {
        return None;
    };
    let text = invalid.message()?;
    if !text.contains("already exists") {
        return None;
    }
    text.split_whitespace().find_map(|word| word.parse().ok())
}

fn refused(error: CreateError) -> RegisterError {
    match error.as_service_error() {
        Some(CreatePlatformEndpointError::InvalidParameterException(invalid))
            if invalid.message().is_some_and(|text| text.contains("Token")) =>
        {
            RegisterError::InvalidToken
        }
        Some(
            CreatePlatformEndpointError::InvalidParameterException(_)
            | CreatePlatformEndpointError::NotFoundException(_)
            | CreatePlatformEndpointError::AuthorizationErrorException(_),
        ) => RegisterError::Application(Box::new(error)),
        Some(service) if service.code() == Some("PlatformApplicationDisabled") => {
            RegisterError::Application(Box::new(error))
        }
        Some(_) | None => RegisterError::Unavailable(Box::new(error)),
    }
}
