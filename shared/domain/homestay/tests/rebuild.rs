//! Rebuilds and comparisons, step by step.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod model;

use std::sync::Arc;

use domain_homestay::{
    CancelRebuildError, Change, Document, Facilities, GenerationId, GeoPoint, Homestay, HomestayChange,
    IndexAdmin, IndexJob, IndexWriter, JobBook, JobFailure, JobKey, JobKind, JobStage, NewHomestay, NewJob,
    OrderJobError, OrderedJob, Pace, Rating, RollBackError, RoomType, RowState, Stepped, Version, Workshop,
    cancel_rebuild, generation_of, order_job, roll_back,
};
use domain_ids::{HomestayId, RebuildId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};
use model::{Book, Faults, Queue, Shaky, Table, expected};
use testing::{IndexFault, MemoryIndex};

const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

type Shop = Workshop<Shaky<MemoryIndex>, Table, Book, Queue>;

fn shop() -> Shop {
    let faults = Faults::new(1, 0);
    Workshop {
        index: Shaky::new(Arc::new(MemoryIndex::with_live("a")), faults.clone()),
        source: Table::new(faults.clone()),
        book: Book::new(faults.clone()),
        queue: Queue::new(faults),
        pace: Pace { page: 2, rounds: 2 },
    }
}

fn with_homestays(number: u32) -> Shop {
    let shop = shop();
    for n in 0..number {
        shop.source.state().write(homestay(&format!("h-{n}")));
    }
    shop
}

fn homestay(id: &str) -> Homestay {
    let new = NewHomestay {
        title: "三里屯阳光大床房".to_owned(),
        subtitle: String::new(),
        info: String::new(),
        location: GeoPoint::new(39.936, 116.4546).unwrap(),
        city: "北京".to_owned(),
        district: String::new(),
        price: Fen::new(29_900),
        room_type: RoomType::Double,
        capacity: 2,
        facilities: Facilities::new(),
        cover: String::new(),
        row_state: RowState::Published,
        rating: Rating::default(),
        sales: 0,
    };
    Homestay::create(id.parse().unwrap(), "host".parse().unwrap(), new, NOW).unwrap()
}

fn id(n: u64) -> RebuildId {
    RebuildId::from_parts(n, 0)
}

fn live() -> GenerationId {
    "a".parse().unwrap()
}

async fn order(shop: &Shop, n: u64, kind: JobKind, key: Option<JobKey>) -> Result<OrderedJob, OrderJobError> {
    order_job(&shop.book, &shop.queue, NewJob { id: id(n), kind, key, at: NOW }).await
}

/// Does what waits in the queue, until nothing does.
async fn work_off(shop: &Shop) {
    while let Some((message, id, step)) = shop.queue.waiting().first().copied() {
        shop.step(id, step, NOW, || true).await.unwrap();
        shop.queue.delete(message);
    }
}

async fn job(shop: &Shop, n: u64) -> IndexJob {
    shop.book.job(id(n)).await.unwrap().unwrap()
}

async fn rebuilt(shop: &Shop, n: u64) -> IndexJob {
    order(shop, n, JobKind::Rebuild, None).await.unwrap();
    work_off(shop).await;
    job(shop, n).await
}

#[tokio::test]
async fn a_rebuild_ends_with_a_new_generation_that_is_searched() {
    let shop = with_homestays(30);
    let job = rebuilt(&shop, 1).await;
    assert_eq!((&job.stage, job.percent(), job.figures.scanned), (&JobStage::Done, 100, 30));
    assert_eq!((job.replaced, job.figures.repaired, job.estimate), (Some(live()), 0, Some(30)));
    let known = shop.index.inner.known();
    assert_eq!(
        (known.live, known.previous, known.building),
        (Some(generation_of(id(1))), Some(live()), None)
    );
    assert_eq!(shop.index.inner.contents(&generation_of(id(1))).len(), 30);
    assert_eq!(shop.book.running(JobKind::Rebuild).await.unwrap(), None);
}

#[tokio::test]
async fn a_rebuild_goes_on_whichever_answers_its_steps_did_not_hear() {
    let shop = with_homestays(30);
    shop.book.lose_answers();
    let job = rebuilt(&shop, 1).await;
    assert_eq!((&job.stage, job.figures.scanned), (&JobStage::Done, 30));
    assert_eq!(shop.index.inner.known().live, Some(generation_of(id(1))));
}

#[tokio::test]
async fn progress_only_grows() {
    let shop = with_homestays(40);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    let mut percents = vec![job(&shop, 1).await.percent()];
    while let Some((message, id, step)) = shop.queue.waiting().first().copied() {
        shop.step(id, step, NOW, || true).await.unwrap();
        shop.queue.delete(message);
        percents.push(job(&shop, 1).await.percent());
    }
    assert!(percents.is_sorted() && percents.len() > 10, "{percents:?}");
    assert_eq!((percents.first(), percents.last()), (Some(&0), Some(&100)));
}

#[tokio::test]
async fn of_each_kind_one_runs_at_a_time() {
    let shop = with_homestays(3);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    let refused = order(&shop, 2, JobKind::Rebuild, None).await;
    assert!(matches!(refused, Err(OrderJobError::Running(running)) if running == id(1)), "{refused:?}");
    order(&shop, 3, JobKind::Reconciliation, None).await.unwrap();
    work_off(&shop).await;
    order(&shop, 4, JobKind::Rebuild, None).await.unwrap();
}

#[tokio::test]
async fn a_key_orders_one_job_and_a_repeat_asks_for_its_first_step_again() {
    let shop = with_homestays(3);
    let key = Some(JobKey::new("ann", JobKind::Rebuild, "k-1"));
    assert!(!order(&shop, 1, JobKind::Rebuild, key).await.unwrap().replayed);
    let again = order(&shop, 2, JobKind::Rebuild, key).await.unwrap();
    assert_eq!((again.job.id, again.replayed, shop.queue.waiting().len()), (id(1), true, 2));
    work_off(&shop).await;
    let again = order(&shop, 3, JobKind::Rebuild, key).await.unwrap();
    assert_eq!((again.job.stage, shop.queue.waiting().len()), (JobStage::Done, 0));
    let other = JobKey::new("ann", JobKind::Reconciliation, "k-1");
    assert_ne!(key, Some(other));
}

#[tokio::test]
async fn a_step_is_done_once_and_one_whose_successor_was_not_sent_sends_it() {
    let shop = with_homestays(3);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    assert!(matches!(shop.step(id(1), 0, NOW, || true).await.unwrap(), Stepped::Advanced(_)));
    let sent = || shop.queue.waiting().iter().filter(|(_, _, step)| *step == 1).count();
    assert_eq!(sent(), 1);
    assert_eq!(shop.step(id(1), 0, NOW, || true).await.unwrap(), Stepped::Repeated);
    assert_eq!((sent(), job(&shop, 1).await.step), (2, 1));
    assert_eq!(shop.step(id(1), 7, NOW, || true).await.unwrap(), Stepped::Repeated);
    assert_eq!((sent(), shop.queue.waiting().len()), (2, 3));
}

#[tokio::test]
async fn a_step_without_time_does_one_page_and_one_with_time_a_few() {
    let shop = with_homestays(40);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    shop.step(id(1), 0, NOW, || true).await.unwrap();
    shop.step(id(1), 1, NOW, || false).await.unwrap();
    let one = job(&shop, 1).await.figures.scanned;
    shop.step(id(1), 2, NOW, || true).await.unwrap();
    let three = job(&shop, 1).await.figures.scanned;
    assert!((1..=8).contains(&one) && three > one && three <= 24, "{one} {three}");
}

#[tokio::test]
async fn a_job_that_nobody_ordered_is_no_job() {
    let error = shop().step(id(1), 0, NOW, || true).await.unwrap_err();
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn an_index_that_is_down_is_waited_for_and_one_that_is_not_readable_ends_the_rebuild() {
    let shop = with_homestays(3);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    for fault in [IndexFault::Unreachable, IndexFault::Busy, IndexFault::LosesAnswer] {
        shop.index.inner.fail_next([None, Some(fault)]);
        assert!(shop.step(id(1), 0, NOW, || true).await.unwrap_err().is_retryable(), "{fault:?}");
        assert_eq!(job(&shop, 1).await.step, 0);
    }
    shop.index.inner.fail_next([Some(IndexFault::Corrupt)]);
    shop.step(id(1), 0, NOW, || true).await.unwrap();
    let failed = job(&shop, 1).await;
    assert_eq!(failed.stage, JobStage::Failed { failure: JobFailure::IndexUnreadable });
    work_off(&shop).await;
    assert_eq!(shop.index.inner.known().building, None, "what it built is dropped");
    order(&shop, 2, JobKind::Rebuild, None).await.unwrap();
}

#[tokio::test]
async fn what_a_step_has_done_before_it_fails_is_kept() {
    let shop = with_homestays(40);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    shop.step(id(1), 0, NOW, || true).await.unwrap();
    // Which generations there are, the first pages, and no more.
    shop.index.inner.fail_next([None, None, Some(IndexFault::Unreachable)]);
    shop.step(id(1), 1, NOW, || true).await.unwrap();
    let kept = job(&shop, 1).await;
    assert!(kept.step == 2 && (1..=8).contains(&kept.figures.scanned), "{kept:?}");
}

#[tokio::test]
async fn a_rebuild_whose_generation_was_replaced_fails_and_takes_nothing_with_it() {
    let shop = with_homestays(9);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    shop.step(id(1), 0, NOW, || true).await.unwrap();
    let other: GenerationId = "other".parse().unwrap();
    shop.index.inner.build(&other).await.unwrap();
    work_off(&shop).await;
    assert_eq!(job(&shop, 1).await.stage, JobStage::Failed { failure: JobFailure::GenerationLost });
    let known = shop.index.inner.known();
    assert_eq!((known.live, known.building), (Some(live()), Some(other)));
}

#[tokio::test]
async fn a_rebuild_that_slept_does_not_take_the_place_of_a_later_one() {
    let shop = with_homestays(9);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    let later = generation_of(id(2));
    shop.index.inner.build(&later).await.unwrap();
    shop.step(id(1), 0, NOW, || true).await.unwrap();
    assert_eq!(job(&shop, 1).await.stage, JobStage::Failed { failure: JobFailure::GenerationLost });
    assert_eq!(shop.index.inner.known().building, Some(later));
}

#[tokio::test]
async fn a_cancelled_rebuild_leaves_nothing_and_lets_another_begin() {
    let shop = with_homestays(9);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    shop.step(id(1), 0, NOW, || true).await.unwrap();
    for _ in 0..2 {
        let cancelled = cancel_rebuild(&shop.book, &shop.queue, id(1), NOW).await.unwrap();
        assert_eq!(cancelled.stage, JobStage::Cancelled);
    }
    work_off(&shop).await;
    let known = shop.index.inner.known();
    assert_eq!((known.live, known.building), (Some(live()), None));
    assert_eq!(rebuilt(&shop, 2).await.stage, JobStage::Done);
    let over = cancel_rebuild(&shop.book, &shop.queue, id(2), NOW).await;
    assert!(matches!(over, Err(CancelRebuildError::Over)));
    let none = cancel_rebuild(&shop.book, &shop.queue, id(9), NOW).await;
    assert!(matches!(none, Err(CancelRebuildError::NotFound)));
}

#[tokio::test]
async fn a_rebuild_is_rolled_back_to_a_generation_that_has_what_came_since() {
    let shop = with_homestays(3);
    shop.index.apply(&[Change::of(&homestay("h-0"))]).await.unwrap();
    rebuilt(&shop, 1).await;
    let new = homestay("h-9");
    shop.source.state().write(new.clone());
    shop.index.apply(&[Change::of(&new)]).await.unwrap();
    for _ in 0..2 {
        let back = roll_back(&shop.index, &shop.book, id(1), NOW).await.unwrap();
        assert_eq!((back.rolled_back_at, back.stage), (Some(NOW), JobStage::Done));
        assert_eq!(shop.index.inner.known().live, Some(live()));
    }
    assert!(shop.index.inner.contents(&live()).contains_key(&new.id));
    assert_eq!(job(&shop, 1).await.rolled_back_at, Some(NOW));
}

#[tokio::test]
async fn what_is_not_in_use_is_not_rolled_back() {
    let shop = with_homestays(3);
    let refused = async |n| roll_back(&shop.index, &shop.book, id(n), NOW).await.unwrap_err();
    assert!(matches!(refused(1).await, RollBackError::NotFound));
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    assert!(matches!(refused(1).await, RollBackError::NotLive));
    work_off(&shop).await;
    rebuilt(&shop, 2).await;
    assert!(matches!(refused(1).await, RollBackError::NotLive));
    shop.index.inner.discard(&generation_of(id(1))).await.unwrap();
    assert!(matches!(refused(2).await, RollBackError::NothingBefore));
}

#[tokio::test]
async fn rolling_back_does_not_end_the_rebuild_that_runs() {
    let shop = with_homestays(3);
    rebuilt(&shop, 1).await;
    order(&shop, 2, JobKind::Rebuild, None).await.unwrap();
    roll_back(&shop.index, &shop.book, id(1), NOW).await.unwrap();
    assert_eq!(shop.book.running(JobKind::Rebuild).await.unwrap(), Some(id(2)));
    work_off(&shop).await;
    assert_eq!(job(&shop, 2).await.stage, JobStage::Done);
}

#[tokio::test]
async fn an_index_without_a_live_generation_gets_one_by_a_rebuild() {
    let mut shop = with_homestays(3);
    shop.index = Shaky::new(Arc::new(MemoryIndex::default()), Faults::new(1, 0));
    let done = rebuilt(&shop, 1).await;
    assert_eq!((done.stage, done.replaced), (JobStage::Done, None));
    assert_eq!(shop.index.inner.contents(&generation_of(id(1))).len(), 3);
    let back = roll_back(&shop.index, &shop.book, id(1), NOW).await;
    assert!(matches!(back, Err(RollBackError::NothingBefore)));
}

/// Compares, and returns what was repaired and forgotten.
async fn compared(shop: &Shop, n: u64) -> (u64, u64) {
    order(shop, n, JobKind::Reconciliation, None).await.unwrap();
    work_off(shop).await;
    let job = job(shop, n).await;
    assert_eq!(job.stage, JobStage::Done);
    (job.figures.repaired, job.figures.forgotten)
}

async fn in_step(shop: &Shop) {
    let homestays: Vec<Homestay> = shop.source.state().homestays.values().cloned().collect();
    let changes: Vec<Change> = homestays.iter().map(Change::of).collect();
    shop.index.apply(&changes).await.unwrap();
}

/// What an index may hold of a homestay.
fn held(homestay: &Homestay, version: u64, visible: bool) -> (Version, Option<Document>) {
    (Version::from_stored(version), visible.then(|| Document::of(homestay)))
}

#[tokio::test]
async fn whatever_differs_is_repaired_and_what_is_gone_forgotten() {
    let shop = with_homestays(9);
    in_step(&shop).await;
    assert_eq!(compared(&shop, 1).await, (0, 0));
    let one = homestay("h-1");
    let second = one.changed(HomestayChange { sales: Some(1), ..HomestayChange::default() }, NOW).unwrap();
    let (gone, alien): (HomestayId, HomestayId) = ("x-1".parse().unwrap(), "x-2".parse().unwrap());
    let damages = [
        ("lost", one.id.clone(), None, (1, 0)),
        ("newer than the table, visible", one.id.clone(), Some(held(&second, 7, true)), (1, 0)),
        ("newer than the table, gone", one.id.clone(), Some(held(&second, 7, false)), (1, 0)),
        ("hidden for no reason", one.id.clone(), Some(held(&one, 1, false)), (1, 0)),
        ("of a homestay that the table has forgotten", gone, Some(held(&one, 3, false)), (0, 1)),
        ("never in the table", alien, Some(held(&one, 3, true)), (1, 0)),
    ];
    for (n, (name, id, damage, expected_figures)) in (2..).zip(damages) {
        shop.index.inner.corrupt(&live(), &id, damage);
        assert_eq!(compared(&shop, n).await, expected_figures, "{name}");
        let contents = shop.index.inner.contents(&live());
        assert_eq!(contents.len(), expected(&shop.source).len(), "{name}");
        assert_eq!(contents.get(&one.id), Some(&held(&one, 1, true)), "{name}");
    }
    shop.source.state().write(second.clone());
    assert_eq!(compared(&shop, 20).await, (1, 0), "older than the table");
    assert_eq!(shop.index.inner.contents(&live()).get(&one.id), Some(&held(&second, 2, true)));
    shop.source.state().write(second.deleted(NOW));
    assert_eq!(compared(&shop, 21).await, (1, 0), "visible though it is deleted");
    assert_eq!(shop.index.inner.contents(&live()).get(&one.id), Some(&held(&second, 3, false)));
}

#[tokio::test]
async fn the_generation_to_roll_back_to_is_compared_too() {
    let shop = with_homestays(5);
    in_step(&shop).await;
    rebuilt(&shop, 1).await;
    shop.index.inner.corrupt(&live(), &"h-1".parse().unwrap(), None);
    assert_eq!(compared(&shop, 2).await, (1, 0));
    assert_eq!(shop.index.inner.contents(&live()).len(), 5);
}

#[tokio::test]
async fn every_hour_what_has_stopped_goes_on_and_what_was_left_is_dropped() {
    let shop = with_homestays(5);
    let late = NOW + SignedDuration::from_hours(1);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    let lost = shop.queue.waiting();
    shop.queue.delete(lost[0].0);
    let early = shop.tick(id(2), NOW).await.unwrap();
    assert_eq!((early.woken, early.started), (0, Some(id(2))));
    work_off(&shop).await;
    assert_eq!(job(&shop, 1).await.step, 0);
    let ticked = shop.tick(id(3), late).await.unwrap();
    assert_eq!((ticked.woken, ticked.started, ticked.discarded), (1, Some(id(3)), 0));
    work_off(&shop).await;
    assert_eq!(job(&shop, 1).await.stage, JobStage::Done);
    shop.index.inner.build(&generation_of(id(9))).await.unwrap();
    assert_eq!(shop.tick(id(4), late).await.unwrap().discarded, 1);
    assert_eq!(shop.index.inner.known().building, None);
}

#[tokio::test]
async fn an_hourly_look_leaves_a_rebuild_that_runs_alone() {
    let shop = with_homestays(5);
    order(&shop, 1, JobKind::Rebuild, None).await.unwrap();
    shop.step(id(1), 0, NOW, || true).await.unwrap();
    assert_eq!(shop.tick(id(2), NOW).await.unwrap().discarded, 0);
    assert_eq!(shop.index.inner.known().building, Some(generation_of(id(1))));
    assert_eq!(shop.tick(id(3), NOW).await.unwrap().started, None);
}
