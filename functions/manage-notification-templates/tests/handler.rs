//! What an operator gets, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use aws_sdk_dynamodb::Client;
use domain_channel::{Channel, Priority};
use domain_notification::{MessageStore, ParamValue};
use manage_notification_templates::handler::{self, Chance};
use notification_dynamodb::NotificationTable;
use notification_minijinja::Templates;
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW};

const ALL: &str = "/v1/admin/notification-templates";
const ONE: &str = "/v1/admin/notification-templates/{code}";
const VERSIONS: &str = "/v1/admin/notification-templates/{code}/versions";
const VERSION: &str = "/v1/admin/notification-templates/{code}/versions/{version}";
const PREVIEW: &str = "/v1/admin/notification-templates/{code}/preview";
const TESTS: &str = "/v1/admin/notification-templates/{code}/test-sends";

/// Where an operator works.
struct Desk {
    table: NotificationTable,
    requests: AtomicU64,
}

impl Desk {
    fn at(client: Client) -> Self {
        let table = NotificationTable::new(client, testing::NOTIFICATION_TABLE.into());
        Self { table, requests: 0.into() }
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_notification_table().await.0.client())
    }

    /// One with the template `welcome`, a mail.
    async fn with_template() -> Self {
        let desk = Self::open().await;
        let created = desk.ask(create(&json!({}))).await;
        assert_eq!(created.status, 201, "{}", created.body);
        desk
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_event(request.event()).await
    }

    async fn ask_event(&self, event: Value) -> Answer {
        let chance = Chance { at: NOW, key: self.requests.fetch_add(1, Ordering::Relaxed).into() };
        let request = testing::request(event);
        let renderer = Templates::without_memory();
        Answer::of(handler::handle(&self.table, &renderer, chance, request).await.unwrap())
    }
}

fn operator(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("eve", &["admin"])
}

fn of_it(method: &str, route: &str) -> ApiRequest {
    operator(method, route).path("code", "welcome")
}

fn on(request: ApiRequest, revision: u64) -> ApiRequest {
    request.header("If-Match", &format!("\"{revision}\""))
}

/// `value` with `members` in place of its own.
fn with(mut value: Value, members: &Value) -> Value {
    value.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    value
}

fn draft() -> Value {
    json!({
        "variables": [
            { "name": "guest", "kind": "text", "example": "安" },
            { "name": "amount", "kind": "money_fen", "optional": true, "description": "红包", "example": 2_000 },
        ],
        "texts": {
            "zh-CN": {
                "title": "欢迎 {{ guest }}", "content": "{{ guest }}，送您 {{ amount }} 元", "html": "<b>{{ guest }}</b>",
            },
            "en": { "title": "Welcome {{ guest }}", "content": "{{ guest }}, here are CNY {{ amount }}" },
        },
        "defaultLanguage": "zh-CN",
        "providerTemplates": { "sendgrid": { "id": "d-1", "params": [{ "name": "sum", "value": "{{ amount }}元" }] } },
    })
}

fn create(members: &Value) -> ApiRequest {
    let head = json!({ "code": "welcome", "name": "欢迎信", "type": "email", "category": "marketing" });
    operator("POST", ALL).json(&with(with(head, &draft()), members))
}

fn publish(revision: u64, members: &Value) -> ApiRequest {
    on(of_it("POST", VERSIONS), revision).json(&with(draft(), members))
}

fn patch(revision: u64, body: &Value) -> ApiRequest {
    on(of_it("PATCH", ONE), revision).json(body)
}

fn preview(body: &Value) -> ApiRequest {
    of_it("POST", PREVIEW).json(body)
}

fn test_send(body: &Value) -> ApiRequest {
    of_it("POST", TESTS).json(body)
}

#[tokio::test]
async fn the_sample_events_create_show_change_publish_preview_and_send_a_template() {
    let desk = Desk::open().await;
    let sample = |name: &str| testing::event(&format!("api/manage-notification-templates-{name}.json"));
    let created = desk.ask_event(sample("create")).await;
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(created.body, @r#"
        {
          "category": "order",
          "code": "order_confirmed",
          "createTime": "2026-11-10T16:00:00Z",
          "enabled": true,
          "name": "订单确认短信",
          "revision": 1,
          "type": "sms",
          "updateTime": "2026-11-10T16:00:00Z",
          "version": 1
        }
        "#);
    });
    let path = format!("{ALL}/order_confirmed");
    assert_eq!((created.status, created.header("location")), (201, Some(path.as_str())));
    assert_eq!(created.header("etag"), Some("\"1\""));
    assert_eq!(created.header("cache-control"), Some("no-store"));
    assert_eq!(desk.ask_event(sample("create")).await.problem(), (409, "template-exists"));
    assert_eq!(desk.ask_event(sample("show")).await.body, created.body);
    assert_eq!(desk.ask_event(sample("list")).await.body, json!({ "items": [created.body] }));

    let shown = desk.ask_event(sample("preview")).await;
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(shown.body, @r#"
        {
          "content": "[Flashsale] Your order O-1 at 西湖云栖小院 is confirmed: CNY 128.00. Check-in: 2026-12-24.",
          "language": "en",
          "providerTemplates": {
            "aliyun": {
              "id": "SMS_100000001",
              "params": [
                {
                  "name": "orderId",
                  "value": "O-1"
                },
                {
                  "name": "amount",
                  "value": "128.00"
                }
              ]
            },
            "sns": {
              "id": "order_confirmed",
              "params": []
            },
            "tencent": {
              "id": "1000001",
              "params": [
                {
                  "name": "1",
                  "value": "O-1"
                },
                {
                  "name": "2",
                  "value": "128.00"
                }
              ]
            }
          }
        }
        "#);
    });
    let published = desk.ask_event(sample("publish")).await;
    assert_eq!((published.status, &published.body["version"]), (201, &json!(2)), "{}", published.body);
    assert_eq!(published.header("location"), Some(format!("{path}/versions/2").as_str()));
    assert_eq!(published.header("etag"), Some("\"2\""));
    let first = desk.ask_event(sample("show-version")).await;
    assert_eq!((first.status, &first.body["version"]), (200, &json!(1)));

    let sent = desk.ask_event(sample("test-send")).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    let off = desk.ask_event(sample("change")).await;
    assert_eq!((off.status, &off.body["enabled"], off.header("etag")), (200, &json!(false), Some("\"3\"")));
    assert_eq!(desk.ask_event(sample("test-send")).await.problem(), (409, "template-disabled"));
}

#[tokio::test]
async fn a_version_reads_back_as_it_was_published() {
    let desk = Desk::with_template().await;
    let english = json!({ "texts": { "en": { "title": "x", "content": "new" } }, "defaultLanguage": "en" });
    assert_eq!(desk.ask(publish(1, &english)).await.status, 201);
    let shown = async |version: &str| desk.ask(of_it("GET", VERSION).path("version", version)).await;
    let first = shown("1").await;
    for name in ["texts", "defaultLanguage", "providerTemplates"] {
        assert_eq!(first.body[name], draft()[name], "{name}");
    }
    let mut variables = draft()["variables"].clone();
    variables[0]["optional"] = json!(false);
    assert_eq!(first.body["variables"], variables);
    assert_eq!(shown("2").await.body["texts"], english["texts"]);
    for version in ["0", "3", "01x", "-1", "4294967296"] {
        assert_eq!(shown(version).await.problem(), (404, "notification-template-not-found"), "{version}");
    }
}

#[tokio::test]
async fn a_preview_shows_examples_parameters_languages_and_drafts() {
    let desk = Desk::with_template().await;
    let shown = desk.ask(preview(&json!({}))).await;
    let expected = json!({
        "language": "zh-CN", "title": "欢迎 安", "content": "安，送您 20.00 元", "html": "<b>安</b>",
        "providerTemplates": { "sendgrid": { "id": "d-1", "params": [{ "name": "sum", "value": "20.00元" }] } },
    });
    assert_eq!((shown.status, &shown.body), (200, &expected));
    let shown = desk
        .ask(preview(&json!({ "language": "en-GB", "params": { "guest": "<Ann>", "amount": "5" } })))
        .await;
    assert_eq!(shown.body["content"], "<Ann>, here are CNY 0.05");
    let shown = desk.ask(preview(&json!({ "params": { "guest": "<Ann>" } }))).await;
    assert_eq!(shown.body["html"], "<b>&lt;Ann&gt;</b>");

    let text = |content: &str| json!({ "texts": { "zh-CN": { "title": "x", "content": content } } });
    let shown = desk.ask(preview(&json!({ "draft": with(draft(), &text("草稿 {{ guest }}")) }))).await;
    assert_eq!(shown.body["content"], "草稿 安");
    let refused = desk.ask(preview(&json!({ "draft": with(draft(), &text("{{ nobody }}")) }))).await;
    assert_eq!(
        (refused.problem(), refused.fields().as_str()),
        ((422, "invalid-body"), "draft/texts/zh-CN/content")
    );
    assert_eq!(desk.ask(patch(1, &json!({}))).await.body["version"], 1, "nothing was kept");

    assert_eq!(desk.ask(publish(2, &text("zwei"))).await.status, 201);
    for (body, content) in [(json!({}), "zwei"), (json!({ "version": 1 }), "安，送您 20.00 元")] {
        assert_eq!(desk.ask(preview(&body)).await.body["content"], content);
    }
    assert_eq!(desk.ask(preview(&json!({ "version": 3 }))).await.problem().0, 404);
    for (params, field) in [
        (json!({ "nobody": "x" }), "params/nobody"),
        (json!({ "amount": -1 }), "params/amount"),
        (json!({ "amount": 1.5 }), "params/amount"),
        (json!({ "guest": { "a": 1 } }), "params/guest"),
        (json!({ "guest": "x".repeat(1_001) }), "params/guest"),
    ] {
        let refused = desk.ask(preview(&json!({ "params": params, "version": 1 }))).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), field));
    }
}

#[tokio::test]
async fn a_test_goes_the_way_of_every_message() {
    let desk = Desk::with_template().await;
    let to = json!({ "to": "mailto:eve@example.com", "params": { "guest": "Eve" } });
    let sent = desk.ask(test_send(&to)).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    let id = sent.body["messageId"].as_str().unwrap().parse().unwrap();
    let message = desk.table.message(id).await.unwrap().unwrap();
    assert_eq!((message.channel, message.priority), (Channel::Email, Priority::High));
    assert_eq!((message.template.code.as_str(), message.template.version), ("welcome", 1));
    assert_eq!(message.params.0["guest"], ParamValue::Text("Eve".into()));
    assert_eq!(message.params.0["amount"], ParamValue::Integer(2_000));
    assert_ne!(desk.ask(test_send(&to)).await.body["messageId"], sent.body["messageId"], "another test");

    let keyed = |body: &Value| test_send(body).header("Idempotency-Key", "k-1");
    let first = desk.ask(keyed(&to)).await;
    let repeat = desk.ask(keyed(&to)).await;
    assert_eq!((first.header("idempotent-replayed"), &first.body), (None, &repeat.body));
    assert_eq!((repeat.status, repeat.header("idempotent-replayed")), (202, Some("true")));
    let other = json!({ "to": "mailto:eve@example.com", "params": { "guest": "Bob" } });
    assert_eq!(desk.ask(keyed(&other)).await.problem(), (422, "idempotency-key-reused"));
    let garbled = test_send(&to).header("Idempotency-Key", "a b");
    assert_eq!(desk.ask(garbled).await.problem(), (400, "invalid-idempotency-key"));

    for (body, field) in [
        (json!({ "to": "tel:+8613800138000" }), "to/0"),
        (json!({ "to": "eve@example.com" }), "to"),
        (json!({ "to": "mailto:eve@example.com", "params": { "amount": "x" } }), "params/amount"),
        (json!({}), "to"),
    ] {
        let refused = desk.ask(test_send(&body)).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), field), "{body}");
        assert!(!refused.body.to_string().contains("13800138000"));
    }
}

#[tokio::test]
async fn a_test_has_the_version_just_published() {
    let desk = Desk::with_template().await;
    assert_eq!(desk.ask(publish(1, &json!({}))).await.status, 201);
    let sent = desk.ask(test_send(&json!({ "to": "ann" }))).await;
    let id = sent.body["messageId"].as_str().unwrap().parse().unwrap();
    assert_eq!(desk.table.message(id).await.unwrap().unwrap().template.version, 2);
}

#[tokio::test]
async fn every_default_template_is_taken_and_shown_in_each_of_its_languages() {
    let desk = Desk::open().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/src/notification_templates.json");
    let requests: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(requests.len() >= 8);
    for request in requests {
        let created = desk.ask(operator("POST", ALL).json(&request)).await;
        assert_eq!(created.status, 201, "{}", created.body);
        for language in request["texts"].as_object().unwrap().keys() {
            let code = request["code"].as_str().unwrap();
            let preview = operator("POST", PREVIEW).path("code", code).json(&json!({ "language": language }));
            let shown = desk.ask(preview).await;
            assert_eq!((shown.status, &shown.body["language"]), (200, &json!(language)), "{code}");
            assert!(!shown.body["content"].as_str().unwrap().trim().is_empty());
        }
    }
}

#[tokio::test]
async fn a_template_that_is_not_sensible_names_every_field_at_fault() {
    let desk = Desk::open().await;
    let text = |members: Value| {
        let text = with(json!({ "title": "x", "content": "x" }), &members);
        json!({ "texts": { "zh-CN": text } })
    };
    let variable = |members: Value| {
        let variable = with(json!({ "name": "guest", "kind": "text", "example": "x" }), &members);
        json!({ "variables": [variable, { "name": "amount", "kind": "money_fen", "example": 1 }] })
    };
    let table = [
        (json!({ "code": "a/b" }), "code"),
        (json!({ "code": "" }), "code"),
        (json!({ "code": "x".repeat(65) }), "code"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "券".repeat(101) }), "name"),
        (json!({ "type": "fax" }), "type"),
        (json!({ "category": "news" }), "category"),
        (json!({ "enabled": "yes" }), "enabled"),
        (json!({ "version": 7 }), "version"),
        (json!({ "texts": {} }), "texts defaultLanguage"),
        (json!({ "texts": { "?": { "content": "x" } } }), "texts/?"),
        (json!({ "defaultLanguage": "fr" }), "defaultLanguage"),
        (json!({ "defaultLanguage": "?" }), "defaultLanguage"),
        (text(json!({ "content": "" })), "texts/zh-CN/content"),
        (text(json!({ "content": "{{ nobody }}" })), "texts/zh-CN/content"),
        (text(json!({ "title": "a\nb" })), "texts/zh-CN/title"),
        (text(json!({ "html": "{{ guest | safe }}" })), "texts/zh-CN/html"),
        (text(json!({ "body": "x" })), "texts/zh-CN/body"),
        (json!({ "type": "sms" }), "texts/zh-CN/html"),
        (
            variable(json!({ "name": "1" })),
            "variables/0/name texts/en/title texts/en/content texts/zh-CN/title texts/zh-CN/content texts/zh-CN/html",
        ),
        (variable(json!({ "kind": "blob" })), "variables/0/kind"),
        (variable(json!({ "kind": "date" })), "variables/0/example"),
        (variable(json!({ "example": { "a": 1 } })), "variables/0/example"),
        (json!({ "providerTemplates": { "a b": { "id": "x" } } }), "providerTemplates/a b"),
        (json!({ "providerTemplates": { "sns": { "id": "" } } }), "providerTemplates/sns/id"),
        (json!({ "name": "", "defaultLanguage": "fr" }), "name defaultLanguage"),
    ];
    for (members, fields) in table {
        let refused = desk.ask(create(&members)).await;
        assert_eq!(refused.problem(), (422, "invalid-body"), "{members:.200}");
        assert_eq!(refused.fields(), fields, "{members:.200}");
    }
    assert_eq!(desk.ask(operator("GET", ALL)).await.items("code"), Vec::<Value>::new());
}

#[tokio::test]
async fn a_version_that_is_not_sensible_is_not_published() {
    let desk = Desk::with_template().await;
    for (members, fields) in [
        (json!({ "defaultLanguage": "fr" }), "defaultLanguage"),
        (json!({ "texts": { "zh-CN": { "content": "x" } } }), "texts/zh-CN/title"),
        (
            json!({ "variables": [] , "texts": { "zh-CN": { "title": "x", "content": "{{ guest }}" } } }),
            "texts/zh-CN/content providerTemplates/sendgrid/params/0/value",
        ),
        (json!({ "type": "sms" }), "type"),
    ] {
        let refused = desk.ask(publish(1, &members)).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), fields));
    }
    assert_eq!(desk.ask(of_it("GET", ONE)).await.body["revision"], 1);
}

#[tokio::test]
async fn a_change_says_what_it_is_based_on() {
    let desk = Desk::with_template().await;
    let unconditional = || [of_it("PATCH", ONE).json(&json!({})), of_it("POST", VERSIONS).json(&draft())];
    for request in unconditional() {
        assert_eq!(desk.ask(request).await.problem(), (428, "precondition-required"));
    }
    for request in unconditional() {
        assert_eq!(desk.ask(request.header("If-Match", "*")).await.problem(), (400, "invalid-if-match"));
    }
    for revision in [0, 2, 1 << 32 | 1] {
        for request in unconditional() {
            assert_eq!(desk.ask(on(request, revision)).await.problem(), (412, "precondition-failed"));
        }
    }
    let named = desk.ask(patch(1, &json!({ "name": "新" }))).await;
    assert_eq!((named.status, &named.body["name"], named.header("etag")), (200, &json!("新"), Some("\"2\"")));
    assert_eq!(desk.ask(patch(1, &json!({ "name": "旧" }))).await.problem(), (412, "precondition-failed"));
    let refused = desk.ask(patch(2, &json!({ "name": "" }))).await;
    assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), "name"));
    assert_eq!(desk.ask(patch(2, &json!({ "type": "sms" }))).await.fields(), "type");
}

/// Every route, as an operator would ask it.
fn every_route() -> [ApiRequest; 8] {
    [
        create(&json!({ "code": "other" })),
        operator("GET", ALL),
        of_it("GET", ONE),
        patch(1, &json!({})),
        publish(1, &json!({})),
        of_it("GET", VERSION).path("version", "1"),
        preview(&json!({})),
        test_send(&json!({ "to": "ann" })),
    ]
}

#[tokio::test]
async fn only_operators_come_in() {
    let desk = Desk::with_template().await;
    for request in every_route() {
        for groups in [&[][..], &["guest"], &["administrators"]] {
            let refused = desk.ask(request.clone().caller("eve", groups)).await;
            assert_eq!(refused.problem(), (403, "forbidden"));
        }
        assert_eq!(desk.ask(request.caller("", &["admin"])).await.problem(), (401, "unauthenticated"));
    }
    assert_eq!(desk.ask(of_it("DELETE", ONE)).await.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn what_does_not_exist_is_404() {
    let desk = Desk::with_template().await;
    let long = "0".repeat(10_000);
    for text in ["welcom", "WELCOME", "", "a b", "%00'; DROP TABLE", &long] {
        let at = |method, route| on(operator(method, route).path("code", text), 1);
        for request in [
            at("GET", ONE),
            at("PATCH", ONE).json(&json!({})),
            at("POST", VERSIONS).json(&draft()),
            at("GET", VERSION).path("version", "1"),
            at("POST", PREVIEW).json(&json!({})),
            at("POST", PREVIEW).json(&json!({ "version": 1 })),
            at("POST", PREVIEW).json(&json!({ "draft": draft() })),
            at("POST", TESTS).json(&json!({ "to": "ann" })),
        ] {
            let refused = desk.ask(request).await;
            assert_eq!(refused.problem(), (404, "notification-template-not-found"), "{text:.50}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let desk = Desk::with_template().await;
    for (content_type, body, status, slug) in [
        ("application/json", "{", 400, "invalid-json"),
        ("application/json", "[]", 422, "invalid-body"),
        ("text/plain", "{}", 415, "unsupported-media-type"),
        ("application/json", &*format!("{{\"a\": \"{}\"}}", "x".repeat(64 * 1_024)), 413, "body-too-large"),
    ] {
        for (method, route) in
            [("POST", ALL), ("PATCH", ONE), ("POST", VERSIONS), ("POST", PREVIEW), ("POST", TESTS)]
        {
            let request = on(of_it(method, route), 1).header("content-type", content_type).body(body);
            assert_eq!(
                desk.ask(request).await.problem(),
                (status, slug),
                "{route} {content_type}: {body:.50}"
            );
        }
    }
}

#[tokio::test]
async fn every_template_is_listed_once_in_the_order_of_the_codes() {
    let desk = Desk::open().await;
    let codes = ["a", "a-b", "a.b", "a_b", "b"];
    for code in codes {
        assert_eq!(desk.ask(create(&json!({ "code": code }))).await.status, 201);
    }
    for limit in [1, 2, 5, 100] {
        let first = operator("GET", ALL).query("limit", &limit.to_string());
        let pages = testing::pages("code", first, async |request| desk.ask(request).await).await;
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.concat(), codes, "limit {limit}");
    }
    testing::assert_paging_is_checked(operator("GET", ALL), 100, async |request| desk.ask(request).await)
        .await;
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    for request in every_route() {
        testing::assert_faults_are_hidden(async |client| Desk::at(client).ask(request.clone()).await).await;
    }
}
