//! What an operator is shown, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_coupon::Source;
use domain_ids::{CouponId, Nth, TemplateId};
use domain_money::Fen;
use domain_report::{Event, Fact, FactId, count};
use jiff::{SignedDuration, Timestamp};
use report_dynamodb::ReportTable;
use serde_json::{Value, json};
use show_coupon_report::handler;
use testing::{Answer, ApiRequest, COUPON_TABLE, EmbeddedDynamoDb, NOW, at, template_id};

const TEMPLATE: &str = "/v1/admin/coupon-templates/{id}/report";
const CAMPAIGN: &str = "/v1/admin/campaigns/{id}/report";
const CAMPAIGN_ID: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

struct Desk {
    db: EmbeddedDynamoDb,
    table: ReportTable,
}

impl Desk {
    async fn open() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
        let table = ReportTable::new(db.client(), name);
        Self { db, table }
    }

    async fn put(&self, pk: String, sk: &str, more: HashMap<String, AttributeValue>) {
        let put = self.db.client().put_item().table_name(COUPON_TABLE).set_item(Some(more));
        let put = put.item("pk", AttributeValue::S(pk)).item("sk", AttributeValue::S(sk.into()));
        put.send().await.unwrap();
    }

    async fn add_template(&self, id: TemplateId) {
        self.put(format!("TEMPLATE#{id}"), "TEMPLATE", HashMap::new()).await;
    }

    async fn add_campaign(&self, templates: &[TemplateId]) {
        let entries = templates.iter().map(|id| (id.to_string(), AttributeValue::M(HashMap::new())));
        let templates = AttributeValue::M(entries.collect());
        self.put(format!("CAMPAIGN#{CAMPAIGN_ID}"), "CAMPAIGN", [("templates".into(), templates)].into())
            .await;
    }

    /// Facts of a template: guest, event and hours from [`NOW`] on.
    async fn count(&self, template: TemplateId, facts: &[(&str, Event, i64)]) {
        let fact = |(revision, (guest, event, hours)): (u32, &(&str, Event, i64))| {
            let coupon = CouponId::new(&guest.parse().unwrap(), template, Nth::MIN);
            let at = NOW + SignedDuration::from_hours(*hours);
            Fact { id: FactId { coupon, revision }, event: *event, at, restock: false }
        };
        let facts = (1..).zip(facts).map(fact).collect();
        count(&self.table, facts, NOW, 1).await.unwrap();
    }

    async fn ask_at(&self, now: Timestamp, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.table, now, request.build()).await.unwrap())
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_at(NOW, request).await
    }
}

fn operator(route: &str, id: &str) -> ApiRequest {
    ApiRequest::new("GET", route).path("id", id).caller("eve", &["admin"])
}

fn of_template(n: u128) -> ApiRequest {
    operator(TEMPLATE, &template_id(n).to_string())
}

fn of_campaign() -> ApiRequest {
    operator(CAMPAIGN, CAMPAIGN_ID)
}

const SAVED: Fen = Fen::new(2_000);

/// Starts and counts of what was issued, of the slots in which something was.
fn issued(report: &Value) -> Vec<(&str, u64)> {
    let series = report["series"].as_array().unwrap().iter();
    series
        .map(|slot| (slot["start"].as_str().unwrap(), slot["issued"].as_u64().unwrap()))
        .filter(|(_, issued)| *issued > 0)
        .collect()
}

#[tokio::test]
async fn a_report_has_totals_of_all_time_and_the_period_asked_for() {
    let desk = Desk::open().await;
    desk.add_template(template_id(1)).await;
    let facts = [
        ("ann", Event::Issued(Source::Claim), -500),
        ("ann", Event::Locked, 1),
        ("ann", Event::Used { saved: SAVED }, 1),
        ("bob", Event::Issued(Source::Auto), 23),
        ("eve", Event::Issued(Source::Exchange), 24),
        ("ann", Event::Refunded { saved: SAVED }, 25),
        ("bob", Event::Used { saved: SAVED }, 500),
    ];
    desk.count(template_id(1), &facts).await;
    let answer = desk.ask(of_template(1).query("from", "2026-11-11").query("to", "2026-11-12")).await;
    assert_eq!(answer.status, 200);
    insta::with_settings!({ sort_maps => true }, { insta::assert_json_snapshot!(answer.body) });
}

#[tokio::test]
async fn without_a_period_the_last_week_is_shown_by_the_day() {
    let desk = Desk::open().await;
    desk.add_template(template_id(1)).await;
    let report = desk.ask_at(at("2026-11-11T23:59:59+08:00"), of_template(1)).await.body;
    let series = report["series"].as_array().unwrap();
    assert_eq!(series.len(), 7);
    assert_eq!(series[0]["start"], "2026-11-04T16:00:00Z");
    assert_eq!(series[6]["start"], "2026-11-10T16:00:00Z");
    assert_eq!(report["asOf"], "2026-11-11T15:59:59Z");
    let totals = report["totals"].as_object().unwrap();
    assert!(totals.len() == 12 && totals.values().all(|count| count == 0), "{report}");

    let ended = desk.ask(of_template(1).query("to", "2026-03-03")).await.body;
    assert_eq!(ended["series"][0]["start"], "2026-02-24T16:00:00Z");
    assert_eq!(ended["series"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn an_hour_and_a_day_are_those_of_shanghai() {
    let desk = Desk::open().await;
    desk.add_template(template_id(1)).await;
    let claim = Event::Issued(Source::Claim);
    desk.count(
        template_id(1),
        &[("ann", claim, -1), ("bob", claim, 0), ("eve", claim, 23), ("zoe", claim, 24)],
    )
    .await;
    let day = of_template(1).query("from", "2026-11-11").query("to", "2026-11-11");
    let hourly = desk.ask(day.clone().query("granularity", "hour")).await.body;
    assert_eq!(issued(&hourly), [("2026-11-10T16:00:00Z", 1), ("2026-11-11T15:00:00Z", 1)]);
    assert_eq!(hourly["series"].as_array().unwrap().len(), 24);
    assert_eq!(issued(&desk.ask(day.query("granularity", "day")).await.body), [("2026-11-10T16:00:00Z", 2)]);
}

#[tokio::test]
async fn a_campaign_is_the_sum_of_its_templates() {
    let desk = Desk::open().await;
    desk.add_campaign(&[template_id(2), template_id(1)]).await;
    for (template, guest, hours) in [(1, "ann", 0), (2, "bob", 0), (2, "eve", 24), (3, "zoe", 0)] {
        let facts =
            [(guest, Event::Issued(Source::Claim), hours), (guest, Event::Used { saved: SAVED }, hours)];
        desk.count(template_id(template), &facts).await;
    }
    let report = desk.ask(of_campaign().query("to", "2026-11-12")).await.body;
    assert_eq!(report["campaignId"], CAMPAIGN_ID);
    assert_eq!(report["templateIds"], json!([template_id(1), template_id(2)]));
    let figures = ["conversionBasisPoints", "costFen"].map(|name| report[name].as_u64().unwrap());
    assert_eq!((&report["totals"]["used"], figures), (&json!(3), [10_000, 6_000]));
    assert_eq!(issued(&report), [("2026-11-10T16:00:00Z", 2), ("2026-11-11T16:00:00Z", 1)]);
}

#[tokio::test]
async fn a_campaign_without_templates_has_counted_nothing() {
    let desk = Desk::open().await;
    desk.add_campaign(&[]).await;
    let answer = desk.ask(of_campaign()).await;
    assert_eq!((answer.status, &answer.body["totals"]["issued"]), (200, &json!(0)));
}

#[tokio::test]
async fn what_does_not_exist_has_no_report() {
    let desk = Desk::open().await;
    desk.count(template_id(1), &[("ann", Event::Issued(Source::Claim), 0)]).await;
    let lower_case = template_id(1).to_string().to_lowercase();
    let long = "9".repeat(10_000);
    let known = template_id(1).to_string();
    for id in [known.as_str(), CAMPAIGN_ID, &lower_case, "x", "", "%00'; DROP TABLE", "券", &long] {
        let template = desk.ask(operator(TEMPLATE, id)).await;
        assert_eq!(template.problem(), (404, "template-not-found"), "{id:.50}");
        let campaign = desk.ask(operator(CAMPAIGN, id)).await;
        assert_eq!(campaign.problem(), (404, "campaign-not-found"), "{id:.50}");
    }
}

#[tokio::test]
async fn a_report_is_for_operators() {
    let desk = Desk::open().await;
    desk.add_template(template_id(1)).await;
    desk.add_campaign(&[]).await;
    let template = ApiRequest::new("GET", TEMPLATE).path("id", &template_id(1).to_string());
    for request in [template, ApiRequest::new("GET", CAMPAIGN).path("id", CAMPAIGN_ID)] {
        assert_eq!(desk.ask(request.clone()).await.problem(), (401, "unauthenticated"));
        for groups in [&[][..], &["guest"], &["administrators"]] {
            let refused = desk.ask(request.clone().caller("ann", groups)).await;
            assert_eq!(refused.problem(), (403, "forbidden"), "{groups:?}");
        }
        assert_eq!(desk.ask(request.caller("eve", &["guest", "admin"])).await.status, 200);
    }
}

#[tokio::test]
async fn a_period_is_checked() {
    let desk = Desk::open().await;
    desk.add_template(template_id(1)).await;
    desk.add_campaign(&[]).await;
    let long = "2026-11-11".repeat(1_000);
    let table: [(&[(&str, &str)], &str); 21] = [
        (&[("from", "")], "from"),
        (&[("from", "yesterday")], "from"),
        (&[("from", "2026-02-29")], "from"),
        (&[("from", "2026-11-1")], "from"),
        (&[("from", "20261111")], "from"),
        (&[("from", "2026-11-11T00:00:00Z")], "from"),
        (&[("from", "2026-11-11 ")], "from"),
        (&[("from", "1794326400")], "from"),
        (&[("from", &long)], "from"),
        (&[("from", "2026-11-11"), ("from", "2026-11-11")], "from"),
        (&[("to", "11.11.2026")], "to"),
        (&[("to", "2026-11-11"), ("to", "2026-11-12")], "to"),
        (&[("from", "2026-11-11"), ("to", "2026-11-10")], "to"),
        (&[("from", "2026-11-12")], "to"),
        (&[("from", "2025-11-10"), ("to", "2026-11-11")], "from"),
        (&[("from", "2026-10-11"), ("to", "2026-11-11"), ("granularity", "hour")], "from"),
        (&[("to", "-009999-01-01")], "from"),
        (&[("to", "9999-12-31")], "from"),
        (&[("granularity", "")], "granularity"),
        (&[("granularity", "Day")], "granularity"),
        (&[("granularity", "week")], "granularity"),
    ];
    for (parameters, field) in table {
        for request in [of_template(1), of_campaign()] {
            let request =
                parameters.iter().fold(request, |request, (name, value)| request.query(name, value));
            let refused = desk.ask(request).await;
            assert_eq!(refused.problem(), (400, "invalid-parameter"), "{parameters:.50?}");
            assert_eq!(refused.fields(), field, "{parameters:.50?}");
        }
    }
    for (from, granularity, slots) in [("2025-11-11", "day", 366), ("2026-10-12", "hour", 31 * 24)] {
        let longest = of_template(1).query("from", from).query("granularity", granularity);
        assert_eq!(desk.ask(longest).await.body["series"].as_array().unwrap().len(), slots);
    }
}

#[tokio::test]
async fn a_route_that_is_not_served_is_404() {
    let desk = Desk::open().await;
    for (method, route) in [("POST", TEMPLATE), ("GET", "/v1/admin/coupon-templates/{id}"), ("GET", "/")] {
        let answer = desk.ask(ApiRequest::new(method, route).caller("eve", &["admin"])).await;
        assert_eq!(answer.problem(), (404, "route-not-found"), "{method} {route}");
    }
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    for request in [of_template(1), of_campaign()] {
        testing::assert_faults_are_hidden(async |client| {
            let table = ReportTable::new(client, COUPON_TABLE.into());
            Answer::of(handler::handle(&table, NOW, request.clone().build()).await.unwrap())
        })
        .await;
    }
}

#[tokio::test]
async fn an_item_by_other_hands_is_told_without_a_word_of_it() {
    let desk = Desk::open().await;
    desk.add_template(template_id(1)).await;
    let counter = [("issued".to_owned(), AttributeValue::S("secret".into()))];
    desk.put(format!("REPORT#{}", template_id(1)), "HOUR#2026-11-11T00#0", counter.into()).await;
    let refused = desk.ask(of_template(1)).await;
    assert_eq!(refused.problem(), (503, "try-again"));
    assert!(!refused.body.to_string().contains("secret"));
}

#[tokio::test]
async fn the_sample_events_are_reports() {
    let desk = Desk::open().await;
    desk.add_template(CAMPAIGN_ID.parse().unwrap()).await;
    desk.add_campaign(&[template_id(1)]).await;
    for (name, slots) in [("template", 48), ("campaign", 7)] {
        let request = testing::request(testing::event(&format!("api/show-coupon-report-{name}.json")));
        let answer = Answer::of(handler::handle(&desk.table, NOW, request).await.unwrap());
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.body["series"].as_array().unwrap().len(), slots, "{name}");
    }
}
