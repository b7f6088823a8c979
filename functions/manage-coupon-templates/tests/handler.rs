//! What an operator gets, on an embedded table.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::{ClaimStore, Issue, RefillStore, Shard, Template, TemplateChange, TemplateStore};
use jiff::{SignedDuration, Timestamp};
use manage_coupon_templates::handler::{self, Chance};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, at, template_id};

const ALL: &str = "/v1/admin/coupon-templates";
const ONE: &str = "/v1/admin/coupon-templates/{id}";

/// A body with some members put in.
type Body = fn(Value) -> Value;

/// Where an operator works.
struct Desk {
    table: CouponTable,
    requests: AtomicU64,
}

impl Desk {
    fn at(client: Client) -> Self {
        Self { table: CouponTable::new(client, testing::COUPON_TABLE.into()), requests: 0.into() }
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_coupon_table().await.0.client())
    }

    /// One that has [`testing::template`] with a total of 10, half of them in each of two shards.
    async fn with_template() -> Self {
        let desk = Self::open().await;
        let mut template = testing::template(10);
        template.stock = testing::stock(10, 2);
        desk.table.insert(&template).await.unwrap();
        desk
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_at(NOW, request).await
    }

    async fn ask_at(&self, at: Timestamp, request: ApiRequest) -> Answer {
        let id = self.requests.fetch_add(1, Ordering::Relaxed).into();
        Answer::of(handler::handle(&self.table, Chance { at, id }, request.build()).await.unwrap())
    }

    async fn claim(&self, guest: &str, shard: u16) {
        let issued = self.table.issue(&testing::coupon(guest, 1), Some(Shard(shard)), None).await.unwrap();
        assert_eq!(issued, Issue::Issued);
    }
}

fn operator(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("eve", &["admin"])
}

fn create(body: &Value) -> ApiRequest {
    operator("POST", ALL).json(body)
}

fn show() -> ApiRequest {
    operator("GET", ONE).path("id", &template_id(1).to_string())
}

fn patch(version: u64, body: &Value) -> ApiRequest {
    unconditional_patch().header("If-Match", &format!("\"{version}\"")).json(body)
}

fn unconditional_patch() -> ApiRequest {
    operator("PATCH", ONE).path("id", &template_id(1).to_string())
}

/// A coupon worth 20 yuan, with `members` put in or replaced.
fn cash(members: Value) -> Value {
    let cash = json!({
        "name": "20元代金券", "type": "cash", "amountFen": 2_000, "threshold": { "type": "none" },
        "totalCount": 1_000, "validDays": 30,
        "startTime": "2026-11-11T00:00:00+08:00", "endTime": "2026-11-12T00:00:00+08:00",
    });
    with(cash, members)
}

/// 20 % off, with `members` put in or replaced.
fn discount(members: Value) -> Value {
    let mut discount = with(cash(json!({ "type": "discount", "discountPercent": 20 })), members);
    discount.as_object_mut().unwrap().remove("amountFen");
    discount
}

fn with(mut body: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("not members: {members}") };
    body.as_object_mut().unwrap().extend(members);
    body
}

#[tokio::test]
async fn the_sample_events_create_show_change_and_list_a_template() {
    let desk = Desk::open().await;
    let request = |sample: &str| testing::event(&format!("api/manage-coupon-templates-{sample}.json"));
    let chance = Chance { at: NOW, id: 1 };
    let ask = async |event| {
        Answer::of(handler::handle(&desk.table, chance, testing::request(event)).await.unwrap())
    };
    let created = ask(request("create")).await;
    assert_eq!(created.status, 201, "{}", created.body);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(created.body, @r#"
        {
          "amountFen": 2000,
          "createTime": "2026-11-10T16:00:00Z",
          "endTime": "2026-11-11T16:00:00Z",
          "expectedClaimsPerSecond": 1000,
          "id": "01M73303000000000000000001",
          "issueMode": "direct",
          "issueType": "manual",
          "name": "满100减20",
          "perUserLimit": 1,
          "phase": "running",
          "refilling": false,
          "remaining": 1000,
          "restock": false,
          "returned": 0,
          "scope": {},
          "shards": 50,
          "stacking": {
            "type": "exclusive"
          },
          "startTime": "2026-11-10T16:00:00Z",
          "status": "active",
          "threshold": {
            "amountFen": 10000,
            "type": "amount"
          },
          "totalCount": 1000,
          "type": "full_reduction",
          "updateTime": "2026-11-10T16:00:00Z",
          "validDays": 30,
          "version": 1
        }
        "#);
    });
    let path = format!("{ALL}/{}", created.body["id"].as_str().unwrap());
    assert_eq!(created.header("location"), Some(path.as_str()));
    assert_eq!(created.header("etag"), Some("\"1\""));
    assert_eq!(created.header("cache-control"), Some("no-store"));

    let to_it = |sample: &str| {
        let mut event = request(sample);
        event["pathParameters"]["id"] = created.body["id"].clone();
        event
    };
    let shown = ask(to_it("show")).await;
    assert_eq!((shown.status, shown.header("etag"), &shown.body), (200, Some("\"1\""), &created.body));
    assert_eq!(ask(request("list")).await.body, json!({ "items": [created.body] }));
    let changed = ask(to_it("change")).await;
    assert_eq!((changed.status, &changed.body["totalCount"]), (200, &json!(1_500)));
}

#[tokio::test]
async fn each_type_is_created_and_reads_back() {
    let desk = Desk::open().await;
    let amount = json!({ "type": "amount", "amountFen": 10_000 });
    let benefits = [
        json!({ "type": "full_reduction", "amountFen": 10_000, "threshold": amount }),
        json!({ "type": "discount", "discountPercent": 20, "threshold": { "type": "none" } }),
        json!({ "type": "discount", "discountPercent": 99, "discountCapFen": 5_000, "threshold": amount }),
        json!({ "type": "cash", "amountFen": 1_000_000_000, "threshold": { "type": "none" } }),
        json!({ "type": "gift", "giftSku": "TEA-01_a.b", "threshold": amount }),
    ];
    for benefit in benefits {
        let mut body = cash(json!({}));
        body.as_object_mut().unwrap().remove("amountFen");
        let body = with(body, benefit);
        let created = desk.ask(create(&body)).await;
        assert_eq!(created.status, 201, "{}", created.body);
        assert_eq!(created.header("etag"), Some("\"1\""));
        let defaults = [
            ("perUserLimit", json!(1)),
            ("issueType", json!("manual")),
            ("expectedClaimsPerSecond", json!(100)),
            ("status", json!("active")),
            ("phase", json!("running")),
            ("remaining", json!(1_000)),
        ];
        let sent = body.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in sent.filter(|(name, _)| !name.ends_with("Time")).chain(defaults) {
            assert_eq!(created.body[name], value, "{name} of {body}");
        }
        let belongs = |name: &str| body.get(name).is_some();
        for name in ["amountFen", "discountPercent", "discountCapFen", "giftSku"] {
            assert_eq!(created.body.get(name).is_some(), belongs(name), "{name} of {body}");
        }
        let location = created.header("location").unwrap();
        let id = location.strip_prefix("/v1/admin/coupon-templates/").unwrap();
        assert_eq!(created.body["id"], id);
        assert_eq!(desk.ask(operator("GET", ONE).path("id", id)).await.body, created.body);
    }
}

#[tokio::test]
async fn unlimited_stock_is_minus_one_and_has_no_shards() {
    let desk = Desk::open().await;
    let created = desk.ask(create(&cash(json!({ "totalCount": -1 })))).await;
    let figures = |body: &Value| ["totalCount", "remaining", "shards"].map(|name| body[name].as_i64());
    assert_eq!((created.status, figures(&created.body)), (201, [Some(-1), Some(-1), Some(0)]));
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(desk.ask(operator("GET", ONE).path("id", id)).await.body, created.body);
    let one = operator("PATCH", ONE).path("id", id).header("If-Match", "\"1\"");
    for total in [json!(1), json!(100), json!(-1)] {
        let refused = desk.ask(one.clone().json(&json!({ "totalCount": total }))).await;
        assert_eq!(refused.problem(), (422, "invalid-body"), "{total}");
        assert_eq!(refused.fields(), "totalCount");
    }
}

#[tokio::test]
async fn times_are_cut_to_milliseconds_and_may_be_far_away() {
    let desk = Desk::open().await;
    let times = [
        ("2026-11-11T00:00:00.0009Z", "2026-11-11T00:00:00Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ];
    for (sent, kept) in times {
        let created =
            desk.ask(create(&cash(json!({ "startTime": sent, "endTime": "9999-12-30T00:00:00Z" })))).await;
        assert_eq!((created.status, &created.body["startTime"]), (201, &json!(kept)), "{}", created.body);
        let id = created.body["id"].as_str().unwrap();
        assert_eq!(desk.ask(operator("GET", ONE).path("id", id)).await.body, created.body);
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_wherever_one_is_taken() {
    let desk = Desk::with_template().await;
    let json_body = |body: &str| ("application/json", body.to_owned());
    let huge = format!("{{\"name\": \"{}\"}}", "券".repeat(70_000));
    let table = [
        (json_body("{\"name\": "), 400, "invalid-json"),
        (json_body("{\"name\": \"a\"} x"), 400, "invalid-json"),
        (json_body("{'name': 'a'}"), 400, "invalid-json"),
        (json_body("name=a"), 400, "invalid-json"),
        (json_body(""), 400, "invalid-json"),
        (json_body(" \n"), 400, "invalid-json"),
        (json_body(&"[".repeat(10_000)), 400, "invalid-json"),
        (json_body(&huge), 413, "body-too-large"),
        (json_body(&"[".repeat(1_000_000)), 413, "body-too-large"),
        (("text/plain", "{}".to_owned()), 415, "unsupported-media-type"),
        (("application/json; charset=gbk", "{}".to_owned()), 415, "unsupported-media-type"),
        (("application/x-www-form-urlencoded", "name=a".to_owned()), 415, "unsupported-media-type"),
    ];
    for ((content_type, body), status, slug) in table {
        for request in [operator("POST", ALL), unconditional_patch().header("If-Match", "\"1\"")] {
            let refused = desk.ask(request.header("content-type", content_type).body(&body)).await;
            assert_eq!(refused.problem(), (status, slug), "{content_type}: {body:.100}");
        }
    }
    let undeclared = operator("POST", ALL).body("{}");
    assert_eq!(desk.ask(undeclared).await.problem(), (415, "unsupported-media-type"));
    let malformed = operator("POST", ALL).header("content-type", "application/json").body("{\n  \"name\" 1}");
    let malformed = desk.ask(malformed).await;
    assert_eq!([&malformed.body["line"], &malformed.body["column"]], [2, 10], "where it goes wrong");
}

#[tokio::test]
async fn json_that_is_no_template_names_the_field() {
    let desk = Desk::open().await;
    let long = "x".repeat(10_000);
    let table = [
        (json!(null), ""),
        (json!(7), ""),
        (json!("cash"), ""),
        (json!([]), ""),
        (json!({}), "name"),
        (cash(json!({ "nmae": "x" })), "nmae"),
        (cash(json!({ "id": "01KA3Z5QJ8M4T2R7V9X1C6B0NG" })), "id"),
        (cash(json!({ "status": "paused" })), "status"),
        (cash(json!({ "name": 1 })), "name"),
        (cash(json!({ "name": null })), "name"),
        (cash(json!({ "type": "voucher" })), "type"),
        (cash(json!({ "type": "Cash" })), "type"),
        (cash(json!({ "type": long })), "type"),
        (cash(json!({ "type": 3 })), "type"),
        (cash(json!({ "threshold": "none" })), "threshold"),
        (cash(json!({ "threshold": null })), "threshold"),
        (cash(json!({ "threshold": {} })), "threshold/type"),
        (cash(json!({ "threshold": { "type": "some" } })), "threshold/type"),
        (cash(json!({ "threshold": { "type": "none", "amount": 1 } })), "threshold/amount"),
        (cash(json!({ "threshold": { "type": "amount", "amountFen": "1" } })), "threshold/amountFen"),
        (cash(json!({ "giftSku": 7 })), "giftSku"),
        (cash(json!({ "issueType": "gift" })), "issueType"),
        (cash(json!({ "issueType": null })), "issueType"),
        (cash(json!({ "startTime": "2026-11-11T00:00:00" })), "startTime"),
        (cash(json!({ "startTime": "2026-11-11" })), "startTime"),
        (cash(json!({ "startTime": "tomorrow" })), "startTime"),
        (cash(json!({ "startTime": "" })), "startTime"),
        (cash(json!({ "startTime": 1_794_326_400 })), "startTime"),
        (cash(json!({ "startTime": long })), "startTime"),
        (cash(json!({ "endTime": "2026-02-30T00:00:00Z" })), "endTime"),
        (cash(json!({ "endTime": "2026-11-12 00:00" })), "endTime"),
        (cash(json!({ "endTime": "99999-01-01T00:00:00Z" })), "endTime"),
        (cash(json!({ "endTime": null })), "endTime"),
    ];
    for (body, field) in table {
        let refused = desk.ask(create(&body)).await;
        assert_eq!(refused.problem(), (422, "invalid-body"), "{body:.300}");
        assert_eq!(refused.fields(), field, "{body:.300}");
        assert!(!refused.body.to_string().contains("xxx"), "what was sent is not repeated");
    }
    for field in ["name", "type", "threshold", "totalCount", "validDays", "startTime", "endTime"] {
        let mut body = cash(json!({}));
        body.as_object_mut().unwrap().remove(field);
        let refused = desk.ask(create(&body)).await;
        assert_eq!(refused.problem(), (422, "invalid-body"), "without {field}");
        assert_eq!(refused.body["errors"], json!([{ "field": field, "must": "must be present" }]));
    }
    let twice = operator("POST", ALL).header("content-type", "application/json");
    let refused = desk.ask(twice.body(r#"{"name": "a", "name": "b"}"#)).await;
    assert_eq!(refused.body["errors"], json!([{ "field": "name", "must": "must be sent once" }]));
    let unknown = desk.ask(create(&cash(json!({ (long): 1 })))).await;
    assert_eq!((unknown.problem(), unknown.fields().chars().count()), ((422, "invalid-body"), 201));
    assert_eq!(desk.ask(operator("GET", ALL)).await.body, json!({ "items": [] }), "nothing was created");
}

#[tokio::test]
async fn a_template_that_is_not_sensible_names_every_field_at_fault() {
    let desk = Desk::open().await;
    let amount = |fen: i64| json!({ "type": "amount", "amountFen": fen });
    let table = [
        // What a guest reads.
        (cash(json!({ "name": "" })), "name"),
        (cash(json!({ "name": " 券" })), "name"),
        (cash(json!({ "name": "券\u{3000}" })), "name"),
        (cash(json!({ "name": "a\nb" })), "name"),
        (cash(json!({ "name": "券".repeat(101) })), "name"),
        (cash(json!({ "name": "x".repeat(10_000) })), "name"),
        // When.
        (cash(json!({ "endTime": "2026-11-11T00:00:00+08:00" })), "endTime"),
        (cash(json!({ "endTime": "2026-11-10T23:59:59+08:00" })), "endTime"),
        (cash(json!({ "startTime": "2026-11-01T00:00:00Z", "endTime": "2026-11-10T16:00:00Z" })), "endTime"),
        // What it is good for.
        (cash(json!({ "type": "full_reduction" })), "threshold"),
        (cash(json!({ "type": "full_reduction", "threshold": amount(1_999) })), "threshold"),
        (cash(json!({ "threshold": { "type": "amount" } })), "threshold/amountFen"),
        (cash(json!({ "threshold": { "type": "none", "amountFen": 1 } })), "threshold/amountFen"),
        (cash(json!({ "amountFen": null })), "amountFen"),
        (cash(json!({ "discountPercent": 20 })), "discountPercent"),
        (cash(json!({ "discountCapFen": 20 })), "discountCapFen"),
        (cash(json!({ "giftSku": "TEA" })), "giftSku"),
        (cash(json!({ "type": "discount" })), "amountFen discountPercent"),
        (cash(json!({ "type": "gift" })), "amountFen giftSku"),
        (cash(json!({ "type": "gift", "amountFen": null })), "giftSku"),
        (discount(json!({ "discountPercent": null })), "discountPercent"),
        (cash(json!({ "type": "gift", "amountFen": null, "giftSku": "" })), "giftSku"),
        (cash(json!({ "type": "gift", "amountFen": null, "giftSku": "茶" })), "giftSku"),
        (cash(json!({ "type": "gift", "amountFen": null, "giftSku": "a b" })), "giftSku"),
        (cash(json!({ "type": "gift", "amountFen": null, "giftSku": "a".repeat(65) })), "giftSku"),
        (cash(json!({ "type": "gift", "amountFen": null, "giftSku": "a".repeat(10_000) })), "giftSku"),
        // Several at once.
        (cash(json!({ "name": "", "validDays": 0, "totalCount": 0 })), "name validDays totalCount"),
    ];
    for (body, fields) in table {
        let refused = desk.ask(create(&body)).await;
        assert_eq!(refused.problem(), (422, "invalid-body"), "{body:.300}");
        assert_eq!(refused.fields(), fields, "{body:.300}");
    }
    assert_eq!(desk.ask(operator("GET", ALL)).await.body, json!({ "items": [] }), "nothing was created");
}

#[tokio::test]
async fn a_number_beyond_its_bounds_names_the_field() {
    let desk = Desk::open().await;
    let in_threshold = |number: &Value| json!({ "threshold": { "type": "amount", "amountFen": number } });
    let fields: [(Body, &str, i64, i64); 8] = [
        (cash, "amountFen", 1, 1_000_000_000),
        (cash, "threshold/amountFen", 1, 1_000_000_000),
        (discount, "discountPercent", 1, 99),
        (discount, "discountCapFen", 1, 1_000_000_000),
        (cash, "totalCount", 1, 100_000_000),
        (cash, "perUserLimit", 1, 20),
        (cash, "validDays", 1, 3_650),
        (cash, "expectedClaimsPerSecond", 1, 1_000_000),
    ];
    for (body_of, field, min, max) in fields {
        let body = |number: &Value| match field.strip_prefix("threshold/") {
            Some(_) => body_of(in_threshold(number)),
            None => body_of(json!({ (field): number })),
        };
        for number in [min, max] {
            let total = body(&json!(number));
            // 100,000,000 coupons for 100 claims a second take five shards; a million claims a second would take 2,048.
            if field != "expectedClaimsPerSecond" || number == min {
                assert_eq!(desk.ask(create(&total)).await.status, 201, "{field}: {number}");
            }
        }
        let low = if field == "totalCount" { -2 } else { -1 };
        let whole = [low, 0, max + 1, 1 << 32 | 1, 1 << 40 | 1, i64::MAX, i64::MIN].map(Value::from);
        let wrapping = [max + 256, max + 65_536, max + (1 << 32)].map(Value::from);
        let others = [
            json!(1_u64 << 63),
            json!(u64::MAX),
            json!(1.5),
            json!(-0.0),
            json!(1e300),
            json!("1"),
            json!(true),
            json!([1]),
            json!({}),
        ];
        for number in whole.into_iter().chain(wrapping).chain(others) {
            let refused = desk.ask(create(&body(&number))).await;
            assert_eq!(refused.problem(), (422, "invalid-body"), "{field}: {number}");
            assert_eq!(refused.fields(), field, "{number}");
        }
        // Beyond any number of the machine: only as text.
        for number in ["1e400", "-1e400", &"9".repeat(1_000)] {
            let text = body(&json!("@")).to_string().replace("\"@\"", number);
            let request = operator("POST", ALL).header("content-type", "application/json").body(&text);
            let refused = desk.ask(request).await;
            assert_eq!(refused.problem(), (422, "invalid-body"), "{field}: {number}");
            assert_eq!(refused.fields(), field, "{number}");
        }
    }
}

#[tokio::test]
async fn only_operators_come_in() {
    let desk = Desk::with_template().await;
    let routes = [("POST", ALL), ("GET", ALL), ("GET", ONE), ("PATCH", ONE), ("DELETE", ONE)];
    for (method, route) in routes {
        let request = || ApiRequest::new(method, route).path("id", &template_id(1).to_string());
        let nobody = desk.ask(request()).await;
        assert_eq!(nobody.problem(), (401, "unauthenticated"), "{method} {route}");
        assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
        assert_eq!(desk.ask(request().caller("", &["admin"])).await.problem(), (401, "unauthenticated"));
        for groups in [&[][..], &["guest"], &["administrators", "Admin", "not-admin"]] {
            let guest = desk.ask(request().caller("ann", groups)).await;
            assert_eq!(guest.problem(), (403, "forbidden"), "{method} {route} {groups:?}");
        }
    }
    assert_eq!(desk.ask(show().caller("eve", &["guest", "admin"])).await.status, 200);
}

#[tokio::test]
async fn a_route_that_is_not_served_is_404() {
    let desk = Desk::with_template().await;
    for (method, route) in [("DELETE", ONE), ("PUT", ONE), ("POST", ONE), ("GET", "/v1/admin"), ("GET", "/")]
    {
        assert_eq!(
            desk.ask(operator(method, route)).await.problem(),
            (404, "route-not-found"),
            "{method} {route}"
        );
    }
}

#[tokio::test]
async fn a_template_that_does_not_exist_is_404() {
    let desk = Desk::with_template().await;
    let lower_case = template_id(1).to_string().to_lowercase();
    let long = "0".repeat(10_000);
    for id in ["01KA3Z5QJ8M4T2R7V9X1C6B0NG", &lower_case, "", "x", "../x", "%00'; DROP TABLE", "券", &long] {
        let shown = desk.ask(operator("GET", ONE).path("id", id)).await;
        assert_eq!(shown.problem(), (404, "template-not-found"), "{id:.50}");
        let change = operator("PATCH", ONE).path("id", id).header("If-Match", "\"1\"").json(&json!({}));
        assert_eq!(desk.ask(change).await.problem(), (404, "template-not-found"), "{id:.50}");
    }
}

#[tokio::test]
async fn a_change_says_what_it_is_based_on() {
    let desk = Desk::with_template().await;
    let rename = json!({ "name": "新名" });
    let unconditional = desk.ask(unconditional_patch().json(&rename)).await;
    assert_eq!(unconditional.problem(), (428, "precondition-required"));
    let long = format!("\"{}\"", "1".repeat(10_000));
    let garbage =
        ["*", "W/\"1\"", "1", "", "\"\"", "\"", "\"01\"", "\"+1\"", "\"-1\"", "\"1.0\"", "\"a\"", "'1'"];
    for tag in garbage.into_iter().chain(["\"1\", \"2\"", "\"18446744073709551616\"", "\"１\"", &long]) {
        let refused = desk.ask(unconditional_patch().header("If-Match", tag).json(&rename)).await;
        assert_eq!(refused.problem(), (400, "invalid-if-match"), "{tag:.50}");
    }
    for version in [0, 2, u64::MAX] {
        let refused = desk.ask(patch(version, &rename)).await;
        assert_eq!(refused.problem(), (412, "precondition-failed"), "{version}");
    }
    assert_eq!(desk.ask(show()).await.header("etag"), Some("\"1\""), "nothing was changed");
}

#[tokio::test]
async fn of_two_operators_who_read_the_same_version_the_second_is_told() {
    let desk = Desk::with_template().await;
    let first = desk.ask(patch(1, &json!({ "name": "甲" }))).await;
    assert_eq!((first.status, first.header("etag")), (200, Some("\"2\"")));
    assert_eq!(desk.ask(patch(1, &json!({ "name": "乙" }))).await.problem(), (412, "precondition-failed"));
    assert_eq!(desk.ask(show()).await.body["name"], "甲");
}

#[tokio::test]
async fn a_template_is_renamed_extended_paused_and_resumed() {
    let desk = Desk::with_template().await;
    let before = desk.ask(show()).await.body;
    let steps = [
        (json!({ "name": "新名" }), json!({ "name": "新名" })),
        (json!({ "endTime": "2026-11-13T00:00:00+08:00" }), json!({ "endTime": "2026-11-12T16:00:00Z" })),
        (json!({ "endTime": "2026-11-12T16:00:00.0009Z" }), json!({})),
        (json!({ "status": "paused" }), json!({ "status": "paused", "phase": "paused" })),
        (json!({ "status": "paused" }), json!({})),
        (json!({ "status": "active" }), json!({ "status": "active", "phase": "running" })),
        (json!({ "name": null, "endTime": null, "totalCount": null, "status": null }), json!({})),
        (json!({}), json!({})),
    ];
    let mut expected = before;
    for (version, (change, shows)) in (1..).zip(steps) {
        let now = NOW + SignedDuration::from_hours(1);
        let changed = desk.ask_at(now, patch(version, &change)).await;
        expected = with(expected, with(shows, json!({ "version": version + 1, "updateTime": now })));
        assert_eq!((changed.status, &changed.body), (200, &expected), "{change}");
        let tag = format!("\"{}\"", version + 1);
        assert_eq!(changed.header("etag"), Some(tag.as_str()), "{change}");
        assert_eq!(desk.ask_at(now, show()).await.body, expected, "{change}");
    }
}

#[tokio::test]
async fn a_top_up_raises_what_is_left_and_a_repeat_does_not() {
    let desk = Desk::with_template().await;
    for guest in ["a", "b", "c"] {
        desk.claim(guest, 1).await;
    }
    let stock =
        |body: &Value| [&body["totalCount"], &body["remaining"], &body["refilling"]].map(Clone::clone);
    assert_eq!(stock(&desk.ask(show()).await.body), [json!(10), json!(7), json!(false)]);

    let topped_up = desk.ask(patch(1, &json!({ "totalCount": 15 }))).await;
    assert_eq!(topped_up.status, 200);
    assert_eq!(stock(&topped_up.body), [json!(15), json!(12), json!(false)]);
    assert_eq!(desk.ask(show()).await.header("etag"), topped_up.header("etag"));
    assert_eq!(
        desk.ask(patch(1, &json!({ "totalCount": 15 }))).await.problem(),
        (412, "precondition-failed")
    );

    let version = topped_up.body["version"].as_u64().unwrap();
    let repeat = desk.ask(patch(version, &json!({ "totalCount": 15 }))).await;
    assert_eq!((repeat.status, stock(&repeat.body)), (200, stock(&topped_up.body)));
    assert_eq!(stock(&desk.ask(show()).await.body), stock(&topped_up.body));
}

#[tokio::test]
async fn a_top_up_that_was_cut_off_is_finished_by_the_next_change() {
    let desk = Desk::with_template().await;
    let template = TemplateStore::template(&desk.table, template_id(1)).await.unwrap().unwrap();
    let more = TemplateChange { total_count: Some(20), ..TemplateChange::default() };
    assert!(desk.table.replace(&template.changed(more, NOW).unwrap(), 1).await.unwrap());
    let cut_off = desk.ask(show()).await.body;
    assert_eq!([&cut_off["refilling"], &cut_off["remaining"]], [&json!(true), &json!(10)]);
    let finished = desk.ask(patch(2, &json!({}))).await.body;
    assert_eq!([&finished["refilling"], &finished["remaining"]], [&json!(false), &json!(20)]);
}

#[tokio::test]
async fn a_change_that_is_not_sensible_names_the_field_and_changes_nothing() {
    let desk = Desk::with_template().await;
    desk.claim("ann", 0).await;
    let before = desk.ask(show()).await.body;
    let table = [
        (json!({ "totalCount": 9 }), "totalCount"),
        (json!({ "totalCount": 1 }), "totalCount"),
        (json!({ "totalCount": 0 }), "totalCount"),
        (json!({ "totalCount": -1 }), "totalCount"),
        (json!({ "totalCount": 100_000_001 }), "totalCount"),
        (json!({ "totalCount": (1_i64 << 32) + 20 }), "totalCount"),
        (json!({ "totalCount": i64::MAX }), "totalCount"),
        (json!({ "totalCount": i64::MIN }), "totalCount"),
        (json!({ "totalCount": 1_u64 << 63 }), "totalCount"),
        (json!({ "totalCount": 20.0 }), "totalCount"),
        (json!({ "totalCount": "20" }), "totalCount"),
        (json!({ "endTime": "2026-11-11T23:59:59.999+08:00" }), "endTime"),
        (json!({ "endTime": "1970-01-01T00:00:00Z" }), "endTime"),
        (json!({ "endTime": "2026-11-13T00:00:00" }), "endTime"),
        (json!({ "endTime": 1_794_326_400_000_i64 }), "endTime"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "x".repeat(10_000) }), "name"),
        (json!({ "name": ["新名"] }), "name"),
        (json!({ "status": "deleted" }), "status"),
        (json!({ "status": "" }), "status"),
        (json!({ "status": 2 }), "status"),
        (json!({ "startTime": "2026-11-11T00:00:00Z" }), "startTime"),
        (json!({ "perUserLimit": 2 }), "perUserLimit"),
        (json!({ "version": 7 }), "version"),
        (
            json!({ "name": "", "endTime": "2026-11-11T00:00:00Z", "totalCount": 9 }),
            "name endTime totalCount",
        ),
        (json!({ "name": "新名", "totalCount": 9 }), "totalCount"),
        (json!([]), ""),
        (json!(null), ""),
        (json!("paused"), ""),
    ];
    for (body, fields) in table {
        let refused = desk.ask(patch(1, &body)).await;
        assert_eq!(refused.problem(), (422, "invalid-body"), "{body:.200}");
        assert_eq!(refused.fields(), fields, "{body:.200}");
    }
    assert_eq!(desk.ask(show()).await.body, before);
}

#[tokio::test]
async fn every_template_is_listed_once_the_last_to_end_first() {
    let desk = Desk::open().await;
    // Ends in no order, some of them alike, some of them over, one of them after the year 2286, whose milliseconds have a digit more.
    let mut templates: Vec<Template> = (1..)
        .zip([5, 3, 9, 3, -7, 1, 9, 2_400_000])
        .map(|(n, hours)| Template {
            id: template_id(n),
            starts_at: at("2026-01-01T00:00:00Z"),
            ends_at: NOW + SignedDuration::from_hours(hours),
            ..testing::template(10)
        })
        .collect();
    for template in &templates {
        desk.table.insert(template).await.unwrap();
    }
    templates.sort_by_key(|template| std::cmp::Reverse((template.ends_at, template.id)));
    let expected: Vec<Value> = templates.iter().map(|template| json!(template.id)).collect();
    for limit in [1, 3, 4, 8, 50] {
        let first = operator("GET", ALL).query("limit", &limit.to_string());
        let pages = testing::pages("id", first, async |request| desk.ask(request).await).await;
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.concat(), expected, "limit {limit}");
    }
    let page = desk.ask(operator("GET", ALL)).await;
    assert_eq!(page.items("remaining"), vec![10; 8]);
}

#[tokio::test]
async fn limits_and_cursors_are_checked() {
    let desk = Desk::with_template().await;
    testing::assert_paging_is_checked(operator("GET", ALL), 50, async |request| desk.ask(request).await)
        .await;
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    let requests =
        [create(&cash(json!({}))), show(), operator("GET", ALL), patch(1, &json!({ "name": "新名" }))];
    for request in requests {
        testing::assert_faults_are_hidden(async |client| Desk::at(client).ask(request.clone()).await).await;
    }
}
