//! What goes on while every kind of fault strikes between the functions and AWS. Of sales, the stock is issued exactly afterwards,
//! and nobody who was told to try again has come away empty while something was left.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod homestays;
mod weather;

use e2e::{Person, send, until};
use reqwest::Method;
use serde_json::{Value, json};
use weather::{Fault, Weather, every_storm};
use xtask::{Stack, sale};

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

#[test]
fn a_sale_survives_every_storm() {
    e2e::deployed("storm", true, async |stack| {
        let weather = Weather::over(stack).await;
        let storms = every_storm((&CLAIMING, &WRITING), Fault::conflict().on(&WRITING, 0.4), 0.4);
        for (name, rules) in storms {
            survives(stack, &weather, name, &rules, &SALE).await;
        }
        let queued = sale::Options { mode: sale::Mode::Queued, ..SALE };
        survives(stack, &weather, "through the queue", &drizzle(), &queued).await;
    });
}

#[test]
fn replies_that_are_cut_put_nothing_into_an_inbox_twice() {
    e2e::deployed("storm", true, async |stack| {
        let weather = Weather::over(stack).await;
        let operator = Person::operator(stack.endpoints()).await;
        let mut guests = Vec::new();
        for n in 0..10 {
            guests.push(Person::guest(stack.endpoints(), &format!("storm-inbox-{n}")).await);
        }
        weather.storm(&Fault::answer_lost().on(&["PutItem", "UpdateItem"], 0.4)).await;
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
        weather.clear("replies that are cut").await;
        for guest in &guests {
            assert_eq!(entries(guest).await, 1);
        }
    });
}

/// A claim whose message fails comes back after the queue's visibility time-out, which takes a minute and a half: so few
/// faults that most claims are settled in place.
fn drizzle() -> Vec<Value> {
    let rules = [
        Fault::conflict().on(&WRITING, 0.3),
        Fault::throttled().on(&CLAIMING, 0.1),
        Fault::answer_lost().on(&WRITING, 0.2),
        Fault::reset().on(&["BatchWriteItem"], 0.2),
    ];
    rules.concat()
}

async fn survives(stack: &Stack, weather: &Weather, name: &str, rules: &[Value], options: &sale::Options) {
    weather.storm(rules).await;
    let report = sale::run(stack.endpoints(), options).await.unwrap();
    weather.clear(name).await;
    assert!(report.holds(), "{name}: {report}");
    assert_eq!(report.figures.gave_up, 0, "{name}: {report}");
    assert!(report.figures.errors.is_empty(), "{name}: {report}");
}
