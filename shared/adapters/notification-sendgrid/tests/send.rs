//! Sending to a stand-in that checks, keeps, and fails on demand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, time::Duration};

use domain_channel::Category;
use domain_notification::{Accepted, Address, Failure, Outgoing, Provider, Rendered, Verdict};
use jiff::Timestamp;
use notification_sendgrid::{InvalidSettings, SendGrid};
use provider_stubs::{Fault, Refusal, SENDGRID_API_KEY, SENDGRID_FROM, Stubs};
use serde_json::json;

const TIMEOUT: Duration = Duration::from_secs(5);
const ID: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

fn outgoing() -> Outgoing {
    Outgoing {
        id: ID.parse().unwrap(),
        address: Address::Mail("ann@example.com".parse().unwrap()),
        rendered: Rendered {
            title: Some("订单已确认\r\nBcc: eve@example.com".into()),
            content: "您好".into(),
            html: Some("<p>您好</p>".into()),
            ..Rendered::default()
        },
        category: Category::Order,
        accepted_at: Timestamp::UNIX_EPOCH,
        due_at: Timestamp::UNIX_EPOCH,
    }
}

fn read(
    endpoint: &str,
    settings: &[(&str, &str)],
    key: &str,
    timeout: Duration,
) -> Result<SendGrid, InvalidSettings> {
    let settings: BTreeMap<String, String> =
        settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let secret = json!({ "apiKey": key });
    SendGrid::from_settings(&"sendgrid".parse().unwrap(), Some(endpoint), &settings, &secret, timeout)
}

fn provider(endpoint: &str, timeout: Duration) -> SendGrid {
    read(endpoint, &[("from", SENDGRID_FROM), ("fromName", "民宿")], SENDGRID_API_KEY, timeout).unwrap()
}

async fn send(stubs: &Stubs) -> Result<Accepted, Failure> {
    provider(&stubs.endpoint("sendgrid"), TIMEOUT).send(&outgoing()).await
}

#[tokio::test]
async fn a_mail_arrives_with_title_both_contents_and_our_id() {
    let stubs = Stubs::start().await;
    let accepted = send(&stubs).await.unwrap();
    let received = stubs.received();
    let [mail] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(mail.to, "ann@example.com");
    assert_eq!(mail.title.as_deref(), Some("订单已确认  Bcc: eve@example.com"), "one line, whatever it says");
    assert_eq!(mail.content.as_deref(), Some("您好"));
    assert_eq!(mail.html.as_deref(), Some("<p>您好</p>"));
    assert_eq!(mail.message_id.as_deref(), Some(ID));
    assert_eq!(mail.reference, accepted.reference);
}

#[tokio::test]
async fn each_refusal_has_its_verdict_and_its_code() {
    let stubs = Stubs::start().await;
    for (fault, verdict, code) in [
        (Fault::Refuse(Refusal::InvalidNumber), Verdict::GiveUp, "400-personalizations.0.to.0.email"),
        (Fault::Refuse(Refusal::NoCredit), Verdict::FailOver, "401"),
        (Fault::Refuse(Refusal::Code("403 from".into())), Verdict::FailOver, "403-from"),
        (Fault::ServerError, Verdict::FailOver, "500"),
    ] {
        stubs.script("sendgrid", [fault.clone()]);
        assert_eq!(send(&stubs).await, Err(Failure::new(verdict, code)), "{fault:?}");
    }
    assert_eq!(stubs.received(), []);
}

#[tokio::test]
async fn a_throttled_mail_may_come_back_when_the_limit_is_reset() {
    let stubs = Stubs::start().await;
    stubs.script("sendgrid", [Fault::Refuse(Refusal::Throttle)]);
    let failed = send(&stubs).await.unwrap_err();
    assert_eq!((failed.verdict, failed.code.as_str()), (Verdict::Retry, "429"));
    assert!(failed.retry_after.is_some_and(|pause| pause <= Duration::from_secs(3)), "{failed:?}");
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_a_doubt() {
    let stubs = Stubs::start().await;
    stubs.script("sendgrid", [Fault::CutReply, Fault::CutReplyAfterAccept]);
    for received in [0, 1] {
        assert_eq!(send(&stubs).await, Err(Failure::new(Verdict::Unknown, "lost")));
        assert_eq!(stubs.received().len(), received);
    }
    stubs.script("sendgrid", [Fault::HangAfterAccept]);
    let hasty = provider(&stubs.endpoint("sendgrid"), Duration::from_millis(300));
    assert_eq!(hasty.send(&outgoing()).await, Err(Failure::new(Verdict::Unknown, "lost")));
}

#[tokio::test]
async fn a_server_that_was_never_reached_has_not_got_the_mail() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let failed = provider(&nobody, TIMEOUT).send(&outgoing()).await;
    assert_eq!(failed, Err(Failure::new(Verdict::FailOver, "unreachable")));
}

#[tokio::test]
async fn a_wrong_key_and_an_unverified_sender_fail_over() {
    let stubs = Stubs::start().await;
    let endpoint = stubs.endpoint("sendgrid");
    let wrong = read(&endpoint, &[("from", SENDGRID_FROM)], "SG.hunter2", TIMEOUT).unwrap();
    assert!(!format!("{wrong:?}").contains("hunter2"));
    assert_eq!(wrong.send(&outgoing()).await, Err(Failure::new(Verdict::FailOver, "401")));
    let stranger = read(&endpoint, &[("from", "x@example.com")], SENDGRID_API_KEY, TIMEOUT).unwrap();
    assert_eq!(stranger.send(&outgoing()).await, Err(Failure::new(Verdict::FailOver, "403-from")));
}

#[tokio::test]
async fn another_channel_s_address_and_a_mail_without_title_are_not_sent() {
    let stubs = Stubs::start().await;
    let sendgrid = provider(&stubs.endpoint("sendgrid"), TIMEOUT);
    let phone = Outgoing { address: Address::Phone("+8613800138000".parse().unwrap()), ..outgoing() };
    assert_eq!(sendgrid.send(&phone).await, Err(Failure::new(Verdict::FailOver, "wrong-channel")));
    let mut untitled = outgoing();
    untitled.rendered.title = None;
    assert_eq!(sendgrid.send(&untitled).await, Err(Failure::new(Verdict::GiveUp, "no-title")));
    assert_eq!(stubs.calls("sendgrid/send"), 0);
}

#[test]
fn the_setting_at_fault_is_named_without_its_value() {
    let (https, from) = ("https://api.sendgrid.com", ("from", SENDGRID_FROM));
    let long = "x".repeat(101);
    for (endpoint, settings, key, at_fault) in [
        ("http://api.sendgrid.com", vec![from], "SG.x", "endpoint"),
        (https, vec![], "SG.x", "from"),
        (https, vec![("from", "hunter2")], "SG.x", "from"),
        (https, vec![from, ("fromName", long.as_str())], "SG.x", "fromName"),
        (https, vec![from, ("sender", "hunter2")], "SG.x", "sender"),
        (https, vec![from], "", "secret/apiKey"),
        (https, vec![from], "hunter2\r\nX: y", "secret/apiKey"),
    ] {
        let error = read(endpoint, &settings, key, TIMEOUT).unwrap_err();
        assert_eq!(error.setting, at_fault);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
