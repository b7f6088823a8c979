//! Sales while every kind of fault strikes between the functions and DynamoDB: afterwards the stock is issued exactly,
//! and nobody who was told to try again has come away empty while something was left.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use e2e::{Person, send, until};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use xtask::{Stack, sale};

const FAULTS: &str = "/_microburst/rules";
const FIRED: &str = "/_microburst/fired";

/// Small, so that the last units are fought over most of the time.
const SALE: sale::Options = sale::Options {
    stock: 40,
    guests: 90,
    concurrency: 24,
    expected_claims_per_second: 200,
    repeat_share: 0.3,
    mode: sale::Mode::Direct,
};

/// What a claim does to DynamoDB. The operator, who does none of it while publishing, has fair weather.
const CLAIMING: [&str; 4] = ["TransactWriteItems", "GetItem", "BatchGetItem", "Query"];
const WRITING: [&str; 1] = ["TransactWriteItems"];

/// One rule for each of `operations`.
fn on(operations: &[&str], probability: f64, fault: &Value) -> Vec<Value> {
    let rule = |operation: &&str| {
        let mut rule = json!({"service": "dynamodb", "operation": operation, "probability": probability});
        rule.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        rule
    };
    operations.iter().map(rule).collect()
}

/// One test at a time makes the weather.
static WEATHER: Mutex<()> = Mutex::const_new(());

#[test]
fn a_sale_survives_every_storm() {
    e2e::deployed("storm", true, async |stack| {
        let _weather = WEATHER.lock().await;
        let throttling =
            on(&CLAIMING, 0.3, &json!({"error": {"code": "ProvisionedThroughputExceededException"}}));
        let outage = on(&CLAIMING, 0.3, &json!({"error": {"code": "InternalServerError", "status": 500}}));
        let reset = on(&CLAIMING, 0.2, &json!({"reset": true}));
        let conflict = on(
            &WRITING,
            0.4,
            &json!({"error": {"code": "TransactionCanceledException", "status": 400, "fields": {
                "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}]
            }}}),
        );
        // Longer than one attempt may take.
        let too_late = on(&WRITING, 0.15, &json!({"latency": 1_500}));
        let answer_lost = on(&WRITING, 0.4, &json!({"response": {"abort_frac": 0.0}}));
        let everything = [&throttling, &outage, &reset, &conflict, &too_late, &answer_lost]
            .into_iter()
            .flatten()
            .cloned()
            .collect();

        for (name, rules) in [
            ("throttling", throttling),
            ("outage", outage),
            ("connection reset", reset),
            ("conflict", conflict),
            ("answer too late", too_late),
            ("answer lost after the write", answer_lost),
            ("everything at once", everything),
        ] {
            survives(stack, name, &Value::Array(rules), &SALE).await;
        }
        let queued = sale::Options { mode: sale::Mode::Queued, ..SALE };
        survives(stack, "through the queue", &drizzle(), &queued).await;
    });
}

#[test]
fn replies_that_are_cut_put_nothing_into_an_inbox_twice() {
    e2e::deployed("storm", true, async |stack| {
        let _weather = WEATHER.lock().await;
        let operator = Person::operator(stack.endpoints()).await;
        let mut guests = Vec::new();
        for n in 0..10 {
            guests.push(Person::guest(stack.endpoints(), &format!("storm-inbox-{n}")).await);
        }
        let proxy = Proxy(stack.fault_proxy().unwrap().to_owned());
        let answer_lost = on(&["PutItem", "UpdateItem"], 0.4, &json!({"response": {"abort_frac": 0.0}}));
        proxy.send(Method::DELETE, FIRED, None).await;
        proxy.send(Method::POST, FAULTS, Some(&Value::Array(answer_lost))).await;
        let request = json!({
            "type": "internal", "priority": "urgent", "template": "coupon_expiring", "idempotencyKey": "storm",
            "to": guests.iter().map(Person::subject).collect::<Vec<_>>(),
            "params": {"couponName": "满100减20", "days": 3, "expireTime": "2026-12-10T16:00:00Z"},
        });
        let accept = async || {
            let answer = send(operator.request(Method::POST, "/v1/notifications").json(&request)).await;
            assert!(matches!(answer.status, 202 | 503), "{answer:?}");
            answer.status == 202
        };
        until(accept).await;
        let entries = async |guest: &Person| {
            let inbox = guest.get("/v1/me/inbox").await;
            inbox.body["items"].as_array().unwrap().len()
        };
        for guest in &guests {
            until(async || entries(guest).await > 0).await;
        }
        // Whoever did not hear the answer asks again.
        for _ in 0..3 {
            until(accept).await;
        }
        proxy.send(Method::POST, FAULTS, Some(&json!([]))).await;
        let fired = proxy.send(Method::GET, FIRED, None).await;
        assert!(!fired.as_array().unwrap().is_empty(), "no fault struck");
        for guest in &guests {
            assert_eq!(entries(guest).await, 1);
        }
    });
}

/// A claim whose message fails comes back after the queue's visibility time-out, which takes a minute and a half: so few
/// faults that most claims are settled in place.
fn drizzle() -> Value {
    let conflict = json!({"error": {"code": "TransactionCanceledException", "status": 400, "fields": {
        "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}]
    }}});
    let throttled = json!({"error": {"code": "ProvisionedThroughputExceededException"}});
    let rules = [
        on(&WRITING, 0.3, &conflict),
        on(&CLAIMING, 0.1, &throttled),
        on(&WRITING, 0.2, &json!({"response": {"abort_frac": 0.0}})),
        on(&["BatchWriteItem"], 0.2, &json!({"reset": true})),
    ];
    Value::Array(rules.concat())
}

async fn survives(stack: &Stack, name: &str, rules: &Value, options: &sale::Options) {
    let proxy = Proxy(stack.fault_proxy().unwrap().to_owned());
    proxy.send(Method::DELETE, FIRED, None).await;
    proxy.send(Method::POST, FAULTS, Some(rules)).await;
    let report = sale::run(stack.endpoints(), options).await.unwrap();
    proxy.send(Method::POST, FAULTS, Some(&json!([]))).await;
    let fired = proxy.send(Method::GET, FIRED, None).await;
    assert!(!fired.as_array().unwrap().is_empty(), "{name}: no fault struck");
    assert!(report.holds(), "{name}: {report}");
    assert_eq!(report.figures.gave_up, 0, "{name}: {report}");
    assert!(report.figures.errors.is_empty(), "{name}: {report}");
}

struct Proxy(String);

impl Proxy {
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let http = Client::builder().no_proxy().build().unwrap();
        let request = http.request(method, format!("{}{path}", self.0));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default()
    }
}
