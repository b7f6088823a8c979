//! What an operator gets, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path};

use aws_sdk_dynamodb::Client;
use domain_notification::{MAX_RULES, Rule, RuleShelf, TemplateShelf};
use jiff::{SignedDuration, Timestamp};
use manage_notification_rules::handler;
use notification_dynamodb::{NotificationTable, TemplateCache};
use notification_http::CreateNotificationTemplateRequest;
use notification_minijinja::Templates;
use platform_http::{Body, Request};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOTIFICATION_TABLE, NOW};

const ALL: &str = "/v1/admin/notification-rules";
const ONE: &str = "/v1/admin/notification-rules/{id}";
const TRY: &str = "/v1/admin/notification-rules/{id}/try";

struct Desk {
    table: NotificationTable,
    renderer: Templates,
}

impl Desk {
    fn at(client: Client) -> Self {
        let table = NotificationTable::new(client, NOTIFICATION_TABLE.into());
        Self { table, renderer: Templates::default() }
    }

    /// With the templates that the platform begins with.
    async fn open() -> Self {
        let desk = Self::at(EmbeddedDynamoDb::with_notification_table().await.0.client());
        for template in committed("notification_templates.json") {
            let request: CreateNotificationTemplateRequest = serde_json::from_value(template).unwrap();
            let new = request.parse().unwrap();
            domain_notification::create_template(&desk.table, &desk.renderer, new, NOW).await.unwrap();
        }
        desk
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.receive(request.build(), NOW).await
    }

    async fn receive(&self, request: Request, now: Timestamp) -> Answer {
        let templates = TemplateCache::new(self.table.clone(), || NOW);
        let answered = handler::handle(&self.table, &templates, &self.renderer, now, request).await;
        let mut response = answered.unwrap();
        if response.status() == 204 {
            assert_eq!(response.body(), &Body::Empty);
            *response.body_mut() = "null".into();
        }
        Answer::of(response)
    }

    async fn created(&self, id: &str, members: &Value) -> Answer {
        self.ask(create(id, members)).await
    }

    async fn try_at(&self, id: &str, detail: &Value, now: Timestamp) -> Answer {
        self.receive(try_out(id, detail).build(), now).await
    }
}

/// A list that is committed beside the developer commands.
fn committed(name: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/src").join(name);
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn operator(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("eve", &["admin"])
}

/// A text message on every order, with these members changed.
fn body(members: &Value) -> Value {
    let mut body = json!({
        "name": "订单确认短信", "event": "order.created", "key": ["/orderId"], "receiver": "/guestId",
        "action": {
            "type": "send", "channel": "sms", "template": "order_confirmed",
            "params": { "orderId": "/orderId", "amount": "/amountFen" },
        },
    });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

/// The same, with these members of the action changed; `null` takes one away.
fn action(members: &Value) -> Value {
    let mut action = body(&json!({}))["action"].clone();
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            action.as_object_mut().unwrap().remove(name);
        } else {
            action[name] = value.clone();
        }
    }
    json!({ "action": action })
}

fn of(method: &str, id: &str) -> ApiRequest {
    operator(method, ONE).path("id", id)
}

fn create(id: &str, members: &Value) -> ApiRequest {
    of("PUT", id).header("If-None-Match", "*").json(&body(members))
}

fn on(request: ApiRequest, revision: u64) -> ApiRequest {
    request.header("If-Match", &format!("\"{revision}\""))
}

fn change(id: &str, revision: u64, members: &Value) -> ApiRequest {
    on(of("PUT", id), revision).json(&body(members))
}

fn try_out(id: &str, detail: &Value) -> ApiRequest {
    operator("POST", TRY).path("id", id).json(&json!({ "detail": detail }))
}

fn detail() -> Value {
    json!({
        "orderId": "O-1", "guestId": "ann", "homestayName": "西湖云栖小院", "amountFen": 58_800,
        "checkIn": "2026-12-24", "status": "new",
    })
}

/// Every route, as an operator would ask it.
fn every_route() -> [ApiRequest; 6] {
    [
        operator("GET", ALL),
        of("GET", "a"),
        create("b", &json!({})),
        change("a", 1, &json!({})),
        on(of("DELETE", "a"), 1),
        try_out("a", &detail()),
    ]
}

#[tokio::test]
async fn the_sample_events_create_show_try_change_list_and_delete() {
    let desk = Desk::open().await;
    let sample = async |name: &str| {
        let event = testing::event(&format!("api/manage-notification-rules-{name}.json"));
        desk.receive(testing::request(event), NOW).await
    };
    let created = sample("create").await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(created.header("etag"), Some("\"1\""));
    assert_eq!(created.header("location"), Some("/v1/admin/notification-rules/check-in-reminder"));
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(created.body, @r#"
        {
          "action": {
            "at": {
              "field": "/checkIn",
              "offsetHours": -24,
              "timeOfDay": "10:00"
            },
            "channel": "sms",
            "params": {
              "checkIn": "/checkIn",
              "homestay": "/homestayName",
              "orderId": "/orderId"
            },
            "priority": "normal",
            "template": "check_in_reminder",
            "type": "send"
          },
          "enabled": true,
          "event": "order.created",
          "id": "check-in-reminder",
          "key": [
            "/orderId"
          ],
          "name": "入住前一天提醒",
          "receiver": "/guestId",
          "revision": 1,
          "when": {}
        }
        "#);
    });
    let shown = sample("show").await;
    assert_eq!((&shown.body, shown.header("etag")), (&created.body, Some("\"1\"")));
    let tried = sample("try").await;
    assert_eq!(tried.body["outcome"], "send", "{}", tried.body);
    assert_eq!(tried.body["scheduledAt"], "2026-12-23T02:00:00Z");
    assert_eq!(tried.body["receiver"], "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34");
    let content = tried.body["preview"]["content"].as_str().unwrap();
    assert!(content.contains("2026-12-24") && content.contains("西湖云栖小院"), "{content}");
    let changed = sample("change").await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")));
    assert_eq!(changed.body["enabled"], false);
    assert_eq!(sample("try").await.body, tried.body, "a rule is tried as if it were in force");
    assert_eq!(sample("list").await.body["items"], json!([changed.body]));
    assert_eq!(sample("delete").await.status, 204);
    assert_eq!(sample("show").await.problem(), (404, "notification-rule-not-found"));
}

#[tokio::test]
async fn the_rules_that_the_platform_begins_with_are_accepted() {
    let desk = Desk::open().await;
    for mut rule in committed("notification_rules.json") {
        let id = rule.as_object_mut().unwrap().remove("id").unwrap();
        let id = id.as_str().unwrap();
        let created = desk.ask(of("PUT", id).header("If-None-Match", "*").json(&rule)).await;
        assert_eq!(created.status, 201, "{id}: {}", created.body);
        let stored: Rule = desk.table.rule(&id.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(stored.faults(), [], "{id}");
    }
    let coupon = testing::event("contracts/coupon-expiring.json");
    let tried = desk.try_at("coupon-expiring", &coupon["detail"], NOW).await;
    assert_eq!(tried.body["outcome"], "send", "{}", tried.body);
    let paid = testing::event("contracts/order-paid.json");
    let tried = desk.try_at("payment-succeeded", &paid["detail"], NOW).await;
    assert_eq!(tried.body["outcome"], "send", "{}", tried.body);
    let created = desk.try_at("check-in-reminder", &detail(), NOW).await;
    let cancelled =
        desk.try_at("check-in-reminder-cancelled", &json!({ "orderId": "O-1", "guestId": "ann" }), NOW).await;
    assert_eq!(cancelled.body["outcome"], "cancel");
    assert_eq!(cancelled.body["messageId"], created.body["messageId"], "it takes back that message");
}

#[tokio::test]
async fn trying_a_rule_shows_what_would_be_done_and_does_nothing() {
    let desk = Desk::open().await;
    desk.created("a", &json!({ "when": { "/status": "new" } })).await;
    let nothing = desk.try_at("a", &json!({ "status": "old" }), NOW).await;
    assert_eq!((nothing.status, &nothing.body), (200, &json!({ "outcome": "nothing" })));
    let tried = desk.try_at("a", &detail(), NOW).await;
    assert_eq!((tried.status, &tried.body["outcome"]), (200, &json!("send")));
    assert!(tried.body["preview"]["content"].as_str().unwrap().contains("588.00"));
    let id = tried.body["messageId"].as_str().unwrap().parse().unwrap();
    assert_eq!(domain_notification::MessageStore::message(&desk.table, id).await.unwrap(), None);

    let mut wrong = detail();
    wrong["amountFen"] = json!(-1);
    let refused = desk.try_at("a", &wrong, NOW).await;
    assert_eq!((&refused.body["outcome"], refused.body.get("preview")), (&json!("refuse"), None));
    assert_eq!(refused.body["faults"][0]["field"], "params/amount");
    for (name, value) in [("guestId", json!("")), ("orderId", json!(null)), ("amountFen", json!({}))] {
        let mut lacking = detail();
        lacking[name] = value;
        let refused = desk.try_at("a", &lacking, NOW).await;
        assert_eq!((refused.problem(), refused.fields()), ((422, "invalid-body"), format!("detail/{name}")));
    }
    for (body, fields) in [(json!({}), "detail"), (json!({ "detail": [] }), "detail"), (json!([]), "")] {
        let refused = desk.ask(operator("POST", TRY).path("id", "a").json(&body)).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), fields), "{body}");
    }
    let mut template =
        TemplateShelf::template(&desk.table, &"order_confirmed".parse().unwrap()).await.unwrap().unwrap();
    (template.enabled, template.revision) = (false, 2);
    assert!(TemplateShelf::replace(&desk.table, &template, 1).await.unwrap());
    let refused = desk.try_at("a", &detail(), NOW).await;
    assert_eq!(refused.body["faults"][0]["field"], "template");
    assert!(refused.body.get("preview").is_some());
}

#[tokio::test]
async fn what_is_over_is_not_written_about() {
    let desk = Desk::open().await;
    desk.created("a", &action(&json!({ "at": { "field": "/checkIn", "offsetHours": 0 } }))).await;
    let later = NOW + SignedDuration::from_hours(24 * 60);
    assert_eq!(desk.try_at("a", &detail(), later).await.body, json!({ "outcome": "nothing" }));
}

#[tokio::test]
async fn a_rule_that_is_not_sensible_names_every_field_at_fault() {
    let desk = Desk::open().await;
    let params = |params: Value| action(&json!({ "params": params }));
    let cancel = |rule: &str| json!({ "action": { "type": "cancel", "rule": rule }, "key": ["/a", "/b"] });
    assert_eq!(desk.created("sender", &json!({})).await.status, 201);
    assert_eq!(
        desk.created("canceller", &json!({ "action": { "type": "cancel", "rule": "sender" } })).await.status,
        201
    );
    let table = [
        (json!({ "name": "" }), "name"),
        (json!({ "event": "a b" }), "event"),
        (json!({ "key": [] }), "key"),
        (json!({ "key": "/a" }), "key"),
        (json!({ "receiver": "guestId" }), "receiver"),
        (json!({ "when": { "status": 1 } }), "when"),
        (json!({ "enabled": "yes" }), "enabled"),
        (json!({ "revision": 1 }), "revision"),
        (json!({ "action": { "type": "print" } }), "action/type"),
        (action(&json!({ "channel": "fax" })), "action/channel"),
        (action(&json!({ "channel": null })), "action/channel"),
        (action(&json!({ "channel": "email" })), "action/channel"),
        (action(&json!({ "priority": 4 })), "action/priority"),
        (action(&json!({ "template": "none" })), "action/template"),
        (action(&json!({ "template": null })), "action/template"),
        (action(&json!({ "rule": "sender" })), "action/rule"),
        (
            action(&json!({ "at": { "field": "x", "offsetHours": 9_000 } })),
            "action/at/field action/at/offsetHours",
        ),
        (
            action(&json!({ "at": { "field": "/x", "offsetHours": 0, "timeOfDay": "8:00" } })),
            "action/at/timeOfDay",
        ),
        (params(json!({ "orderId": "/orderId" })), "action/params/amount"),
        (params(json!({ "orderId": "/o", "amount": "/a", "more": "/m" })), "action/params/more"),
        (params(json!({ "orderId": "/o", "amount": "many" })), "action/params/amount"),
        (cancel("none"), "action/rule"),
        (cancel("canceller"), "action/rule"),
        (cancel("a"), "action/rule"),
        (cancel("sender"), "key"),
    ];
    for (members, fields) in table {
        let refused = desk.created("a", &members).await;
        assert_eq!(
            (refused.problem(), refused.fields().as_str()),
            ((422, "invalid-body"), fields),
            "{members}"
        );
    }
    let sizes = params(json!({ "orderId": "长".repeat(1_001), "amount": "/a" }));
    assert_eq!(desk.created("a", &sizes).await.fields(), "action/params");
    assert_eq!(desk.ask(of("GET", "a")).await.problem(), (404, "notification-rule-not-found"));
}

#[tokio::test]
async fn a_literal_is_what_it_says() {
    let desk = Desk::open().await;
    let literal = action(&json!({ "params": { "orderId": "任意", "amount": "100" } }));
    assert_eq!(desk.created("a", &literal).await.status, 201);
    let tried = desk.try_at("a", &detail(), NOW).await;
    assert!(tried.body["preview"]["content"].as_str().unwrap().contains("1.00"), "{}", tried.body);
}

#[tokio::test]
async fn a_rule_is_created_once_and_a_change_says_what_it_is_based_on() {
    let desk = Desk::open().await;
    assert_eq!(desk.created("a", &json!({})).await.status, 201);
    assert_eq!(desk.created("a", &json!({})).await.problem(), (412, "precondition-failed"));
    let unconditional = [of("PUT", "a").json(&body(&json!({}))), of("DELETE", "a")];
    for request in unconditional {
        assert_eq!(desk.ask(request.clone()).await.problem(), (428, "precondition-required"));
        let any = request.header("If-Match", "*");
        assert_eq!(desk.ask(any).await.problem(), (400, "invalid-if-match"));
    }
    for revision in [0, 2, u64::from(u32::MAX), u64::MAX] {
        for request in [change("a", revision, &json!({})), on(of("DELETE", "a"), revision)] {
            assert_eq!(desk.ask(request).await.problem(), (412, "precondition-failed"), "{revision}");
        }
    }
    assert_eq!(desk.ask(change("new", 1, &json!({}))).await.problem(), (412, "precondition-failed"));
    for request in [
        on(of("PUT", "b").header("If-None-Match", "*"), 1),
        of("PUT", "b").header("If-None-Match", "\"1\""),
        of("PUT", "b").header("If-None-Match", "*").header("If-None-Match", "*"),
    ] {
        let refused = desk.ask(request.json(&body(&json!({})))).await;
        assert_eq!(refused.problem(), (400, "invalid-if-none-match"));
    }
    assert_eq!(desk.ask(change("a", 1, &json!({ "name": "新" }))).await.body["name"], "新");
    assert_eq!(desk.ask(of("GET", "a")).await.header("etag"), Some("\"2\""));
}

#[tokio::test]
async fn there_are_only_so_many_rules() {
    let desk = Desk::open().await;
    let rule: Rule = serde_json::from_value({
        let mut rule = body(&json!({ "enabled": true, "revision": 1 }));
        rule["id"] = json!("a");
        rule
    })
    .unwrap();
    for number in 0..MAX_RULES {
        let rule = Rule { id: format!("r{number}").parse().unwrap(), ..rule.clone() };
        assert!(desk.table.put_rule(&rule).await.unwrap());
    }
    let refused = desk.created("one-more", &json!({})).await;
    assert_eq!((refused.problem(), &refused.body["maxRules"]), ((409, "too-many-rules"), &json!(MAX_RULES)));
    assert_eq!(desk.ask(change("r7", 1, &json!({}))).await.status, 200, "a change is none more");
}

#[tokio::test]
async fn every_rule_is_listed_once_in_the_order_of_the_ids() {
    let desk = Desk::open().await;
    let ids = ["Z", "a", "a.b", "b-1", "b_2"];
    for id in ids.iter().rev() {
        assert_eq!(desk.created(id, &json!({})).await.status, 201);
    }
    for limit in [1, 2, 5, 100] {
        let first = operator("GET", ALL).query("limit", &limit.to_string());
        let pages = testing::pages("id", first, async |request| desk.ask(request).await).await;
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.concat(), ids, "limit {limit}");
    }
    testing::assert_paging_is_checked(operator("GET", ALL), 100, async |request| desk.ask(request).await)
        .await;
}

#[tokio::test]
async fn what_does_not_exist_is_404() {
    let desk = Desk::open().await;
    let long = "x".repeat(10_000);
    for id in ["", "a b", "none", "规则", "%00'; DROP TABLE", &long] {
        for request in [of("GET", id), on(of("DELETE", id), 1), try_out(id, &detail())] {
            assert_eq!(desk.ask(request).await.problem(), (404, "notification-rule-not-found"), "{id:.50}");
        }
    }
    assert_eq!(desk.created("a b", &json!({})).await.problem(), (404, "notification-rule-not-found"));
    assert_eq!(desk.ask(of("PATCH", "a")).await.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn only_operators_come_in() {
    let desk = Desk::open().await;
    for request in every_route() {
        for groups in [&[][..], &["guest"], &["service"]] {
            let refused = desk.ask(request.clone().caller("eve", groups)).await;
            assert_eq!(refused.problem(), (403, "forbidden"));
        }
        assert_eq!(desk.ask(request.caller("", &["admin"])).await.problem(), (401, "unauthenticated"));
    }
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    for request in every_route() {
        testing::assert_faults_are_hidden(async |client| Desk::at(client).ask(request.clone()).await).await;
    }
}
