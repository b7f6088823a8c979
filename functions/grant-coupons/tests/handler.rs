//! Grants from order to report, whatever is repeated, lost or interrupted on the way.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on has failed"
)]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use coupon_dynamodb::CouponTable;
use domain_coupon::{
    ClaimCoupon, ClaimStore, CouponCode, Source, Stock, Template, TemplateStatus, TemplateStore, claim,
};
use domain_grant::{
    Failure, Figures, GotNothing, Grant, GrantDesk, GrantShelf, GrantStatus, ListFile, Reason, Recipients,
    ReportPosition, Secret, Segment, Work, report,
};
use domain_ids::{GrantId, GuestId, TemplateId};
use grant_coupons::handler::{self, Stores};
use grant_dynamodb::GrantTable;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use testing::{COUPON_TABLE, EmbeddedDynamoDb, Fault, NOW};
use world::{Chaos, Directory, Files, Queue, Shaky, refused};

const LIST: &str = "uploads/list.csv";

/// More steps than any grant here takes.
const MAX_STEPS: u32 = 20_000;

type World<'a> = Stores<
    Shaky<'a, GrantTable>,
    Shaky<'a, CouponTable>,
    Shaky<'a, Files>,
    Shaky<'a, &'a Queue>,
    Shaky<'a, Directory>,
>;

struct Desk {
    db: EmbeddedDynamoDb,
    queue: Queue,
    chaos: Chaos,
}

fn grant_id() -> GrantId {
    GrantId::from_parts(1_794_326_400_000, 7)
}

fn template_id() -> TemplateId {
    testing::template_id(1)
}

impl Desk {
    async fn open(template: &Template, chaos: Chaos) -> Self {
        let (db, _) = EmbeddedDynamoDb::with_coupon_table().await;
        let desk = Self { db, queue: Queue::default(), chaos };
        desk.coupons().insert(template).await.unwrap();
        desk
    }

    async fn calm(template: &Template) -> Self {
        Self::open(template, Chaos::new(0, 0)).await
    }

    fn coupons(&self) -> CouponTable {
        CouponTable::new(self.db.client(), COUPON_TABLE.into())
    }

    fn grants(&self) -> GrantTable {
        GrantTable::new(self.db.client(), COUPON_TABLE.into())
    }

    fn world(&self) -> World<'_> {
        let chaos = &self.chaos;
        Stores {
            book: Shaky { store: self.grants(), chaos },
            coupons: Shaky { store: self.coupons(), chaos },
            files: Shaky { store: Files::default(), chaos },
            queue: Shaky { store: &self.queue, chaos },
            segments: Shaky { store: Directory::default(), chaos },
            memory: domain_coupon::SaleMemory::default(),
        }
    }

    /// Orders a grant as `manage-grants` does.
    async fn order(&self, recipients: Recipients) {
        let chunks = match &recipients {
            Recipients::List(list) => list.bytes.div_ceil(domain_grant::CHUNK_BYTES) as u32,
            Recipients::Segment(_) => 0,
        };
        let grant = Grant {
            id: grant_id(),
            template: template_id(),
            recipients,
            secret: Secret::from_random([7; 16]),
            chunks,
            planned: false,
            listed_to: None,
            paused: false,
            failure: None,
            done_chunks: 0,
            figures: Figures::default(),
            created_at: NOW,
            updated_at: NOW,
        };
        assert!(self.grants().create(&grant, None).await.unwrap());
        self.queue.0.lock().unwrap().push(Work::Plan { grant: grant_id(), from: 0 });
    }

    async fn grant(&self) -> Grant {
        self.grants().grant(grant_id()).await.unwrap().unwrap()
    }

    /// The guests who hold coupons of the grant, as often as they do.
    async fn holders(&self) -> Vec<String> {
        let scan = self.db.client().scan().table_name(COUPON_TABLE).filter_expression("#s = :grant");
        let output = scan
            .expression_attribute_names("#s", "source")
            .expression_attribute_values(":grant", aws_sdk_dynamodb::types::AttributeValue::S("grant".into()))
            .send()
            .await
            .unwrap();
        assert!(output.last_evaluated_key.is_none());
        output.items().iter().map(|item| item["guest"].as_s().unwrap().clone()).collect()
    }

    async fn claim(&self, guest: &str) {
        let command = ClaimCoupon {
            guest: guest.parse().unwrap(),
            template: template_id(),
            source: Source::Claim,
            campaign: None,
            exchange: None,
            key: None,
            code: CouponCode::from_random(1),
            at: NOW,
            seed: 1,
        };
        claim(&self.coupons(), &domain_coupon::SaleMemory::default(), &command).await.unwrap();
    }

    fn take(&self, pick: usize) -> Option<Work> {
        let mut waiting = self.queue.0.lock().unwrap();
        let count = waiting.len();
        (count > 0).then(|| waiting.swap_remove(pick % count))
    }
}

/// Delivers one message; says whether it was dealt with.
async fn deliver(world: &World<'_>, work: &Work, at: Timestamp) -> bool {
    let body = serde_json::to_string(&grant_sqs::write(work)).unwrap();
    let response = handler::handle(world, at, || true, testing::sqs_event(&[body])).await.unwrap();
    response.failed().next().is_none()
}

/// Delivers until nothing waits; what fails waits again.
async fn work_off(desk: &Desk, world: &World<'_>) {
    for _ in 0..MAX_STEPS {
        let Some(work) = desk.take(0) else { return };
        if !deliver(world, &work, NOW).await {
            desk.queue.0.lock().unwrap().push(work);
        }
    }
    panic!("no end after {MAX_STEPS} messages");
}

async fn list(desk: &Desk, world: &World<'_>, content: &str) {
    let tag = world.files.store.put(LIST, content.as_bytes());
    let bytes = content.len() as u64;
    desk.order(Recipients::List(ListFile { key: LIST.into(), bytes, tag })).await;
}

/// Every row that got nothing, page by page.
async fn all_of_the_report(desk: &Desk, world: &World<'_>, limit: u16) -> Vec<GotNothing> {
    let (mut rows, mut after) = (Vec::new(), ReportPosition::default());
    loop {
        let page = report(&desk.grants(), &world.files, grant_id(), after, limit).await.unwrap();
        assert!(page.items.len() <= usize::from(limit));
        rows.extend(page.items);
        match page.next {
            None => return rows,
            Some(next) => {
                assert_ne!(next, after, "a page goes on");
                after = next;
            }
        }
    }
}

fn of_limit(total: u32, per_user_limit: u8) -> Template {
    Template { per_user_limit, ..testing::template(total) }
}

#[tokio::test]
async fn the_sample_event_is_a_chunk_of_a_grant() {
    let desk = Desk::calm(&testing::template(10)).await;
    let world = desk.world();
    list(&desk, &world, "guestId,note\r\nann,x\r\nbob\r\n\r\nann\r\nno guest\r\n").await;
    let event = testing::event("sqs/grant-coupons.json");
    let response =
        handler::handle(&world, NOW, || true, serde_json::from_value(event).unwrap()).await.unwrap();
    assert_eq!(response.failed().len(), 0);
    let grant = desk.grant().await;
    let reasons = refused(&[(Reason::Duplicate, 1), (Reason::InvalidGuestId, 1)]);
    assert_eq!(grant.figures, Figures { issued: 2, refused: reasons });
    assert_eq!(desk.holders().await.len(), 2);
}

#[tokio::test]
async fn a_list_is_planned_granted_and_reported() {
    let desk = Desk::calm(&testing::template(10)).await;
    desk.claim("eve").await;
    let world = desk.world();
    list(&desk, &world, "ann\nann\neve\n#\nbob").await;
    assert_eq!(desk.grant().await.status(), GrantStatus::Planning);
    work_off(&desk, &world).await;
    assert_eq!(desk.grant().await.status(), GrantStatus::Done);
    let row = |line, guest: Option<&str>, reason| GotNothing {
        line: Some(line),
        guest: guest.map(|guest| guest.parse().unwrap()),
        reason,
    };
    let expected = [
        row(2, Some("ann"), Reason::Duplicate),
        row(3, Some("eve"), Reason::ClaimLimitReached),
        row(4, None, Reason::InvalidGuestId),
    ];
    for limit in [1, 2, 3, 100] {
        assert_eq!(all_of_the_report(&desk, &world, limit).await, expected, "{limit}");
    }
}

#[tokio::test]
async fn an_unlimited_template_has_one_for_everybody() {
    let desk = Desk::calm(&Template { stock: Stock::Unlimited, ..testing::template(1) }).await;
    let world = desk.world();
    list(&desk, &world, "ann\nbob\nann\neve\n").await;
    work_off(&desk, &world).await;
    let reasons = refused(&[(Reason::Duplicate, 1)]);
    assert_eq!(desk.grant().await.figures, Figures { issued: 3, refused: reasons });
}

#[tokio::test]
async fn a_chunk_that_comes_again_changes_nothing() {
    let desk = Desk::calm(&testing::template(10)).await;
    let world = desk.world();
    list(&desk, &world, "ann\nbob\n").await;
    let plan = desk.take(0).unwrap();
    assert!(deliver(&world, &plan, NOW).await);
    let chunk = desk.take(0).unwrap();
    assert!(deliver(&world, &chunk, NOW).await);
    let done = desk.grant().await;
    // A guest who comes later would be refused if the rows were claimed again.
    let later = NOW + SignedDuration::from_hours(48);
    for work in [&chunk, &plan, &chunk] {
        assert!(deliver(&world, work, later).await);
    }
    assert_eq!(desk.grant().await, done);
    assert_eq!(desk.holders().await.len(), 2);
}

#[tokio::test]
async fn a_paused_grant_waits_and_goes_on_with_what_is_left() {
    let desk = Desk::calm(&testing::template(10)).await;
    let world = desk.world();
    let line = |guest: usize| format!("guest-{guest},{}\n", "x".repeat(1_000));
    list(&desk, &world, &(0..200).map(line).collect::<String>()).await;
    let plan = desk.take(0).unwrap();
    assert!(deliver(&world, &plan, NOW).await);
    let first = desk.take(0).unwrap();
    assert!(deliver(&world, &first, NOW).await);
    domain_grant::pause(&desk.grants(), grant_id(), NOW).await.unwrap();
    let waiting = desk.queue.0.lock().unwrap().len();
    assert!(waiting > 1);
    let before = desk.grant().await;
    work_off(&desk, &world).await;
    assert_eq!((desk.grant().await, before.status()), (before.clone(), GrantStatus::Paused));
    domain_grant::resume(&desk.grants(), &world.queue, grant_id(), NOW).await.unwrap();
    assert_eq!(desk.queue.0.lock().unwrap().len(), waiting, "what is done is not sent again");
    work_off(&desk, &world).await;
    let after = desk.grant().await;
    assert_eq!((after.status(), after.figures.rows(), after.figures.issued), (GrantStatus::Done, 200, 10));
    let over = domain_grant::pause(&desk.grants(), grant_id(), NOW).await;
    assert!(matches!(over, Err(domain_grant::PauseError::Over)));
}

#[tokio::test]
async fn a_template_that_refuses_is_the_reason_of_every_row() {
    for (change, reason) in [
        (Template { status: TemplateStatus::Paused, ..testing::template(9) }, Reason::SalePaused),
        (Template { ends_at: NOW, ..testing::template(9) }, Reason::SaleEnded),
    ] {
        let desk = Desk::calm(&change).await;
        let world = desk.world();
        list(&desk, &world, "ann\nbob").await;
        work_off(&desk, &world).await;
        assert_eq!(desk.grant().await.figures, Figures { issued: 0, refused: refused(&[(reason, 2)]) });
    }
}

#[tokio::test]
async fn a_list_that_was_replaced_or_is_gone_fails_the_grant() {
    for (replace, failure) in [(true, Failure::ListChanged), (false, Failure::ListMissing)] {
        let desk = Desk::calm(&testing::template(10)).await;
        let world = desk.world();
        list(&desk, &world, "ann\nbob").await;
        if replace {
            world.files.store.put(LIST, b"eve\nbob");
        } else {
            world.files.store.files.lock().unwrap().clear();
        }
        work_off(&desk, &world).await;
        let grant = desk.grant().await;
        assert_eq!((grant.status(), grant.failure), (GrantStatus::Failed, Some(failure)));
        assert!(desk.holders().await.is_empty());
    }
}

#[tokio::test]
async fn a_group_that_is_not_there_fails_the_grant() {
    let desk = Desk::calm(&testing::template(10)).await;
    desk.order(Recipients::Segment(Segment::Group("vip".parse().unwrap()))).await;
    work_off(&desk, &desk.world()).await;
    assert_eq!(desk.grant().await.failure, Some(Failure::SegmentUnreadable));
}

#[tokio::test]
async fn an_empty_segment_is_done_at_once() {
    let desk = Desk::calm(&testing::template(10)).await;
    let mut world = desk.world();
    world.segments.store.per_page = 60;
    desk.order(Recipients::Segment(Segment::All)).await;
    work_off(&desk, &world).await;
    let grant = desk.grant().await;
    assert_eq!((grant.status(), grant.chunks, grant.figures.rows()), (GrantStatus::Done, 0, 0));
}

#[tokio::test]
async fn what_can_never_succeed_is_told_from_what_may() {
    let desk = Desk::calm(&testing::template(10)).await;
    let world = desk.world();
    let nobodys = Work::Chunk { grant: grant_id(), number: 0, range: 0..1 };
    assert!(!deliver(&world, &nobodys, NOW).await);
    list(&desk, &world, "ann").await;
    let too_long = Work::Chunk { grant: grant_id(), number: 0, range: 0..1 << 20 };
    assert!(!deliver(&world, &too_long, NOW).await);
    for body in ["", "{}", r#"{"grant": "x", "chunk": 0, "from": 0, "to": 0}"#, r#"{"chunk": -1}"#] {
        let response = handler::handle(&world, NOW, || true, testing::sqs_event(&[body])).await.unwrap();
        assert_eq!(response.failed().collect::<Vec<_>>(), ["m-0"], "{body}");
    }
}

#[tokio::test]
async fn a_store_outage_sends_the_message_again() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let desk = Desk::calm(&testing::template(10)).await;
        let mut world = desk.world();
        list(&desk, &world, "ann").await;
        world.book.store = GrantTable::new(fault.client(), COUPON_TABLE.into());
        let chunk = Work::Chunk { grant: grant_id(), number: 0, range: 0..3 };
        for work in [&chunk, &Work::Plan { grant: grant_id(), from: 0 }] {
            assert!(!deliver(&world, work, NOW).await, "{fault:?}");
        }
        world.book.store = desk.grants();
        world.coupons.store = CouponTable::new(fault.client(), COUPON_TABLE.into());
        assert!(!deliver(&world, &chunk, NOW).await, "{fault:?}");
        world.coupons.store = desk.coupons();
        assert!(deliver(&world, &chunk, NOW).await);
        assert_eq!(desk.grant().await.figures.issued, 1);
    }
}

#[tokio::test]
async fn a_chunk_that_runs_out_of_time_is_sent_again_and_goes_on() {
    let desk = Desk::calm(&testing::template(100)).await;
    let world = desk.world();
    let guests: Vec<String> = (0..95).map(|guest| format!("guest-{guest}\n")).collect();
    let guests = guests.concat();
    list(&desk, &world, &guests).await;
    let chunk = Work::Chunk { grant: grant_id(), number: 0, range: 0..guests.len() as u64 };
    let body = serde_json::to_string(&grant_sqs::write(&chunk)).unwrap();
    let transactions = std::sync::atomic::AtomicU32::new(0);
    let has_time = || transactions.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 4;
    let response = handler::handle(&world, NOW, has_time, testing::sqs_event(&[body])).await.unwrap();
    assert_eq!(response.failed().len(), 1);
    assert!((1..95).contains(&desk.holders().await.len()));
    assert!(deliver(&world, &chunk, NOW).await);
    assert_eq!(desk.grant().await.figures.issued, 95);
}

/// What happens to a grant.
#[derive(Debug, Clone)]
struct Story {
    /// Guests by number, some of them more than once; `None` is a bad row.
    rows: Vec<Option<u16>>,
    /// Guests who hold a coupon before.
    holders: BTreeSet<u16>,
    stock: u32,
    per_user_limit: u8,
    strikes: u32,
    pauses_after: u32,
    seed: u64,
}

fn story() -> impl Strategy<Value = Story> {
    let row = prop_oneof![12 => (0_u16..120).prop_map(Some), 1 => Just(None)];
    (
        prop::collection::vec(row, 0..200),
        prop::collection::btree_set(0_u16..120, 0..10),
        11_u32..150,
        1_u8..3,
        0_u32..60,
        0_u32..30,
        any::<u64>(),
    )
        .prop_map(|(rows, holders, stock, per_user_limit, strikes, pauses_after, seed)| Story {
            rows,
            holders,
            stock,
            per_user_limit,
            strikes,
            pauses_after,
            seed,
        })
}

fn guest(number: u16) -> GuestId {
    format!("guest-{number}").parse().unwrap()
}

/// Delivers messages out of order and several times, pauses and resumes, until nothing waits.
async fn live_through(desk: &Desk, world: &World<'_>, story: &Story) {
    let mut rng = fastrand::Rng::with_seed(story.seed);
    let mut paused = false;
    for step in 0..MAX_STEPS {
        if step == story.pauses_after {
            paused = domain_grant::pause(&desk.grants(), grant_id(), NOW).await.is_ok();
        }
        let Some(work) = desk.take(rng.usize(..)) else {
            if paused {
                paused = false;
                while let Err(domain_grant::PauseError::Store(_)) =
                    domain_grant::resume(&desk.grants(), &world.queue, grant_id(), NOW).await
                {
                }
                continue;
            }
            return;
        };
        let again = rng.u8(..5) == 0;
        let dealt_with = if again {
            let (one, other) =
                futures_util::future::join(deliver(world, &work, NOW), deliver(world, &work, NOW)).await;
            one && other
        } else {
            deliver(world, &work, NOW).await
        };
        if !dealt_with || rng.u8(..8) == 0 {
            desk.queue.0.lock().unwrap().push(work);
        }
    }
    panic!("no end after {MAX_STEPS} messages: {story:?}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// As many coupons as there are guests and stock, nobody two, and every row in the report or issued.
    #[test]
    fn every_row_becomes_a_coupon_or_a_line_of_the_report(story in story()) {
        runtime().block_on(async {
            let template = of_limit(story.stock, story.per_user_limit);
            let desk = Desk::open(&template, Chaos::new(story.strikes, story.seed)).await;
            for holder in &story.holders {
                desk.claim(guest(*holder).as_str()).await;
            }
            let world = desk.world();
            let line = |row: &Option<u16>| match row {
                // Long lines, so that a few rows are several chunks.
                Some(number) => format!("guest-{number},{}\n", "x".repeat(900)),
                None => format!("no guest,{}\r\n", "x".repeat(900)),
            };
            list(&desk, &world, &story.rows.iter().map(line).collect::<String>()).await;
            live_through(&desk, &world, &story).await;
            desk.chaos.end();

            let grant = desk.grant().await;
            prop_assert_eq!(grant.status(), GrantStatus::Done);
            prop_assert_eq!(grant.figures.rows(), story.rows.len() as u64);
            let listed: BTreeSet<u16> = story.rows.iter().flatten().copied().collect();
            let full = |number: &&u16| story.per_user_limit == 1 && story.holders.contains(number);
            let wanting = listed.iter().filter(|number| !full(number)).count();
            let left = story.stock as usize - story.holders.len();
            let holders = desk.holders().await;
            prop_assert_eq!(holders.len(), wanting.min(left));
            prop_assert_eq!(holders.iter().collect::<BTreeSet<_>>().len(), holders.len(), "nobody gets two");
            prop_assert_eq!(grant.figures.issued as usize, holders.len());

            let rows = all_of_the_report(&desk, &world, 37).await;
            let mut counted = BTreeMap::new();
            for row in &rows {
                *counted.entry(row.reason).or_insert(0) += 1;
                let line = row.line.unwrap() as usize - 1;
                prop_assert_eq!(&row.guest, &story.rows[line].map(guest));
            }
            prop_assert_eq!(counted, grant.figures.refused);
            Ok(())
        })?;
    }

    /// The same of a segment, which is listed while chunks of it are worked on.
    #[test]
    fn every_guest_of_a_segment_is_listed_once(
        story in story(), guests in prop_oneof![0_usize..100, 1_700_usize..2_100], per_page in 1_usize..61,
    ) {
        let per_page = if guests > 100 { 60 } else { per_page };
        runtime().block_on(async {
            let template = testing::template(5_000);
            let desk = Desk::open(&template, Chaos::new(story.strikes, story.seed)).await;
            let mut world = desk.world();
            world.segments.store = Directory {
                guests: (0..guests).map(|number| guest(number as u16)).collect(),
                per_page,
            };
            desk.order(Recipients::Segment(Segment::All)).await;
            live_through(&desk, &world, &story).await;
            desk.chaos.end();
            let grant = desk.grant().await;
            prop_assert_eq!(grant.status(), GrantStatus::Done);
            prop_assert_eq!(grant.figures, Figures { issued: guests as u64, refused: BTreeMap::new() });
            prop_assert_eq!(desk.coupons().held(&guest(0), template.id).await.unwrap().len(), guests.min(1));
            Ok(())
        })?;
    }
}
