//! What becomes of queued claims, on an embedded table and on one that fails: nothing is lost, nobody gets two.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use claim_coupon_batch::{
    Progress,
    handler::{self, Draw, Stores},
};
use claim_request_dynamodb::{ClaimRequests, Outcome};
use coupon_dynamodb::CouponTable;
use coupon_http::claim_problem;
use domain_coupon::{
    BatchClaimStore, BatchIssue, ClaimCoupon, ClaimStore, CodeUse, Coupon, CouponCode, Issue, IssueMode,
    IssueType, RefillStore, SaleMemory, Shard, Source, StoreError, Template, TemplateChange, TemplateShelf,
    TemplateStatus, TemplateStore, change_template, claim,
};
use domain_ids::{CampaignId, CouponId, GuestId, TemplateId};
use jiff::{SignedDuration, Timestamp};
use platform_batch::{BatchResponse, SqsEvent};
use serde_json::{Value, json};
use testing::{COUPON_TABLE, EmbeddedDynamoDb, Fault, NOW};

/// When the messages of these tests are handled: a second after they were accepted.
const THEN: Timestamp = Timestamp::constant(1_794_326_401, 0);

type Environment = Stores<CouponTable>;

struct Sale {
    db: EmbeddedDynamoDb,
    template: Template,
    draws: AtomicU64,
}

impl Sale {
    async fn of(total: u32, change: impl FnOnce(&mut Template)) -> Self {
        let (db, _) = EmbeddedDynamoDb::with_coupon_table().await;
        let mut template = testing::template(total);
        template.issue_mode = IssueMode::Queued;
        change(&mut template);
        CouponTable::new(db.client(), COUPON_TABLE.into()).insert(&template).await.unwrap();
        Self { db, template, draws: AtomicU64::new(1) }
    }

    fn coupons(&self) -> CouponTable {
        CouponTable::new(self.db.client(), COUPON_TABLE.into())
    }

    fn requests(&self) -> ClaimRequests {
        ClaimRequests::new(self.db.client(), COUPON_TABLE.into())
    }

    fn environment(&self) -> Environment {
        Stores {
            coupons: self.coupons(),
            requests: self.requests(),
            memory: SaleMemory::default(),
            progress: Progress::default(),
        }
    }

    /// One that dies between claim and outcome.
    fn dying(&self) -> Environment {
        let requests = ClaimRequests::new(Fault::Unreachable.client(), COUPON_TABLE.into());
        Stores { requests, ..self.environment() }
    }

    fn message(&self, request: &str, guest: &str, key: &str) -> String {
        format!("{request} {} {guest} {} {key}", NOW.as_millisecond(), self.template.id)
    }

    async fn deliver(&self, to: &Environment, now: Timestamp, bodies: &[String]) -> BatchResponse {
        self.invoke(to, now, testing::sqs_event(bodies)).await
    }

    async fn invoke<S: BatchClaimStore + Sync>(
        &self,
        environment: &Stores<S>,
        now: Timestamp,
        event: SqsEvent,
    ) -> BatchResponse {
        let draw = || {
            let n = self.draws.fetch_add(1, Ordering::Relaxed);
            Draw { code: u128::from(n), seed: n }
        };
        handler::handle(environment, || now, draw, event).await.unwrap()
    }

    async fn outcome(&self, request: &str) -> Option<Outcome> {
        let settled = self.requests().settled(&request.parse().unwrap()).await.unwrap();
        settled.map(|settled| settled.outcome)
    }

    async fn coupon(&self, request: &str) -> CouponId {
        match self.outcome(request).await {
            Some(Outcome::Issued(coupon)) => coupon,
            outcome => panic!("{request}: {outcome:?}"),
        }
    }

    async fn problem(&self, request: &str) -> Value {
        match self.outcome(request).await {
            Some(Outcome::Refused(problem)) => problem,
            outcome => panic!("{request}: {outcome:?}"),
        }
    }

    async fn slug(&self, request: &str) -> String {
        let problem = self.problem(request).await;
        problem["type"].as_str().unwrap().strip_prefix("urn:flashsale:problem:").unwrap().to_owned()
    }

    async fn left(&self) -> u32 {
        self.coupons().remaining(&self.template).await.unwrap().unwrap()
    }
}

fn all_done(response: &BatchResponse) -> bool {
    response.failed().len() == 0
}

#[tokio::test]
async fn each_claim_gets_a_coupon_and_an_outcome() {
    let sale = Sale::of(1_000, |_| {}).await;
    let bodies: Vec<String> =
        (0..100).map(|n| sale.message(&format!("r-{n}"), &format!("guest-{n}"), "")).collect();
    assert!(all_done(&sale.deliver(&sale.environment(), THEN, &bodies).await));
    assert_eq!(sale.left().await, 900);
    for n in 0..100 {
        let guest: GuestId = format!("guest-{n}").parse().unwrap();
        let held = sale.coupons().held(&guest, sale.template.id).await.unwrap();
        assert_eq!(sale.coupon(&format!("r-{n}")).await, held[0].id);
        assert_eq!((held[0].source, held[0].claimed_at), (Source::Queue, THEN));
    }
}

#[tokio::test]
async fn a_message_delivered_again_has_the_same_outcome_also_after_the_sale() {
    let sale = Sale::of(2, |_| {}).await;
    let bodies = ["ann", "bob", "eve"].map(|guest| sale.message(guest, guest, ""));
    for now in [THEN, THEN, sale.template.ends_at + SignedDuration::from_hours(1)] {
        assert!(all_done(&sale.deliver(&sale.environment(), now, &bodies).await));
        let issued = [sale.outcome("ann").await, sale.outcome("bob").await, sale.outcome("eve").await];
        let issued = issued.iter().filter(|outcome| matches!(outcome, Some(Outcome::Issued(_)))).count();
        assert_eq!((issued, sale.left().await), (2, 0));
    }
}

#[tokio::test]
async fn an_environment_that_dies_before_the_outcome_is_made_up_for() {
    let sale = Sale::of(10, |_| {}).await;
    let bodies = ["ann", "bob"].map(|guest| sale.message(guest, guest, "key"));
    let response = sale.deliver(&sale.dying(), THEN, &bodies).await;
    assert_eq!(response.failed().collect::<Vec<_>>(), ["m-0", "m-1"]);
    assert_eq!((sale.left().await, sale.outcome("ann").await), (8, None));

    assert!(all_done(&sale.deliver(&sale.environment(), THEN, &bodies).await));
    assert_eq!(sale.left().await, 8, "the coupon of the first time");
    let guest: GuestId = "ann".parse().unwrap();
    assert_eq!(sale.coupon("ann").await, sale.coupons().held(&guest, sale.template.id).await.unwrap()[0].id);
}

#[tokio::test]
async fn requests_with_one_key_have_one_coupon() {
    let sale = Sale::of(10, |template| template.per_user_limit = 5).await;
    let bodies = ["r-1", "r-2", "r-3"].map(|request| sale.message(request, "ann", "\"key\""));
    assert!(all_done(&sale.deliver(&sale.environment(), THEN, &bodies).await));
    let other = sale.message("r-4", "ann", "another");
    let bare = sale.message("r-5", "ann", "key");
    let none = sale.message("r-6", "ann", "");
    assert!(all_done(&sale.deliver(&sale.environment(), THEN, &[other, bare, none]).await));
    let coupons = [sale.coupon("r-1").await, sale.coupon("r-2").await, sale.coupon("r-3").await];
    assert_eq!(coupons, [coupons[0]; 3]);
    assert_eq!(sale.coupon("r-5").await, coupons[0], "quoted or bare, it is the same key");
    let different = BTreeSet::from([coupons[0], sale.coupon("r-4").await, sale.coupon("r-6").await]);
    assert_eq!((different.len(), sale.left().await), (3, 7));
}

#[tokio::test]
async fn the_moment_of_acceptance_must_lie_in_the_sale() {
    let sale = Sale::of(10, |_| {}).await;
    let (starts_at, ends_at) = (sale.template.starts_at, sale.template.ends_at);
    let (ms, hour) = (SignedDuration::from_millis(1), SignedDuration::from_hours(1));
    let table = [
        ("early", starts_at - ms, starts_at + hour, Some("sale-not-started")),
        ("first", starts_at, starts_at + hour, None),
        ("a-slow-clock", starts_at, starts_at - ms, None),
        ("last", ends_at - ms, ends_at + hour, None),
        ("late", ends_at, ends_at + hour, Some("sale-ended")),
        ("a-fast-clock", ends_at, ends_at - ms, Some("sale-ended")),
    ];
    for (request, accepted_at, now, refused) in table {
        let body = format!("{request} {} {request} {} k", accepted_at.as_millisecond(), sale.template.id);
        assert!(all_done(&sale.deliver(&sale.environment(), now, &[body]).await));
        if let Some(slug) = refused {
            assert_eq!(sale.slug(request).await, slug, "{request}");
        } else {
            sale.coupon(request).await;
            let held = sale.coupons().held(&request.parse().unwrap(), sale.template.id).await.unwrap();
            assert!((starts_at..ends_at).contains(&held[0].claimed_at), "{request}");
        }
    }
}

#[tokio::test]
async fn what_the_caller_wrote_wrongly_is_refused_and_not_delivered_again() {
    let sale = Sale::of(10, |_| {}).await;
    let (at, id) = (NOW.as_millisecond(), sale.template.id);
    let table = [
        (format!("none {at} ann "), "template-not-found"),
        (format!("x {at} ann x key"), "template-not-found"),
        (format!("unknown {at} ann {} key", testing::template_id(99)), "template-not-found"),
        (format!("space {at} ann {id} a b"), "invalid-idempotency-key"),
        (format!("word {at} ann {id} 键"), "invalid-idempotency-key"),
        (format!("long {at} ann {id} {}", "k".repeat(256)), "invalid-idempotency-key"),
        (format!("line {at} ann {id} a\nb"), "invalid-idempotency-key"),
        (format!("two {at} ann {id} a,b"), "invalid-idempotency-key"),
    ];
    let bodies = table.clone().map(|(body, _)| body);
    assert!(all_done(&sale.deliver(&sale.environment(), THEN, &bodies).await));
    for (body, slug) in table {
        assert_eq!(sale.slug(body.split(' ').next().unwrap()).await, slug, "{body}");
    }
    assert_eq!(sale.left().await, 10);
}

#[tokio::test]
async fn what_is_not_of_the_gateway_is_a_failure_and_the_others_are_settled() {
    let sale = Sale::of(10, |_| {}).await;
    let bodies =
        ["{}".into(), sale.message("r-1", "ann", "k"), String::new(), sale.message("r-2", "a#b", "k")];
    let response = sale.deliver(&sale.environment(), THEN, &bodies).await;
    assert_eq!(response.failed().collect::<Vec<_>>(), ["m-0", "m-2", "m-3"]);
    sale.coupon("r-1").await;
}

#[tokio::test]
async fn a_refusal_is_the_problem_that_a_guest_who_waits_is_answered() {
    type Change = fn(&mut Template);
    let table: [(u32, Change, &str); 5] = [
        (10, |template| template.status = TemplateStatus::Paused, "sale-paused"),
        (10, |template| template.issue_type = IssueType::Exchange, "template-not-claimable"),
        (10, |template| template.campaign = Some(CampaignId::from_parts(1, 1)), "campaign-only"),
        (10, |template| template.ends_at = NOW, "sale-ended"),
        (1, |_| {}, "coupon-sold-out"),
    ];
    for (total, change, slug) in table {
        let sale = Sale::of(total, change).await;
        let bodies = [sale.message("r-1", "ann", "k"), sale.message("r-2", "bob", "k")];
        assert!(all_done(&sale.deliver(&sale.environment(), THEN, &bodies).await));
        let refused =
            if matches!(sale.outcome("r-1").await, Some(Outcome::Refused(_))) { "r-1" } else { "r-2" };
        assert_eq!(sale.slug(refused).await, slug);
        assert_eq!(sale.problem(refused).await, direct(&sale, "eve").await, "{slug}");
    }

    let sale = Sale::of(10, |_| {}).await;
    let bodies = [sale.message("r-1", "ann", "k"), sale.message("r-2", "ann", "l")];
    assert!(all_done(&sale.deliver(&sale.environment(), THEN, &bodies).await));
    let problem = sale.problem("r-2").await;
    assert_eq!(problem["couponIds"], json!([sale.coupon("r-1").await]));
    assert_eq!(problem, direct(&sale, "ann").await);
}

/// The problem of a claim that does not wait in the queue.
async fn direct(sale: &Sale, guest: &str) -> Value {
    let command = ClaimCoupon {
        guest: guest.parse().unwrap(),
        template: sale.template.id,
        source: Source::Queue,
        campaign: None,
        exchange: None,
        key: None,
        code: CouponCode::from_random(u128::MAX),
        at: THEN,
        seed: 1,
    };
    let error = claim(&sale.coupons(), &SaleMemory::default(), &command).await.unwrap_err();
    serde_json::to_value(claim_problem(&error)).unwrap()
}

#[tokio::test]
async fn a_store_that_fails_is_no_outcome() {
    let sale = Sale::of(10, |_| {}).await;
    let bodies = [sale.message("r-1", "ann", "k"), sale.message("r-2", "bob", "k")];
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let coupons = CouponTable::new(fault.client(), COUPON_TABLE.into());
        let failing = Stores { coupons, ..sale.environment() };
        let response = sale.deliver(&failing, THEN, &bodies).await;
        assert_eq!(response.failed().collect::<Vec<_>>(), ["m-0", "m-1"], "{fault:?}");
        assert_eq!(sale.outcome("r-1").await, None, "{fault:?}");
    }
}

/// A table in which so many transactions meet others, and nobody really waits.
struct Jammed {
    table: CouponTable,
    conflicts_left: AtomicU64,
    waited_ms: AtomicU64,
}

impl Jammed {
    fn is_in_the_way(&self) -> bool {
        self.conflicts_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
    }
}

impl RefillStore for Jammed {
    async fn raise_shards(&self, template: &Template) -> Result<(), StoreError> {
        self.table.raise_shards(template).await
    }

    async fn replace(&self, template: &Template, expected: u64) -> Result<bool, StoreError> {
        RefillStore::replace(&self.table, template, expected).await
    }
}

impl ClaimStore for Jammed {
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        ClaimStore::template(&self.table, id).await
    }

    async fn held(&self, guest: &GuestId, template: TemplateId) -> Result<Vec<Coupon>, StoreError> {
        self.table.held(guest, template).await
    }

    async fn issue(
        &self,
        coupon: &Coupon,
        shard: Option<Shard>,
        exchange: Option<CodeUse>,
    ) -> Result<Issue, StoreError> {
        if self.is_in_the_way() {
            Ok(Issue::Conflict)
        } else {
            self.table.issue(coupon, shard, exchange).await
        }
    }

    async fn open_shards(&self, template: TemplateId, shards: &[Shard]) -> Result<Vec<Shard>, StoreError> {
        self.table.open_shards(template, shards).await
    }

    async fn mark_sold_out(&self, template: TemplateId, epoch: u64, at: Timestamp) -> Result<(), StoreError> {
        self.table.mark_sold_out(template, epoch, at).await
    }

    async fn wait(&self, delay: Duration) {
        self.waited_ms.fetch_add(u64::try_from(delay.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl BatchClaimStore for Jammed {
    async fn issue_batch(
        &self,
        coupons: &[Coupon],
        shard: Shard,
        capacity: u32,
    ) -> Result<BatchIssue, StoreError> {
        if self.is_in_the_way() {
            Ok(BatchIssue::Conflict)
        } else {
            self.table.issue_batch(coupons, shard, capacity).await
        }
    }
}

#[tokio::test]
async fn a_claim_that_met_too_many_others_is_tried_again_before_it_goes_back_to_the_queue() {
    // A batch gives up after 6, and each of its two claims after 6 more.
    for (conflicts, pauses, settled) in [(5, 0, true), (18, 1, true), (36, 2, true), (1_000, 2, false)] {
        let sale = Sale::of(10, |_| {}).await;
        let coupons = Jammed {
            table: sale.coupons(),
            conflicts_left: AtomicU64::new(conflicts),
            waited_ms: AtomicU64::new(0),
        };
        let jammed = Stores {
            coupons,
            requests: sale.requests(),
            memory: SaleMemory::default(),
            progress: Progress::default(),
        };
        let bodies = ["ann", "bob"].map(|guest| sale.message(guest, guest, ""));
        let response = sale.invoke(&jammed, THEN, testing::sqs_event(&bodies)).await;
        assert_eq!(all_done(&response), settled, "{conflicts} conflicts");
        assert_eq!(jammed.coupons.waited_ms.load(Ordering::Relaxed) / 1_000, pauses, "{conflicts} conflicts");
        assert_eq!(sale.left().await, if settled { 8 } else { 10 });
        assert_eq!(sale.outcome("ann").await.is_some(), settled);
    }
}

#[tokio::test]
async fn messages_are_counted_when_they_are_taken_for_the_first_time() {
    let sale = Sale::of(10, |_| {}).await;
    let bodies = ["ann", "bob"].map(|guest| sale.message(guest, guest, ""));
    sale.deliver(&sale.environment(), THEN, &bodies).await;
    let mut again: Value = testing::sqs_event(&bodies);
    for message in again["Records"].as_array_mut().unwrap() {
        message["attributes"]["ApproximateReceiveCount"] = "2".into();
    }
    sale.invoke(&sale.environment(), THEN, serde_json::from_value(again).unwrap()).await;
    assert_eq!(sale.requests().taken().await.unwrap(), 2);
}

/// A queue as it may be at its worst: messages come twice, in any order, to several environments at once, some of
/// which die before they have written an outcome, and one of which is slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_stock_is_issued_and_every_request_ends_with_an_outcome() {
    const STOCK: u32 = 300;
    const GUESTS: usize = 500;
    const ENVIRONMENTS: usize = 4;

    let mut rng = fastrand::Rng::with_seed(7);
    let sale = Sale::of(STOCK, |template| template.stock = testing::stock(STOCK, 16)).await;
    let mut waiting: BTreeMap<usize, String> = BTreeMap::new();
    for guest in 0..GUESTS {
        waiting.insert(guest, sale.message(&format!("r-{guest}"), &format!("guest-{guest}"), ""));
    }
    let environments: [Environment; ENVIRONMENTS] = std::array::from_fn(|_| sale.environment());
    let mut rounds = 0;
    while !waiting.is_empty() {
        rounds += 1;
        assert!(rounds < 50, "{} messages are never settled", waiting.len());
        // Each message goes to one environment, and some to another one, too.
        let mut deliveries: [Vec<usize>; ENVIRONMENTS] = std::array::from_fn(|_| Vec::new());
        for &at in waiting.keys() {
            for _ in 0..=usize::from(rng.u8(..5) == 0) {
                deliveries[rng.usize(..ENVIRONMENTS)].push(at);
            }
        }
        let mut under_way = Vec::new();
        for (at, mut delivery) in deliveries.into_iter().enumerate() {
            rng.shuffle(&mut delivery);
            delivery.truncate(100);
            let dies = rounds < 10 && rng.u8(..3) == 0;
            let (sale, waiting, environment) = (&sale, &waiting, &environments[at]);
            under_way.push(async move {
                let bodies: Vec<String> = delivery.iter().map(|at| waiting[at].clone()).collect();
                let dying = sale.dying();
                let response = sale.deliver(if dies { &dying } else { environment }, THEN, &bodies).await;
                let failed: BTreeSet<String> = response.failed().map(str::to_owned).collect();
                let done = |(place, at)| (!failed.contains(&format!("m-{place}"))).then_some(at);
                delivery.into_iter().enumerate().filter_map(done).collect::<Vec<usize>>()
            });
        }
        for done in futures_util::future::join_all(under_way).await.into_iter().flatten() {
            waiting.remove(&done);
        }
    }

    let mut coupons = BTreeSet::new();
    for guest in 0..GUESTS {
        match sale.outcome(&format!("r-{guest}")).await.expect("every request ends with an outcome") {
            Outcome::Issued(coupon) => assert!(coupons.insert(coupon), "nobody has another's coupon"),
            Outcome::Refused(problem) => assert_eq!(problem["type"], "urn:flashsale:problem:coupon-sold-out"),
        }
        let guest: GuestId = format!("guest-{guest}").parse().unwrap();
        assert!(sale.coupons().held(&guest, sale.template.id).await.unwrap().len() <= 1, "nobody twice");
    }
    assert_eq!((coupons.len(), sale.left().await), (STOCK as usize, 0));
}

#[tokio::test]
async fn a_coupon_that_came_back_into_stock_is_no_reason_to_forget_one() {
    let sale = Sale::of(1, |_| {}).await;
    let bodies = [sale.message("r-1", "ann", "k"), sale.message("r-2", "bob", "k")];
    assert!(all_done(&sale.deliver(&sale.environment(), THEN, &bodies).await));
    let (winner, loser) = if matches!(sale.outcome("r-1").await, Some(Outcome::Issued(_))) {
        ("r-1", "r-2")
    } else {
        ("r-2", "r-1")
    };
    let before = sale.coupon(winner).await;
    let more = TemplateChange { total_count: Some(2), ..TemplateChange::default() };
    let version = ClaimStore::template(&sale.coupons(), sale.template.id).await.unwrap().unwrap().version;
    change_template(&sale.coupons(), sale.template.id, version, more, THEN).await.unwrap();
    assert!(all_done(&sale.deliver(&sale.environment(), THEN, &bodies).await));
    assert_eq!(sale.coupon(winner).await, before);
    sale.coupon(loser).await;
}

#[tokio::test]
async fn the_sample_event_is_a_batch_of_claims() {
    let sale = Sale::of(10, |template| template.id = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()).await;
    let event = serde_json::from_value(testing::event("sqs/claim-coupon-batch.json")).unwrap();
    let response = sale.invoke(&sale.environment(), THEN, event).await;
    assert!(all_done(&response));
    assert_eq!(serde_json::to_value(response).unwrap(), json!({ "batchItemFailures": [] }));
    sale.coupon("L8-YDjtGoAMEVTw=").await;
    sale.coupon("L8-YEhb3oAMEJPA=").await;
}
