use std::{collections::BTreeMap, time::Duration};

use domain_ids::MessageId;
use domain_notification::{Address, Provider, Verdict};
use jiff::Timestamp;
use notification_wechat::{Time, Wechat};
use provider_stubs::{Fault, Refusal};
use serde_json::{Value, json};

use crate::bench::{Bench, Store, failure, message, name, settings};

#[tokio::test]
async fn a_template_message_arrives_as_it_is_meant() {
    let bench = Bench::new().await;
    let accepted = bench.official().send(&message(1, "ann")).await.unwrap();
    let [received] = bench.stubs.received().try_into().unwrap();
    assert_eq!((received.provider.as_str(), received.to.as_str()), ("wechat-official", "ann"));
    assert_eq!(received.template.as_deref(), Some("tm-1"));
    let params = [("date2", "2026-11-24"), ("thing1", "海边的房子")];
    assert_eq!(received.params, params.map(|(name, text)| (name.to_owned(), text.to_owned())));
    assert_eq!(received.message_id, Some(MessageId::from_parts(1, 1).to_string()));
    assert_eq!(accepted.reference, received.reference.map(|it| it.parse::<u64>().unwrap().to_string()));
}

#[tokio::test]
async fn a_subscribe_message_arrives_as_it_is_meant() {
    let bench = Bench::new().await;
    bench.mini().send(&message(1, "ann")).await.unwrap();
    let [received] = bench.stubs.received().try_into().unwrap();
    assert_eq!((received.provider.as_str(), received.to.as_str()), ("wechat-mini", "ann"));
    assert_eq!(received.params.len(), 2);
}

#[tokio::test]
async fn a_repeated_template_message_arrives_once() {
    let bench = Bench::new().await;
    let official = bench.official();
    bench.stubs.script("wechat-official", [Fault::CutReplyAfterAccept]);
    assert_eq!(official.send(&message(1, "ann")).await, failure(Verdict::Unknown, "unanswered"));
    let at = |minutes: i64| Timestamp::from_second(60 * minutes).unwrap();
    assert!(official.recognises(at(0), at(8)) && !official.recognises(at(0), at(10)));
    assert!(official.send(&message(1, "ann")).await.is_ok());
    assert_eq!(bench.stubs.received().len(), 1);
    assert!(!bench.mini().recognises(at(0), at(0)));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let bench = Bench::new().await;
    let (official, mini) = (bench.official(), bench.mini());
    let code = |code: &str| Fault::Refuse(Refusal::Code(code.into()));
    for (fault, expected) in [
        (Fault::Refuse(Refusal::Throttle), failure(Verdict::Retry, "45009")),
        (Fault::Refuse(Refusal::InvalidNumber), failure(Verdict::Suppress, "40003")),
        (Fault::Refuse(Refusal::NoCredit), failure(Verdict::FailOver, "48001")),
        (code("-1"), failure(Verdict::Retry, "-1")),
        (code("40037"), failure(Verdict::FailOver, "40037")),
        (code("47003"), failure(Verdict::GiveUp, "47003")),
        (Fault::ServerError, failure(Verdict::Unknown, "http-500")),
        (Fault::CutReply, failure(Verdict::Unknown, "unanswered")),
    ] {
        bench.stubs.script("wechat-official", [fault.clone()]);
        assert_eq!(official.send(&message(1, "ann")).await, expected);
        bench.stubs.script("wechat-mini", [fault]);
        assert_eq!(mini.send(&message(1, "ann")).await, expected);
    }
    assert_eq!(official.send(&message(1, "refuses")).await, failure(Verdict::Suppress, "43004"));
    assert_eq!(mini.send(&message(1, "refuses")).await, failure(Verdict::Suppress, "43101"));
    assert_eq!(bench.stubs.received(), []);
}

#[tokio::test]
async fn whoever_is_not_known_to_the_app_is_reached_by_another() {
    let bench = Bench::new().await;
    let mut half = message(1, "ann");
    half.address = Address::Wechat { official: None, mini: Some("ann".parse().unwrap()) };
    assert_eq!(bench.official().send(&half).await, failure(Verdict::Skip, "no-openid"));
    assert!(bench.mini().send(&half).await.is_ok());
    half.address = Address::Wechat { official: Some("ann".parse().unwrap()), mini: None };
    assert_eq!(bench.mini().send(&half).await, failure(Verdict::Skip, "no-openid"));
    half.rendered.provider_templates.clear();
    assert_eq!(bench.official().send(&half).await, failure(Verdict::Skip, "no-template"));
    half.address = Address::Phone("+8613800138000".parse().unwrap());
    assert_eq!(bench.official().send(&half).await, failure(Verdict::GiveUp, "no-openid"));
}

#[tokio::test]
async fn a_wechat_that_is_gone_makes_another_provider_try() {
    let bench = Bench::new().await;
    assert!(bench.official().send(&message(1, "ann")).await.is_ok());
    // It knows the token, and has no connection yet.
    let another = bench.official();
    let Bench { stubs, .. } = bench;
    drop(stubs);
    assert_eq!(another.send(&message(2, "ann")).await, failure(Verdict::FailOver, "not-sent"));
}

#[test]
fn a_wrong_setting_is_named_and_no_secret_is_shown() {
    let secret = json!({"appSecret": "hunter2"});
    let make = |settings: &BTreeMap<String, String>, secret: &Value| {
        let time = Time::new(|| Timestamp::UNIX_EPOCH, |_| async {});
        Wechat::mini(name(), None, settings, secret, Duration::from_secs(1), Store::new(), time)
    };
    let mut wrong_state = settings("wx1");
    wrong_state.insert("state".into(), "hunter2".into());
    let mut of_official = settings("wx1");
    of_official.insert("url".into(), "https://example.com".into());
    for (settings, secret, setting) in [
        (BTreeMap::new(), &secret, "appId"),
        (settings("wx1"), &json!({}), "secret/appSecret"),
        (wrong_state, &secret, "state"),
        (of_official, &secret, "url"),
    ] {
        let error = make(&settings, secret).unwrap_err();
        assert_eq!(error.setting, setting);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    assert!(!format!("{:?}", make(&settings("wx1"), &secret).unwrap()).contains("hunter2"));
}
