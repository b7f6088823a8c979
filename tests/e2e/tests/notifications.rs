//! Messages from the request to the guest, over HTTP, the table's stream, the real queues, the bus and stand-ins for
//! providers: what arrives is read back and compared.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use e2e::{Answer, Person, aws, send, tick, until};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use xtask::Stack;

fn deployed<F: Future<Output = ()>>(test: impl FnOnce(&'static Stack) -> F) {
    e2e::deployed("notifications", false, test);
}

fn http() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

async fn post(person: &Person, path: &str, body: &Value) -> Answer {
    send(person.request(Method::POST, path).json(body)).await
}

/// Sends one message; returns its id.
async fn notify(operator: &Person, key: &str, body: Value) -> String {
    let mut request = json!({ "priority": "urgent", "idempotencyKey": key });
    request.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let answer = post(operator, "/v1/notifications", &request).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.body["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn message(operator: &Person, id: &str) -> Value {
    let answer = operator.get(&format!("/v1/notifications/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn until_it_is(operator: &Person, id: &str, status: &str) -> Value {
    until(async || message(operator, id).await["status"] == json!(status)).await;
    message(operator, id).await
}

/// What the stand-ins have of one message.
async fn received(stack: &Stack, id: &str) -> Vec<Value> {
    let url = format!("{}/_stub/messages", stack.endpoints().provider_stubs.as_deref().unwrap());
    let all = send(http().get(url)).await.body;
    let list = all.as_array().or_else(|| all["messages"].as_array()).unwrap();
    list.iter().filter(|it| it["messageId"] == json!(id)).cloned().collect()
}

async fn script(stack: &Stack, provider: &str, faults: &[&str]) {
    let url = format!("{}/_stub/script", stack.endpoints().provider_stubs.as_deref().unwrap());
    let answer = send(http().post(url).json(&json!({ "provider": provider, "faults": faults }))).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
}

/// What the local AWS keeps of what was sent through it.
async fn kept(stack: &Stack, path: &str) -> String {
    let url = format!("{}/_ministack/{path}", stack.endpoints().aws_endpoint.as_deref().unwrap());
    http().get(url).send().await.unwrap().text().await.unwrap()
}

fn review_request() -> Value {
    json!({
        "orderId": "O-1", "homestay": "听雨轩 <b>&", "guestName": "安", "reviewUrl": "https://example.com/r/1",
    })
}

#[test]
fn the_mail_that_arrives_is_the_one_that_was_accepted() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let to = "mailto:e2e-mail@example.com";
        let body =
            json!({ "type": "email", "template": "review_request", "params": review_request(), "to": [to] });
        let id = notify(&operator, "mail-1", body.clone()).await;
        assert_eq!(notify(&operator, "mail-1", body).await, id, "a repeat is the same message");
        let sent = until_it_is(&operator, &id, "sent").await;
        assert_eq!(sent["provider"], json!("ses"), "{sent}");
        let mails: Value = serde_json::from_str(&kept(stack, "ses/messages").await).unwrap();
        let text = mails.to_string();
        assert_eq!(text.matches("e2e-mail@example.com").count(), 1, "{text}");
        let title = sent["title"].as_str().unwrap();
        assert!(text.contains(&json!(title).to_string().trim_matches('"').to_owned()), "{title} in {text}");
        assert!(text.contains("听雨轩 &lt;b&gt;&amp;") && !text.contains("<p>听雨轩 <b>"), "{text}");
    });
}

#[test]
fn a_text_message_goes_to_whoever_can_send_it() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        // Whichever of the two is asked first refuses, and so does the other; what is left over is for other tests, whose
        // messages then go the same way.
        script(stack, "aliyun", &["no-credit"; 5]).await;
        script(stack, "tencent", &["no-credit"; 5]).await;
        let body = json!({
            "type": "sms", "template": "sign_in_code", "params": { "code": "471100", "minutes": 5 },
            "to": ["tel:+8613800138099"],
        });
        let id = notify(&operator, "sms-1", body.clone()).await;
        let sent = until_it_is(&operator, &id, "sent").await;
        assert_eq!((&sent["provider"], &sent["attempts"]), (&json!("sns"), &json!(1)), "{sent}");
        assert!(kept(stack, "sns/sms-messages").await.contains("471100"));
        assert!(received(stack, &id).await.is_empty());

        let next = sent_by_aliyun(&operator, "sms-2", &body).await;
        let received = received(stack, &next).await;
        assert_eq!(received.len(), 1, "{received:?}");
        assert_eq!(received[0]["provider"], json!("aliyun"));
        assert!(received[0]["params"].to_string().contains("471100"));
    });
}

/// Sends a message again and again, under keys of their own, until Aliyun has taken one: its share is seven of ten while
/// it is in order.
async fn sent_by_aliyun(operator: &Person, key: &str, body: &Value) -> String {
    let (mut tries, mut id) = (0, String::new());
    until(async || {
        tries += 1;
        id = notify(operator, &format!("{key}-{tries}"), body.clone()).await;
        until_it_is(operator, &id, "sent").await["provider"] == json!("aliyun")
    })
    .await;
    id
}

#[test]
fn what_fails_three_times_is_a_dead_letter_and_is_driven_back() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        // One for each round; after that the provider is in order.
        script(stack, "wechat-official", &["code:40037"; 3]).await;
        let body = json!({
            "type": "wechat", "template": "payment_succeeded", "to": ["wechat-official:oE2E"],
            "params": { "orderId": "O-1", "homestay": "听雨轩", "amount": 58_800, "paidAt": "2026-11-24T10:00:00Z" },
        });
        let id = notify(&operator, "wechat-1", body).await;
        let failed = until_it_is(&operator, &id, "failed").await;
        assert_eq!(failed["attempts"], json!(3), "{failed}");

        let redrive = async |dry_run: bool| {
            let filter = json!({ "template": "payment_succeeded" });
            let body = json!({ "priority": "urgent", "filter": filter, "dryRun": dry_run, "limit": 100 });
            let answer = post(&operator, "/v1/admin/notification-redrives", &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body
        };
        until(async || redrive(true).await["matched"] == json!(1)).await;
        assert_eq!(message(&operator, &id).await["status"], json!("failed"), "a dry run changes nothing");
        until(async || redrive(false).await["redriven"] == json!(1)).await;
        until_it_is(&operator, &id, "sent").await;
        assert_eq!(received(stack, &id).await.len(), 1);
    });
}

#[test]
fn an_event_of_the_bus_becomes_a_message_once_and_a_cancelled_order_takes_its_reminder_back() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let ann = Person::guest(stack.endpoints(), "notify-ann").await;
        reach(stack, &ann, &json!({ "phone": "+8613800138042" })).await;
        let tell = async |event: &str, detail: &Value| {
            let entry = json!({
                "Source": "orders", "DetailType": event, "Detail": detail.to_string(),
                "EventBusName": stack.endpoints().event_bus,
            });
            aws(stack, "AWSEvents.PutEvents", &json!({ "Entries": [&entry, &entry] })).await;
        };
        let order = json!({
            "orderId": "O-e2e", "guestId": ann.subject(), "homestayName": "听雨轩", "checkIn": "2027-06-01",
            "checkOut": "2027-06-03", "amountFen": 58_800, "at": "2026-11-24T10:00:00Z",
        });
        tell("order.created", &order).await;
        let path = format!("/v1/notifications?receiver={}", ann.subject());
        let of = async |template: &str| -> Vec<Value> {
            let list = operator.get(&path).await;
            let items = list.body["items"].as_array().unwrap().clone();
            items.into_iter().filter(|it| it["template"] == json!(template)).collect()
        };
        until(async || of("order_confirmed").await.iter().any(|it| it["status"] == json!("sent"))).await;
        until(async || of("check_in_reminder").await.len() == 1).await;
        assert_eq!(of("order_confirmed").await.len(), 1);
        assert_eq!(of("check_in_reminder").await[0]["status"], json!("pending"));
        tell("order.cancelled", &order).await;
        until(async || of("check_in_reminder").await[0]["status"] == json!("cancelled")).await;
    });
}

/// Tells where a guest is reached, as the user service does. The local AWS checks no signature.
async fn reach(stack: &Stack, guest: &Person, contacts: &Value) {
    let url = format!("{}/v1/internal/guests/{}/contacts", stack.endpoints().api_url, guest.subject());
    let signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/execute-api/aws4_request, \
                  SignedHeaders=host, Signature=unchecked";
    let answer =
        send(http().put(url).header("Authorization", signed).header("If-Match", "\"0\"").json(contacts))
            .await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
}

#[test]
fn a_guest_reads_the_own_inbox_and_says_what_is_not_wanted() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let (ann, bob) = (
            Person::guest(stack.endpoints(), "inbox-ann").await,
            Person::guest(stack.endpoints(), "inbox-bob").await,
        );
        let body = |n: u32| {
            json!({
                "type": "internal", "template": "coupon_expiring", "to": [ann.subject()],
                "params": { "couponName": format!("券 {n}"), "days": 3, "expireTime": "2026-12-10T16:00:00Z" },
            })
        };
        for n in 0..3 {
            let id = notify(&operator, &format!("inbox-{n}"), body(n)).await;
            until_it_is(&operator, &id, "sent").await;
        }
        let inbox = ann.get("/v1/me/inbox").await;
        assert_eq!(inbox.body["items"].as_array().unwrap().len(), 3, "{inbox:?}");
        assert!(inbox.body["items"][0]["content"].as_str().unwrap().contains("券 2"), "{inbox:?}");
        assert_eq!(bob.get("/v1/me/inbox").await.body["items"], json!([]));
        let unread = async || ann.get("/v1/me/inbox/unread-count").await.body["total"].clone();
        assert_eq!(unread().await, json!(3));
        let entry = inbox.body["items"][0]["id"].as_str().unwrap().to_owned();
        let stolen = post(&bob, &format!("/v1/me/inbox/{entry}/read"), &json!({})).await;
        assert_eq!(stolen.status, 404, "{stolen:?}");
        post(&ann, &format!("/v1/me/inbox/{entry}/read"), &json!({})).await;
        assert_eq!(unread().await, json!(2));
        post(&ann, "/v1/me/inbox/read-all", &json!({})).await;
        assert_eq!(unread().await, json!(0));

        let path = "/v1/me/notification-preferences";
        let now = ann.get(path).await;
        let wanted = json!({ "optOuts": [{ "channel": "internal", "category": "reminder" }] });
        let tag = now.header("etag").unwrap().to_owned();
        let changed = send(ann.request(Method::PUT, path).header("If-Match", tag).json(&wanted)).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let id = notify(&operator, "inbox-9", body(9)).await;
        let refused = until_it_is(&operator, &id, "failed").await;
        assert_eq!(refused["error"], json!("opted-out"));
    });
}

#[test]
fn what_is_for_later_waits_and_can_be_cancelled() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let body = |to: Value, at: &str| {
            json!({
                "type": "sms", "template": "sign_in_code", "params": { "code": "1", "minutes": 5 }, "to": to,
                "scheduledAt": at,
            })
        };
        // One: a schedule of its own. Many: they wait in the table.
        let single =
            notify(&operator, "later-1", body(json!(["tel:+8613800138001"]), "2027-06-01T00:00:00Z")).await;
        let two = json!(["tel:+8613800138002", "tel:+8613800138003"]);
        let many = notify(&operator, "later-2", body(two, "2027-06-01T00:00:00Z")).await;
        let schedules = async || {
            let url = format!("{}/schedules", stack.endpoints().aws_endpoint.as_deref().unwrap());
            let signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/scheduler/aws4_request, \
                          SignedHeaders=host, Signature=unchecked";
            let request = http().get(url).header("Authorization", signed);
            request.send().await.unwrap().text().await.unwrap()
        };
        until(async || schedules().await.contains(&single)).await;
        assert!(!schedules().await.contains(&many));
        tick(stack, "ScheduleNotifications").await;
        for id in [&single, &many] {
            assert_eq!(message(&operator, id).await["status"], json!("pending"));
            let cancelled = post(&operator, &format!("/v1/notifications/{id}/cancel"), &json!({})).await;
            assert_eq!((cancelled.status, cancelled.text("status")), (200, "cancelled"), "{cancelled:?}");
        }
        // What waits in the table is sent when its time has come, and not before a sweep has seen it.
        let two = json!(["tel:+8613800138004", "tel:+8613800138005"]);
        let due = notify(&operator, "later-3", body(two, "2027-06-01T00:00:00Z")).await;
        let now_due = json!({
            "TableName": stack.endpoints().notification_table,
            "Key": { "pk": { "S": format!("MESSAGE#{due}") }, "sk": { "S": "MESSAGE" } },
            "UpdateExpression": "SET dueAt = :long_ago, scheduledAt = :long_ago",
            "ExpressionAttributeValues": { ":long_ago": { "N": "1" } },
        });
        aws(stack, "DynamoDB_20120810.UpdateItem", &now_due).await;
        tick(stack, "ScheduleNotifications").await;
        until_it_is(&operator, &due, "sent").await;
    });
}

#[test]
fn a_broadcast_reaches_each_guest_of_a_segment_once() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let ann = Person::guest(stack.endpoints(), "cast-ann").await;
        let request = json!({
            "type": "internal", "template": "coupon_expiring", "priority": "low", "to": { "segment": "all" },
            "params": { "couponName": "群发券", "days": 1, "expireTime": "2026-12-10T16:00:00Z" },
            "idempotencyKey": "cast-1",
        });
        let first = post(&operator, "/v1/notifications", &request).await;
        assert_eq!(first.status, 202, "{first:?}");
        let again = post(&operator, "/v1/notifications", &request).await;
        assert_eq!(again.body["id"], first.body["id"], "{again:?}");
        let path = format!("/v1/admin/broadcasts/{}", first.text("id"));
        until(async || operator.get(&path).await.text("status") == "done").await;
        let inbox = async || {
            let items = ann.get("/v1/me/inbox").await.body["items"].as_array().unwrap().clone();
            items.iter().filter(|it| it["content"].to_string().contains("群发券")).count()
        };
        until(async || inbox().await == 1).await;
    });
}

#[test]
fn a_delivery_report_without_a_signature_changes_nothing_and_one_with_it_does() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let body = json!({
            "type": "sms", "template": "sign_in_code", "params": { "code": "2", "minutes": 5 },
            "to": ["tel:+8613800138060"],
        });
        let id = sent_by_aliyun(&operator, "report-1", &body).await;
        let report = json!([{
            "phone_number": "13800138060", "success": true, "report_time": "2026-11-24 18:00:01",
            "send_time": "2026-11-24 18:00:00", "err_code": "DELIVERED", "err_msg": "", "sms_size": "1",
            "biz_id": "x", "out_id": id,
        }]);
        let anybody = Person::anybody(stack.endpoints());
        let forged = post(&anybody, "/v1/delivery-reports/aliyun?token=guessed", &report).await;
        assert_eq!(forged.status, 401, "{forged:?}");
        assert_eq!(message(&operator, &id).await["status"], json!("sent"));
        let path = "/v1/delivery-reports/aliyun?token=local-callback-token-0123456789abcdef";
        let taken = post(&anybody, path, &report).await;
        assert_eq!(taken.status, 200, "{taken:?}");
        until_it_is(&operator, &id, "delivered").await;
    });
}
