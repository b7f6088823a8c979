//! The handler on an embedded DynamoDB, called as API Gateway does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::{BASE64, HEXLOWER};
use domain_channel::{Category, Channel, Priority};
use domain_ids::MessageId;
use domain_notification::{
    Accepted, Address, Channels, Guests, Message, MessageStore, Params, Receiver, References, State, Status,
    TemplateRef,
};
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::NotificationTable;
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use platform_http::{Body, Request, Response};
use proptest::prelude::*;
use receive_delivery_report::handler::{self, Known, MAX_BODY_BYTES, MAX_REPORTS};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOTIFICATION_TABLE, NOW, assert_faults_are_hidden};

const ROUTE: &str = "/v1/delivery-reports/{provider}";
const CALLBACK_TOKEN: &str = "local-callback-token-0123456789abcdef";
const WECHAT_TOKEN: &str = "wechat-stub-push-token";
/// Of the private key [`SENDGRID_KEY`].
const SENDGRID_PUBLIC_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHhhTL9R1TALzBB2cdc6zO4P/2BrHzk/ogsyxyYvFiW6kbDEcTi/0DdlqNlPm5FRF0y3+SG7O11x6kMahiIHAow==";
const SENDGRID_KEY: [u8; 32] = [7; 32];
const SAMPLES: [&str; 5] = ["aliyun", "tencent", "sendgrid", "wechat-official", "wechat-mini"];

fn channels() -> Channels {
    json!({ "channels": {
        "sms": { "delivery": "at_most_once", "providers": [
            { "name": "aliyun", "kind": "aliyun" }, { "name": "tencent", "kind": "tencent" },
            { "name": "aliyun-2", "kind": "aliyun", "enabled": false }, { "name": "sns", "kind": "sns_sms" },
        ] },
        "email": { "delivery": "at_least_once", "providers": [
            { "name": "ses", "kind": "ses" }, { "name": "sendgrid", "kind": "sendgrid" },
            { "name": "smtp", "kind": "smtp" },
        ] },
        "wechat": { "delivery": "at_least_once", "providers": [
            { "name": "wechat_official", "kind": "wechat_official" }, { "name": "wechat_mini", "kind": "wechat_mini" },
        ] },
        "push": { "delivery": "at_least_once", "providers": [{ "name": "sns_push", "kind": "sns_push" }] },
        "internal": { "delivery": "at_least_once", "providers": [{ "name": "inbox", "kind": "inbox" }] },
    } })
    .to_string()
    .parse()
    .unwrap()
}

fn secrets() -> Value {
    json!({
        "aliyun": { "callbackToken": CALLBACK_TOKEN },
        "tencent": { "callbackToken": CALLBACK_TOKEN },
        "sendgrid": { "webhookPublicKey": SENDGRID_PUBLIC_KEY },
        "wechat_official": { "token": WECHAT_TOKEN },
        "wechat_mini": { "token": WECHAT_TOKEN },
    })
}

struct Desk {
    db: EmbeddedDynamoDb,
    table: NotificationTable,
    channels: Channels,
    secrets: Value,
}

impl Desk {
    async fn open() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
        let table = NotificationTable::new(db.client(), name);
        Self { db, table, channels: channels(), secrets: secrets() }
    }

    async fn raw(&self, now: Timestamp, request: Request) -> Response<Body> {
        let known = Known { channels: &self.channels, secrets: &self.secrets };
        handler::handle(&self.table, known, now, request).await.unwrap()
    }

    /// Status, media type and body.
    async fn call(&self, request: Request) -> (u16, String, String) {
        let response = self.raw(NOW, request).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let media = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let body = String::from_utf8(response.body().as_ref().to_vec()).unwrap();
        (response.status().as_u16(), media.unwrap_or_default(), body)
    }

    async fn refusal(&self, now: Timestamp, request: Request) -> (u16, String) {
        let answer = Answer::of(self.raw(now, request).await);
        let (status, slug) = answer.problem();
        (status, slug.to_owned())
    }

    /// Adds a message that `provider` has taken as `reference`.
    async fn sent(&self, id: MessageId, to: &str, provider: &str, reference: &str) {
        let provider = provider.parse().unwrap();
        let accepted = Accepted { reference: Some(reference.into()), dead: Vec::new() };
        let sent = pending(id, to).lease(&provider, NOW).unwrap().sent(&provider, &accepted, NOW).unwrap();
        self.table.add(&sent).await.unwrap();
        self.table.refer(&provider, reference, id, NOW + SignedDuration::from_hours(1)).await.unwrap();
    }

    async fn message(&self, id: MessageId) -> Message {
        self.table.message(id).await.unwrap().unwrap()
    }

    async fn is_suppressed(&self, address: Address) -> bool {
        self.table.is_suppressed(&address).await.unwrap()
    }

    async fn items(&self) -> Value {
        let items =
            self.db.client().scan().table_name(NOTIFICATION_TABLE).send().await.unwrap().items.unwrap();
        let mut items: Vec<String> = items
            .into_iter()
            .map(|item| format!("{:?}", item.into_iter().collect::<std::collections::BTreeMap<_, _>>()))
            .collect();
        items.sort_unstable();
        json!(items)
    }
}

fn id(n: u128) -> MessageId {
    MessageId::from_parts(1_794_326_400_000, n)
}

/// The message of the sample events that name it by our id.
fn sample_id() -> MessageId {
    "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()
}

fn pending(id: MessageId, to: &str) -> Message {
    let receiver: Receiver = to.parse().unwrap();
    Message {
        id,
        channel: Channel::Sms,
        priority: Priority::High,
        category: Category::Order,
        template: TemplateRef { code: "order_confirmed".parse().unwrap(), version: 1 },
        params: Params::default(),
        receiver,
        accepted_at: NOW,
        scheduled_at: None,
        expires_at: None,
        transaction: None,
        broadcast: None,
        fingerprint: 0,
        waits: false,
        is_digest: false,
        digest: None,
        attempts: 0,
        error: None,
        state: State::Pending,
        revision: 1,
    }
}

fn sample(name: &str) -> Value {
    testing::event(&format!("api/receive-delivery-report-{name}.json"))
}

fn phone() -> Address {
    Address::Phone("+8613800138000".parse().unwrap())
}

fn post(provider: &str) -> ApiRequest {
    ApiRequest::new("POST", ROUTE).path("provider", provider)
}

fn from_aliyun(reports: &Value) -> Request {
    post("aliyun").query("token", CALLBACK_TOKEN).json(reports).build()
}

fn aliyun_report(id: MessageId, success: bool, code: &str) -> Value {
    json!({
        "phone_number": "13800138000", "send_time": "2026-11-11 00:00:00", "report_time": "2026-11-11 00:00:02",
        "success": success, "err_code": code, "err_msg": "", "sms_size": "1", "biz_id": "1^0", "out_id": id,
    })
}

fn from_sendgrid(signed_at: Timestamp, body: &str) -> ApiRequest {
    let timestamp = signed_at.as_second().to_string();
    let key = SigningKey::from_slice(&SENDGRID_KEY).unwrap();
    let signature: Signature = key.sign(format!("{timestamp}{body}").as_bytes());
    post("sendgrid")
        .header("x-twilio-email-event-webhook-timestamp", &timestamp)
        .header("x-twilio-email-event-webhook-signature", &BASE64.encode(signature.to_der().as_bytes()))
        .header("content-type", "application/json")
        .body(body)
}

fn sendgrid_events(id: MessageId, event: &str) -> String {
    json!([{
        "event": event, "email": "guest@example.com", "timestamp": NOW.as_second(), "message_id": id,
    }])
    .to_string()
}

fn signed_by_wechat(request: ApiRequest, signed_at: Timestamp) -> ApiRequest {
    let (timestamp, nonce) = (signed_at.as_second().to_string(), "486452656");
    let mut parts = [WECHAT_TOKEN, &timestamp, nonce];
    parts.sort_unstable();
    let signature = HEXLOWER.encode(&Sha1::digest(parts.concat()));
    request.query("signature", &signature).query("timestamp", &timestamp).query("nonce", nonce)
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

const UNSIGNED: (u16, &str) = (401, "invalid-signature");

fn told((status, slug): &(u16, String)) -> (u16, &str) {
    (*status, slug)
}

#[tokio::test]
async fn the_sample_events_are_recorded_and_answered_as_each_provider_expects() {
    let desk = Desk::open().await;
    desk.sent(sample_id(), "tel:+8613800138000", "aliyun", "932702304080415357^0").await;
    desk.sent(id(2), "tel:+8613800138000", "tencent", "2028:f825e6eb4c2a").await;
    desk.sent(id(4), "wechat-official:oOfficial-1", "wechat_official", "200163836").await;
    desk.sent(id(5), "wechat-mini:oMini-1", "wechat_mini", "1700827132819554304").await;
    let call = async |name| desk.call(testing::request(sample(name))).await;
    let status = async |id| desk.message(id).await.status();

    let answer = (200, "application/json".to_owned(), r#"{"code":0,"msg":"ok"}"#.to_owned());
    assert_eq!(call("aliyun").await, answer);
    assert_eq!(status(sample_id()).await, Status::Delivered);

    assert!(!desk.is_suppressed(phone()).await);
    let (code, _, body) = call("tencent").await;
    assert_eq!((code, serde_json::from_str(&body).unwrap()), (200, json!({ "result": 0, "errmsg": "OK" })));
    assert_eq!(status(id(2)).await, Status::Failed);
    assert_eq!(desk.message(id(2)).await.error.as_deref(), Some("CB:0001"));
    assert!(desk.is_suppressed(phone()).await, "there is no such number");

    let success = (200, "text/plain; charset=utf-8".to_owned(), "success".to_owned());
    assert_eq!(call("wechat-official").await, success);
    assert_eq!(status(id(4)).await, Status::Delivered);
    assert_eq!(call("wechat-mini").await, success);
    assert_eq!(status(id(5)).await, Status::Delivered);

    let (code, media, echo) = call("wechat-verify").await;
    assert_eq!(
        (code, media.as_str(), echo.as_str()),
        (200, "text/plain; charset=utf-8", "7038926441723658101")
    );
}

#[tokio::test]
async fn the_sample_of_sendgrid_is_recorded() {
    let desk = Desk::open().await;
    desk.sent(sample_id(), "mailto:guest@example.com", "sendgrid", "14c5d75ce93").await;
    let answer = desk.call(testing::request(sample("sendgrid"))).await;
    assert_eq!(answer, (204, String::new(), String::new()));
    assert_eq!(desk.message(sample_id()).await.status(), Status::Delivered);
}

#[tokio::test]
async fn the_same_report_twice_changes_nothing_more() {
    let desk = Desk::open().await;
    desk.sent(sample_id(), "tel:+8613800138000", "aliyun", "932702304080415357^0").await;
    desk.sent(id(2), "tel:+8613800138000", "tencent", "2028:f825e6eb4c2a").await;
    let mut seen = None;
    for _ in 0..2 {
        for name in SAMPLES {
            assert!(desk.raw(NOW, testing::request(sample(name))).await.status().is_success(), "{name}");
        }
        let items = desk.items().await;
        assert_eq!(seen.get_or_insert_with(|| items.clone()), &items);
    }
}

#[tokio::test]
async fn a_complaint_or_a_dead_mailbox_is_suppressed_and_a_full_one_is_not() {
    for (event, is_dead) in [("spamreport", true), ("bounce", true), ("dropped", false)] {
        let desk = Desk::open().await;
        desk.sent(id(1), "mailto:guest@example.com", "sendgrid", "x").await;
        let request = from_sendgrid(NOW, &sendgrid_events(id(1), event)).build();
        assert_eq!(desk.call(request).await.0, 204);
        let address = Address::Mail("guest@example.com".parse().unwrap());
        assert_eq!(desk.is_suppressed(address).await, is_dead, "{event}");
    }
}

#[tokio::test]
async fn a_report_of_a_message_that_nobody_knows_is_taken() {
    let desk = Desk::open().await;
    for name in SAMPLES.iter().filter(|name| **name != "tencent") {
        assert!(desk.raw(NOW, testing::request(sample(name))).await.status().is_success(), "{name}");
    }
    assert_eq!(desk.items().await, json!([]));
}

#[tokio::test]
async fn all_reports_of_a_call_are_recorded() {
    let desk = Desk::open().await;
    let mut reports = Vec::new();
    for n in 0..20 {
        desk.sent(id(n), "tel:+8613800138000", "aliyun", &n.to_string()).await;
        reports.push(aliyun_report(id(n), n % 2 == 0, "UNDELIVERED"));
    }
    assert_eq!(desk.call(from_aliyun(&json!(reports))).await.0, 200);
    for n in 0..20 {
        let expected = if n % 2 == 0 { Status::Delivered } else { Status::Failed };
        assert_eq!(desk.message(id(n)).await.status(), expected, "{n}");
    }
}

#[tokio::test]
async fn who_does_not_know_the_token_of_the_address_changes_nothing() {
    let desk = Desk::open().await;
    desk.sent(id(1), "tel:+8613800138000", "aliyun", "1").await;
    let before = desk.items().await;
    let report = json!([aliyun_report(id(1), false, "USER_REJECT")]);
    for provider in ["aliyun", "tencent"] {
        let request = |token: &str| post(provider).query("token", token).json(&report);
        for forged in [
            post(provider).json(&report),
            request(""),
            request("guessed"),
            request(&CALLBACK_TOKEN[1..]),
            request(&CALLBACK_TOKEN.to_uppercase()),
            request(CALLBACK_TOKEN).query("token", CALLBACK_TOKEN),
            request(&CALLBACK_TOKEN.repeat(100)),
            post(provider).header("token", CALLBACK_TOKEN).json(&report),
        ] {
            assert_eq!(told(&desk.refusal(NOW, forged.build()).await), UNSIGNED);
        }
    }
    assert_eq!(desk.items().await, before);
}

#[tokio::test]
async fn a_signature_of_something_else_is_refused() {
    let desk = Desk::open().await;
    desk.sent(sample_id(), "mailto:guest@example.com", "sendgrid", "14c5d75ce93").await;
    let mut changed = Vec::new();
    for header in ["signature", "timestamp"].map(|name| format!("x-twilio-email-event-webhook-{name}")) {
        let mut without = sample("sendgrid");
        without["headers"].as_object_mut().unwrap().remove(&header);
        changed.push(without);
    }
    let mut other_body = sample("sendgrid");
    other_body["body"] = sendgrid_events(sample_id(), "bounce").into();
    let mut trimmed = sample("sendgrid");
    trimmed["body"] = trimmed["body"].as_str().unwrap().trim_end().into();
    changed.extend([other_body, trimmed]);
    for name in ["wechat-official", "wechat-mini", "wechat-verify"] {
        for parameter in ["signature", "timestamp", "nonce"] {
            let mut forged = sample(name);
            forged["queryStringParameters"].as_object_mut().unwrap().remove(parameter);
            let query = forged["rawQueryString"].as_str().unwrap().replace(parameter, "other");
            forged["rawQueryString"] = query.into();
            changed.push(forged);
        }
    }
    for event in changed {
        assert_eq!(told(&desk.refusal(NOW, testing::request(event)).await), UNSIGNED);
    }
    assert_eq!(desk.message(sample_id()).await.status(), Status::Sent);
}

#[tokio::test]
async fn a_signature_is_good_for_ten_minutes() {
    let desk = Desk::open().await;
    let sendgrid = |at| from_sendgrid(at, "[]").build();
    let wechat = |at| signed_by_wechat(post("wechat_mini"), at).json(&json!({ "CreateTime": 1 })).build();
    let verify = |at| {
        let request = ApiRequest::new("GET", ROUTE).path("provider", "wechat_official");
        signed_by_wechat(request, at).query("echostr", "1").build()
    };
    for (skew, is_good) in [(-10, true), (10, true), (-11, false), (11, false)] {
        for request in [sendgrid(NOW), wechat(NOW), verify(NOW)] {
            let response = desk.raw(NOW + minutes(skew), request).await;
            if is_good {
                assert!(response.status().is_success(), "{skew}");
            } else {
                assert_eq!(Answer::of(response).problem(), UNSIGNED, "{skew}");
            }
        }
    }
}

#[tokio::test]
async fn a_secret_that_is_missing_or_can_be_guessed_lets_nobody_in() {
    let mut desk = Desk::open().await;
    for secrets in [
        json!({}),
        json!({ "aliyun": { "callbackToken": 7 }, "sendgrid": { "webhookPublicKey": "x" } }),
        json!({ "aliyun": "x", "sendgrid": { "apiKey": "SG" }, "wechat_mini": { "token": "short" } }),
        json!({ "aliyun": { "callbackToken": &CALLBACK_TOKEN[..31] }, "wechat_mini": { "token": "" } }),
    ] {
        desk.secrets = secrets;
        let short = post("aliyun").query("token", &CALLBACK_TOKEN[..31]).json(&json!([])).build();
        let empty = post("aliyun").query("token", "").json(&json!([])).build();
        let sendgrid = from_sendgrid(NOW, "[]").build();
        let wechat = signed_by_wechat(post("wechat_mini"), NOW).body("{}").build();
        for request in [short, empty, sendgrid, wechat] {
            assert_eq!(told(&desk.refusal(NOW, request).await), UNSIGNED);
        }
    }
}

#[tokio::test]
async fn a_provider_comes_again_while_the_secrets_cannot_be_read() {
    let mut desk = Desk::open().await;
    desk.secrets = Value::Null;
    for name in SAMPLES.into_iter().chain(["wechat-verify"]) {
        let answer = Answer::of(desk.raw(NOW, testing::request(sample(name))).await);
        assert_eq!(answer.problem(), (503, "try-again"), "{name}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn only_providers_that_report_here_are_known() {
    let mut desk = Desk::open().await;
    for name in
        ["nobody", "aliyun-2", "sns", "ses", "smtp", "sns_push", "inbox", "No Name", &"x".repeat(2_000)]
    {
        let request = post(name).query("token", CALLBACK_TOKEN).json(&json!([])).build();
        assert_eq!(told(&desk.refusal(NOW, request).await), (404, "unknown-provider"), "{name}");
    }
    for name in ["aliyun", "tencent", "sendgrid", "nobody"] {
        let request = ApiRequest::new("GET", ROUTE).path("provider", name).query("token", CALLBACK_TOKEN);
        assert_eq!(told(&desk.refusal(NOW, request.build()).await), (404, "unknown-provider"), "{name}");
    }
    let route = ApiRequest::new("PUT", ROUTE).path("provider", "aliyun").build();
    assert_eq!(told(&desk.refusal(NOW, route).await), (404, "route-not-found"));
    desk.channels = Channels::default();
    let unconfigured = testing::request(sample("aliyun"));
    assert_eq!(told(&desk.refusal(NOW, unconfigured).await), (404, "unknown-provider"));
}

#[tokio::test]
async fn what_a_provider_would_not_send_is_unreadable() {
    let desk = Desk::open().await;
    for body in ["", "{}", "null", "[{}]", "<xml/>", "[7]"] {
        let aliyun = post("aliyun").query("token", CALLBACK_TOKEN).body(body);
        let tencent = post("tencent").query("token", CALLBACK_TOKEN).body(body);
        let wechat = signed_by_wechat(post("wechat_official"), NOW).body(body);
        for request in [aliyun, tencent, wechat, from_sendgrid(NOW, body)] {
            let told_of = desk.refusal(NOW, request.build()).await;
            assert_eq!(told(&told_of), (400, "unreadable-report"), "{body}");
        }
    }
    let encrypted = "<xml><ToUserName>gh_1</ToUserName><Encrypt>c2VjcmV0</Encrypt></xml>";
    let request = signed_by_wechat(post("wechat_official"), NOW).body(encrypted).build();
    assert_eq!(told(&desk.refusal(NOW, request).await), (400, "unreadable-report"), "not in plain mode");
}

#[tokio::test]
async fn what_else_wechat_pushes_is_taken() {
    let desk = Desk::open().await;
    let text = "<xml><FromUserName>o1</FromUserName><CreateTime>1794326400</CreateTime>\
        <MsgType>text</MsgType><Content>hello</Content></xml>";
    let request = signed_by_wechat(post("wechat_official"), NOW).body(text).build();
    assert_eq!(desk.call(request).await.2, "success");
}

#[tokio::test]
async fn too_much_at_once_is_refused_whole() {
    let desk = Desk::open().await;
    desk.sent(id(1), "tel:+8613800138000", "aliyun", "1").await;
    let mut reports = vec![json!({}); MAX_REPORTS];
    reports[0] = aliyun_report(id(1), true, "DELIVERED");
    let full = from_aliyun(&json!(reports));
    reports.push(json!({}));
    let over = from_aliyun(&json!(reports));
    assert_eq!(told(&desk.refusal(NOW, over).await), (413, "too-many-reports"));
    assert_eq!(desk.message(id(1)).await.status(), Status::Sent);
    assert_eq!(desk.call(full).await.0, 200);
    assert_eq!(desk.message(id(1)).await.status(), Status::Delivered);

    let event = |name| json!({ "event": name, "timestamp": 1, "message_id": id(2) });
    let many = |name| from_sendgrid(NOW, &json!(vec![event(name); MAX_REPORTS + 1]).to_string()).build();
    assert_eq!(told(&desk.refusal(NOW, many("delivered")).await), (413, "too-many-reports"));
    assert_eq!(desk.call(many("open")).await.0, 204, "no reports");

    let large = post("aliyun").query("token", CALLBACK_TOKEN).body(&" ".repeat(MAX_BODY_BYTES + 1)).build();
    assert_eq!(told(&desk.refusal(NOW, large).await), (413, "body-too-large"));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_does_not_keep_the_others_from_being_recorded() {
    let desk = Desk::open().await;
    for n in [1, 3] {
        desk.sent(id(n), "tel:+8613800138000", "aliyun", &n.to_string()).await;
    }
    let text = |text: String| AttributeValue::S(text);
    let broken = desk.db.client().put_item().table_name(NOTIFICATION_TABLE);
    broken
        .item("pk", text(format!("MESSAGE#{}", id(2))))
        .item("sk", text("MESSAGE".into()))
        .send()
        .await
        .unwrap();
    let reports: Vec<Value> = (1..=3).map(|n| aliyun_report(id(n), true, "DELIVERED")).collect();
    let told_of = desk.refusal(NOW, from_aliyun(&json!(reports))).await;
    assert_eq!(told(&told_of), (503, "try-again"), "it is not acknowledged away");
    for n in [1, 3] {
        assert_eq!(desk.message(id(n)).await.status(), Status::Delivered, "{n}");
    }
}

#[tokio::test]
async fn a_store_outage_has_the_provider_come_again_and_leaks_nothing() {
    let (channels, secrets) = (channels(), secrets());
    for name in SAMPLES {
        assert_faults_are_hidden(async |client| {
            let table = NotificationTable::new(client, NOTIFICATION_TABLE.into());
            let known = Known { channels: &channels, secrets: &secrets };
            let request = testing::request(sample(name));
            Answer::of(handler::handle(&table, known, NOW, request).await.unwrap())
        })
        .await;
    }
}

fn blocking(call: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(call);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_body_panics_and_every_answer_is_one_of_ours(
        body in prop_oneof![
            ".{0,200}",
            r#"\[(\{"(success|out_id|report_time|event|timestamp|sid|report_status)": ("[a-zA-Z0-9: -]{0,20}"|true|-?[1-9][0-9]{0,18}|null)\}){1,3}\]"#,
            r"<xml>(<(CreateTime|Event|MsgID|Status|Encrypt)>[a-zA-Z0-9]{0,20}</(CreateTime|Event|MsgID|Status)>){0,4}</xml>",
        ],
        token in ".{0,40}",
    ) {
        blocking(async {
            let desk = Desk::open().await;
            let aliyun = post("aliyun").query("token", CALLBACK_TOKEN).body(&body);
            let tencent = post("tencent").query("token", CALLBACK_TOKEN).body(&body);
            let official = signed_by_wechat(post("wechat_official"), NOW).body(&body);
            let mini = signed_by_wechat(post("wechat_mini"), NOW).body(&body);
            for request in [aliyun, tencent, official, mini, from_sendgrid(NOW, &body)] {
                let status = desk.raw(NOW, request.build()).await.status().as_u16();
                assert!([200, 204, 400].contains(&status), "{status}");
            }
            for provider in ["aliyun", "tencent", "sendgrid", "wechat_official", "wechat_mini"] {
                let forged = ["token", "signature", "timestamp", "nonce"]
                    .iter()
                    .fold(post(provider).body(&body), |request, name| request.query(name, &token));
                assert_eq!(desk.raw(NOW, forged.build()).await.status(), 401);
            }
        });
    }
}
