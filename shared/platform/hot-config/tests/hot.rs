//! A number that follows a file, and one that follows `AppConfig`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    fs::{self, OpenOptions},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_sdk_appconfigdata::{
    Client,
    operation::{
        get_latest_configuration::{GetLatestConfigurationError, GetLatestConfigurationOutput},
        start_configuration_session::StartConfigurationSessionOutput,
    },
    primitives::Blob,
    types::error::BadRequestException,
};
use aws_smithy_mocks::{MockResponse, Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use jiff::Timestamp;
use platform_config::Env;
use platform_hot_config::{HotConfig, MAX_DOCUMENT_BYTES, MAX_STALENESS, RETRY_INTERVAL, Source};

const BUILT_IN: u32 = 0;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_794_326_400 + seconds).unwrap()
}

/// The value at a time, once what it set off in the background is done.
async fn settled(config: &HotConfig<u32>, now: Timestamp) -> u32 {
    config.current(now).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    *config.current(now).await
}

/// `AppConfig`, which is asked with these tokens, and answers as it is told.
struct AppConfig {
    tokens: Arc<Mutex<Vec<String>>>,
    sessions: Rule,
    polls: Rule,
}

#[derive(Clone, Copy)]
enum Answer {
    Document(&'static str),
    Unchanged,
    TokenRefused,
    Broken,
}

impl AppConfig {
    fn answering(answers: &'static [Answer]) -> (Self, HotConfig<u32>) {
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let begun = AtomicUsize::new(0);
        let sessions = mock!(Client::start_configuration_session)
            .match_requests(|request| {
                request.application_identifier() == Some("shop")
                    && request.environment_identifier() == Some("prod")
                    && request.configuration_profile_identifier() == Some("limit")
                    && request.required_minimum_poll_interval_in_seconds() == Some(30)
            })
            .then_output(move || {
                let token = format!("session-{}", begun.fetch_add(1, Ordering::Relaxed));
                StartConfigurationSessionOutput::builder().initial_configuration_token(token).build()
            });
        let seen = Arc::clone(&tokens);
        let asked = AtomicUsize::new(0);
        let polls = mock!(Client::get_latest_configuration)
            .match_requests(move |request| {
                seen.lock().unwrap().push(request.configuration_token().unwrap_or_default().to_owned());
                true
            })
            .then_compute_response(move |_| {
                let n = asked.fetch_add(1, Ordering::Relaxed);
                let answered = |document: &str| {
                    GetLatestConfigurationOutput::builder()
                        .next_poll_configuration_token(format!("poll-{n}"))
                        .next_poll_interval_in_seconds(30)
                        .configuration(Blob::new(document))
                        .build()
                };
                match answers[n] {
                    Answer::Document(document) => MockResponse::Output(answered(document)),
                    Answer::Unchanged => MockResponse::Output(answered("")),
                    Answer::TokenRefused => {
                        let refused = BadRequestException::builder().build();
                        MockResponse::Error(GetLatestConfigurationError::BadRequestException(refused))
                    }
                    Answer::Broken => MockResponse::Error(GetLatestConfigurationError::unhandled("down")),
                }
            });
        let client = mock_client!(aws_sdk_appconfigdata, RuleMode::MatchAny, [&sessions, &polls]);
        let source = Source::app_config(client, "shop".into(), "prod".into(), "limit".into());
        (Self { tokens, sessions, polls }, HotConfig::new(source, BUILT_IN))
    }

    fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn each_poll_uses_the_token_of_the_one_before() {
    let (service, config) =
        AppConfig::answering(&[Answer::Document("1"), Answer::Unchanged, Answer::Document("2")]);
    assert_eq!(*config.current(at(0)).await, 1, "the first load is waited for");
    assert_eq!(settled(&config, at(29)).await, 1);
    assert_eq!(service.polls.num_calls(), 1, "not before its time");
    assert_eq!(settled(&config, at(30)).await, 1, "an empty body is no change");
    assert_eq!(*config.current(at(60)).await, 1, "the value is there at once");
    assert_eq!(settled(&config, at(60)).await, 2, "and is refreshed meanwhile");
    assert_eq!(service.tokens(), ["session-0", "poll-0", "poll-1"]);
    assert_eq!(service.sessions.num_calls(), 1);
}

#[tokio::test]
async fn a_failure_keeps_what_was_good_and_begins_another_session() {
    let (service, config) =
        AppConfig::answering(&[Answer::Document("1"), Answer::Broken, Answer::Document("2")]);
    config.current(at(0)).await;
    assert_eq!(settled(&config, at(30)).await, 1);
    assert_eq!(settled(&config, at(39)).await, 1);
    assert_eq!(service.polls.num_calls(), 2, "it is left alone for a while");
    assert_eq!(settled(&config, at(30) + RETRY_INTERVAL).await, 2);
    assert_eq!(service.tokens(), ["session-0", "poll-0", "session-1"]);
}

#[tokio::test]
async fn a_token_that_is_too_old_is_replaced_at_once() {
    let (service, config) =
        AppConfig::answering(&[Answer::Document("1"), Answer::TokenRefused, Answer::Document("2")]);
    config.current(at(0)).await;
    assert_eq!(*config.current(at(100_000)).await, 2, "after a long time it is waited for");
    assert_eq!(service.tokens(), ["session-0", "poll-0", "session-1"]);
}

#[tokio::test]
async fn an_invalid_document_keeps_what_was_good() {
    let (_, config) = AppConfig::answering(&[
        Answer::Document("1"),
        Answer::Document("many"),
        Answer::Unchanged,
        Answer::Document("3"),
    ]);
    config.current(at(0)).await;
    for (seconds, value) in [(30, 1), (60, 1), (90, 3)] {
        assert_eq!(settled(&config, at(seconds)).await, value, "after {seconds} s");
    }
}

#[tokio::test]
async fn before_there_is_anything_good_the_built_in_value_is_in_force() {
    let (service, config) =
        AppConfig::answering(&[Answer::Broken, Answer::Document("-1"), Answer::Document("5")]);
    assert_eq!(*config.current(at(0)).await, BUILT_IN);
    assert_eq!(*config.current(at(1)).await, BUILT_IN);
    assert_eq!(service.polls.num_calls(), 1);
    assert_eq!(*config.current(at(10)).await, BUILT_IN);
    assert_eq!(settled(&config, at(40)).await, 5);
}

#[tokio::test]
async fn a_crowd_sets_off_one_load_and_one_refresh() {
    let (service, config) = AppConfig::answering(&[Answer::Document("1"), Answer::Document("2")]);
    let crowd = async |now| {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let config = config.clone();
            tasks.spawn(async move { *config.current(now).await });
        }
        tasks.join_all().await
    };
    assert_eq!(crowd(at(0)).await, [1; 50]);
    assert_eq!(service.polls.num_calls(), 1);
    crowd(at(30)).await;
    assert_eq!(settled(&config, at(30)).await, 2);
    assert_eq!(service.polls.num_calls(), 2);
}

#[tokio::test]
async fn what_is_too_old_is_looked_at_first() {
    let (_, config) = AppConfig::answering(&[Answer::Document("1"), Answer::Document("2")]);
    config.current(at(0)).await;
    assert_eq!(*config.current(at(0) + MAX_STALENESS).await, 2);
}

#[tokio::test]
async fn a_clock_set_back_does_not_stop_the_polls() {
    let (_, config) = AppConfig::answering(&[Answer::Document("1"), Answer::Document("2")]);
    config.current(at(0)).await;
    assert_eq!(*config.current(at(-3_600)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_is_not_waited_for_long() {
    let never = aws_sdk_appconfigdata::Config::builder()
        .behavior_version(aws_sdk_appconfigdata::config::BehaviorVersion::latest())
        .region(aws_sdk_appconfigdata::config::Region::from_static("us-east-1"))
        .with_test_defaults_v2()
        .http_client(aws_sdk_appconfigdata::config::SharedHttpClient::new(http_client_fn(|_, _| {
            SharedHttpConnector::new(Never)
        })))
        .build();
    let source = Source::app_config(Client::from_conf(never), "a".into(), "b".into(), "c".into());
    let config = HotConfig::new(source, BUILT_IN);
    let before = tokio::time::Instant::now();
    assert_eq!(*config.current(at(0)).await, BUILT_IN);
    assert_eq!(before.elapsed().as_secs(), platform_hot_config::FETCH_DEADLINE.as_secs());
}

/// A server that is there and says nothing.
#[derive(Debug)]
struct Never;

impl HttpConnector for Never {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(std::future::pending())
    }
}

/// A file, and the time that its last change is given.
struct OnDisk {
    directory: tempfile::TempDir,
    changed: std::cell::Cell<u64>,
}

impl OnDisk {
    fn with(document: &[u8]) -> (Self, HotConfig<u32>) {
        let file = Self { directory: tempfile::tempdir().unwrap(), changed: 0.into() };
        file.write(document);
        let location = format!("file:{}", file.directory.path().join("limit").display());
        let env = Env::from_pairs([("LIMIT", location)]);
        let config = HotConfig::from_env(&env, "LIMIT", &SdkConfig::builder().build(), BUILT_IN).unwrap();
        (file, config)
    }

    fn write(&self, document: &[u8]) {
        let path = self.directory.path().join("limit");
        fs::write(&path, document).unwrap();
        self.changed.set(self.changed.get() + 1);
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(self.changed.get());
        OpenOptions::new().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    }

    fn remove(&self) {
        fs::remove_file(self.directory.path().join("limit")).unwrap();
    }
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes() {
    let (file, config) = OnDisk::with(b"1");
    assert_eq!(*config.current(at(0)).await, 1);
    file.write(b"2");
    assert_eq!(settled(&config, at(1)).await, 2);
    assert_eq!(settled(&config, at(2)).await, 2);
    let too_large = vec![b'1'; MAX_DOCUMENT_BYTES + 1];
    for (seconds, broken) in [(20, &b"many"[..]), (40, b"\xff"), (60, &too_large)] {
        file.write(broken);
        assert_eq!(settled(&config, at(seconds)).await, 2, "after {seconds} s");
    }
    file.remove();
    assert_eq!(settled(&config, at(80)).await, 2);
    file.write(b"3");
    assert_eq!(settled(&config, at(100)).await, 3);
}

#[tokio::test]
async fn without_a_source_the_built_in_value_is_in_force_for_good() {
    let none = Env::from_pairs([("LIMIT", "")]);
    let config: HotConfig<u32> =
        HotConfig::from_env(&none, "LIMIT", &SdkConfig::builder().build(), 7).unwrap();
    assert_eq!(*config.current(at(0)).await, 7);
    assert_eq!(*HotConfig::<u32>::fixed(8).current(at(0)).await, 8);
    let wrong = Env::from_pairs([("LIMIT", "a/b/c")]);
    let error = HotConfig::<u32>::from_env(&wrong, "LIMIT", &SdkConfig::builder().build(), 7).unwrap_err();
    assert!(error.to_string().contains("LIMIT") && error.to_string().contains("appconfig:"), "{error}");
}
