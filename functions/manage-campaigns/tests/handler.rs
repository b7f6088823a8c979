//! What an operator gets, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use campaign_dynamodb::CampaignTable;
use coupon_dynamodb::CouponTable;
use domain_campaign::{CampaignSource, CampaignStatus, CampaignStore, Offer};
use domain_coupon::{Benefit, IssueMode, IssueType, Stock, Template, TemplateShelf, TemplateStore};
use domain_ids::CampaignId;
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};
use manage_campaigns::handler::{self, Chance};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, template_id};

const ALL: &str = "/v1/admin/campaigns";
const ONE: &str = "/v1/admin/campaigns/{id}";
const OFFER: &str = "/v1/admin/campaigns/{id}/templates/{templateId}";

/// Where an operator works.
struct Desk {
    campaigns: CampaignTable,
    templates: CouponTable,
    requests: AtomicU64,
}

impl Desk {
    fn at(client: Client) -> Self {
        let table = testing::COUPON_TABLE;
        Self {
            campaigns: CampaignTable::new(client.clone(), table.into()),
            templates: CouponTable::new(client, table.into()),
            requests: 0.into(),
        }
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_coupon_table().await.0.client())
    }

    /// One with a campaign over 10,000 yuan, and templates 1 to 3 of 100 coupons of 20 yuan each.
    async fn with_campaign() -> Self {
        let desk = Self::open().await;
        assert_eq!(desk.ask(create(&json!({}))).await.status, 201);
        for n in 1..=3 {
            desk.publish(Template { id: template_id(n), ..testing::template(100) }).await;
        }
        desk
    }

    async fn publish(&self, template: Template) {
        self.templates.insert(&template).await.unwrap();
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_at(NOW, request).await
    }

    async fn ask_at(&self, at: Timestamp, request: ApiRequest) -> Answer {
        let id = self.requests.fetch_add(1, Ordering::Relaxed).into();
        let chance = Chance { at, id };
        Answer::of(handler::handle(&self.campaigns, &self.templates, chance, request.build()).await.unwrap())
    }

    async fn template(&self, n: u128) -> Template {
        TemplateShelf::template(&self.templates, template_id(n)).await.unwrap().unwrap()
    }
}

fn operator(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("eve", &["admin"])
}

/// The first campaign of a desk.
fn id() -> CampaignId {
    CampaignId::from_parts(NOW.as_millisecond().unsigned_abs(), 0)
}

fn body(members: &Value) -> Value {
    let mut body = json!({
        "name": "双十一", "startTime": "2026-11-11T00:00:00+08:00", "endTime": "2026-11-12T00:00:00+08:00",
        "budgetFen": 1_000_000,
    });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn create(members: &Value) -> ApiRequest {
    operator("POST", ALL).json(&body(members))
}

fn show() -> ApiRequest {
    operator("GET", ONE).path("id", &id().to_string())
}

fn on(request: ApiRequest, version: u64) -> ApiRequest {
    request.header("If-Match", &format!("\"{version}\""))
}

fn patch(version: u64, body: &Value) -> ApiRequest {
    on(operator("PATCH", ONE).path("id", &id().to_string()), version).json(body)
}

fn of_template(method: &str, n: u128) -> ApiRequest {
    operator(method, OFFER).path("id", &id().to_string()).path("templateId", &template_id(n).to_string())
}

fn offer(version: u64, n: u128, body: &Value) -> ApiRequest {
    on(of_template("PUT", n), version).json(body)
}

fn withdraw(version: u64, n: u128) -> ApiRequest {
    on(of_template("DELETE", n), version)
}

#[tokio::test]
async fn the_sample_events_create_show_fill_change_and_list_a_campaign() {
    let desk = Desk::open().await;
    let ask = async |event| {
        let request = testing::request(event);
        let chance = Chance { at: NOW, id: 0 };
        Answer::of(handler::handle(&desk.campaigns, &desk.templates, chance, request).await.unwrap())
    };
    let sample = |name: &str| testing::event(&format!("api/manage-campaigns-{name}.json"));
    let created = ask(sample("create")).await;
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(created.body, @r#"
        {
          "audience": {
            "type": "everyone"
          },
          "budgetFen": 10000000,
          "committedFen": 0,
          "createTime": "2026-11-10T16:00:00Z",
          "description": "每人一张",
          "endTime": "2026-11-11T16:00:00Z",
          "id": "01M73303000000000000000000",
          "leftFen": 10000000,
          "name": "双十一",
          "phase": "draft",
          "report": "/v1/admin/campaigns/01M73303000000000000000000/report",
          "split": false,
          "startTime": "2026-11-10T16:00:00Z",
          "status": "draft",
          "templates": [],
          "updateTime": "2026-11-10T16:00:00Z",
          "version": 1
        }
        "#);
    });
    let path = format!("{ALL}/{}", id());
    assert_eq!((created.status, created.header("location")), (201, Some(path.as_str())));
    assert_eq!(created.header("etag"), Some("\"1\""));
    assert_eq!(created.header("cache-control"), Some("no-store"));

    let sample_template = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
    desk.publish(Template { id: sample_template, ..testing::template(1_000) }).await;
    let to_it = |name: &str| {
        let mut event = sample(name);
        event["pathParameters"]["id"] = json!(id());
        event
    };
    assert_eq!(ask(to_it("show")).await.body, created.body);
    let offered = ask(to_it("offer")).await;
    assert_eq!((offered.status, &offered.body["leftFen"]), (200, &json!(7_000_000)), "{}", offered.body);
    let started = ask(to_it("change")).await;
    assert_eq!((started.status, &started.body["phase"]), (200, &json!("running")));
    assert_eq!(ask(sample("list")).await.body, json!({ "items": [started.body] }));
    assert_eq!(ask(to_it("withdraw")).await.problem(), (412, "precondition-failed"));
}

#[tokio::test]
async fn a_budget_is_committed_when_coupons_are_put_on_sale() {
    let desk = Desk::with_campaign().await;
    let money =
        |answer: &Answer| ["budgetFen", "committedFen", "leftFen"].map(|name| answer.body[name].as_u64());
    let first = desk.ask(offer(1, 1, &json!({ "totalCount": 400 }))).await;
    assert_eq!((first.status, first.header("etag")), (200, Some("\"2\"")));
    assert_eq!(money(&first), [Some(1_000_000), Some(800_000), Some(200_000)]);
    assert_eq!(first.body["templates"], json!([{ "templateId": template_id(1), "committedFen": 800_000 }]));
    let template = desk.template(1).await;
    assert_eq!(template.campaign, Some(id()));
    assert_eq!(desk.templates.remaining(&template).await.unwrap(), Some(400));

    let short = desk.ask(offer(2, 2, &json!({ "totalCount": 101 }))).await;
    assert_eq!(short.problem(), (409, "budget-exceeded"));
    let told = ["budgetFen", "committedFen", "neededFen"].map(|name| short.body[name].as_u64());
    assert_eq!(told, [Some(1_000_000), Some(800_000), Some(202_000)]);
    assert_eq!(desk.template(2).await.campaign, None);

    let last = desk.ask(offer(2, 2, &json!({}))).await;
    assert_eq!(money(&last), [Some(1_000_000), Some(1_000_000), Some(0)]);
    assert_eq!(desk.ask(patch(3, &json!({ "budgetFen": 999_999 }))).await.fields(), "budgetFen");
    assert_eq!(desk.ask(patch(3, &json!({ "budgetFen": 1_200_000 }))).await.status, 200);
    assert_eq!(desk.ask(offer(4, 3, &json!({ "totalCount": 100 }))).await.status, 200);
    assert_eq!(
        desk.ask(offer(5, 1, &json!({ "totalCount": 401 }))).await.problem(),
        (409, "budget-exceeded")
    );
}

#[tokio::test]
async fn a_repeat_of_an_offer_changes_the_version_alone() {
    let desk = Desk::with_campaign().await;
    let first = desk.ask(offer(1, 1, &json!({ "totalCount": 400 }))).await;
    assert_eq!(
        desk.ask(offer(1, 1, &json!({ "totalCount": 400 }))).await.problem(),
        (412, "precondition-failed")
    );
    let repeat = desk.ask(offer(2, 1, &json!({ "totalCount": 400 }))).await;
    assert_eq!((repeat.status, &repeat.body["committedFen"]), (200, &first.body["committedFen"]));
    let template = desk.template(1).await;
    assert_eq!(desk.templates.remaining(&template).await.unwrap(), Some(400));
}

#[tokio::test]
async fn an_offer_that_was_cut_off_is_finished_by_a_repeat() {
    let desk = Desk::with_campaign().await;
    // The first of the writes: the money is committed, the template has not joined.
    let mut campaign = desk.campaigns.campaign(id()).await.unwrap().unwrap();
    campaign.version = 2;
    let committed = Offer { committed: Some(Fen::new(800_000)), weight: 1, variant: None };
    campaign.offers.insert(template_id(2), committed);
    assert!(desk.campaigns.replace(&campaign, 1).await.unwrap());

    let less = desk.ask(offer(2, 2, &json!({ "totalCount": 150 }))).await;
    assert_eq!((less.status, &less.body["committedFen"]), (200, &json!(300_000)));
    assert_eq!(desk.template(2).await.campaign, Some(id()));
}

#[tokio::test]
async fn a_draft_loses_a_template_and_its_money_is_free_again() {
    let desk = Desk::with_campaign().await;
    assert_eq!(desk.ask(offer(1, 1, &json!({}))).await.status, 200);
    let withdrawn = desk.ask(withdraw(2, 1)).await;
    assert_eq!((withdrawn.status, withdrawn.header("etag")), (200, Some("\"3\"")));
    assert_eq!((&withdrawn.body["committedFen"], &withdrawn.body["templates"]), (&json!(0), &json!([])));
    assert_eq!(desk.template(1).await.campaign, None);
    assert_eq!(desk.ask(withdraw(3, 1)).await.problem(), (404, "template-not-found"));

    assert_eq!(desk.ask(offer(3, 1, &json!({}))).await.status, 200);
    assert_eq!(desk.ask(patch(4, &json!({ "status": "active" }))).await.status, 200);
    assert_eq!(desk.ask(withdraw(5, 1)).await.problem(), (409, "campaign-started"));
    assert_eq!(desk.template(1).await.campaign, Some(id()));
}

#[tokio::test]
async fn a_campaign_is_started_paused_resumed_and_ended() {
    let desk = Desk::with_campaign().await;
    let status = |status: &str| json!({ "status": status });
    assert_eq!(desk.ask(patch(1, &status("active"))).await.fields(), "status", "nothing to claim");
    assert_eq!(desk.ask(offer(1, 1, &json!({}))).await.status, 200);
    for (version, (to, phase)) in
        (2..).zip([("active", "running"), ("paused", "paused"), ("active", "running"), ("ended", "ended")])
    {
        let changed = desk.ask(patch(version, &status(to))).await;
        let told = ["status", "phase"].map(|name| changed.body[name].as_str().map(str::to_owned));
        assert_eq!(told, [Some(to.to_owned()), Some(phase.to_owned())]);
    }
    for request in [patch(6, &status("active")), patch(6, &json!({ "name": "新" })), offer(6, 1, &json!({}))]
    {
        assert_eq!(desk.ask(request).await.problem(), (409, "campaign-ended"));
    }
}

#[tokio::test]
async fn a_split_has_weights_and_variants() {
    let desk = Desk::open().await;
    assert_eq!(desk.ask(create(&json!({ "split": true }))).await.status, 201);
    desk.publish(testing::template(100)).await;
    let offered = desk.ask(offer(1, 1, &json!({ "weight": 0, "variant": "a-1" }))).await;
    let shown = json!([
        { "templateId": template_id(1), "committedFen": 200_000, "weight": 0, "variant": "a-1" }
    ]);
    assert_eq!(offered.body["templates"], shown);
    for (body, fields) in [
        (json!({}), "weight"),
        (json!({ "weight": -1 }), "weight"),
        (json!({ "weight": 1_001 }), "weight"),
        (json!({ "weight": 1 << 16 }), "weight"),
        (json!({ "weight": 1, "variant": "A" }), "variant"),
        (json!({ "weight": 1, "variant": "" }), "variant"),
        (json!({ "weight": "1" }), "weight"),
    ] {
        let refused = desk.ask(offer(2, 1, &body)).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), fields), "{body}");
    }
}

#[tokio::test]
async fn each_audience_reads_back() {
    let desk = Desk::open().await;
    let audiences = [
        json!({ "type": "everyone" }),
        json!({ "type": "groups", "groups": ["vip", "新客"] }),
        json!({ "type": "guests", "guestIds": ["ann", "bob"] }),
    ];
    for audience in audiences {
        let created = desk.ask(create(&json!({ "audience": audience }))).await;
        assert_eq!((created.status, &created.body["audience"]), (201, &audience), "{}", created.body);
        let id = created.body["id"].as_str().unwrap();
        assert_eq!(desk.ask(operator("GET", ONE).path("id", id)).await.body, created.body);
        assert_eq!(created.body["report"], format!("/v1/admin/campaigns/{id}/report"));
    }
}

#[tokio::test]
async fn a_campaign_that_is_not_sensible_names_every_field_at_fault() {
    let desk = Desk::open().await;
    let groups = |groups: Value| json!({ "audience": { "type": "groups", "groups": groups } });
    let many: Vec<String> = (0..101).map(|n| format!("g{n}")).collect();
    let table = [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "券".repeat(101) }), "name"),
        (json!({ "name": null }), "name"),
        (json!({ "description": "券".repeat(501) }), "description"),
        (json!({ "description": "a\u{0}" }), "description"),
        (json!({ "budgetFen": 0 }), "budgetFen"),
        (json!({ "budgetFen": -1 }), "budgetFen"),
        (json!({ "budgetFen": 1_000_000_000_000_001_i64 }), "budgetFen"),
        (json!({ "budgetFen": 1.5 }), "budgetFen"),
        (json!({ "startTime": "tomorrow" }), "startTime"),
        (json!({ "endTime": "2026-11-11T00:00:00+08:00" }), "endTime"),
        (
            json!({ "endTime": "2026-11-10T00:00:00+08:00", "startTime": "2026-11-09T00:00:00+08:00" }),
            "endTime",
        ),
        (json!({ "split": "yes" }), "split"),
        (json!({ "status": "active" }), "status"),
        (json!({ "audience": {} }), "audience/type"),
        (json!({ "audience": { "type": "new" } }), "audience/type"),
        (json!({ "audience": { "type": "everyone", "groups": ["vip"] } }), "audience/groups"),
        (json!({ "audience": { "type": "groups", "guestIds": ["ann"] } }), "audience/guestIds"),
        (json!({ "audience": { "type": "guests" } }), "audience/guestIds"),
        (json!({ "audience": { "type": "guests", "guestIds": ["a#b"] } }), "audience/guestIds/0"),
        (json!({ "audience": { "type": "guests", "guestIds": many } }), "audience/guestIds"),
        (groups(json!([])), "audience/groups"),
        (groups(json!(["a b"])), "audience/groups"),
        (groups(json!(many[..11])), "audience/groups"),
        (json!({ "name": "", "budgetFen": 0 }), "name budgetFen"),
    ];
    for (members, fields) in table {
        let refused = desk.ask(create(&members)).await;
        assert_eq!(refused.problem(), (422, "invalid-body"), "{members:.200}");
        assert_eq!(refused.fields(), fields, "{members:.200}");
    }
    for field in ["name", "startTime", "endTime"] {
        let mut body = body(&json!({}));
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(desk.ask(operator("POST", ALL).json(&body)).await.fields(), field);
    }
    assert_eq!(desk.ask(operator("GET", ALL)).await.body, json!({ "items": [] }), "nothing was created");
}

#[tokio::test]
async fn a_template_that_cannot_be_in_the_campaign_is_refused() {
    let desk = Desk::with_campaign().await;
    let other = Some(CampaignId::from_parts(1, 1));
    let with = |benefit| {
        let mut template = testing::template(10);
        template.terms.benefit = benefit;
        template
    };
    let templates = [
        Template { campaign: other, ..testing::template(10) },
        Template { ends_at: NOW, ..testing::template(10) },
        Template { issue_type: IssueType::Exchange, ..testing::template(10) },
        Template { issue_mode: IssueMode::Queued, ..testing::template(10) },
        Template { stock: Stock::Unlimited, ..testing::template(10) },
        with(Benefit::Gift { sku: "TEA".into() }),
        with(Benefit::Discount { percent: 20, cap: None }),
    ];
    for (n, template) in (10..).zip(templates) {
        desk.publish(Template { id: template_id(n), ..template.clone() }).await;
        let refused = desk.ask(offer(1, n, &json!({}))).await;
        assert_eq!(refused.problem(), (422, "invalid-body"), "{template:?}");
        assert_eq!(refused.fields(), "templateId", "{template:?}");
    }
    let capped = with(Benefit::Discount { percent: 20, cap: Some(Fen::new(5_000)) });
    desk.publish(Template { id: template_id(30), ..capped }).await;
    assert_eq!(desk.ask(offer(1, 30, &json!({}))).await.body["committedFen"], 50_000);
}

#[tokio::test]
async fn an_offer_that_is_not_sensible_changes_nothing() {
    let desk = Desk::with_campaign().await;
    let table = [
        (json!({ "totalCount": 99 }), "totalCount"),
        (json!({ "totalCount": 0 }), "totalCount"),
        (json!({ "totalCount": -1 }), "totalCount"),
        (json!({ "totalCount": 100_000_001 }), "totalCount"),
        (json!({ "totalCount": "200" }), "totalCount"),
        (json!({ "weight": 1 }), "weight"),
        (json!({ "variant": "a" }), "variant"),
        (json!({ "budgetFen": 1 }), "budgetFen"),
        (json!([]), ""),
    ];
    for (body, fields) in table {
        let refused = desk.ask(offer(1, 1, &body)).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), fields), "{body}");
    }
    assert_eq!(desk.ask(show()).await.header("etag"), Some("\"1\""));
    assert_eq!(desk.template(1).await.version, 1);
}

#[tokio::test]
async fn a_change_that_is_not_sensible_names_the_field_and_changes_nothing() {
    let desk = Desk::with_campaign().await;
    let before = desk.ask(show()).await.body;
    let table = [
        (json!({ "name": "" }), "name"),
        (json!({ "description": "x".repeat(501) }), "description"),
        (json!({ "endTime": "2026-11-11T23:59:59+08:00" }), "endTime"),
        (json!({ "startTime": "2026-11-11T00:00:00Z" }), "startTime"),
        (json!({ "budgetFen": 0 }), "budgetFen"),
        (json!({ "budgetFen": i64::MAX }), "budgetFen"),
        (json!({ "status": "paused" }), "status"),
        (json!({ "status": "deleted" }), "status"),
        (json!({ "audience": { "type": "everyone" } }), "audience"),
        (json!({ "split": true }), "split"),
        (json!(null), ""),
    ];
    for (body, fields) in table {
        let refused = desk.ask(patch(1, &body)).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), fields), "{body}");
    }
    assert_eq!(desk.ask(show()).await.body, before);
    let extended =
        desk.ask(patch(1, &json!({ "endTime": "2026-11-13T00:00:00.0009+08:00", "name": "新" }))).await;
    assert_eq!([&extended.body["endTime"], &extended.body["name"]], ["2026-11-12T16:00:00Z", "新"]);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_wherever_one_is_taken() {
    let desk = Desk::with_campaign().await;
    let huge = format!("{{\"name\": \"{}\"}}", "券".repeat(30_000));
    let table = [
        ("application/json", "{\"name\": ", 400, "invalid-json"),
        ("application/json", "", 400, "invalid-json"),
        ("application/json", &huge, 413, "body-too-large"),
        ("text/plain", "{}", 415, "unsupported-media-type"),
    ];
    for (content_type, body, status, slug) in table {
        let patch = on(operator("PATCH", ONE).path("id", &id().to_string()), 1);
        for request in [operator("POST", ALL), patch, on(of_template("PUT", 1), 1)] {
            let refused = desk.ask(request.header("content-type", content_type).body(body)).await;
            assert_eq!(refused.problem(), (status, slug), "{content_type}: {body:.100}");
        }
    }
}

/// Every route, as an operator would ask it.
fn every_route() -> [ApiRequest; 6] {
    [
        create(&json!({})),
        operator("GET", ALL),
        show(),
        patch(1, &json!({})),
        offer(1, 1, &json!({})),
        withdraw(1, 1),
    ]
}

#[tokio::test]
async fn only_operators_come_in() {
    let desk = Desk::with_campaign().await;
    for request in every_route() {
        for groups in [&[][..], &["guest"], &["administrators"]] {
            let refused = desk.ask(request.clone().caller("eve", groups)).await;
            assert_eq!(refused.problem(), (403, "forbidden"));
        }
        assert_eq!(desk.ask(request.caller("", &["admin"])).await.problem(), (401, "unauthenticated"));
    }
    let elsewhere = desk.ask(operator("DELETE", ONE).path("id", &id().to_string())).await;
    assert_eq!(elsewhere.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn what_does_not_exist_is_404() {
    let desk = Desk::with_campaign().await;
    let lower_case = id().to_string().to_lowercase();
    let long = "0".repeat(10_000);
    for text in ["01KA3Z5QJ8M4T2R7V9X1C6B0NG", &lower_case, "", "x", "%00'; DROP TABLE", &long] {
        let at = |method, route| on(operator(method, route).path("id", text), 1);
        let template = template_id(1).to_string();
        for request in [
            at("GET", ONE),
            at("PATCH", ONE).json(&json!({})),
            at("PUT", OFFER).path("templateId", &template).json(&json!({})),
            at("DELETE", OFFER).path("templateId", &template),
        ] {
            assert_eq!(desk.ask(request).await.problem(), (404, "campaign-not-found"), "{text:.50}");
        }
        for method in ["PUT", "DELETE"] {
            let request = on(operator(method, OFFER).path("id", &id().to_string()), 1).json(&json!({}));
            let refused = desk.ask(request.path("templateId", text)).await;
            assert_eq!(refused.problem(), (404, "template-not-found"), "{method} {text:.50}");
        }
    }
}

#[tokio::test]
async fn a_change_says_what_it_is_based_on() {
    let desk = Desk::with_campaign().await;
    let unconditional = || {
        [
            operator("PATCH", ONE).path("id", &id().to_string()).json(&json!({})),
            of_template("PUT", 1).json(&json!({})),
            of_template("DELETE", 1),
        ]
    };
    for request in unconditional() {
        assert_eq!(desk.ask(request).await.problem(), (428, "precondition-required"));
    }
    for request in unconditional() {
        assert_eq!(desk.ask(request.header("If-Match", "*")).await.problem(), (400, "invalid-if-match"));
    }
    for request in unconditional() {
        assert_eq!(desk.ask(on(request, 7)).await.problem(), (412, "precondition-failed"));
    }
}

#[tokio::test]
async fn every_campaign_is_listed_once_the_last_to_end_first() {
    let desk = Desk::with_campaign().await;
    let campaign = desk.campaigns.campaign(id()).await.unwrap().unwrap();
    let mut campaigns = vec![campaign.clone()];
    for (n, hours) in (1..).zip([5, 3, 9, 3, -7]) {
        let mut next = campaign.clone();
        next.id = CampaignId::from_parts(1, n);
        next.ends_at = NOW + SignedDuration::from_hours(hours);
        next.status = CampaignStatus::Ended;
        desk.campaigns.insert(&next).await.unwrap();
        campaigns.push(next);
    }
    campaigns.sort_by_key(|campaign| std::cmp::Reverse((campaign.ends_at, campaign.id)));
    let expected: Vec<Value> = campaigns.iter().map(|campaign| json!(campaign.id)).collect();
    for limit in [1, 4, 6, 50] {
        let first = operator("GET", ALL).query("limit", &limit.to_string());
        let pages = testing::pages("id", first, async |request| desk.ask(request).await).await;
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.concat(), expected, "limit {limit}");
    }
    testing::assert_paging_is_checked(operator("GET", ALL), 50, async |request| desk.ask(request).await)
        .await;
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    for request in every_route() {
        testing::assert_faults_are_hidden(async |client| Desk::at(client).ask(request.clone()).await).await;
    }
}
