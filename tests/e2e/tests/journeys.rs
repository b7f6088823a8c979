//! What people do with the app, over HTTP, with real tokens.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use e2e::{Person, send, template, until};
use reqwest::Method;
use serde_json::{Value, json};
use xtask::{Stack, sale};

fn deployed<F: Future<Output = ()>>(test: impl FnOnce(&'static Stack) -> F) {
    e2e::deployed("journeys", false, test);
}

#[test]
fn an_operator_publishes_and_guests_claim_until_nothing_is_left() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let (ann, bob) = (
            Person::guest(stack.endpoints(), "journey-ann").await,
            Person::guest(stack.endpoints(), "journey-bob").await,
        );
        let id = operator.publish(1, json!({})).await;

        let sale = Person::anybody(stack.endpoints()).get(&format!("/v1/coupon-templates/{id}")).await;
        assert_eq!((sale.status, sale.text("phase"), &sale.body["remaining"]), (200, "running", &json!(1)));
        assert_eq!(sale.header("cache-control"), Some("public, max-age=5"));

        let claimed = ann.claim(&id, Some("one")).await;
        assert_eq!(claimed.status, 201, "{claimed:?}");
        let coupon = ann.get(claimed.header("location").unwrap()).await;
        assert_eq!((coupon.status, &coupon.body), (200, &claimed.body));
        assert_eq!(bob.get(claimed.header("location").unwrap()).await.problem(), (404, "coupon-not-found"));

        assert_eq!(bob.claim(&id, None).await.problem(), (409, "coupon-sold-out"));
        let repeat = ann.claim(&id, Some("one")).await;
        assert_eq!((repeat.status, &repeat.body), (201, &claimed.body));
        assert_eq!(repeat.header("idempotent-replayed"), Some("true"));

        let mine = ann.get("/v1/me/coupons?status=unused").await;
        let ids: Vec<&Value> =
            mine.body["items"].as_array().unwrap().iter().map(|coupon| &coupon["id"]).collect();
        assert!(ids.contains(&&claimed.body["id"]));
        assert_eq!(ann.get("/v1/me/coupons?status=used").await.body["items"], json!([]));
    });
}

#[test]
fn guests_see_a_pause_a_top_up_and_a_resumption() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let eve = Person::guest(stack.endpoints(), "journey-eve").await;
        let id = operator.publish(1, json!({})).await;
        assert_eq!(
            Person::guest(stack.endpoints(), "journey-first").await.claim(&id, None).await.status,
            201
        );
        until(async || eve.claim(&id, None).await.problem() == (409, "coupon-sold-out")).await;

        let paused = operator.change(&id, &json!({"status": "paused", "totalCount": 2})).await;
        assert_eq!((paused.status, &paused.body["remaining"]), (200, &json!(1)), "{paused:?}");
        until(async || eve.claim(&id, None).await.problem() == (409, "sale-paused")).await;
        assert_eq!(operator.change(&id, &json!({"status": "active"})).await.status, 200);
        until(async || eve.claim(&id, None).await.status == 201).await;
        let held = eve.claim(&id, None).await;
        assert_eq!(held.problem(), (409, "claim-limit-reached"));
        assert_eq!(held.body["couponIds"].as_array().unwrap().len(), 1);

        let outdated = operator.request(Method::PATCH, &format!("/v1/admin/coupon-templates/{id}"));
        let outdated = send(outdated.header("If-Match", "\"1\"").json(&json!({"name": "迟到"}))).await;
        assert_eq!(outdated.problem(), (412, "precondition-failed"));
    });
}

#[test]
fn a_sale_issues_exactly_its_stock() {
    deployed(async |stack| {
        let options = sale::Options {
            stock: 60,
            guests: 150,
            concurrency: 32,
            expected_claims_per_second: 200,
            repeat_share: 0.3,
            mode: sale::Mode::Direct,
        };
        let report = sale::run(stack.endpoints(), &options).await.unwrap();
        assert!(report.holds(), "{report}");
        assert!(report.figures.errors.is_empty(), "{report}");
    });
}

#[test]
fn without_a_valid_access_token_nobody_comes_in() {
    deployed(async |stack| {
        let guest = Person::guest(stack.endpoints(), "journey-tokens").await;
        let token = guest.token.clone().unwrap();
        let (head, rest) = token.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        let foreign_signature: String = signature.chars().rev().collect();
        let anybody = Person::anybody(stack.endpoints());
        let strangers = [
            anybody.clone(),
            anybody.with_token(""),
            anybody.with_token("garbage"),
            anybody.with_token(&format!("{head}.{payload}.")),
            anybody.with_token(&format!("{head}.{payload}.{foreign_signature}")),
            anybody.with_token(&format!("{head}.{}.{signature}", payload.chars().rev().collect::<String>())),
            // {"alg":"none"}
            anybody.with_token(&format!("eyJhbGciOiJub25lIn0.{payload}.")),
        ];
        for stranger in strangers {
            for path in ["/v1/me/coupons", "/v1/admin/coupon-templates"] {
                assert_eq!(stranger.get(path).await.status, 401, "{path} {:?}", stranger.token);
            }
            let claim = stranger.claim("01KA3Z5QJ8M4T2R7V9X1C6B0NG", None).await;
            assert_eq!(claim.status, 401, "{:?}", stranger.token);
        }
        assert_eq!(guest.get("/v1/admin/coupon-templates").await.problem(), (403, "forbidden"));
        assert_eq!(guest.get("/v1/me/coupons").await.status, 200);
    });
}

#[test]
fn bad_input_gets_its_exact_problem_and_never_a_500() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let guest = Person::guest(stack.endpoints(), "journey-bad").await;
        let long = "9".repeat(10_000);
        let admin = "/v1/admin/coupon-templates";
        let unknown = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";
        let post = |body: String| {
            operator.request(Method::POST, admin).header("Content-Type", "application/json").body(body)
        };
        let with = |name: &str, value: Value| {
            let mut template = template(10);
            template[name] = value;
            post(template.to_string())
        };
        let get = |person: &Person, path: String| person.request(Method::GET, &path);

        let table = [
            (post("{\"name\": ".into()), 400, "invalid-json"),
            (post(String::new()), 400, "invalid-json"),
            (post("[]".into()), 422, "invalid-body"),
            (post("{}".into()), 422, "invalid-body"),
            (post(format!("{{\"name\": \"{}\"}}", "x".repeat(70_000))), 413, "body-too-large"),
            (
                operator.request(Method::POST, admin).header("Content-Type", "text/plain").body("{}"),
                415,
                "unsupported-media-type",
            ),
            (with("totalCount", json!("many")), 422, "invalid-body"),
            (with("totalCount", json!(-2)), 422, "invalid-body"),
            (with("perUserLimit", json!(1e300)), 422, "invalid-body"),
            (with("perUserLimit", json!(i64::MAX)), 422, "invalid-body"),
            (with("type", json!("gold")), 422, "invalid-body"),
            (with("colour", json!("red")), 422, "invalid-body"),
            (with("name", json!(long)), 422, "invalid-body"),
            (with("endTime", json!("tomorrow")), 422, "invalid-body"),
            (get(&operator, format!("{admin}?limit=0")), 400, "invalid-parameter"),
            (get(&operator, format!("{admin}?limit=abc")), 400, "invalid-parameter"),
            (get(&operator, format!("{admin}?cursor=garbage!")), 400, "invalid-cursor"),
            (get(&operator, format!("{admin}/{unknown}")), 404, "template-not-found"),
            (get(&operator, format!("{admin}/{}", &long[..1_000])), 404, "template-not-found"),
            (
                operator.request(Method::PATCH, &format!("{admin}/{unknown}")).json(&json!({})),
                428,
                "precondition-required",
            ),
            (
                operator
                    .request(Method::PATCH, &format!("{admin}/{unknown}"))
                    .header("If-Match", "*")
                    .json(&json!({})),
                400,
                "invalid-if-match",
            ),
            (
                operator
                    .request(Method::PATCH, &format!("{admin}/{unknown}"))
                    .header("If-Match", "\"1\"")
                    .json(&json!({})),
                404,
                "template-not-found",
            ),
            (
                guest.request(Method::POST, &format!("/v1/coupon-templates/{unknown}/claims")),
                404,
                "template-not-found",
            ),
            (
                guest.request(Method::POST, &format!("/v1/coupon-templates/{long}/claims")),
                404,
                "template-not-found",
            ),
            (
                guest
                    .request(Method::POST, &format!("/v1/coupon-templates/{unknown}/claims"))
                    .header("Idempotency-Key", "k".repeat(256)),
                400,
                "invalid-idempotency-key",
            ),
            (get(&guest, "/v1/me/coupons?status=gone".into()), 400, "invalid-parameter"),
            (get(&guest, "/v1/me/coupons?limit=0".into()), 400, "invalid-parameter"),
            (get(&guest, "/v1/me/coupons?limit=101".into()), 400, "invalid-parameter"),
            (get(&guest, "/v1/me/coupons?cursor=AAAA".into()), 400, "invalid-cursor"),
            (get(&guest, format!("/v1/me/coupons/{long}")), 404, "coupon-not-found"),
            (get(&guest, "/v1/coupon-templates?limit=51".into()), 400, "invalid-parameter"),
            (get(&guest, "/v1/coupon-templates?cursor=%00".into()), 400, "invalid-cursor"),
            (get(&guest, format!("/v1/coupon-templates/{unknown}")), 404, "template-not-found"),
        ];
        for (request, status, slug) in table {
            let shown = format!("{request:?}").chars().take(200).collect::<String>();
            let answer = send(request).await;
            assert_eq!(answer.problem(), (status, slug), "{shown}\n{:?}", answer.body);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{shown}");
        }
    });
}

#[test]
fn a_browser_on_another_origin_may_ask() {
    deployed(async |stack| {
        let preflight = Person::anybody(stack.endpoints())
            .request(Method::OPTIONS, "/v1/me/coupons")
            .header("Origin", "http://localhost:5173")
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "authorization");
        let answer = send(preflight).await;
        assert!(answer.status == 204 || answer.status == 200, "{answer:?}");
        assert!(answer.header("access-control-allow-origin").is_some(), "{answer:?}");
    });
}
