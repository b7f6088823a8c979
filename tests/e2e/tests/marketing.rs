//! What coupons go through after a sale, and the other ways to get one, over HTTP and the real queues, stream and bus.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use e2e::{Answer, Person, aws, send, tick, until};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use xtask::Stack;

fn deployed<F: Future<Output = ()>>(test: impl FnOnce(&'static Stack) -> F) {
    e2e::deployed("marketing", false, test);
}

/// An order of 300 yuan for two nights in Beijing.
fn draft() -> Value {
    json!({"firstOrder": false, "lines": [{
        "homestayId": "h-1", "hostId": "host-1", "city": "北京",
        "checkIn": "2026-12-24", "checkOut": "2026-12-26", "amountFen": 30_000,
    }]})
}

async fn post(person: &Person, path: &str, body: &Value) -> Answer {
    send(person.request(Method::POST, path).json(body)).await
}

/// What a report counts of a template.
async fn totals(operator: &Person, template: &str) -> Value {
    let report = operator.get(&format!("/v1/admin/coupon-templates/{template}/report")).await;
    assert_eq!(report.status, 200, "{report:?}");
    report.body["totals"].clone()
}

#[test]
fn a_coupon_is_quoted_locked_redeemed_and_counted() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let ann = Person::guest(stack.endpoints(), "market-ann").await;
        let template = operator.publish(5, json!({})).await;
        let coupon = ann.claim(&template, None).await.text("id").to_owned();

        let quote = post(&ann, "/v1/me/coupon-quotes", &draft()).await;
        assert_eq!(quote.status, 200, "{quote:?}");
        assert_eq!(quote.body["bestCombination"]["savedFen"], json!(2_000), "{quote:?}");

        let at = |step: &str| format!("/v1/me/coupons/{coupon}/{step}");
        let lock = |order: &str| json!({"orderId": order, "draft": draft()});
        let locked = post(&ann, &at("lock"), &lock("order-1")).await;
        assert_eq!((locked.status, locked.text("status")), (200, "locked"), "{locked:?}");
        assert_eq!(locked.body["savedFen"], json!(2_000));
        let other = post(&ann, &at("lock"), &lock("order-2")).await;
        assert_eq!(other.problem(), (409, "coupon-locked"), "{other:?}");
        let bob = Person::guest(stack.endpoints(), "market-bob").await;
        let stolen = post(&bob, &at("redeem"), &json!({"orderId": "order-1"})).await;
        assert_eq!(stolen.problem(), (404, "coupon-not-found"));

        let redeem = json!({"orderId": "order-1"});
        let used = post(&ann, &at("redeem"), &redeem).await;
        assert_eq!((used.status, used.text("status")), (200, "used"), "{used:?}");
        let again = post(&ann, &at("redeem"), &redeem).await;
        assert_eq!((again.status, &again.body), (200, &used.body));
        assert_eq!(post(&ann, &at("release"), &redeem).await.problem(), (409, "coupon-used"));

        until(async || {
            let totals = totals(&operator, &template).await;
            totals["used"] == json!(1) && totals["issued"] == json!(1)
        })
        .await;
        let totals = totals(&operator, &template).await;
        assert_eq!([&totals["locked"], &totals["savedFen"]], [&json!(1), &json!(2_000)], "{totals}");
    });
}

#[test]
fn a_queued_claim_is_taken_at_once_and_answered_later() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let template = operator.publish(1, json!({"issueMode": "queued"})).await;
        let (ann, bob) = (
            Person::guest(stack.endpoints(), "queue-ann").await,
            Person::guest(stack.endpoints(), "queue-bob").await,
        );
        assert_eq!(ann.claim(&template, None).await.problem(), (409, "queued-claims-only"));

        let path = format!("/v1/coupon-templates/{template}/queued-claims");
        let enqueue = async |person: &Person, key: &str| {
            let request = person.request(Method::POST, &path).header("Idempotency-Key", key);
            let answer = send(request).await;
            assert_eq!(answer.status, 202, "{answer:?}");
            answer.header("location").unwrap().to_owned()
        };
        let settled = async |person: &Person, location: &str| {
            until(async || person.get(location).await.text("status") != "pending").await;
            person.get(location).await
        };
        let first = enqueue(&ann, "one").await;
        let issued = settled(&ann, &first).await;
        assert_eq!(issued.text("status"), "issued", "{issued:?}");
        let again = enqueue(&ann, "one").await;
        let repeat = settled(&ann, &again).await;
        assert_eq!(repeat.body["coupon"]["id"], issued.body["coupon"]["id"]);
        assert_eq!(bob.get(&first).await.problem(), (404, "claim-not-found"));

        let late = enqueue(&bob, "two").await;
        let refused = settled(&bob, &late).await;
        assert_eq!(refused.text("status"), "refused");
        assert_eq!(refused.body["problem"]["type"], json!("urn:flashsale:problem:coupon-sold-out"));
    });
}

#[test]
fn an_exchange_code_is_good_for_one_coupon() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let template = operator.publish(10, json!({"issueType": "exchange"})).await;
        let batches = format!("/v1/admin/coupon-templates/{template}/code-batches");
        let ordered = post(&operator, &batches, &json!({"count": 3, "label": "e2e"})).await;
        assert_eq!(ordered.status, 202, "{ordered:?}");
        let batch = format!("{batches}/{}", ordered.text("id"));
        until(async || operator.get(&batch).await.text("status") == "ready").await;
        let url = operator.get(&batch).await.text("downloadUrl").to_owned();
        let http = Client::builder().no_proxy().build().unwrap();
        let file = http.get(url).send().await.unwrap().text().await.unwrap();
        let codes: Vec<&str> = file.lines().skip(1).map(str::trim).collect();
        assert_eq!(codes.len(), 3);

        let (ann, bob) = (
            Person::guest(stack.endpoints(), "code-ann").await,
            Person::guest(stack.endpoints(), "code-bob").await,
        );
        let exchange = async |person: &Person, code: &str| {
            post(person, "/v1/me/coupon-exchanges", &json!({"code": code})).await
        };
        let coupon = exchange(&ann, codes[0]).await;
        assert_eq!((coupon.status, coupon.text("source")), (201, "exchange"), "{coupon:?}");
        assert_eq!(exchange(&ann, &codes[0].to_lowercase()).await.body, coupon.body);
        assert_eq!(exchange(&bob, codes[0]).await.problem(), (409, "code-used"));
        assert_eq!(exchange(&bob, "AAAAA-AAAAA-AAAAA-AAAAA").await.problem(), (422, "invalid-code"));
    });
}

#[test]
fn a_grant_reaches_each_guest_of_a_list_once() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let template = operator.publish(10, json!({})).await;
        let guests = [
            Person::guest(stack.endpoints(), "grant-ann").await,
            Person::guest(stack.endpoints(), "grant-bob").await,
        ];
        let ids: Vec<String> = guests.iter().map(Person::subject).collect();
        let list = json!({"templateId": template, "recipients": {"guests": [&ids[0], &ids[1], &ids[0]]}});
        let order = operator.request(Method::POST, "/v1/admin/grants").header("Idempotency-Key", "e2e-1");
        let ordered = send(order.json(&list)).await;
        assert_eq!(ordered.status, 202, "{ordered:?}");
        let grant = format!("/v1/admin/grants/{}", ordered.text("id"));
        until(async || operator.get(&grant).await.text("status") == "done").await;
        for guest in &guests {
            let held = guest.get("/v1/me/coupons").await;
            let of_template: Vec<&Value> = held.body["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|coupon| coupon["templateId"] == json!(template))
                .collect();
            assert_eq!(of_template.len(), 1);
            assert_eq!(of_template[0]["source"], json!("grant"));
        }
    });
}

#[test]
fn a_guest_who_signs_up_is_given_a_coupon_once() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let rule = json!({"issueType": "auto", "autoRule": {"on": "sign_up"}, "name": "注册礼 e2e"});
        let template = operator.publish(10, rule).await;
        let ann = Person::guest(stack.endpoints(), "auto-ann").await;
        let detail = json!({"guestId": ann.subject(), "at": "2026-11-11T00:00:00Z"}).to_string();
        let entry = json!({
            "Source": "users", "DetailType": "guest.signed_up", "Detail": detail,
            "EventBusName": stack.endpoints().event_bus,
        });
        aws(stack, "AWSEvents.PutEvents", &json!({"Entries": [&entry, &entry]})).await;
        let given = async || {
            let held = ann.get("/v1/me/coupons").await;
            let coupons = held.body["items"].as_array().unwrap().clone();
            coupons.into_iter().filter(|coupon| coupon["templateId"] == json!(template)).count()
        };
        until(async || given().await == 1).await;
    });
}

#[test]
fn a_campaign_keeps_to_its_budget_and_its_schedule() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let template = operator.publish(3, json!({})).await;
        let campaign = json!({
            "name": "e2e", "startTime": "2026-01-01T00:00:00+08:00", "endTime": "2036-01-01T00:00:00+08:00",
            "budgetFen": 7_000,
        });
        let created = post(&operator, "/v1/admin/campaigns", &campaign).await;
        assert_eq!(created.status, 201, "{created:?}");
        let path = format!("/v1/admin/campaigns/{}", created.text("id"));
        let change = async |method: Method, path: &str, campaign: &str, body: Value| {
            let tag = operator.get(campaign).await.header("etag").unwrap().to_owned();
            send(operator.request(method, path).header("If-Match", tag).json(&body)).await
        };
        let offers = format!("{path}/templates/{template}");
        let offer = async |body: Value| change(Method::PUT, &offers, &path, body).await;
        let offered = offer(json!({})).await;
        assert_eq!(offered.status, 200, "{offered:?}");
        assert_eq!(offer(json!({"totalCount": 4})).await.problem(), (409, "budget-exceeded"));

        let claims = format!("/v1/campaigns/{}/claims", created.text("id"));
        let ann = Person::guest(stack.endpoints(), "campaign-ann").await;
        let body = json!({"templateId": template});
        let early = post(&ann, &claims, &body).await;
        assert!(early.status == 404 || early.status == 409, "{early:?}");
        let started = change(Method::PATCH, &path, &path, json!({"status": "active"})).await;
        assert_eq!(started.status, 200, "{started:?}");
        until(async || post(&ann, &claims, &body).await.status == 201).await;
        let held = post(&ann, &claims, &body).await;
        assert_eq!(held.problem(), (409, "claim-limit-reached"), "{held:?}");
        until(async || ann.claim(&template, None).await.problem() == (409, "campaign-only")).await;
    });
}

#[test]
fn a_coupon_that_expires_unused_goes_back_to_sale() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let (ann, bob) = (
            Person::guest(stack.endpoints(), "expiry-ann").await,
            Person::guest(stack.endpoints(), "expiry-bob").await,
        );
        let template = operator.publish(1, json!({"restock": true})).await;
        assert_eq!(ann.claim(&template, None).await.status, 201);
        until(async || bob.claim(&template, None).await.problem() == (409, "coupon-sold-out")).await;

        // No test waits for days.
        let long_ago = json!({
            "TableName": stack.endpoints().coupon_table,
            "Key": {
                "pk": {"S": format!("USER#{}", ann.subject())},
                "sk": {"S": format!("COUPON#{template}#001")},
            },
            "UpdateExpression": "SET expiresAt = :long_ago",
            "ExpressionAttributeValues": {":long_ago": {"N": "1"}},
        });
        aws(stack, "DynamoDB_20120810.UpdateItem", &long_ago).await;
        tick(stack, "ExpireCoupons").await;
        until(async || totals(&operator, &template).await["expired"] == json!(1)).await;
        until(async || {
            tick(stack, "RestockCoupons").await;
            bob.claim(&template, None).await.status == 201
        })
        .await;
        assert_eq!(totals(&operator, &template).await["expired"], json!(1));
    });
}
