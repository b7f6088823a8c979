//! What a guest who asks for a queued claim gets, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeSet,
    error::Error,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use aws_sdk_sqs::operation::get_queue_attributes::GetQueueAttributesOutput;
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use claim_request_dynamodb::{ClaimRequests, KEPT_FOR, Outcome, Settled};
use coupon_dynamodb::CouponTable;
use coupon_http::CouponView;
use domain_coupon::{ClaimStore, Shard, TemplateStore};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use show_claim::{
    handler::{self, ClaimView, Stores},
    queue::{ClaimQueue, QueueWatch, SqsQueue},
};
use testing::{Answer, ApiRequest, COUPON_TABLE, EmbeddedDynamoDb, NOW, assert_faults_are_hidden};
use utoipa::PartialSchema;

/// A queue of so many claims, or one that does not tell.
#[derive(Default)]
struct Queue {
    waiting: AtomicU64,
    silent: bool,
    asked: AtomicU32,
}

impl ClaimQueue for Queue {
    async fn waiting(&self) -> Result<u64, Box<dyn Error + Send + Sync>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.silent { Err("secret".into()) } else { Ok(self.waiting.load(Ordering::Relaxed)) }
    }
}

struct Desk {
    _db: EmbeddedDynamoDb,
    stores: Stores<CouponTable, Queue>,
}

impl Desk {
    async fn with(queue: Queue) -> Self {
        let (db, table) = EmbeddedDynamoDb::with_coupon_table().await;
        let stores = Stores {
            coupons: CouponTable::new(db.client(), table.clone()),
            requests: ClaimRequests::new(db.client(), table),
            queue,
            watch: QueueWatch::default(),
        };
        Self { _db: db, stores }
    }

    async fn open() -> Self {
        Self::with(Queue::default()).await
    }

    async fn ask(&self, now: Timestamp, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.stores, now, request.build()).await.unwrap())
    }

    async fn settle(&self, request: &str, guest: &str, outcome: Outcome) {
        let settled = Settled {
            request: request.parse().unwrap(),
            guest: guest.parse().unwrap(),
            template: Some(testing::template_id(1)),
            outcome,
            at: NOW,
        };
        self.stores.requests.record(&[settled]).await.unwrap();
    }

    /// Ann's coupon, issued by the request `r-1`.
    async fn issue(&self) {
        let coupon = testing::coupon("ann", 1);
        self.stores.coupons.insert(&testing::template(10)).await.unwrap();
        self.stores.coupons.issue(&coupon, Some(Shard(0)), None).await.unwrap();
        self.settle("r-1", "ann", Outcome::Issued(coupon.id)).await;
    }
}

fn claim(id: &str) -> ApiRequest {
    ApiRequest::new("GET", "/v1/claims/{requestId}").path("requestId", id)
}

fn later(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

#[tokio::test]
async fn an_issued_claim_shows_the_coupon() {
    let desk = Desk::open().await;
    desk.issue().await;
    let answer = desk.ask(NOW, claim("r-1").caller("ann", &[])).await;
    assert_eq!((answer.status, answer.header("retry-after")), (200, None));
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(answer.body, @r#"
        {
          "coupon": {
            "amountFen": 2000,
            "claimTime": "2026-11-10T16:00:00Z",
            "code": "1000-0000-0000-000Z",
            "expireTime": "2026-12-10T16:00:00Z",
            "id": "01M6SBQ5000000000000000001-1-JGIV4DL5JNAC4MAX",
            "name": "满100减20",
            "source": "claim",
            "status": "unused",
            "templateId": "01M6SBQ5000000000000000001",
            "threshold": {
              "amountFen": 10000,
              "type": "amount"
            },
            "type": "full_reduction"
          },
          "status": "issued"
        }
        "#);
    });
}

#[tokio::test]
async fn a_refused_claim_shows_the_problem() {
    let desk = Desk::open().await;
    let problem = json!({ "type": "urn:flashsale:problem:coupon-sold-out", "title": "Every coupon has been claimed", "status": 409 });
    desk.settle("r-1", "ann", Outcome::Refused(problem.clone())).await;
    let answer = desk.ask(NOW, claim("r-1").caller("ann", &[])).await;
    assert_eq!((answer.status, answer.body), (200, json!({ "status": "refused", "problem": problem })));
}

#[tokio::test]
async fn a_claim_is_shown_to_nobody_but_its_guest() {
    let desk = Desk::open().await;
    desk.issue().await;
    let answer = desk.ask(NOW, claim("r-1").caller("bob", &[])).await;
    assert_eq!(answer.problem(), (404, "claim-not-found"));
}

#[tokio::test]
async fn a_claim_that_waits_is_told_its_place_and_soon_how_long_it_takes() {
    let desk = Desk::open().await;
    desk.stores.requests.count_taken(5_000).await.unwrap();
    desk.stores.queue.waiting.store(1_200, Ordering::Relaxed);
    let first = desk.ask(NOW, claim("r-1").caller("ann", &[])).await;
    assert_eq!((first.status, first.header("retry-after")), (200, Some("2")));
    let ticket = first.body["ticket"].as_str().unwrap().to_owned();
    assert_eq!(first.body, json!({ "status": "pending", "place": 1_200, "ticket": ticket }));

    desk.stores.requests.count_taken(200).await.unwrap();
    desk.stores.queue.waiting.store(90_000, Ordering::Relaxed);
    let second = desk.ask(later(2), claim("r-1").caller("ann", &[]).query("ticket", &ticket)).await;
    assert_eq!(second.header("retry-after"), Some("5"));
    let expected =
        json!({ "status": "pending", "place": 1_000, "estimatedWaitSeconds": 10, "ticket": ticket });
    assert_eq!(second.body, expected);
}

#[test]
fn the_members_are_those_that_are_documented() {
    let schema = serde_json::to_value(ClaimView::schema()).unwrap();
    let documented = |at: usize| schema["oneOf"][at]["properties"].as_object().unwrap().keys().cloned();
    let pending =
        ClaimView::Pending { place: Some(1), estimated_wait_seconds: Some(1), ticket: Some(String::new()) };
    let coupon = Box::new(CouponView::new(&testing::coupon("ann", 1), NOW));
    let views = [pending, ClaimView::Issued { coupon }, ClaimView::Refused { problem: json!({}) }];
    for (at, view) in views.iter().enumerate() {
        let view = serde_json::to_value(view).unwrap();
        let shown: BTreeSet<String> = view.as_object().unwrap().keys().cloned().collect();
        assert_eq!(shown, documented(at).collect());
    }
}

#[tokio::test]
async fn the_queue_is_looked_at_once_a_second() {
    let desk = Desk::open().await;
    for (ms, asked) in [(0, 1), (999, 1), (1_000, 2), (1_500, 2), (400, 3)] {
        desk.ask(NOW + SignedDuration::from_millis(ms), claim("r-1").caller("ann", &[])).await;
        assert_eq!(desk.stores.queue.asked.load(Ordering::Relaxed), asked, "after {ms} ms");
    }
}

#[tokio::test]
async fn a_queue_that_does_not_tell_its_length_leaves_the_claim_pending() {
    let desk = Desk::with(Queue { silent: true, ..Queue::default() }).await;
    let answer = desk.ask(NOW, claim("r-1").caller("ann", &[])).await;
    assert_eq!((answer.status, answer.header("retry-after")), (200, Some("1")));
    assert_eq!(answer.body, json!({ "status": "pending" }));
}

#[tokio::test]
async fn a_claim_whose_outcome_is_kept_no_more_is_not_found() {
    let desk = Desk::open().await;
    let first = desk.ask(NOW, claim("r-1").caller("ann", &[])).await;
    let ticket = first.body["ticket"].as_str().unwrap();
    let again = || claim("r-1").caller("ann", &[]).query("ticket", ticket);
    assert_eq!(desk.ask(NOW + KEPT_FOR, again()).await.body["status"], "pending");
    let after = NOW + KEPT_FOR + SignedDuration::from_millis(1);
    assert_eq!(desk.ask(after, again()).await.problem(), (404, "claim-not-found"));
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let desk = Desk::open().await;
    let ann = |id: &str| claim(id).caller("ann", &[]);
    let table = [
        (claim("r-1"), 401, "unauthenticated"),
        (claim("r-1").caller("a#b", &[]), 401, "unauthenticated"),
        (ann("r#1"), 404, "claim-not-found"),
        (ann("r 1"), 404, "claim-not-found"),
        (ann(&"r".repeat(65)), 404, "claim-not-found"),
        (ann("请求"), 404, "claim-not-found"),
        (ann("r-1").query("ticket", ""), 400, "invalid-parameter"),
        (ann("r-1").query("ticket", "MS4x"), 400, "invalid-parameter"),
        (ann("r-1").query("ticket", "MS4xLngx"), 400, "invalid-parameter"),
        (ann("r-1").query("ticket", &"a".repeat(2_000)), 400, "invalid-parameter"),
        (ann("r-1").query("ticket", "a").query("ticket", "b"), 400, "invalid-parameter"),
    ];
    for (request, status, slug) in table {
        let shown = format!("{request:?}");
        assert_eq!(desk.ask(NOW, request).await.problem(), (status, slug), "{shown}");
    }
}

#[tokio::test]
async fn a_store_outage_is_503_and_leaks_nothing() {
    assert_faults_are_hidden(async |client| {
        let stores = Stores {
            coupons: CouponTable::new(client.clone(), COUPON_TABLE.into()),
            requests: ClaimRequests::new(client, COUPON_TABLE.into()),
            queue: Queue::default(),
            watch: QueueWatch::default(),
        };
        Answer::of(handler::handle(&stores, NOW, claim("r-1").caller("ann", &[]).build()).await.unwrap())
    })
    .await;

    let desk = Desk::open().await;
    desk.settle("r-1", "ann", Outcome::Issued(testing::coupon("ann", 1).id)).await;
    let gone = desk.ask(NOW, claim("r-1").caller("ann", &[])).await;
    assert_eq!(gone.problem(), (503, "try-again"));
}

#[tokio::test]
async fn sqs_is_asked_for_the_messages_that_wait() {
    let tells = |waiting: &'static str| {
        mock!(aws_sdk_sqs::Client::get_queue_attributes)
            .match_requests(|input| {
                input.queue_url() == Some("http://queue") && input.attribute_names().len() == 1
            })
            .then_output(move || {
                let name = aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages;
                GetQueueAttributesOutput::builder().attributes(name, waiting).build()
            })
    };
    for (waiting, expected) in [("1234", Some(1234)), ("many", None)] {
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, &[&tells(waiting)]);
        let queue = SqsQueue::new(client, "http://queue".into());
        assert_eq!(queue.waiting().await.ok(), expected);
    }
}

#[tokio::test]
async fn the_sample_event_is_a_question() {
    let desk = Desk::open().await;
    let request = testing::request(testing::event("api/show-claim.json"));
    let answer = Answer::of(handler::handle(&desk.stores, NOW, request).await.unwrap());
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("pending")));
}
