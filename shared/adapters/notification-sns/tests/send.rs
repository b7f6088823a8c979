//! Sending through a client whose answers are made up, and to a server that is not there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_sns::{
    Client,
    operation::publish::{PublishError, PublishInput, PublishOutput},
    types::error::{
        AuthorizationErrorException, EndpointDisabledException, InternalErrorException,
        InvalidParameterException, InvalidParameterValueException, KmsThrottlingException, NotFoundException,
        PlatformApplicationDisabledException,
    },
};
use aws_smithy_mocks::{MockResponse, Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use domain_channel::Category;
use domain_notification::{Accepted, Address, Failure, Outgoing, Provider, Rendered, Verdict};
use jiff::Timestamp;
use notification_sns::{MAX_SMS_CHARS, SnsPush, SnsSms, client};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(5);
const ID: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

fn outgoing(address: Address) -> Outgoing {
    Outgoing {
        id: ID.parse().unwrap(),
        address,
        rendered: Rendered {
            title: Some("订单".into()),
            content: "您的订单已确认".into(),
            ..Rendered::default()
        },
        category: Category::Order,
        accepted_at: Timestamp::UNIX_EPOCH,
        due_at: Timestamp::UNIX_EPOCH,
    }
}

fn to_phone() -> Outgoing {
    outgoing(Address::Phone("+8613800138000".parse().unwrap()))
}

/// The ARN of the device `name`.
fn arn(name: &str) -> String {
    format!("arn:aws:sns:us-east-1:123456789012:endpoint/GCM/app/{name}")
}

fn to_devices(names: &[&str]) -> Outgoing {
    outgoing(Address::Devices(names.iter().map(|name| arn(name).parse().unwrap()).collect()))
}

fn sms(client: &Client, settings: &[(&str, &str)], endpoint: Option<&str>) -> SnsSms {
    let settings: BTreeMap<String, String> =
        settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    SnsSms::from_settings(&"sns".parse().unwrap(), endpoint, &settings, &Value::Null, TIMEOUT, client)
        .unwrap()
}

fn push(client: &Client) -> SnsPush {
    let name = "push".parse().unwrap();
    SnsPush::from_settings(&name, None, &BTreeMap::new(), &Value::Null, TIMEOUT, client).unwrap()
}

fn text<'a>(request: &'a PublishInput, attribute: &str) -> Option<&'a str> {
    request.message_attributes()?.get(attribute)?.string_value()
}

async fn send_sms(rule: &Rule) -> Result<Accepted, Failure> {
    let client = mock_client!(aws_sdk_sns, RuleMode::Sequential, [rule]);
    sms(&client, &[], None).send(&to_phone()).await
}

/// What becomes of a push to devices, each of which is named for what SNS says of it.
async fn send_push(devices: &[&str]) -> Result<Accepted, Failure> {
    let answers = mock!(Client::publish).then_compute_response(|request| {
        let target = request.target_arn().unwrap();
        let name = target.rsplit('/').next().unwrap();
        let invalid = |text: &str| {
            PublishError::InvalidParameterException(
                InvalidParameterException::builder().message(text).build(),
            )
        };
        match name {
            "disabled" => MockResponse::Error(PublishError::EndpointDisabledException(
                EndpointDisabledException::builder().build(),
            )),
            "gone" => MockResponse::Error(invalid(
                "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified",
            )),
            "forgotten" => {
                MockResponse::Error(PublishError::NotFoundException(NotFoundException::builder().build()))
            }
            "refused" => MockResponse::Error(invalid("Invalid parameter: Message too long")),
            "down" => MockResponse::Error(PublishError::InternalErrorException(
                InternalErrorException::builder().build(),
            )),
            "busy" => MockResponse::Error(PublishError::KmsThrottlingException(
                KmsThrottlingException::builder().build(),
            )),
            "lost" => MockResponse::Http(HttpResponse::new(504.try_into().unwrap(), SdkBody::empty())),
            _ => MockResponse::Output(PublishOutput::builder().message_id(name).build()),
        }
    });
    let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&answers]);
    push(&client).send(&to_devices(devices)).await
}

#[tokio::test]
async fn a_text_message_has_its_type_and_sender() {
    let is_ours = |request: &PublishInput| {
        assert_eq!(request.phone_number(), Some("+8613800138000"));
        assert_eq!(request.message(), Some("您的订单已确认"));
        assert_eq!(text(request, "AWS.SNS.SMS.SMSType"), Some("Promotional"));
        assert_eq!(text(request, "AWS.SNS.SMS.SenderID"), Some("Minsu"));
        true
    };
    let sends = mock!(Client::publish)
        .match_requests(is_ours)
        .then_output(|| PublishOutput::builder().message_id("m-1").build());
    let client = mock_client!(aws_sdk_sns, RuleMode::Sequential, [&sends]);
    let sms = sms(&client, &[("smsType", "promotional"), ("senderId", "Minsu")], None);
    let accepted = Accepted { reference: Some("m-1".into()), dead: vec![] };
    assert_eq!(sms.send(&to_phone()).await, Ok(accepted));
}

#[tokio::test]
async fn without_settings_it_is_transactional_and_has_no_sender() {
    let is_plain = |request: &PublishInput| {
        text(request, "AWS.SNS.SMS.SMSType") == Some("Transactional")
            && text(request, "AWS.SNS.SMS.SenderID").is_none()
    };
    let sends =
        mock!(Client::publish).match_requests(is_plain).then_output(|| PublishOutput::builder().build());
    assert_eq!(send_sms(&sends).await, Ok(Accepted::default()));
}

#[tokio::test]
async fn each_exception_has_its_verdict() {
    macro_rules! refused {
        ($exception:ident, $message:literal) => {{
            let rule = mock!(Client::publish)
                .then_error(|| PublishError::$exception($exception::builder().message($message).build()));
            send_sms(&rule).await.unwrap_err().verdict
        }};
    }
    assert_eq!(
        refused!(InvalidParameterException, "PhoneNumber Reason: the number is opted out"),
        Verdict::Suppress
    );
    assert_eq!(
        refused!(InvalidParameterException, "PhoneNumber Reason: not valid to publish to"),
        Verdict::GiveUp
    );
    assert_eq!(refused!(InvalidParameterValueException, "x"), Verdict::GiveUp);
    assert_eq!(refused!(AuthorizationErrorException, "x"), Verdict::FailOver);
    assert_eq!(refused!(PlatformApplicationDisabledException, "x"), Verdict::FailOver);
    assert_eq!(refused!(InternalErrorException, "x"), Verdict::FailOver);
    assert_eq!(refused!(KmsThrottlingException, "x"), Verdict::Retry);
}

#[tokio::test]
async fn answers_of_no_known_exception_go_by_code_and_status() {
    for (status, code, verdict) in [
        (400, "Throttled", Verdict::Retry),
        (400, "ThrottlingException", Verdict::Retry),
        (403, "InvalidClientTokenId", Verdict::FailOver),
        (503, "ServiceUnavailable", Verdict::FailOver),
        (504, "GatewayTimeout", Verdict::Unknown),
    ] {
        let answers = mock!(Client::publish).then_http_response(move || {
            let body = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>of +8613800138000</Message>\
                 </Error><RequestId>r</RequestId></ErrorResponse>"
            );
            HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
        });
        assert_eq!(send_sms(&answers).await, Err(Failure::new(verdict, code)));
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_not() {
    let never = mock!(Client::publish).then_output(|| PublishOutput::builder().build());
    let client = mock_client!(aws_sdk_sns, RuleMode::Sequential, [&never]);
    let wrong = Err(Failure::new(Verdict::Skip, "wrong-channel"));
    assert_eq!(sms(&client, &[], None).send(&to_devices(&["a"])).await, wrong);
    assert_eq!(push(&client).send(&to_phone()).await, wrong);
    let mut long = to_phone();
    long.rendered.content = "房".repeat(MAX_SMS_CHARS + 1);
    let failed = sms(&client, &[], None).send(&long).await;
    assert_eq!(failed, Err(Failure::new(Verdict::GiveUp, "too-long")));
    assert_eq!(never.num_calls(), 0);
}

#[tokio::test]
async fn a_push_names_our_id_to_collapse_by() {
    let is_ours = |request: &PublishInput| {
        let message: Value = serde_json::from_str(request.message().unwrap()).unwrap();
        assert_eq!(request.target_arn(), Some(arn("a").as_str()));
        assert_eq!(request.message_structure(), Some("json"));
        assert_eq!(text(request, "AWS.SNS.MOBILE.APNS.COLLAPSE_ID"), Some(ID));
        assert_eq!(text(request, "AWS.SNS.MOBILE.APNS.PUSH_TYPE"), Some("alert"));
        assert_eq!(message["default"], "您的订单已确认");
        true
    };
    let sends = mock!(Client::publish)
        .match_requests(is_ours)
        .then_output(|| PublishOutput::builder().message_id("m-1").build());
    let client = mock_client!(aws_sdk_sns, RuleMode::Sequential, [&sends]);
    let accepted = Accepted { reference: Some("m-1".into()), dead: vec![] };
    assert_eq!(push(&client).send(&to_devices(&["a"])).await, Ok(accepted));
}

#[tokio::test]
async fn one_device_that_takes_it_is_enough_and_dead_ones_are_told() {
    let accepted = Accepted {
        reference: Some("alive".into()),
        dead: vec![arn("disabled"), arn("gone"), arn("forgotten")],
    };
    let sent = send_push(&["disabled", "lost", "gone", "alive", "forgotten", "down"]).await;
    assert_eq!(sent, Ok(accepted));
}

#[tokio::test]
async fn devices_that_are_all_dead_are_suppressed() {
    let suppressed = Err(Failure::new(Verdict::Suppress, "endpoint-disabled"));
    assert_eq!(send_push(&["disabled", "gone"]).await, suppressed);
}

#[tokio::test]
async fn where_none_took_it_what_is_worst_for_a_repeat_decides() {
    for (devices, verdict) in [
        (["disabled", "refused"].as_slice(), Verdict::GiveUp),
        (&["refused", "down"], Verdict::FailOver),
        (&["down", "busy", "refused"], Verdict::Retry),
        (&["busy", "lost", "down"], Verdict::Unknown),
    ] {
        assert_eq!(send_push(devices).await.unwrap_err().verdict, verdict, "{devices:?}");
    }
}

fn sdk_config() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .build()
}

#[tokio::test]
async fn a_text_message_is_sent_once_even_where_the_sdk_would_try_again() {
    let fails = mock!(Client::publish)
        .then_http_response(|| HttpResponse::new(503.try_into().unwrap(), SdkBody::empty()));
    let retrying = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&fails], |config| {
        config.retry_config(RetryConfig::standard().with_max_attempts(3))
    });
    let failed = sms(&retrying, &[], None).send(&to_phone()).await.unwrap_err();
    assert_eq!((failed.verdict, fails.num_calls()), (Verdict::FailOver, 1));
}

#[tokio::test]
async fn a_server_that_was_never_reached_has_not_got_the_message() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = client(&sdk_config(), TIMEOUT);
    let failed = sms(&client, &[], Some(&nobody)).send(&to_phone()).await;
    assert_eq!(failed, Err(Failure::new(Verdict::FailOver, "unreachable")));
}

#[tokio::test]
async fn a_server_that_hangs_up_after_the_request_may_have_got_the_message() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let hangs_up = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
    };
    let sms = sms(&client(&sdk_config(), TIMEOUT), &[], Some(&endpoint));
    let message = to_phone();
    let (failed, ()) = tokio::join!(sms.send(&message), hangs_up);
    assert_eq!(failed, Err(Failure::new(Verdict::Unknown, "lost")));
}
