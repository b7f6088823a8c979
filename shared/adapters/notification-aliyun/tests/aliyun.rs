//! Against the stand-in for Aliyun, which reads the documentation for itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain_channel::Category;
use domain_ids::{MessageId, ProviderName};
use domain_notification::{
    Accepted, Failure, FilledTemplate, Outcome, Outgoing, Provider, Rendered, Verdict,
};
use jiff::{SignedDuration, Timestamp};
use notification_aliyun::{Aliyun, signature};
use provider_stubs::{
    ALIYUN_ACCESS_KEY_ID, ALIYUN_ACCESS_KEY_SECRET, ALIYUN_SIGN_NAME, Fault, Refusal, Stubs,
};
use serde_json::{Value, json};

const NOW: i64 = 1_795_500_000;

/// The stand-in, and our account there; both have the same clock.
struct Bench {
    stubs: Stubs,
    clock: Arc<AtomicI64>,
}

impl Bench {
    async fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let time = Arc::clone(&clock);
        let stubs = Stubs::start_with(Arc::new(move || at(time.load(Ordering::SeqCst)))).await;
        Self { stubs, clock }
    }

    fn account(&self, secret: &str, skew_seconds: i64) -> Aliyun {
        let (time, nonces) = (Arc::clone(&self.clock), AtomicU64::new(0));
        Aliyun::from_settings(
            name(),
            Some(&self.stubs.endpoint("aliyun")),
            &settings(),
            &json!({"accessKeyId": ALIYUN_ACCESS_KEY_ID, "accessKeySecret": secret}),
            Duration::from_millis(500),
            move || at(time.load(Ordering::SeqCst) + skew_seconds),
            move || format!("nonce-{}-{skew_seconds}", nonces.fetch_add(1, Ordering::SeqCst)),
        )
        .unwrap()
    }

    fn aliyun(&self) -> Aliyun {
        self.account(ALIYUN_ACCESS_KEY_SECRET, 0)
    }

    fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.stubs.script("aliyun", faults);
    }

    fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn name() -> ProviderName {
    "aliyun-main".parse().unwrap()
}

fn settings() -> BTreeMap<String, String> {
    [("signName".to_owned(), ALIYUN_SIGN_NAME.to_owned())].into()
}

fn message(number: &str) -> Outgoing {
    let params = vec![("code".to_owned(), "1 & 2 = 三".to_owned()), ("minutes".to_owned(), "5".to_owned())];
    let template = FilledTemplate { id: "SMS_123".into(), params };
    Outgoing {
        id: MessageId::from_parts(1, 2),
        address: domain_notification::Address::Phone(number.parse().unwrap()),
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
    let bench = Bench::new().await;
    let aliyun = bench.aliyun();
    for number in ["+8613800138000", "+85261234567"] {
        let accepted = aliyun.send(&message(number)).await.unwrap();
        let received = bench.stubs.received().pop().unwrap();
        assert_eq!(received.to, number);
        assert_eq!(received.template.as_deref(), Some("SMS_123"));
        assert_eq!(received.params, [("code".into(), "1 & 2 = 三".into()), ("minutes".into(), "5".into())]);
        assert_eq!(received.message_id, Some(MessageId::from_parts(1, 2).to_string()));
        assert_eq!(accepted.reference, received.reference);
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let bench = Bench::new().await;
    let aliyun = bench.aliyun();
    let code = |code: &str| Fault::Refuse(Refusal::Code(code.into()));
    for (fault, expected) in [
        (Fault::Refuse(Refusal::Throttle), failure(Verdict::Retry, "Throttling.User")),
        (Fault::Refuse(Refusal::InvalidNumber), failure(Verdict::Suppress, "isv.MOBILE_NUMBER_ILLEGAL")),
        (Fault::Refuse(Refusal::NoCredit), failure(Verdict::FailOver, "isv.AMOUNT_NOT_ENOUGH")),
        (code("isv.PARAM_LENGTH_LIMIT"), failure(Verdict::GiveUp, "isv.PARAM_LENGTH_LIMIT")),
        (Fault::ServerError, failure(Verdict::Unknown, "http-500")),
        (Fault::Hang, failure(Verdict::Unknown, "unanswered")),
        (Fault::CutReply, failure(Verdict::Unknown, "unanswered")),
    ] {
        bench.fail([fault]);
        assert_eq!(aliyun.send(&message("+8613800138000")).await, expected);
    }
    assert_eq!(bench.stubs.received(), []);
}

#[tokio::test]
async fn what_is_wrong_with_our_account_makes_another_provider_try() {
    let bench = Bench::new().await;
    let sent = |aliyun: Aliyun| async move { aliyun.send(&message("+8613800138000")).await };
    assert_eq!(sent(bench.account("wrong", 0)).await, failure(Verdict::FailOver, "SignatureDoesNotMatch"));
    assert_eq!(
        sent(bench.account(ALIYUN_ACCESS_KEY_SECRET, 1_000)).await,
        failure(Verdict::FailOver, "InvalidTimeStamp.Expired")
    );
    let mut untemplated = message("+8613800138000");
    untemplated.rendered.provider_templates.clear();
    assert_eq!(bench.aliyun().send(&untemplated).await, failure(Verdict::Skip, "no-template"));
    let aliyun = bench.aliyun();
    drop(bench);
    let gone = aliyun.send(&message("+8613800138000")).await;
    assert_eq!(gone, failure(Verdict::FailOver, "not-sent"));
}

/// What the stand-in says of a request that is signed as `signed` and sent as `sent`.
async fn tampered(
    bench: &Bench,
    signed: &[(&str, String)],
    sent: &[(&str, String)],
    unsigned: &[(&'static str, &str)],
) -> Value {
    let hash = signature::sha256_hex(b"");
    let endpoint = bench.stubs.endpoint("aliyun");
    let mut headers = vec![
        ("host", endpoint.split('/').nth(2).unwrap().to_owned()),
        ("x-acs-action", "SendSms".to_owned()),
        ("x-acs-version", "2017-05-25".to_owned()),
        ("x-acs-date", at(NOW).to_string()),
        ("x-acs-signature-nonce", format!("{sent:?}{unsigned:?}").replace(|c: char| !c.is_ascii_digit(), "")),
        ("x-acs-content-sha256", hash.clone()),
    ];
    let query = signature::canonical_query(signed);
    let of = signature::Signed { method: "POST", path: "/aliyun/", query: &query, body_sha256: &hash };
    let credentials = signature::Credentials {
        access_key_id: ALIYUN_ACCESS_KEY_ID.into(),
        access_key_secret: ALIYUN_ACCESS_KEY_SECRET.into(),
    };
    headers.push(("authorization", of.authorization(&credentials, &headers)));
    headers.extend(unsigned.iter().map(|&(name, value)| (name, value.to_owned())));
    let mut request = http::Request::post(format!("{endpoint}/?{}", signature::canonical_query(sent)));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let client = platform_http_client::HttpClient::new(Duration::from_secs(5)).unwrap();
    let answer = client.send(request.body(vec![]).unwrap()).await.unwrap();
    serde_json::from_slice::<Value>(answer.body()).unwrap()["Code"].clone()
}

#[tokio::test]
async fn the_stand_in_takes_nothing_that_was_changed_on_its_way() {
    let bench = Bench::new().await;
    let to = |number: &str| {
        let params = [("PhoneNumbers", number), ("SignName", ALIYUN_SIGN_NAME), ("TemplateCode", "SMS_1")];
        params.map(|(name, value)| (name, value.to_owned()))
    };
    let (ann, bob) = (to("13800138000"), to("13800138001"));
    assert_eq!(tampered(&bench, &ann, &bob, &[]).await, "SignatureDoesNotMatch");
    assert_eq!(tampered(&bench, &ann, &ann, &[("x-acs-more", "1")]).await, "IncompleteSignature");
    assert_eq!(bench.stubs.received(), []);
    assert_eq!(tampered(&bench, &ann, &ann, &[]).await, "OK");
}

#[tokio::test]
async fn a_request_that_arrives_twice_may_have_been_taken() {
    let bench = Bench::new().await;
    let first = bench.aliyun().send(&message("+8613800138000")).await;
    assert!(first.is_ok());
    // Another one that counts from the beginning stands for a middlebox that repeats requests.
    let second = bench.aliyun().send(&message("+8613800138000")).await;
    assert_eq!(second, failure(Verdict::Unknown, "SignatureNonceUsed"));
}

#[tokio::test]
async fn aliyun_is_asked_what_became_of_a_message() {
    let bench = Bench::new().await;
    let (aliyun, lost) = (bench.aliyun(), message("+8613800138000"));
    bench.fail([Fault::CutReplyAfterAccept]);
    assert_eq!(aliyun.send(&lost).await, failure(Verdict::Unknown, "unanswered"));
    bench.later(90);
    assert_eq!(aliyun.outcome(&lost, at(NOW)).await, Outcome::Accepted(Accepted::default()));
    let never = Outgoing { id: MessageId::from_parts(9, 9), ..lost };
    assert_eq!(aliyun.outcome(&never, at(NOW)).await, Outcome::NotAccepted);
}

#[tokio::test]
async fn aliyun_may_not_know_yet_or_not_answer() {
    let bench = Bench::new().await;
    let (aliyun, lost) = (bench.aliyun(), message("+8613800138000"));
    bench.later(10);
    assert_eq!(aliyun.outcome(&lost, at(NOW)).await, Outcome::Unknown);
    bench.later(90);
    bench.stubs.script("aliyun/query", [Fault::Refuse(Refusal::Throttle)]);
    assert_eq!(aliyun.outcome(&lost, at(NOW)).await, Outcome::Unknown);
    assert_eq!(aliyun.outcome(&lost, at(NOW)).await, Outcome::NotAccepted);
}

#[tokio::test]
async fn a_message_is_found_on_the_second_page_and_no_conclusion_is_drawn_beyond() {
    let bench = Bench::new().await;
    let (aliyun, lost) = (bench.aliyun(), message("+8613800138000"));
    assert!(aliyun.send(&lost).await.is_ok());
    for later in 0..60_u64 {
        bench.stubs.desk().keep(provider_stubs::Received {
            provider: "aliyun".into(),
            to: "+8613800138000".into(),
            message_id: Some(format!("other-{later}")),
            ..provider_stubs::Received::default()
        });
    }
    bench.later(90);
    assert_eq!(aliyun.outcome(&lost, at(NOW)).await, Outcome::Accepted(Accepted::default()));
    assert_eq!(bench.stubs.calls("aliyun/query"), 2);
    for later in 0..60_u64 {
        bench.stubs.desk().keep(provider_stubs::Received {
            provider: "aliyun".into(),
            to: "+8613800138000".into(),
            message_id: Some(format!("another-{later}")),
            ..provider_stubs::Received::default()
        });
    }
    let never = Outgoing { id: MessageId::from_parts(9, 9), ..lost };
    assert_eq!(aliyun.outcome(&never, at(NOW)).await, Outcome::Unknown);
}

#[test]
fn a_wrong_setting_is_named_and_no_secret_is_shown() {
    let secret = json!({"accessKeyId": "id", "accessKeySecret": "hunter2"});
    let build = |endpoint: Option<&str>, settings: &BTreeMap<String, String>, secret: &Value| {
        Aliyun::from_settings(
            name(),
            endpoint,
            settings,
            secret,
            Duration::from_secs(1),
            || at(NOW).saturating_add(SignedDuration::ZERO).unwrap(),
            String::new,
        )
    };
    for (endpoint, settings, secret, setting) in [
        (None, BTreeMap::new(), &secret, "signName"),
        (Some("http://dysmsapi.aliyuncs.com"), settings(), &secret, "endpoint"),
        (None, settings(), &json!({"accessKeyId": "id"}), "secret/accessKeySecret"),
        (None, [("signname".to_owned(), "x".to_owned())].into(), &secret, "signname"),
    ] {
        let error = build(endpoint, &settings, secret).unwrap_err();
        assert_eq!(error.setting, setting);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    let aliyun = build(None, &settings(), &secret).unwrap();
    assert!(!format!("{aliyun:?}").contains("hunter2"));
}
