//! Against the stand-in for Tencent Cloud, which reads the documentation for itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain_channel::Category;
use domain_ids::{MessageId, ProviderName};
use domain_notification::{
    Accepted, Address, Failure, FilledTemplate, Outcome, Outgoing, Provider, Rendered, Verdict,
};
use jiff::Timestamp;
use notification_tencent::{Tencent, signature};
use provider_stubs::{
    Fault, Refusal, Stubs, TENCENT_APP_ID, TENCENT_SECRET_ID, TENCENT_SECRET_KEY, TENCENT_SIGN_NAME,
};
use serde_json::{Value, json};

const NOW: i64 = 1_795_500_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

async fn stubs() -> Stubs {
    Stubs::start_with(Arc::new(|| at(NOW))).await
}

fn name() -> ProviderName {
    "tencent-main".parse().unwrap()
}

fn settings(app: &str) -> BTreeMap<String, String> {
    [("sdkAppId", app), ("signName", TENCENT_SIGN_NAME)].map(|(n, v)| (n.to_owned(), v.to_owned())).into()
}

fn account(stubs: &Stubs, app: &str, key: &str, skew_seconds: i64) -> Tencent {
    Tencent::from_settings(
        name(),
        Some(&stubs.endpoint("tencent")),
        &settings(app),
        &json!({"secretId": TENCENT_SECRET_ID, "secretKey": key}),
        Duration::from_millis(500),
        move || at(NOW + skew_seconds),
    )
    .unwrap()
}

fn tencent(stubs: &Stubs) -> Tencent {
    account(stubs, TENCENT_APP_ID, TENCENT_SECRET_KEY, 0)
}

fn message(number: &str) -> Outgoing {
    let params = vec![("b".to_owned(), "订单 \"7\"".to_owned()), ("a".to_owned(), "5".to_owned())];
    let template = FilledTemplate { id: "1110".into(), params };
    Outgoing {
        id: MessageId::from_parts(1, 2),
        address: Address::Phone(number.parse().unwrap()),
        rendered: Rendered { provider_templates: [(name(), template)].into(), ..Rendered::default() },
        category: Category::Order,
        accepted_at: at(NOW),
        due_at: at(NOW),
    }
}

fn failure(verdict: Verdict, code: &str) -> Result<Accepted, Failure> {
    Err(Failure::new(verdict, code))
}

#[tokio::test]
async fn a_message_arrives_as_it_is_meant() {
    let stubs = stubs().await;
    let tencent = tencent(&stubs);
    for number in ["+8613800138000", "+14155550100"] {
        let accepted = tencent.send(&message(number)).await.unwrap();
        let received = stubs.received().pop().unwrap();
        assert_eq!(received.to, number);
        assert_eq!(received.template.as_deref(), Some("1110"));
        assert_eq!(received.params, [("1".into(), "订单 \"7\"".into()), ("2".into(), "5".into())]);
        assert_eq!(received.message_id, Some(MessageId::from_parts(1, 2).to_string()));
        assert_eq!(accepted.reference, received.reference);
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let stubs = stubs().await;
    let tencent = tencent(&stubs);
    let code = |code: &str| Fault::Refuse(Refusal::Code(code.into()));
    for (fault, expected) in [
        (Fault::Refuse(Refusal::Throttle), failure(Verdict::Retry, "RequestLimitExceeded")),
        (
            Fault::Refuse(Refusal::InvalidNumber),
            failure(Verdict::Suppress, "InvalidParameterValue.IncorrectPhoneNumber"),
        ),
        (
            Fault::Refuse(Refusal::NoCredit),
            failure(Verdict::FailOver, "FailedOperation.InsufficientBalanceInSmsPackage"),
        ),
        (
            code("FailedOperation.ContainSensitiveWord"),
            failure(Verdict::GiveUp, "FailedOperation.ContainSensitiveWord"),
        ),
        (Fault::ServerError, failure(Verdict::Unknown, "http-500")),
        (Fault::Hang, failure(Verdict::Unknown, "unanswered")),
        (Fault::CutReply, failure(Verdict::Unknown, "unanswered")),
    ] {
        stubs.script("tencent", [fault]);
        assert_eq!(tencent.send(&message("+8613800138000")).await, expected);
    }
    assert_eq!(stubs.received(), []);
}

#[tokio::test]
async fn what_is_wrong_with_our_account_makes_another_provider_try() {
    let stubs = stubs().await;
    for (account, code) in [
        (account(&stubs, TENCENT_APP_ID, "wrong", 0), "AuthFailure.SignatureFailure"),
        (account(&stubs, TENCENT_APP_ID, TENCENT_SECRET_KEY, 301), "AuthFailure.SignatureExpire"),
        (account(&stubs, "1", TENCENT_SECRET_KEY, 0), "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
    ] {
        let sent = account.send(&message("+8613800138000")).await;
        assert_eq!(sent, failure(Verdict::FailOver, code));
    }
    let mut untemplated = message("+8613800138000");
    untemplated.rendered.provider_templates.clear();
    let tencent = tencent(&stubs);
    assert_eq!(tencent.send(&untemplated).await, failure(Verdict::Skip, "no-template"));
    drop(stubs);
    let gone = tencent.send(&message("+8613800138000")).await;
    assert_eq!(gone, failure(Verdict::FailOver, "not-sent"));
}

#[tokio::test]
async fn the_stand_in_takes_nothing_that_was_changed_on_its_way() {
    let stubs = stubs().await;
    let credentials =
        signature::Credentials { secret_id: TENCENT_SECRET_ID.into(), secret_key: TENCENT_SECRET_KEY.into() };
    let endpoint = stubs.endpoint("tencent");
    let headers = [
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("host", endpoint.split('/').nth(2).unwrap().to_owned()),
        ("x-tc-action", "SendSms".to_owned()),
    ];
    let body = |number: &str| {
        let app = TENCENT_APP_ID;
        let sms = json!({
            "PhoneNumberSet": [number], "SmsSdkAppId": app, "TemplateId": "1", "SignName": TENCENT_SIGN_NAME,
        });
        sms.to_string().into_bytes()
    };
    let (ann, bob) = (body("+8613800138000"), body("+8613800138001"));
    let authorization = signature::authorization(&credentials, "sms", at(NOW), &headers, &ann);
    let client = platform_http_client::HttpClient::new(Duration::from_secs(5)).unwrap();
    for (body, is_taken) in [(bob, false), (ann, true)] {
        let mut request = http::Request::post(format!("{endpoint}/"))
            .header("authorization", &authorization)
            .header("x-tc-version", "2021-01-11")
            .header("x-tc-timestamp", NOW.to_string())
            .header("x-tc-region", "ap-guangzhou");
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let answer = client.send(request.body(body).unwrap()).await.unwrap();
        let refused = String::from_utf8_lossy(answer.body()).contains("AuthFailure.SignatureFailure");
        assert_eq!((refused, stubs.received().len()), (!is_taken, usize::from(is_taken)));
    }
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_found_again() {
    let stubs = stubs().await;
    let (tencent, lost) = (tencent(&stubs), message("+8613800138000"));
    stubs.script("tencent", [Fault::CutReplyAfterAccept]);
    assert_eq!(tencent.send(&lost).await, failure(Verdict::Unknown, "unanswered"));
    let reference = stubs.received()[0].reference.clone();
    let found = tencent.outcome(&lost, at(NOW)).await;
    assert_eq!(found, Outcome::Accepted(Accepted { reference, dead: vec![] }));
}

#[tokio::test]
async fn of_a_message_that_is_not_found_nothing_is_known() {
    let stubs = stubs().await;
    let (tencent, lost) = (tencent(&stubs), message("+8613800138000"));
    assert_eq!(tencent.outcome(&lost, at(NOW)).await, Outcome::Unknown);
    stubs.script("tencent/query", [Fault::ServerError]);
    assert_eq!(tencent.outcome(&lost, at(NOW)).await, Outcome::Unknown);
    assert_eq!(stubs.calls("tencent/query"), 2);
}

#[test]
fn a_wrong_setting_is_named_and_no_secret_is_shown() {
    let secret = json!({"secretId": "id", "secretKey": "hunter2"});
    let make = |settings: &BTreeMap<String, String>, secret: &Value| {
        let timeout = Duration::from_secs(1);
        Tencent::from_settings(name(), None, settings, secret, timeout, || at(NOW))
    };
    for (settings, secret, setting) in [
        (BTreeMap::new(), &secret, "sdkAppId"),
        (settings("1"), &json!({"secretId": "id"}), "secret/secretKey"),
        (settings("1"), &json!("hunter2"), "secret/secretId"),
    ] {
        let error = make(&settings, secret).unwrap_err();
        assert_eq!(error.setting, setting);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    assert!(!format!("{:?}", make(&settings("1"), &secret).unwrap()).contains("hunter2"));
}
