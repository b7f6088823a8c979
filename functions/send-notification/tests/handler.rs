//! What senders get, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, sync::Mutex};

use aws_sdk_dynamodb::Client;
use domain_channel::{Category, Channel};
use domain_ids::{BroadcastId, MessageId};
use domain_notification::{
    Accepted, BroadcastStep, BroadcastSteps, Language, MAX_RECEIVERS, Message, MessageStore, ParamValue,
    QueueError, Template, TemplateShelf, TemplateText, TemplateVersion, Variable, VariableKind,
};
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::{NotificationTable, TemplateCache};
use notification_minijinja::Templates;
use send_notification::handler::{self, Chance, Ports};
use serde_json::{Value, json};
use testing::{
    Answer, ApiRequest, EmbeddedDynamoDb, NOTIFICATION_TABLE, NOW, assert_faults_are_hidden,
    assert_paging_is_checked,
};

const ALL: &str = "/v1/notifications";
const ONE: &str = "/v1/notifications/{id}";
const CANCEL: &str = "/v1/notifications/{id}/cancel";
const BROADCASTS: &str = "/v1/admin/broadcasts";
const BROADCAST: &str = "/v1/admin/broadcasts/{id}";
const STOP: &str = "/v1/admin/broadcasts/{id}/cancel";

/// The queue of broadcasts.
#[derive(Default)]
struct Queue {
    steps: Mutex<Vec<BroadcastStep>>,
    is_down: bool,
}

impl BroadcastSteps for Queue {
    async fn send(&self, step: &BroadcastStep) -> Result<(), QueueError> {
        if self.is_down {
            return Err(QueueError::Unavailable("arn:secret".into()));
        }
        self.steps.lock().unwrap().push(step.clone());
        Ok(())
    }
}

struct Desk {
    ports: Ports<NotificationTable, Queue, TemplateCache, Templates>,
}

impl Desk {
    fn at(client: Client) -> Self {
        let store = NotificationTable::new(client, NOTIFICATION_TABLE.into());
        let templates = TemplateCache::new(store.clone(), || NOW);
        Self { ports: Ports { store, queue: Queue::default(), templates, renderer: Templates::default() } }
    }

    /// One with the template `order_confirmed`, and `retired`, which is disabled.
    async fn open() -> Self {
        let desk = Self::at(EmbeddedDynamoDb::with_notification_table().await.0.client());
        for (code, enabled) in [("order_confirmed", true), ("retired", false)] {
            desk.ports.store.insert(&template(code, enabled), &version(code)).await.unwrap();
        }
        desk
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_at(NOW, 0, request).await
    }

    async fn ask_at(&self, at: Timestamp, id: u128, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.ports, Chance { at, id }, request.build()).await.unwrap())
    }

    async fn stored(&self, id: &Value) -> Message {
        let id: MessageId = id.as_str().unwrap().parse().unwrap();
        self.ports.store.message(id).await.unwrap().unwrap()
    }
}

fn template(code: &str, enabled: bool) -> Template {
    Template {
        code: code.parse().unwrap(),
        name: "订单确认短信".into(),
        channel: Channel::Sms,
        category: Category::Order,
        enabled,
        version: 1,
        revision: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn version(code: &str) -> TemplateVersion {
    let content = "订单 {{ orderId }} 已确认，金额 {{ amount }} 元。".into();
    let variable = |name: &str, kind, example| Variable {
        name: name.into(),
        kind,
        optional: false,
        description: None,
        example,
    };
    TemplateVersion {
        code: code.parse().unwrap(),
        version: 1,
        channel: Channel::Sms,
        category: Category::Order,
        variables: vec![
            variable("orderId", VariableKind::Text, ParamValue::Text("O-1".into())),
            variable("amount", VariableKind::MoneyFen, ParamValue::Integer(58_800)),
        ],
        texts: [(Language::default(), TemplateText { title: None, content, html: None })].into(),
        default_language: Language::default(),
        provider_templates: BTreeMap::new(),
        published_at: NOW,
    }
}

fn body(members: &Value) -> Value {
    let mut body = json!({
        "type": "sms", "template": "order_confirmed", "params": { "orderId": "O-1", "amount": 58_800 },
        "to": ["ann"], "idempotencyKey": "k-1",
    });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn by_operator(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("eve", &["admin"])
}

fn send(members: &Value) -> ApiRequest {
    by_operator("POST", ALL).json(&body(members))
}

fn broadcast(members: &Value) -> ApiRequest {
    let mut body = body(&json!({ "to": { "segment": "all" } }));
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    by_operator("POST", BROADCASTS).json(&body)
}

/// The same, signed by the role `role`.
fn signed(request: ApiRequest, role: &str) -> platform_http::Request {
    let mut event = request.event();
    let arn = format!("arn:aws:sts::123456789012:assumed-role/{role}/session");
    event["requestContext"]["authorizer"] = json!({ "iam": { "userArn": arn } });
    testing::request(event)
}

#[tokio::test]
async fn the_sample_events_send_show_list_and_cancel() {
    let desk = Desk::open().await;
    let ask = async |event| {
        let chance = Chance { at: NOW, id: 0 };
        Answer::of(handler::handle(&desk.ports, chance, testing::request(event)).await.unwrap())
    };
    let sample = |name: &str| testing::event(&format!("api/send-notification{name}.json"));
    let sent = ask(sample("")).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!("sent", sent.body);
    });
    let to_it = |name: &str| {
        let mut event = sample(name);
        event["pathParameters"]["id"] = sent.body["items"][1]["id"].clone();
        event
    };
    let shown = ask(to_it("-show")).await;
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!("shown", shown.body);
    });
    let mut listed = shown.body.clone();
    listed.as_object_mut().unwrap().remove("content");
    assert_eq!(ask(sample("-list")).await.body, json!({ "items": [listed] }));
    let cancelled = ask(to_it("-cancel")).await;
    assert_eq!((cancelled.status, &cancelled.body["status"]), (200, &json!("cancelled")));
    assert_eq!(cancelled.body["endedAt"], json!(NOW));
    let internal = ask(sample("-internal")).await;
    assert_eq!((internal.status, &internal.body["accepted"]), (202, &json!(1)), "{}", internal.body);
    let dry_run = ask(sample("-dry-run")).await;
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!("dry_run", dry_run.body);
    });
}

#[tokio::test]
async fn the_sample_events_begin_show_list_and_stop_a_broadcast() {
    let desk = Desk::open().await;
    let ask = async |name: &str| {
        let request =
            testing::request(testing::event(&format!("api/send-notification-broadcast{name}.json")));
        Answer::of(handler::handle(&desk.ports, Chance { at: NOW, id: 0 }, request).await.unwrap())
    };
    let begun = ask("").await;
    let location = "/v1/admin/broadcasts/01M73303000000000000000000";
    assert_eq!((begun.status, begun.header("location")), (202, Some(location)), "{}", begun.body);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!("begun", begun.body);
    });
    assert_eq!(ask("-show").await.body, begun.body);
    assert_eq!(ask("-list").await.body, json!({ "items": [begun.body] }));
    let stopped = ask("-cancel").await;
    assert_eq!((stopped.status, &stopped.body["status"]), (200, &json!("cancelled")));
    assert_eq!(ask("-cancel").await.body, stopped.body, "a repeat changes nothing");
}

#[tokio::test]
async fn a_repeat_takes_what_is_missing_and_returns_the_same_ids() {
    let desk = Desk::open().await;
    let first = desk.ask(send(&json!({}))).await;
    assert_eq!((&first.body["accepted"], &first.body["repeated"]), (&json!(1), &json!(0)));
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = desk.ask(send(&json!({}))).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    assert_eq!(again.items("id"), first.items("id"));
    assert_eq!(again.items("isRepeat"), [true]);
    // One receiver more, and one of them twice.
    let more = desk.ask(send(&json!({ "to": ["bob", "ann", "bob"] }))).await;
    assert_eq!((&more.body["accepted"], &more.body["repeated"]), (&json!(1), &json!(2)));
    assert_eq!(more.items("to"), ["bob", "ann", "bob"]);
    assert_eq!(more.items("id")[1], first.items("id")[0]);
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_caller() {
    let desk = Desk::open().await;
    let first = desk.ask(send(&json!({}))).await;
    let other = json!({ "params": { "orderId": "O-2", "amount": 1 } });
    assert_eq!(desk.ask(send(&other)).await.problem(), (422, "idempotency-key-reused"));
    let of = |request: ApiRequest| async {
        let answer = desk.ask(request).await;
        assert_eq!((answer.status, &answer.body["accepted"]), (202, &json!(1)), "{}", answer.body);
        answer.items("id")[0].clone()
    };
    let mut ids = vec![first.items("id")[0].clone()];
    ids.push(of(ApiRequest::new("POST", ALL).caller("amy", &["admin"]).json(&body(&other))).await);
    ids.push(of(ApiRequest::new("POST", ALL).caller("eve", &["service"]).json(&body(&other))).await);
    for role in ["order-service", "payment-service"] {
        let request = ApiRequest::new("POST", "/v1/internal/notifications").json(&body(&other));
        let chance = Chance { at: NOW, id: 0 };
        let answer = handler::handle(&desk.ports, chance, signed(request, role)).await.unwrap();
        ids.push(Answer::of(answer).items("id")[0].clone());
    }
    ids.sort_by_key(ToString::to_string);
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn the_key_may_be_a_header() {
    let desk = Desk::open().await;
    let without = json!({ "idempotencyKey": null });
    assert_eq!(desk.ask(send(&without)).await.fields(), "idempotencyKey");
    let by_header = desk.ask(send(&without).header("Idempotency-Key", "k-1")).await;
    assert_eq!(by_header.status, 202);
    assert_eq!(desk.ask(send(&json!({}))).await.items("id"), by_header.items("id"));
    let both = desk.ask(send(&json!({})).header("Idempotency-Key", "k-2")).await;
    assert_eq!((both.problem(), both.fields()), ((422, "invalid-body"), "idempotencyKey".into()));
    let none = desk.ask(send(&without).header("Idempotency-Key", "a b")).await;
    assert_eq!(none.problem(), (400, "invalid-idempotency-key"));
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let desk = Desk::open().await;
    let wrong = json!({
        "priority": "5", "params": { "orderId": 7, "x": "y" }, "to": ["ann", "mailto:ann@example.com", "fax:1"],
        "scheduledAt": NOW + SignedDuration::from_hours(24 * 400), "expiresAt": NOW, "idempotencyKey": "",
    });
    let answer = desk.ask(send(&wrong)).await;
    assert_eq!(answer.problem(), (422, "invalid-body"));
    let expected =
        "priority idempotencyKey to/2 to/1 scheduledAt expiresAt params/orderId params/amount params/x";
    assert_eq!(answer.fields(), expected);
    let nothing = desk.ask(send(&json!({ "type": "fax", "to": [] }))).await;
    assert_eq!(nothing.fields(), "type", "nothing else can be checked");
    assert_eq!(desk.ask(send(&json!({ "to": [] }))).await.fields(), "to");
    assert_eq!(desk.ask(send(&json!({ "type": "email" }))).await.fields(), "type");
    assert_eq!(desk.ask(send(&json!({ "typ": "sms" }))).await.fields(), "typ");
}

#[tokio::test]
async fn a_template_must_be_there_and_in_use() {
    let desk = Desk::open().await;
    let of = |template: &str| json!({ "template": template });
    let unknown = desk.ask(send(&of("other"))).await;
    assert_eq!(unknown.problem(), (404, "notification-template-not-found"));
    assert_eq!(desk.ask(send(&of("retired"))).await.problem(), (409, "template-disabled"));
    let faulty = json!({ "template": "retired", "priority": "x" });
    assert_eq!(desk.ask(send(&faulty)).await.problem(), (422, "invalid-body"));
}

#[tokio::test]
async fn a_thousand_receivers_fit_into_a_body_and_no_more_are_taken() {
    let desk = Desk::open().await;
    let guests = |count: usize| -> Vec<String> {
        (0..count).map(|n| format!("0c9c3a2e-6d0b-4f6e-8f0e-{n:012}")).collect()
    };
    let many = body(&json!({ "to": guests(MAX_RECEIVERS) }));
    assert!(many.to_string().len() < platform_http::MAX_BODY_BYTES);
    let taken = desk.ask(by_operator("POST", ALL).json(&many)).await;
    assert_eq!((taken.status, &taken.body["accepted"]), (202, &json!(1_000)), "{}", taken.body);
    let more = desk.ask(send(&json!({ "to": guests(MAX_RECEIVERS + 1), "idempotencyKey": "k-2" }))).await;
    assert_eq!((more.problem(), more.fields()), ((422, "invalid-body"), "to".into()));
}

#[tokio::test]
async fn one_for_later_waits_by_itself_and_many_wait_in_the_table() {
    let desk = Desk::open().await;
    let later = json!(NOW + SignedDuration::from_hours(3));
    for (to, key, waits) in [(json!(["ann"]), "one", false), (json!(["ann", "bob"]), "two", true)] {
        let members =
            json!({ "to": to, "scheduledAt": later, "idempotencyKey": key, "transactionId": "t:1" });
        let answer = desk.ask(send(&members)).await;
        let stored = desk.stored(&answer.items("id")[0]).await;
        assert_eq!((stored.waits, json!(stored.scheduled_at)), (waits, later.clone()));
        assert_eq!(stored.transaction.unwrap().as_str(), "t:1");
    }
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let desk = Desk::open().await;
    let looked = desk.ask(send(&json!({ "dryRun": true, "to": ["ann", "bob", "ann"] }))).await;
    assert_eq!((looked.status, &looked.body["receivers"]), (200, &json!(2)));
    assert_eq!(looked.body["content"], "订单 O-1 已确认，金额 588.00 元。");
    let segment = json!({ "dryRun": true, "idempotencyKey": null });
    for (request, status) in [
        (broadcast(&segment), 200),
        (send(&json!({ "dryRun": true, "to": { "group": "vip" } })), 200),
        (send(&json!({ "dryRun": true, "template": "retired" })), 409),
        (broadcast(&json!({ "dryRun": true, "params": {} })), 422),
    ] {
        let answer = desk.ask(request).await;
        assert_eq!((answer.status, answer.body.get("receivers")), (status, None), "{}", answer.body);
    }
    let list = desk.ask(by_operator("GET", ALL).query("receiver", "ann")).await;
    assert_eq!(list.body, json!({ "items": [] }));
    assert_eq!(desk.ask(by_operator("GET", BROADCASTS)).await.body, json!({ "items": [] }));
    assert!(desk.ports.queue.steps.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_has_become_of_a_notification_is_shown() {
    let desk = Desk::open().await;
    let id = desk.ask(send(&json!({}))).await.items("id")[0].clone();
    let show = || by_operator("GET", ONE).path("id", id.as_str().unwrap());
    let (provider, at) = ("aliyun".parse().unwrap(), NOW + SignedDuration::from_secs(1));
    let pending = desk.stored(&id).await;
    let leased = pending.lease(&provider, at).unwrap();
    let sent = leased.sent(&provider, &Accepted::default(), at).unwrap();
    let delivered = sent.delivered(at).unwrap();
    for (next, status, times) in [
        (leased, "sending", [false, false, false]),
        (sent, "sent", [true, false, false]),
        (delivered, "delivered", [true, true, false]),
    ] {
        assert!(MessageStore::replace(&desk.ports.store, &next).await.unwrap());
        let shown = desk.ask(show()).await.body;
        assert_eq!((&shown["status"], &shown["provider"]), (&json!(status), &json!("aliyun")));
        assert_eq!(["sentAt", "deliveredAt", "endedAt"].map(|name| shown.get(name).is_some()), times);
        assert_eq!((&shown["attempts"], &shown["templateVersion"]), (&json!(1), &json!(1)));
    }
    let cancel = by_operator("POST", CANCEL).path("id", id.as_str().unwrap());
    let late = desk.ask(cancel).await;
    assert_eq!(late.problem(), (409, "notification-not-cancellable"));
    assert_eq!(late.body["notificationStatus"], "delivered");
}

#[tokio::test]
async fn why_a_notification_failed_is_shown() {
    let desk = Desk::open().await;
    let id = desk.ask(send(&json!({}))).await.items("id")[0].clone();
    let failed = desk.stored(&id).await.failed("no-channel", true, NOW).unwrap();
    assert!(MessageStore::replace(&desk.ports.store, &failed).await.unwrap());
    let shown = desk.ask(by_operator("GET", ONE).path("id", id.as_str().unwrap())).await.body;
    let told = ["status", "error", "redrivable", "endedAt"].map(|name| shown[name].clone());
    assert_eq!(told, [json!("failed"), json!("no-channel"), json!(true), json!(NOW)]);
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let desk = Desk::open().await;
    for id in ["01KA3Z5QJ8M4T2R7V9X1C6B0NG", "nonsense"] {
        for (request, slug) in [
            (by_operator("GET", ONE), "notification-not-found"),
            (by_operator("POST", CANCEL), "notification-not-found"),
            (by_operator("GET", BROADCAST), "broadcast-not-found"),
            (by_operator("POST", STOP), "broadcast-not-found"),
        ] {
            assert_eq!(desk.ask(request.path("id", id)).await.problem(), (404, slug));
        }
    }
    assert_eq!(desk.ask(by_operator("PUT", ALL)).await.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn a_receiver_s_notifications_are_listed_the_newest_first() {
    let desk = Desk::open().await;
    let mut expected = Vec::new();
    for n in 0..7 {
        let request = send(&json!({ "idempotencyKey": format!("k-{n}"), "to": ["ann", "bob"] }));
        let at = NOW + SignedDuration::from_secs(n);
        expected.push(desk.ask_at(at, 0, request).await.items("id")[0].clone());
    }
    expected.reverse();
    let list = by_operator("GET", ALL).query("receiver", "ann");
    let pages =
        testing::pages("id", list.clone().query("limit", "3"), async |request| desk.ask(request).await);
    let pages = pages.await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!(pages.concat(), expected);
    assert_paging_is_checked(list, 100, async |request| desk.ask(request).await).await;
    for request in [by_operator("GET", ALL), by_operator("GET", ALL).query("receiver", "tel:1")] {
        let refused = desk.ask(request).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "invalid-parameter"), "receiver".into()));
    }
}

#[tokio::test]
async fn a_broadcast_is_begun_once_and_helped_on_by_a_repeat() {
    let desk = Desk::open().await;
    let first = desk.ask_at(NOW, 1, broadcast(&json!({}))).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, None), "{}", first.body);
    let again = desk.ask_at(NOW, 2, broadcast(&json!({}))).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    assert_eq!(again.body, first.body);
    // The same asked for where single ones are.
    let elsewhere = desk.ask_at(NOW, 3, send(&json!({ "to": { "segment": "all" } }))).await;
    assert_eq!(elsewhere.body, first.body);
    let steps = desk.ports.queue.steps.lock().unwrap().clone();
    assert!(steps.len() == 3 && steps.iter().all(|step| step.page == 0 && *step == steps[0]));
    let other = desk.ask_at(NOW, 4, broadcast(&json!({ "to": { "group": "vip" } }))).await;
    assert_eq!(other.problem(), (422, "idempotency-key-reused"));
}

#[tokio::test]
async fn a_broadcast_whose_step_was_not_taken_is_not_lost() {
    let mut desk = Desk::open().await;
    desk.ports.queue.is_down = true;
    let failed = desk.ask_at(NOW, 1, broadcast(&json!({}))).await;
    assert_eq!(failed.problem(), (503, "try-again"));
    assert!(!failed.body.to_string().contains("arn:"));
    desk.ports.queue.is_down = false;
    let again = desk.ask_at(NOW, 2, broadcast(&json!({}))).await;
    assert_eq!(again.body["id"], json!(BroadcastId::from_parts(NOW.as_millisecond().unsigned_abs(), 1)));
    assert_eq!(desk.ports.queue.steps.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_broadcast_is_checked_like_anything_else() {
    let desk = Desk::open().await;
    assert_eq!(desk.ask(broadcast(&json!({ "to": ["ann"] }))).await.fields(), "to");
    assert_eq!(desk.ask(broadcast(&json!({ "params": {} }))).await.fields(), "params/orderId params/amount");
    let both = json!({ "params": {}, "priority": "x" });
    assert_eq!(desk.ask(broadcast(&both)).await.fields(), "priority params/orderId params/amount");
    assert_eq!(desk.ask(broadcast(&json!({ "to": { "segment": "x" } }))).await.fields(), "to/segment");
    let unknown = desk.ask(broadcast(&json!({ "template": "x" }))).await;
    assert_eq!(unknown.problem(), (404, "notification-template-not-found"));
}

#[tokio::test]
async fn broadcasts_are_listed_the_newest_first() {
    let desk = Desk::open().await;
    let mut expected = Vec::new();
    for n in 0..5_u32 {
        let at = NOW + SignedDuration::from_secs(n.into());
        let request = broadcast(&json!({ "idempotencyKey": format!("k-{n}") }));
        expected.push(desk.ask_at(at, n.into(), request).await.body["id"].clone());
    }
    expected.reverse();
    let list = by_operator("GET", BROADCASTS);
    let ask = async |request| desk.ask(request).await;
    let pages = testing::pages("id", list.clone().query("limit", "2"), ask).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(pages.concat(), expected);
    assert_paging_is_checked(list, 50, async |request| desk.ask(request).await).await;
}

#[tokio::test]
async fn each_route_has_its_callers() {
    let desk = Desk::open().await;
    let id = |request: ApiRequest| request.path("id", "01KA3Z5QJ8M4T2R7V9X1C6B0NG");
    for (method, route) in [("POST", ALL), ("GET", ALL), ("GET", ONE), ("POST", CANCEL)] {
        let request = || id(ApiRequest::new(method, route));
        assert_eq!(desk.ask(request()).await.problem(), (401, "unauthenticated"), "{route}");
        assert_eq!(desk.ask(request().caller("ann", &["guest"])).await.problem(), (403, "forbidden"));
        for group in ["admin", "service"] {
            let status = desk.ask(request().caller("ann", &[group])).await.status;
            assert!(![401, 403].contains(&status), "{route}");
        }
        let internal = || id(ApiRequest::new(method, &route.replace("/v1/", "/v1/internal/")));
        let by_token = desk.ask(internal().caller("ann", &["admin"])).await;
        assert_eq!(by_token.problem(), (401, "unauthenticated"), "{route}");
        let request = signed(internal(), "order-service");
        let answer = handler::handle(&desk.ports, Chance { at: NOW, id: 0 }, request).await.unwrap();
        assert!(![401, 403].contains(&answer.status().as_u16()), "{route}");
    }
    for (method, route) in [("POST", BROADCASTS), ("GET", BROADCASTS), ("GET", BROADCAST), ("POST", STOP)] {
        let request = || id(ApiRequest::new(method, route));
        assert_eq!(desk.ask(request()).await.problem(), (401, "unauthenticated"), "{route}");
        assert_eq!(desk.ask(request().caller("ann", &["service"])).await.problem(), (403, "forbidden"));
    }
}

#[tokio::test]
async fn a_store_outage_is_503_and_leaks_nothing() {
    let id = |request: ApiRequest| request.path("id", "01KA3Z5QJ8M4T2R7V9X1C6B0NG");
    for request in [
        send(&json!({})),
        send(&json!({ "priority": "x" })),
        send(&json!({ "dryRun": true })),
        broadcast(&json!({})),
        id(by_operator("GET", ONE)),
        id(by_operator("POST", CANCEL)),
        by_operator("GET", ALL).query("receiver", "ann"),
        by_operator("GET", BROADCASTS),
        id(by_operator("GET", BROADCAST)),
        id(by_operator("POST", STOP)),
    ] {
        assert_faults_are_hidden(async |client| Desk::at(client).ask(request.clone()).await).await;
    }
}
