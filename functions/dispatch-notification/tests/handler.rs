//! Messages of a queue, on an embedded table, by the real clients of providers that are stand-ins.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};

use aws_config::BehaviorVersion;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use dispatch_notification::{
    gateway::{Providers, World},
    handler::handle,
};
use domain_channel::Priority;
use domain_ids::MessageId;
use domain_notification::{
    Channels, DeadLetters, Dispatch, DispatchQueue, Health, Inbox, Message, MessageStore, NewNotification,
    Params, QueueError, Status, Wake, accept, check, create_template,
};
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::{NotificationTable, TemplateCache};
use notification_http::CreateNotificationTemplateRequest;
use notification_minijinja::Templates;
use platform_secrets::CachedSecret;
use provider_stubs::{Fault, Stubs};
use serde_json::{Value, json};
use testing::{EmbeddedDynamoDb, sqs_event};

fn now() -> Timestamp {
    "2026-11-24T10:00:00Z".parse().unwrap()
}

/// What goes back into a queue, and what is buried.
#[derive(Default)]
struct Queues {
    woken: Mutex<Vec<Wake>>,
    buried: Mutex<Vec<(MessageId, Priority, String)>>,
    is_down: bool,
}

impl DispatchQueue for Queues {
    async fn wake(&self, wakes: &[Wake], _: Timestamp) -> Result<(), QueueError> {
        if self.is_down {
            return Err(QueueError::Unavailable("down".into()));
        }
        self.woken.lock().unwrap().extend(wakes);
        Ok(())
    }
}

impl DeadLetters for Queues {
    async fn bury(&self, id: MessageId, priority: Priority, reason: &str) -> Result<(), QueueError> {
        self.buried.lock().unwrap().push((id, priority, reason.into()));
        Ok(())
    }
}

struct Bench {
    _db: EmbeddedDynamoDb,
    table: NotificationTable,
    stubs: Stubs,
    providers: Providers,
    channels: Channels,
    health: Health,
    queues: Queues,
}

impl Bench {
    async fn new() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
        let table = NotificationTable::new(db.client(), name);
        let requests = include_str!("../../../xtask/src/notification_templates.json");
        for request in serde_json::from_str::<Vec<CreateNotificationTemplateRequest>>(requests).unwrap() {
            let new = request.parse().unwrap();
            create_template(&table, &Templates::without_memory(), new, now()).await.unwrap();
        }
        let stubs = Stubs::start_with(Arc::new(now)).await;
        let rule = mock!(aws_sdk_secretsmanager::Client::get_secret_value)
            .then_output(|| GetSecretValueOutput::builder().secret_string(secrets().to_string()).build());
        let secrets = CachedSecret::new(
            mock_client!(aws_sdk_secretsmanager, RuleMode::MatchAny, [&rule]),
            "arn".into(),
        );
        let config = aws_config::SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let time_out = std::time::Duration::from_secs(1);
        let providers = Providers::new(
            notification_ses::client(&config, time_out),
            notification_sns::client(&config, time_out),
            table.clone(),
            secrets,
            World { now, nonce: || format!("{:032x}", fastrand::u128(..)) },
        );
        let channels = channels(&stubs);
        let (health, queues) = (Health::default(), Queues::default());
        Self { _db: db, table, stubs, providers, channels, health, queues }
    }

    async fn accepted(&self, key: &str, template: &str, to: &str, params: Value) -> MessageId {
        let channel = if template == "coupon_expiring" { "internal" } else { "sms" };
        let new = NewNotification {
            scope: "test".into(),
            key: key.into(),
            channel: channel.parse().unwrap(),
            priority: Priority::Urgent,
            template: template.parse().unwrap(),
            params: serde_json::from_value::<Params>(params).unwrap(),
            receivers: vec![to.parse().unwrap()],
            scheduled_at: None,
            expires_at: None,
            transaction: None,
            broadcast: None,
        };
        let templates = TemplateCache::new(self.table.clone(), now);
        let checked = check(&templates, &Templates::default(), new, now()).await.unwrap();
        accept(&self.table, &checked, now()).await.unwrap()[0].id
    }

    async fn code(&self, key: &str) -> MessageId {
        let params = json!({ "code": "471100", "minutes": 5 });
        self.accepted(key, "sign_in_code", "tel:+8613800138000", params).await
    }

    /// The records that failed.
    async fn dispatch(&self, bodies: &[String]) -> Vec<String> {
        let templates = TemplateCache::new(self.table.clone(), now);
        let renderer = Templates::default();
        let dispatch = Dispatch {
            store: &self.table,
            templates: &templates,
            renderer: &renderer,
            gateway: &self.providers,
            health: &self.health,
            channels: &self.channels,
            clock: now,
        };
        let Ok(response) = handle(&dispatch, &self.queues, &self.queues, sqs_event(bodies)).await;
        response.failed().map(Into::into).collect()
    }

    async fn message(&self, id: MessageId) -> Message {
        self.table.message(id).await.unwrap().unwrap()
    }
}

fn secrets() -> Value {
    use provider_stubs::{
        ALIYUN_ACCESS_KEY_ID, ALIYUN_ACCESS_KEY_SECRET, TENCENT_SECRET_ID, TENCENT_SECRET_KEY,
    };

    json!({
        "aliyun": { "accessKeyId": ALIYUN_ACCESS_KEY_ID, "accessKeySecret": ALIYUN_ACCESS_KEY_SECRET },
        "tencent": { "secretId": TENCENT_SECRET_ID, "secretKey": TENCENT_SECRET_KEY },
    })
}

/// Aliyun first, Tencent beside; a third that cannot be set up; the inbox.
fn channels(stubs: &Stubs) -> Channels {
    use provider_stubs::{ALIYUN_SIGN_NAME, TENCENT_APP_ID, TENCENT_SIGN_NAME};

    let aliyun = json!({
        "name": "aliyun", "kind": "aliyun", "tier": 2, "endpoint": stubs.endpoint("aliyun"), "timeoutMs": 1000,
        "settings": { "signName": ALIYUN_SIGN_NAME },
    });
    let tencent = json!({
        "name": "tencent", "kind": "tencent", "tier": 3, "endpoint": stubs.endpoint("tencent"),
        "settings": { "sdkAppId": TENCENT_APP_ID, "signName": TENCENT_SIGN_NAME },
    });
    let misspelled = json!({ "name": "wrong", "kind": "aliyun", "settings": { "sign": "x" } });
    let sms = json!({ "delivery": "at_most_once", "providers": [misspelled, aliyun, tencent] });
    let inbox = json!({ "delivery": "at_least_once", "providers": [{ "name": "inbox", "kind": "inbox" }] });
    json!({ "channels": { "sms": sms, "internal": inbox } }).to_string().parse().unwrap()
}

fn body(id: MessageId) -> String {
    json!({ "message": id }).to_string()
}

#[tokio::test]
async fn the_sample_event_is_understood() {
    let bench = Bench::new().await;
    let event = testing::event("sqs/dispatch-notification.json");
    let sample = event["Records"][0]["body"].as_str().unwrap().to_owned();
    assert!(bench.dispatch(&[sample]).await.is_empty(), "a message that is not there is nothing to do");
}

#[tokio::test]
async fn each_message_of_a_batch_goes_its_own_way() {
    let bench = Bench::new().await;
    let code = bench.code("code").await;
    let params = json!({ "couponName": "满100减20", "days": 3, "expireTime": "2026-12-10T16:00:00Z" });
    let inbox = bench.accepted("inbox", "coupon_expiring", "ann", params).await;
    let bodies = [body(code), "{".into(), body(inbox), body(code)];
    assert_eq!(bench.dispatch(&bodies).await, ["m-1"]);
    assert_eq!(bench.message(code).await.provider().unwrap().as_str(), "aliyun");
    let received = bench.stubs.received();
    assert_eq!(received.len(), 1, "{received:?}");
    assert_eq!(received[0].message_id, Some(code.to_string()));
    let entries = bench.table.entries(&"ann".parse().unwrap(), None, None, 10).await.unwrap();
    assert_eq!(entries.items.len(), 1);
    assert_eq!(bench.message(inbox).await.status(), Status::Sent);
    // Whoever came second found the lease, and asks again when it is over.
    assert!(bench.queues.woken.lock().unwrap().iter().all(|wake| wake.id == code));
}

#[tokio::test]
async fn the_next_provider_takes_what_the_first_does_not() {
    let bench = Bench::new().await;
    bench.stubs.script("aliyun", ["no-credit".parse::<Fault>().unwrap()]);
    let id = bench.code("code").await;
    assert!(bench.dispatch(&[body(id)]).await.is_empty());
    let message = bench.message(id).await;
    assert_eq!((message.provider().unwrap().as_str(), message.attempts), ("tencent", 1));
}

#[tokio::test]
async fn what_is_to_come_again_is_in_its_queue_before_it_is_acknowledged() {
    let mut bench = Bench::new().await;
    let down = ["no-credit".parse::<Fault>().unwrap()];
    for provider in ["aliyun", "tencent"] {
        bench.stubs.script(provider, down.clone());
    }
    let id = bench.code("code").await;
    bench.queues.is_down = true;
    assert_eq!(bench.dispatch(&[body(id)]).await, ["m-0"], "the queue did not take it");
    bench.queues.is_down = false;
    assert!(bench.dispatch(&[body(id)]).await.is_empty(), "its time has come, or it waits for it");
    assert_eq!(bench.message(id).await.attempts, 2);
    assert_eq!(bench.message(id).await.status(), Status::Sent);
}

#[tokio::test]
async fn a_lost_answer_is_no_second_text_message() {
    let bench = Bench::new().await;
    bench.stubs.script("aliyun", ["cut-reply-after-accept".parse::<Fault>().unwrap()]);
    let id = bench.code("code").await;
    assert!(bench.dispatch(&[body(id)]).await.is_empty());
    let wake = bench.queues.woken.lock().unwrap()[0];
    assert_eq!((wake.id, wake.priority), (id, Priority::Urgent));
    assert_eq!(wake.at.duration_since(now()), SignedDuration::from_secs(90), "when the lease is over");
    assert_eq!(bench.stubs.received().len(), 1);
    assert_eq!(bench.message(id).await.status(), Status::Sending);
}

#[tokio::test]
async fn what_cannot_be_sent_is_buried_with_its_reason() {
    let bench = Bench::new().await;
    let without = json!({ "channels": {} }).to_string().parse().unwrap();
    let bench = Bench { channels: without, ..bench };
    let id = bench.code("code").await;
    for _ in 0..2 {
        assert!(bench.dispatch(&[body(id)]).await.is_empty());
    }
    let letter = (id, Priority::Urgent, "no-channel".to_owned());
    assert_eq!(*bench.queues.buried.lock().unwrap(), [letter.clone(), letter], "again, should it be lost");
}
