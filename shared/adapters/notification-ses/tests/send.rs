//! Sending through a client whose answers are made up, and to a server that is not there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_sesv2::{
    Client,
    operation::send_email::{SendEmailError, SendEmailInput, SendEmailOutput},
    types::error::{
        AccountSuspendedException, BadRequestException, LimitExceededException,
        MailFromDomainNotVerifiedException, MessageRejected, NotFoundException, SendingPausedException,
        TooManyRequestsException,
    },
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use domain_channel::Category;
use domain_notification::{Accepted, Address, Failure, Outgoing, Provider, Rendered, Verdict};
use jiff::Timestamp;
use notification_ses::{SesMail, client};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(5);

fn outgoing() -> Outgoing {
    Outgoing {
        id: "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap(),
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

fn provider(client: &Client, endpoint: Option<&str>) -> SesMail {
    let settings = [("from", "noreply@example.com"), ("fromName", "民宿"), ("configurationSet", "mails")];
    let settings: BTreeMap<String, String> =
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    SesMail::from_settings(&"ses".parse().unwrap(), endpoint, &settings, &Value::Null, TIMEOUT, client)
        .unwrap()
}

async fn send(rule: &Rule) -> Result<Accepted, Failure> {
    let client = mock_client!(aws_sdk_sesv2, RuleMode::Sequential, [rule]);
    provider(&client, None).send(&outgoing()).await
}

#[tokio::test]
async fn a_mail_has_text_html_tag_and_configuration_set() {
    let is_ours = |request: &SendEmailInput| {
        let simple = request.content().unwrap().simple().unwrap();
        let (subject, body) = (simple.subject().unwrap(), simple.body().unwrap());
        let tag = &request.email_tags()[0];
        assert_eq!(request.from_email_address(), Some("=?UTF-8?B?5rCR5a6/?= <noreply@example.com>"));
        assert_eq!(request.destination().unwrap().to_addresses(), ["ann@example.com"]);
        assert_eq!(subject.data(), "订单已确认  Bcc: eve@example.com", "one line, whatever it says");
        assert_eq!((body.text().unwrap().data(), body.text().unwrap().charset()), ("您好", Some("UTF-8")));
        assert_eq!(body.html().unwrap().data(), "<p>您好</p>");
        assert_eq!((tag.name(), tag.value()), ("message_id", "01KA3Z5QJ8M4T2R7V9X1C6B0NG"));
        assert_eq!(request.configuration_set_name(), Some("mails"));
        true
    };
    let sends = mock!(Client::send_email)
        .match_requests(is_ours)
        .then_output(|| SendEmailOutput::builder().message_id("0100-abc").build());
    let accepted = Accepted { reference: Some("0100-abc".into()), dead: vec![] };
    assert_eq!(send(&sends).await, Ok(accepted));
}

#[tokio::test]
async fn each_exception_has_its_verdict() {
    macro_rules! refused {
        ($exception:ident) => {
            refused!($exception, "x")
        };
        ($exception:ident, $message:literal) => {{
            let rule = mock!(Client::send_email)
                .then_error(|| SendEmailError::$exception($exception::builder().message($message).build()));
            send(&rule).await.unwrap_err().verdict
        }};
    }
    assert_eq!(refused!(TooManyRequestsException), Verdict::Retry);
    assert_eq!(refused!(TooManyRequestsException, "Daily message quota exceeded"), Verdict::FailOver);
    assert_eq!(refused!(AccountSuspendedException), Verdict::FailOver);
    assert_eq!(refused!(SendingPausedException), Verdict::FailOver);
    assert_eq!(refused!(MailFromDomainNotVerifiedException), Verdict::FailOver);
    assert_eq!(refused!(LimitExceededException), Verdict::FailOver);
    assert_eq!(refused!(NotFoundException), Verdict::FailOver);
    assert_eq!(refused!(MessageRejected, "Email address is not verified."), Verdict::FailOver);
    assert_eq!(refused!(MessageRejected), Verdict::GiveUp);
    assert_eq!(refused!(BadRequestException), Verdict::GiveUp);
}

#[tokio::test]
async fn answers_of_no_known_exception_go_by_code_and_status() {
    for (status, code, verdict) in [
        (400, "ThrottlingException", Verdict::Retry),
        (403, "AccessDeniedException", Verdict::FailOver),
        (403, "ExpiredTokenException", Verdict::FailOver),
        (500, "InternalFailure", Verdict::FailOver),
        (503, "ServiceUnavailable", Verdict::FailOver),
        (504, "GatewayTimeout", Verdict::Unknown),
    ] {
        let answers = mock!(Client::send_email).then_http_response(move || {
            let body = format!(r#"{{"__type": "{code}", "message": "of ann@example.com"}}"#);
            HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
        });
        assert_eq!(send(&answers).await, Err(Failure::new(verdict, code)));
    }
}

#[tokio::test]
async fn another_channel_s_address_and_a_mail_without_title_are_not_sent() {
    let never = mock!(Client::send_email).then_output(|| SendEmailOutput::builder().build());
    let client = mock_client!(aws_sdk_sesv2, RuleMode::Sequential, [&never]);
    let ses = provider(&client, None);
    let phone = Outgoing { address: Address::Phone("+8613800138000".parse().unwrap()), ..outgoing() };
    assert_eq!(ses.send(&phone).await, Err(Failure::new(Verdict::Skip, "wrong-channel")));
    let mut untitled = outgoing();
    untitled.rendered.title = None;
    assert_eq!(ses.send(&untitled).await, Err(Failure::new(Verdict::GiveUp, "no-title")));
    assert_eq!(never.num_calls(), 0);
}

fn sdk_config() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .build()
}

/// A server that counts what it is asked, and answers with `answer`.
#[derive(Debug, Clone)]
struct Server {
    answer: Answer,
    asked: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Status(u16),
    HangsUp,
    Never,
}

impl HttpConnector for Server {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.answer {
            Answer::Status(status) => {
                let status = status.try_into().unwrap();
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from("{}"))))
            }
            Answer::HangsUp => HttpConnectorFuture::ready(Err(ConnectorError::io("reset".into()))),
            Answer::Never => HttpConnectorFuture::new(pending()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_mail_is_sent_once_even_where_the_sdk_would_try_again() {
    for (answer, verdict) in [
        (Answer::Status(503), Verdict::FailOver),
        (Answer::HangsUp, Verdict::Unknown),
        (Answer::Never, Verdict::Unknown),
    ] {
        let server = Server { answer, asked: Arc::default() };
        let connector = SharedHttpConnector::new(server.clone());
        let config =
            sdk_config().into_builder().http_client(http_client_fn(move |_, _| connector.clone())).build();
        let retrying = Client::new(&config);
        for client in [client(&config, TIMEOUT), retrying] {
            let before = server.asked.load(Ordering::Relaxed);
            let failed = provider(&client, None).send(&outgoing()).await.unwrap_err();
            assert_eq!(failed.verdict, verdict, "{answer:?} {failed:?}");
            assert_eq!(server.asked.load(Ordering::Relaxed) - before, 1, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_was_never_reached_has_not_got_the_mail() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = client(&sdk_config(), TIMEOUT);
    for endpoint in [nobody.as_str(), "https://nobody.invalid"] {
        let failed = provider(&client, Some(endpoint)).send(&outgoing()).await;
        assert_eq!(failed, Err(Failure::new(Verdict::FailOver, "unreachable")), "{endpoint}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_after_the_request_may_have_got_the_mail() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let hangs_up = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
    };
    let ses = provider(&client(&sdk_config(), TIMEOUT), Some(&endpoint));
    let mail = outgoing();
    let (failed, ()) = tokio::join!(ses.send(&mail), hangs_up);
    assert_eq!(failed, Err(Failure::new(Verdict::Unknown, "lost")));
}
