//! What guests see of their coupons, on an embedded table.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::{ClaimStore, Coupon, CouponState, Issue, Use};
use domain_ids::{CouponId, Nth};
use jiff::{SignedDuration, Timestamp};
use list_my_coupons::handler;
use platform_http::cursor;
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, template_id};

const ALL: &str = "/v1/me/coupons";
const ONE: &str = "/v1/me/coupons/{id}";
const DAY: SignedDuration = SignedDuration::from_hours(24);
const ONE_MS: SignedDuration = SignedDuration::from_millis(1);

/// What guests keep their coupons in.
struct Wallet {
    table: CouponTable,
}

impl Wallet {
    fn at(client: Client) -> Self {
        Self { table: CouponTable::new(client, testing::COUPON_TABLE.into()) }
    }

    async fn with(coupons: &[Coupon]) -> Self {
        let wallet = Self::at(EmbeddedDynamoDb::with_coupon_table().await.0.client());
        for coupon in coupons {
            assert_eq!(wallet.table.issue(coupon, None, None).await.unwrap(), Issue::Issued);
        }
        wallet
    }

    async fn look(&self, now: Timestamp, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.table, now, request.build()).await.unwrap())
    }

    async fn show(&self, guest: &str, id: &str) -> Answer {
        self.look(NOW, one(id).caller(guest, &["guest"])).await
    }
}

fn all() -> ApiRequest {
    ApiRequest::new("GET", ALL)
}

fn one(id: &str) -> ApiRequest {
    ApiRequest::new("GET", ONE).path("id", id)
}

/// The list of ann's coupons.
fn mine() -> ApiRequest {
    all().caller("ann", &["guest"])
}

fn used(nth: u8) -> Coupon {
    Coupon {
        state: CouponState::Used(Use { at: NOW + ONE_MS, ..testing::spent() }),
        ..testing::coupon("ann", nth)
    }
}

/// Unused, and over so many days from now.
fn unused(nth: u8, days: i32) -> Coupon {
    Coupon { expires_at: NOW + DAY * days, ..testing::coupon("ann", nth) }
}

/// Recorded as expired, an hour ago.
fn expired(nth: u8) -> Coupon {
    Coupon { state: CouponState::Expired, expires_at: NOW - DAY, ..testing::coupon("ann", nth) }
}

fn ids(coupons: &[Coupon]) -> Vec<Value> {
    coupons.iter().map(|coupon| json!(coupon.id)).collect()
}

#[tokio::test]
async fn a_coupon_shows_what_its_holder_needs() {
    let wallet = Wallet::with(&[used(1)]).await;
    let shown = wallet.show("ann", &used(1).id.to_string()).await;
    assert_eq!(shown.status, 200);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(shown.body, @r#"
        {
          "amountFen": 2000,
          "claimTime": "2026-11-10T16:00:00Z",
          "code": "1000-0000-0000-000Z",
          "expireTime": "2026-12-10T16:00:00Z",
          "id": "01M6SBQ5000000000000000001-1-JGIV4DL5JNAC4MAX",
          "name": "满100减20",
          "orderId": "order-1",
          "savedFen": 2000,
          "source": "claim",
          "status": "used",
          "templateId": "01M6SBQ5000000000000000001",
          "threshold": {
            "amountFen": 10000,
            "type": "amount"
          },
          "type": "full_reduction",
          "usedTime": "2026-11-10T16:00:00.001Z"
        }
        "#);
    });
    let listed = wallet.look(NOW, mine()).await;
    assert_eq!(listed.body, json!({ "items": [shown.body] }));
    for answer in [shown, listed] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "it is the guest's own");
    }
}

#[tokio::test]
async fn the_sample_events_list_and_show_a_coupon() {
    let guest = "0b9f4a1e-7c35-4d0e-9a52-1f6f0c1d2e3f".parse().unwrap();
    let id = CouponId::new(&guest, "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap(), Nth::MIN);
    let wallet = Wallet::with(&[Coupon { id, guest, ..testing::coupon("ann", 1) }]).await;
    let look = async |sample: &str| {
        let request = testing::request(testing::event(&format!("api/{sample}.json")));
        Answer::of(handler::handle(&wallet.table, NOW, request).await.unwrap())
    };
    assert_eq!(look("list-my-coupons").await.items("id"), [json!(id)]);
    assert_eq!(look("list-my-coupons-one").await.body["id"], json!(id));
}

#[tokio::test]
async fn a_coupon_expires_by_itself() {
    let wallet = Wallet::with(&[used(1), unused(2, 7), unused(3, 30), expired(4)]).await;
    let table = [
        (NOW, "unused", &[3, 2][..]),
        (NOW, "used", &[1]),
        (NOW, "expired", &[4]),
        (NOW + DAY * 7 - ONE_MS, "unused", &[3, 2]),
        (NOW + DAY * 7, "unused", &[3]),
        (NOW + DAY * 7, "expired", &[4, 2]),
        (NOW + DAY * 30, "unused", &[]),
        (NOW + DAY * 30, "expired", &[4, 3, 2]),
        (NOW + DAY * 3_000, "used", &[1]),
        (NOW - DAY * 3_000, "expired", &[4]),
    ];
    for (now, status, expected) in table {
        let listed = wallet.look(now, mine().query("status", status)).await;
        let expected: Vec<Value> = expected.iter().map(|&nth| json!(used(nth).id)).collect();
        assert_eq!(listed.items("id"), expected, "{status} at {now}");
        assert_eq!(listed.items("status"), vec![status; expected.len()], "{status} at {now}");
        for id in expected {
            let id = id.as_str().unwrap();
            let shown = wallet.look(now, one(id).caller("ann", &["guest"])).await;
            assert_eq!(shown.body["status"], status, "{id} at {now}");
        }
    }
    let listed = wallet.look(NOW + DAY * 7, mine()).await;
    assert_eq!(listed.items("status"), ["expired", "unused", "expired", "used"], "without a filter, all");
}

#[tokio::test]
async fn every_coupon_of_a_status_is_listed_once_whatever_lies_between() {
    let coupons: Vec<Coupon> = (1..=40)
        .map(|nth| match nth {
            1 | 2 | 30 => used(nth),
            n if n % 3 == 0 => unused(n, 7),
            n => expired(n),
        })
        .collect();
    let wallet = Wallet::with(&coupons).await;
    let newest_first = |status: Option<&str>| {
        let shown = |coupon: &&Coupon| status.is_none_or(|status| json!(coupon.status(NOW)) == status);
        let mut ids = ids(&coupons.iter().filter(shown).cloned().collect::<Vec<_>>());
        ids.reverse();
        ids
    };
    for status in [None, Some("used"), Some("unused"), Some("expired")] {
        for limit in [1, 2, 7, 40, 100] {
            let mut first = mine().query("limit", &limit.to_string());
            if let Some(status) = status {
                first = first.query("status", status);
            }
            let pages = testing::pages("id", first, async |request| wallet.look(NOW, request).await).await;
            assert!(pages.iter().all(|page| page.len() <= limit), "{status:?} by {limit}");
            assert_eq!(pages.concat(), newest_first(status), "{status:?} by {limit}");
        }
    }
    assert_eq!(wallet.look(NOW, mine()).await.items("id").len(), 20, "where no limit is sent");
}

#[tokio::test]
async fn coupons_of_the_newest_template_come_first() {
    let of = |n: u128, nth: u8| {
        let coupon = testing::coupon("ann", nth);
        Coupon { id: CouponId::new(&coupon.guest, template_id(n), coupon.id.nth()), ..coupon }
    };
    let newest_first = [of(9, 2), of(9, 1), of(3, 200), of(3, 20), of(3, 3), of(1, 1)];
    let mut issued = newest_first.clone();
    issued.sort_by_key(|coupon| coupon.id.to_string().len());
    let wallet = Wallet::with(&issued).await;
    for limit in ["1", "4", "6"] {
        let first = mine().query("limit", limit);
        let pages = testing::pages("id", first, async |request| wallet.look(NOW, request).await).await;
        assert_eq!(pages.concat(), ids(&newest_first));
    }
}

#[tokio::test]
async fn a_guest_sees_nothing_of_another() {
    let (ann, bob) = (testing::coupon("ann", 1), testing::coupon("bob", 1));
    let wallet = Wallet::with(&[ann.clone(), bob.clone()]).await;
    assert_eq!(wallet.look(NOW, mine()).await.items("id"), ids(std::slice::from_ref(&ann)));
    assert_eq!(wallet.show("ann", &ann.id.to_string()).await.body["code"], json!(ann.code.to_string()));
    assert_eq!(wallet.show("ann", &bob.id.to_string()).await.problem(), (404, "coupon-not-found"));
    assert_eq!(wallet.show("eve", &bob.id.to_string()).await.problem(), (404, "coupon-not-found"));
    let not_held = testing::coupon("ann", 2).id.to_string();
    let answers = [wallet.show("ann", &bob.id.to_string()).await, wallet.show("ann", &not_held).await];
    assert_eq!(answers[0].body, answers[1].body, "whether somebody holds it is not told");

    let cursor_of = |coupon: &Coupon| mine().query("cursor", &cursor::encode(&coupon.id.to_string()));
    let foreign = wallet.look(NOW, cursor_of(&bob)).await;
    assert_eq!((foreign.problem(), foreign.fields()), ((400, "invalid-cursor"), "cursor".into()));
    assert_eq!(wallet.look(NOW, cursor_of(&ann)).await.body, json!({ "items": [] }));
    assert_eq!(wallet.look(NOW, all().caller("eve", &["guest"])).await.body, json!({ "items": [] }));
}

#[tokio::test]
async fn a_coupon_that_does_not_exist_is_404() {
    let coupon = testing::coupon("ann", 1);
    let wallet = Wallet::with(std::slice::from_ref(&coupon)).await;
    let id = coupon.id.to_string();
    let (lower_case, respelled, cut) = (id.to_lowercase(), id.replace("-1-", "-01-"), &id[..id.len() - 1]);
    let long = "0".repeat(10_000);
    let template = coupon.template().to_string();
    for id in [&*lower_case, &respelled, cut, &template, "", "x", "--", "../x", "%00'; DROP", "券", &long] {
        assert_eq!(wallet.show("ann", id).await.problem(), (404, "coupon-not-found"), "{id:.50}");
    }
    assert_eq!(wallet.show("ann", &id).await.status, 200);
}

#[tokio::test]
async fn without_an_identity_nothing_is_shown() {
    let coupon = testing::coupon("ann", 1);
    let wallet = Wallet::with(std::slice::from_ref(&coupon)).await;
    let long = "a".repeat(10_000);
    for request in [all(), one(&coupon.id.to_string())] {
        let nobody = wallet.look(NOW, request.clone()).await;
        assert_eq!(nobody.problem(), (401, "unauthenticated"));
        assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
        for subject in ["", "a#b", "USER#ann", "券", " ann", &long] {
            let unknown = wallet.look(NOW, request.clone().caller(subject, &["guest"])).await;
            assert_eq!(unknown.problem(), (401, "unauthenticated"), "{subject:.50}");
            assert_eq!(unknown.header("www-authenticate"), Some("Bearer"), "{subject:.50}");
        }
    }
}

#[tokio::test]
async fn a_status_is_one_of_three() {
    let wallet = Wallet::with(&[]).await;
    let long = "unused".repeat(2_000);
    for status in ["", "Unused", "unused ", "all", "1", "sold_out", "unused,used", "null", &long] {
        let refused = wallet.look(NOW, mine().query("status", status)).await;
        assert_eq!(refused.problem(), (400, "invalid-parameter"), "{status:.50}");
        assert_eq!(refused.fields(), "status");
    }
    let twice = wallet.look(NOW, mine().query("status", "used").query("status", "used")).await;
    assert_eq!((twice.problem(), twice.fields()), ((400, "invalid-parameter"), "status".into()));
}

#[tokio::test]
async fn limits_and_cursors_are_checked() {
    let wallet = Wallet::with(&[used(1)]).await;
    testing::assert_paging_is_checked(mine(), 100, async |request| wallet.look(NOW, request).await).await;
}

#[tokio::test]
async fn a_route_that_is_not_served_is_404() {
    let wallet = Wallet::with(&[]).await;
    for (method, route) in [("POST", ALL), ("DELETE", ONE), ("GET", "/v1/me"), ("GET", "/")] {
        let answer = wallet.look(NOW, ApiRequest::new(method, route).caller("ann", &["guest"])).await;
        assert_eq!(answer.problem(), (404, "route-not-found"), "{method} {route}");
    }
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    let own = testing::coupon("ann", 1).id.to_string();
    for request in [mine(), mine().query("status", "used"), one(&own).caller("ann", &["guest"])] {
        testing::assert_faults_are_hidden(async |client| Wallet::at(client).look(NOW, request.clone()).await)
            .await;
    }
}
