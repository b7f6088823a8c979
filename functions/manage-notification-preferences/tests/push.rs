//! Devices at SNS.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use aws_sdk_sns::{
    Client,
    operation::{
        create_platform_endpoint::CreatePlatformEndpointOutput,
        set_endpoint_attributes::SetEndpointAttributesOutput,
    },
};
use aws_smithy_mocks::{mock, mock_client};
use manage_notification_preferences::push::{PushError, PushRegistry, SnsRegistry};
use notification_http::PushPlatform;

const ENDPOINT: &str = "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/app/1";

#[tokio::test]
async fn a_device_is_registered_at_the_application_of_its_platform() {
    let create = mock!(Client::create_platform_endpoint)
        .match_requests(|request| request.platform_application_arn() == Some("fcm-arn"))
        .then_output(|| CreatePlatformEndpointOutput::builder().endpoint_arn(ENDPOINT).build());
    let enable =
        mock!(Client::set_endpoint_attributes).then_output(|| SetEndpointAttributesOutput::builder().build());
    let client = mock_client!(aws_sdk_sns, [&create, &enable]);
    let registry = SnsRegistry::new(client, None, Some("fcm-arn".into()));
    let ann = "ann".parse().unwrap();
    let device = registry.register(PushPlatform::Fcm, "token", &ann).await.unwrap();
    assert_eq!(device.as_str(), ENDPOINT);
    let refused = registry.register(PushPlatform::Apns, "token", &ann).await;
    assert!(matches!(refused, Err(PushError::NotSetUp)), "{refused:?}");
    assert_eq!(create.num_calls(), 1);
}
