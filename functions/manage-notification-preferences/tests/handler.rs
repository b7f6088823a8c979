//! What guests and the user service get, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::Mutex;

use aws_sdk_dynamodb::Client;
use domain_ids::GuestId;
use domain_notification::{Device, Guests};
use manage_notification_preferences::{
    handler,
    push::{PushError, PushRegistry},
};
use notification_dynamodb::NotificationTable;
use notification_http::PushPlatform;
use notification_sns::RegisterError;
use platform_http::{Body, Request};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOTIFICATION_TABLE, NOW};

const MINE: &str = "/v1/me/notification-preferences";
const DEVICE: &str = "/v1/me/devices/{deviceId}";
const CONTACTS: &str = "/v1/internal/guests/{guestId}/contacts";
const TOKEN: &str = "fGx1Y2hhbmdlbWU:APA91bEXAMPLE";

/// Knows fcm alone, unless it fails.
#[derive(Default)]
struct Registry {
    asked: Mutex<Vec<String>>,
    fails: Mutex<Option<RegisterError>>,
}

impl PushRegistry for Registry {
    async fn register(
        &self,
        platform: PushPlatform,
        token: &str,
        guest: &GuestId,
    ) -> Result<Device, PushError> {
        if platform == PushPlatform::Apns {
            return Err(PushError::NotSetUp);
        }
        self.asked.lock().unwrap().push(format!("{token} {guest}"));
        match self.fails.lock().unwrap().take() {
            Some(error) => Err(error.into()),
            None => Ok(endpoint(token)),
        }
    }
}

fn endpoint(token: &str) -> Device {
    format!("arn:aws:sns:us-east-1:123456789012:endpoint/GCM/app/{token}").parse().unwrap()
}

struct Desk {
    table: NotificationTable,
    push: Registry,
}

impl Desk {
    fn at(client: Client) -> Self {
        let table = NotificationTable::new(client, NOTIFICATION_TABLE.into());
        Self { table, push: Registry::default() }
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_notification_table().await.0.client())
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.receive(request.build()).await
    }

    async fn receive(&self, request: Request) -> Answer {
        let mut response = handler::handle(&self.table, &self.push, NOW, request).await.unwrap();
        if response.status() == 204 {
            assert_eq!(response.body(), &Body::Empty);
            *response.body_mut() = "null".into();
        }
        Answer::of(response)
    }

    async fn devices(&self, guest: &str) -> Vec<Device> {
        self.table.profile(&guest.parse().unwrap()).await.unwrap().contacts.devices
    }
}

fn ann(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("ann", &[])
}

fn on(request: ApiRequest, revision: u64) -> ApiRequest {
    request.header("If-Match", &format!("\"{revision}\""))
}

fn change(revision: u64, body: &Value) -> ApiRequest {
    on(ann("PUT", MINE), revision).json(body)
}

fn add_device(id: &str, body: &Value) -> ApiRequest {
    ann("PUT", DEVICE).path("deviceId", id).json(body)
}

fn remove_device(id: &str) -> ApiRequest {
    ann("DELETE", DEVICE).path("deviceId", id)
}

fn fcm() -> Value {
    json!({ "platform": "fcm", "token": TOKEN })
}

/// A request that the user service has signed.
fn signed(request: ApiRequest, guest: &str) -> Request {
    let mut event = request.path("guestId", guest).event();
    let iam = json!({ "iam": { "userArn": "arn:aws:sts::123456789012:assumed-role/user-service/x" } });
    event["requestContext"]["authorizer"] = iam;
    testing::request(event)
}

fn contacts(revision: u64, body: &Value) -> ApiRequest {
    on(ApiRequest::new("PUT", CONTACTS), revision).json(body)
}

fn phone() -> Value {
    json!({ "phone": "+8613800138000" })
}

#[tokio::test]
async fn the_sample_events_change_and_show_and_add_and_remove() {
    let desk = Desk::open().await;
    let sample = async |name: &str| {
        let event = testing::event(&format!("api/manage-notification-preferences-{name}.json"));
        desk.receive(testing::request(event)).await
    };
    let changed = sample("change").await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"1\"")), "{}", changed.body);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(changed.body, @r#"
        {
          "dailyCaps": {
            "marketing": 2
          },
          "digestHours": {
            "reminder": 9
          },
          "language": "zh-CN",
          "optOuts": [
            {
              "category": "marketing",
              "channel": "sms"
            }
          ],
          "quietHours": {
            "from": "22:00",
            "to": "08:00"
          }
        }
        "#);
    });
    let shown = sample("show").await;
    assert_eq!((shown.header("etag"), &shown.body), (Some("\"1\""), &changed.body));

    let added = sample("add-device").await;
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(added.body, @r#"
        {
          "deviceId": "9c5a8d1e-pixel-10",
          "platform": "fcm",
          "registerTime": "2026-11-10T16:00:00Z"
        }
        "#);
    });
    let guest = "0b9f4a1e-7c35-4d0e-9a52-1f6f0c1d2e3f";
    assert_eq!(desk.devices(guest).await, [endpoint(TOKEN)]);
    let told = sample("internal-change").await;
    assert_eq!((told.status, told.header("etag")), (200, Some("\"1\"")), "{}", told.body);
    let shown = sample("internal-show").await;
    assert_eq!((shown.header("etag"), &shown.body), (Some("\"1\""), &told.body));
    assert_eq!(shown.body["phone"], "+8613800138000");
    assert_eq!(desk.devices(guest).await, [endpoint(TOKEN)], "devices stay");
    for _ in 0..2 {
        assert_eq!(sample("remove-device").await.status, 204);
    }
    assert!(desk.devices(guest).await.is_empty());
}

#[tokio::test]
async fn who_has_said_nothing_begins_at_zero() {
    let desk = Desk::open().await;
    let shown = desk.ask(ann("GET", MINE)).await;
    let nothing = json!({ "optOuts": [], "dailyCaps": {}, "digestHours": {} });
    assert_eq!((shown.header("etag"), &shown.body), (Some("\"0\""), &nothing));
    assert_eq!(desk.ask(change(0, &shown.body)).await.header("etag"), Some("\"1\""));
    let shown = desk.receive(signed(ApiRequest::new("GET", CONTACTS), "ann")).await;
    assert_eq!((shown.header("etag"), &shown.body), (Some("\"0\""), &json!({})));
}

#[tokio::test]
async fn a_change_replaces_all_and_says_what_it_is_based_on() {
    let desk = Desk::open().await;
    let quiet = json!({ "quietHours": { "from": "12:00", "to": "14:00" } });
    assert_eq!(desk.ask(change(0, &quiet)).await.status, 200);
    assert_eq!(desk.ask(change(1, &json!({ "language": "en" }))).await.body.get("quietHours"), None);
    for revision in [0, 1, 3, u64::from(u32::MAX), u64::MAX] {
        let refused = desk.ask(change(revision, &quiet)).await;
        assert_eq!(refused.problem(), (412, "precondition-failed"), "{revision}");
    }
    let unconditional = desk.ask(ann("PUT", MINE).json(&quiet)).await;
    assert_eq!(unconditional.problem(), (428, "precondition-required"));
    let any = desk.ask(ann("PUT", MINE).header("If-Match", "*").json(&quiet)).await;
    assert_eq!(any.problem(), (400, "invalid-if-match"));
    assert_eq!(desk.ask(ann("GET", MINE)).await.body["language"], "en");
}

#[tokio::test]
async fn preferences_that_are_not_sensible_name_every_field_at_fault() {
    let desk = Desk::open().await;
    let out = |channel: &str, category: &str| json!({ "channel": channel, "category": category });
    let table = [
        (json!({ "optOuts": [out("sms", "account")] }), "optOuts/0"),
        (json!({ "optOuts": [out("sms", "order"), out("internal", "order")] }), "optOuts/1"),
        (json!({ "optOuts": [out("fax", "order")] }), "optOuts/0/channel"),
        (json!({ "quietHours": { "from": "22:00" } }), "quietHours/to"),
        (json!({ "quietHours": { "from": "8:00", "to": "25:00" } }), "quietHours/from quietHours/to"),
        (json!({ "dailyCaps": { "marketing": 0, "order": 1_001 } }), "dailyCaps/order dailyCaps/marketing"),
        (json!({ "dailyCaps": { "account": 1 } }), "dailyCaps/account"),
        (json!({ "digestHours": { "order": 24 } }), "digestHours/order"),
        (json!({ "digestHours": { "account": 9 } }), "digestHours/account"),
        (json!({ "language": "中文" }), "language"),
        (json!({ "quiet": true }), "quiet"),
        (json!({ "language": "", "optOuts": [out("sms", "account")] }), "optOuts/0 language"),
    ];
    for (body, fields) in table {
        let refused = desk.ask(change(0, &body)).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), fields), "{body}");
    }
    assert_eq!(desk.ask(ann("GET", MINE)).await.header("etag"), Some("\"0\""), "nothing was changed");
}

#[tokio::test]
async fn a_device_is_of_who_signed_in_last() {
    let desk = Desk::open().await;
    assert_eq!(desk.ask(add_device("phone", &fcm())).await.status, 200);
    let bob = add_device("phone", &fcm()).caller("bob", &[]);
    assert_eq!(desk.ask(bob).await.status, 200);
    assert_eq!((desk.devices("ann").await.len(), desk.devices("bob").await), (0, vec![endpoint(TOKEN)]));
    assert_eq!(*desk.push.asked.lock().unwrap(), [format!("{TOKEN} ann"), format!("{TOKEN} bob")]);
    assert_eq!(desk.ask(remove_device("phone")).await.status, 204);
    assert_eq!(desk.devices("bob").await.len(), 1, "a guest removes own devices alone");
}

#[tokio::test]
async fn a_device_that_cannot_be_registered_says_why_and_is_not_kept() {
    let desk = Desk::open().await;
    let apns = json!({ "platform": "apns", "token": TOKEN });
    assert_eq!(desk.ask(add_device("phone", &apns)).await.problem(), (409, "push-not-available"));
    let secret = || "arn:aws:sns:us-east-1:123456789012:app/secret".into();
    for (error, problem) in [
        (RegisterError::InvalidToken, (422, "invalid-body")),
        (RegisterError::Application(secret()), (409, "push-not-available")),
        (RegisterError::Unavailable(secret()), (503, "try-again")),
    ] {
        *desk.push.fails.lock().unwrap() = Some(error);
        let refused = desk.ask(add_device("phone", &fcm())).await;
        assert_eq!(refused.problem(), problem);
        assert!(!format!("{refused:?}").contains("secret") && !format!("{refused:?}").contains(TOKEN));
    }
    for (body, fields) in [
        (json!({ "platform": "apns" }), "token"),
        (json!({ "platform": "gcm", "token": TOKEN }), "platform"),
        (json!({ "platform": "fcm", "token": "" }), "token"),
        (json!({ "platform": "fcm", "token": "a b" }), "token"),
        (json!({ "platform": "fcm", "token": "x".repeat(1_025) }), "token"),
        (json!({ "platform": "fcm", "token": TOKEN, "arn": "x" }), "arn"),
    ] {
        let refused = desk.ask(add_device("phone", &body)).await;
        assert_eq!(
            (refused.problem(), refused.fields().as_str()),
            ((422, "invalid-body"), fields),
            "{body:.80}"
        );
    }
    let long = "x".repeat(65);
    for id in ["", "a b", "设备", "a#b", &long] {
        for request in [add_device(id, &fcm()), remove_device(id)] {
            assert_eq!(desk.ask(request).await.problem(), (404, "device-not-found"), "{id}");
        }
    }
    assert!(desk.devices("ann").await.is_empty());
}

#[tokio::test]
async fn contacts_are_told_by_a_service_alone_and_guests_never_see_them() {
    let desk = Desk::open().await;
    assert_eq!(desk.receive(signed(contacts(0, &phone()), "ann")).await.status, 200);
    for request in [ApiRequest::new("GET", CONTACTS), contacts(1, &phone())] {
        let request = request.path("guestId", "ann");
        for refused in [request.clone(), request.clone().caller("ann", &["admin"])] {
            assert_eq!(desk.ask(refused).await.problem(), (401, "unauthenticated"));
        }
    }
    for request in [ann("GET", MINE), add_device("phone", &fcm())] {
        assert!(!desk.ask(request).await.body.to_string().contains("138"));
    }
}

#[tokio::test]
async fn contacts_that_are_none_are_refused_by_their_field_and_not_repeated() {
    let desk = Desk::open().await;
    for (body, fields) in [
        (json!({ "phone": "13912345678" }), "phone"),
        (json!({ "email": "13912345678@" }), "email"),
        (json!({ "wechatMini": "o 13912345678", "wechatOfficial": "" }), "wechatOfficial wechatMini"),
        (json!({ "phone": 13_912_345_678_u64 }), "phone"),
        (json!({ "devices": ["x"] }), "devices"),
    ] {
        let refused = desk.receive(signed(contacts(0, &body), "ann")).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), fields), "{body}");
        assert!(!refused.body.to_string().contains("1391234"), "{}", refused.body);
    }
    let refused = desk.receive(signed(contacts(3, &phone()), "ann")).await;
    assert_eq!(refused.problem(), (412, "precondition-failed"));
    for guest in ["", "a b", "a#b"] {
        let refused = desk.receive(signed(contacts(0, &phone()), guest)).await;
        assert_eq!(refused.problem(), (404, "guest-not-found"), "{guest}");
    }
}

#[tokio::test]
async fn only_guests_come_in() {
    let desk = Desk::open().await;
    for request in
        [ann("GET", MINE), change(0, &json!({})), add_device("phone", &fcm()), remove_device("phone")]
    {
        for subject in ["", "a#b"] {
            let refused = desk.ask(request.clone().caller(subject, &[])).await;
            assert_eq!(refused.problem(), (401, "unauthenticated"));
        }
    }
    assert_eq!(desk.ask(ann("POST", MINE)).await.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    for request in
        [ann("GET", MINE), change(0, &json!({})), add_device("phone", &fcm()), remove_device("phone")]
    {
        testing::assert_faults_are_hidden(async |client| Desk::at(client).ask(request.clone()).await).await;
    }
    for request in [ApiRequest::new("GET", CONTACTS), contacts(0, &phone())] {
        testing::assert_faults_are_hidden(async |client| {
            Desk::at(client).receive(signed(request.clone(), "ann")).await
        })
        .await;
    }
}
