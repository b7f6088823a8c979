//! Sending to a mail server that checks, keeps, and fails on demand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, time::Duration};

use domain_channel::Category;
use domain_notification::{Accepted, Address, Failure, Outgoing, Provider, Rendered, Verdict};
use jiff::Timestamp;
use notification_smtp::SmtpMail;
use provider_stubs::{Fault, Refusal, SMTP_PASSWORD, SMTP_USERNAME, Stubs};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(5);
const ID: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

fn outgoing() -> Outgoing {
    Outgoing {
        id: ID.parse().unwrap(),
        address: Address::Mail("ann@example.com".parse().unwrap()),
        rendered: Rendered {
            title: Some("订单已确认".into()),
            content: "Hello\n.\nBye".into(),
            html: Some("<p>您好</p>".into()),
            ..Rendered::default()
        },
        category: Category::Order,
        accepted_at: Timestamp::UNIX_EPOCH,
        due_at: Timestamp::UNIX_EPOCH,
    }
}

fn provider(server: &str, tls: &str, secret: &Value, timeout: Duration) -> SmtpMail {
    let settings = [("from", "noreply@minsu.example"), ("fromName", "民宿"), ("tls", tls)];
    let settings: BTreeMap<String, String> =
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    SmtpMail::from_settings(&"smtp".parse().unwrap(), Some(server), &settings, secret, timeout).unwrap()
}

fn secret() -> Value {
    json!({ "username": SMTP_USERNAME, "password": SMTP_PASSWORD })
}

async fn send(stubs: &Stubs) -> Result<Accepted, Failure> {
    provider(&stubs.mail_server(), "none", &secret(), TIMEOUT).send(&outgoing()).await
}

#[tokio::test]
async fn a_mail_arrives_with_title_both_contents_and_our_id() {
    let stubs = Stubs::start().await;
    let reference = Some(format!("{ID}@minsu.example"));
    assert_eq!(send(&stubs).await, Ok(Accepted { reference, dead: vec![] }));
    let received = stubs.received();
    let [mail] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(mail.to, "ann@example.com");
    assert_eq!(mail.title.as_deref(), Some("订单已确认"));
    assert_eq!(mail.content.as_deref(), Some("Hello\n.\nBye"), "a dot alone does not end it");
    assert_eq!(mail.html.as_deref(), Some("<p>您好</p>"));
    assert_eq!(mail.message_id.as_deref(), Some(ID));
}

#[tokio::test]
async fn a_mail_without_html_has_none() {
    let stubs = Stubs::start().await;
    let mut plain = outgoing();
    plain.rendered.html = None;
    provider(&stubs.mail_server(), "none", &secret(), TIMEOUT).send(&plain).await.unwrap();
    assert_eq!(stubs.received()[0].html, None);
}

#[tokio::test]
async fn each_refusal_has_its_verdict_and_its_code() {
    let stubs = Stubs::start().await;
    for (fault, verdict, code) in [
        (Fault::Refuse(Refusal::Throttle), Verdict::Retry, "450-4.7.1"),
        (Fault::Refuse(Refusal::InvalidNumber), Verdict::Suppress, "550-5.1.1"),
        (Fault::Refuse(Refusal::NoCredit), Verdict::FailOver, "550-5.7.1"),
        (Fault::Refuse(Refusal::Code("550 no such user".into())), Verdict::GiveUp, "550"),
        (Fault::Refuse(Refusal::Code("452 4.2.2 full".into())), Verdict::Retry, "452-4.2.2"),
        (Fault::ServerError, Verdict::FailOver, "421-4.3.0"),
    ] {
        stubs.script("smtp", [fault.clone()]);
        assert_eq!(send(&stubs).await, Err(Failure::new(verdict, code)), "{fault:?}");
    }
    assert_eq!(stubs.received(), []);
}

#[tokio::test]
async fn a_reply_that_is_lost_after_the_content_leaves_a_doubt() {
    let stubs = Stubs::start().await;
    stubs.script("smtp", [Fault::CutReply, Fault::CutReplyAfterAccept]);
    for received in [0, 1] {
        assert_eq!(send(&stubs).await, Err(Failure::new(Verdict::Unknown, "lost")));
        assert_eq!(stubs.received().len(), received);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_after_the_content_is_left_in_time() {
    let stubs = Stubs::start().await;
    stubs.script("smtp", [Fault::HangAfterAccept]);
    let smtp = provider(&stubs.mail_server(), "none", &secret(), Duration::from_millis(300));
    assert_eq!(smtp.send(&outgoing()).await, Err(Failure::new(Verdict::Unknown, "timeout")));
}

#[tokio::test]
async fn a_server_that_says_nothing_at_all_has_not_got_the_mail() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap().to_string();
    let smtp = provider(&silent, "none", &Value::Null, Duration::from_millis(50));
    assert_eq!(smtp.send(&outgoing()).await, Err(Failure::new(Verdict::FailOver, "timeout")));
    drop(listener);
    let smtp = provider(&silent, "none", &Value::Null, TIMEOUT);
    assert_eq!(smtp.send(&outgoing()).await, Err(Failure::new(Verdict::FailOver, "unreachable")));
}

#[tokio::test]
async fn who_is_not_let_in_fails_over() {
    let stubs = Stubs::start().await;
    let server = stubs.mail_server();
    let wrong = json!({ "username": SMTP_USERNAME, "password": "hunter2" });
    let refused = provider(&server, "none", &wrong, TIMEOUT);
    assert!(!format!("{refused:?}").contains("hunter2"));
    assert_eq!(refused.send(&outgoing()).await, Err(Failure::new(Verdict::FailOver, "535-5.7.8")));
    let anonymous = provider(&server, "none", &Value::Null, TIMEOUT);
    assert_eq!(anonymous.send(&outgoing()).await, Err(Failure::new(Verdict::FailOver, "530-5.7.0")));
}

#[tokio::test]
async fn without_tls_nothing_is_said_to_a_server_that_must_have_it() {
    let stubs = Stubs::start().await;
    for tls in ["required", "wrapper"] {
        let failed = provider(&stubs.mail_server(), tls, &secret(), TIMEOUT).send(&outgoing()).await;
        assert_eq!(failed.unwrap_err().verdict, Verdict::FailOver, "{tls}");
    }
    assert_eq!(stubs.calls("smtp/send"), 0);
}

#[tokio::test]
async fn another_channel_s_address_and_a_mail_without_title_are_not_sent() {
    let stubs = Stubs::start().await;
    let smtp = provider(&stubs.mail_server(), "none", &secret(), TIMEOUT);
    let phone = Outgoing { address: Address::Phone("+8613800138000".parse().unwrap()), ..outgoing() };
    assert_eq!(smtp.send(&phone).await, Err(Failure::new(Verdict::Skip, "wrong-channel")));
    let mut untitled = outgoing();
    untitled.rendered.title = None;
    assert_eq!(smtp.send(&untitled).await, Err(Failure::new(Verdict::GiveUp, "no-title")));
    assert_eq!(stubs.calls("smtp/send"), 0);
}
