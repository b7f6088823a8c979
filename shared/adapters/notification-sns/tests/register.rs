//! How a device gets its endpoint, through a client whose answers are made up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_sns::{
    Client,
    operation::{
        create_platform_endpoint::{CreatePlatformEndpointError, CreatePlatformEndpointOutput},
        set_endpoint_attributes::{SetEndpointAttributesError, SetEndpointAttributesOutput},
    },
    types::error::{InternalErrorException, InvalidParameterException, NotFoundException},
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use domain_notification::Device;
use notification_sns::{MAX_TOKEN_CHARS, RegisterError, register_device};

const APPLICATION: &str = "arn:aws:sns:us-east-1:123456789012:app/GCM/minsu";
const ENDPOINT: &str = "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/minsu/0e0b";

async fn register(rules: &[&Rule], token: &str) -> Result<Device, RegisterError> {
    let client = mock_client!(aws_sdk_sns, RuleMode::Sequential, rules.iter().copied());
    register_device(&client, APPLICATION, token, &"ann".parse().unwrap()).await
}

fn created() -> Rule {
    mock!(Client::create_platform_endpoint)
        .match_requests(|request| {
            request.platform_application_arn() == Some(APPLICATION)
                && request.token() == Some("token-1")
                && request.custom_user_data() == Some("ann")
        })
        .then_output(|| CreatePlatformEndpointOutput::builder().endpoint_arn(ENDPOINT).build())
}

fn enabled() -> Rule {
    mock!(Client::set_endpoint_attributes)
        .match_requests(|request| {
            let attributes = request.attributes().unwrap();
            request.endpoint_arn() == Some(ENDPOINT)
                && attributes["Enabled"] == "true"
                && attributes["Token"] == "token-1"
                && attributes["CustomUserData"] == "ann"
        })
        .then_output(|| SetEndpointAttributesOutput::builder().build())
}

fn refused(text: &'static str) -> Rule {
    mock!(Client::create_platform_endpoint).then_error(move || {
        CreatePlatformEndpointError::InvalidParameterException(
            InvalidParameterException::builder().message(text).build(),
        )
    })
}

#[tokio::test]
async fn a_device_gets_an_endpoint_that_is_enabled_and_the_guest_s() {
    let (created, enabled) = (created(), enabled());
    assert_eq!(register(&[&created, &enabled], "token-1").await.unwrap().as_str(), ENDPOINT);
    assert_eq!(enabled.num_calls(), 1);
}

#[tokio::test]
async fn a_device_of_another_guest_keeps_its_endpoint_and_changes_hands() {
    let exists = refused(
        "Invalid parameter: Token Reason: Endpoint arn:aws:sns:us-east-1:123456789012:endpoint/GCM/minsu/0e0b \
         already exists with the same Token, but different attributes.",
    );
    assert_eq!(register(&[&exists, &enabled()], "token-1").await.unwrap().as_str(), ENDPOINT);
}

#[tokio::test]
async fn a_token_that_is_none_is_told_apart_from_an_application_that_is_none() {
    let token = refused("Invalid parameter: Token Reason: must be 64 hexadecimal characters");
    assert!(matches!(register(&[&token], "token-1").await, Err(RegisterError::InvalidToken)));
    let application = refused("Invalid parameter: PlatformApplicationArn Reason: Wrong number of slashes");
    assert!(matches!(register(&[&application], "token-1").await, Err(RegisterError::Application(_))));
    let gone = mock!(Client::create_platform_endpoint)
        .then_error(|| CreatePlatformEndpointError::NotFoundException(NotFoundException::builder().build()));
    assert!(matches!(register(&[&gone], "token-1").await, Err(RegisterError::Application(_))));
}

#[tokio::test]
async fn a_token_of_no_form_never_reaches_sns() {
    for token in ["", "a b", "令牌", &"x".repeat(MAX_TOKEN_CHARS + 1)] {
        assert!(matches!(register(&[], token).await, Err(RegisterError::InvalidToken)));
    }
}

#[tokio::test]
async fn an_outage_at_either_call_may_be_repeated_and_hides_the_token() {
    let down = mock!(Client::create_platform_endpoint).then_error(|| {
        CreatePlatformEndpointError::InternalErrorException(InternalErrorException::builder().build())
    });
    let half = mock!(Client::set_endpoint_attributes).then_error(|| {
        SetEndpointAttributesError::InternalErrorException(InternalErrorException::builder().build())
    });
    for rules in [[&down].as_slice(), &[&created(), &half]] {
        let error = register(rules, "token-1").await.unwrap_err();
        assert!(error.is_retryable());
        assert!(!error.to_string().contains("token-1"));
    }
}
