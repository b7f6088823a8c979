//! Rebuilds and comparisons on an embedded table, and the table as they read it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_homestay::{
    Begun, Facilities, GeoPoint, Homestay, HomestaySource, HomestayStore, IndexJob, JobBook, JobFailure,
    JobKey, JobKind, JobStage, JobTask, NewHomestay, PartProgress, Pass, Rating, RoomType, RowState, Stored,
    SyncFigures, TABLE_PARTS, TablePosition, generation_of,
};
use domain_ids::{HomestayId, RebuildId};
use domain_money::Fen;
use homestay_dynamodb::HomestayTable;
use testing::{EmbeddedDynamoDb, Fault, HOMESTAY_TABLE, NOW};

async fn table() -> (EmbeddedDynamoDb, HomestayTable) {
    let (db, name) = EmbeddedDynamoDb::with_homestay_table().await;
    let table = HomestayTable::new(db.client(), name);
    (db, table)
}

fn id(n: u128) -> RebuildId {
    RebuildId::from_parts(1_794_326_400_000, n)
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

fn after(job: &IndexJob, stage: JobStage) -> IndexJob {
    IndexJob { stage, step: job.step + 1, ..job.clone() }
}

#[tokio::test]
async fn a_job_reads_back_at_every_stage() {
    let (_db, table) = table().await;
    let mut job = IndexJob::rebuild(id(1), NOW);
    assert_eq!(table.job(job.id).await.unwrap(), None);
    assert_eq!(table.begin(&job, None).await.unwrap(), Begun::Yes);
    assert_eq!(table.job(job.id).await.unwrap().as_ref(), Some(&job));
    let mut parts = PartProgress::begin();
    parts[1] = PartProgress::Behind(TablePosition("HOMESTAY#h-1 HOMESTAY".into()));
    parts[2] = PartProgress::End;
    for stage in [
        JobStage::Scanning { parts: parts.clone() },
        JobStage::Comparing { pass: Pass::begin() },
        JobStage::Comparing { pass: Pass::Index { after: Some("h-1".parse().unwrap()) } },
        JobStage::Comparing { pass: Pass::Table { parts } },
        JobStage::Switching,
        JobStage::Failed { failure: JobFailure::GenerationLost },
        JobStage::Cancelled,
        JobStage::Done,
    ] {
        let figures = SyncFigures { scanned: 1, checked: 2, repaired: 3, forgotten: 4, unreadable: 5 };
        let next = IndexJob {
            figures,
            estimate: Some(9),
            replaced: Some("a".parse().unwrap()),
            rolled_back_at: Some(NOW),
            ..after(&job, stage)
        };
        assert!(table.advance(&next, job.step).await.unwrap());
        assert!(!table.advance(&next, job.step).await.unwrap(), "a step is noted once");
        assert_eq!(table.job(job.id).await.unwrap().as_ref(), Some(&next));
        job = next;
    }
    let mut comparison = IndexJob::reconciliation(id(2), NOW);
    comparison.task = JobTask::Reconcile { left: vec![generation_of(id(1)), "a".parse().unwrap()] };
    table.begin(&comparison, None).await.unwrap();
    assert_eq!(table.job(comparison.id).await.unwrap(), Some(comparison));
}

#[tokio::test]
async fn of_each_kind_one_runs_until_its_last_step() {
    let (_db, table) = table().await;
    let first = IndexJob::rebuild(id(1), NOW);
    assert_eq!(table.begin(&first, None).await.unwrap(), Begun::Yes);
    assert_eq!(table.begin(&IndexJob::rebuild(id(2), NOW), None).await.unwrap(), Begun::Running(id(1)));
    assert_eq!(table.begin(&IndexJob::reconciliation(id(3), NOW), None).await.unwrap(), Begun::Yes);
    assert_eq!(table.running(JobKind::Rebuild).await.unwrap(), Some(id(1)));
    assert_eq!(table.running(JobKind::Reconciliation).await.unwrap(), Some(id(3)));
    let done = after(&first, JobStage::Done);
    assert!(!table.advance(&done, 7).await.unwrap(), "it is at another step");
    assert_eq!(table.running(JobKind::Rebuild).await.unwrap(), Some(id(1)));
    assert!(table.advance(&done, 0).await.unwrap());
    assert_eq!(table.running(JobKind::Rebuild).await.unwrap(), None);
    assert_eq!(table.begin(&IndexJob::rebuild(id(4), NOW), None).await.unwrap(), Begun::Yes);
    let rolled_back = IndexJob { rolled_back_at: Some(NOW), ..after(&done, JobStage::Done) };
    assert!(table.advance(&rolled_back, 1).await.unwrap());
    assert_eq!(
        table.running(JobKind::Rebuild).await.unwrap(),
        Some(id(4)),
        "another one's end is not its own"
    );
}

#[tokio::test]
async fn a_key_orders_one_job_and_is_free_while_none_was_ordered() {
    let (_db, table) = table().await;
    let key = |name| Some(JobKey::new("ann", JobKind::Rebuild, name));
    assert_eq!(table.ordered(key("k").unwrap()).await.unwrap(), None);
    assert_eq!(table.begin(&IndexJob::rebuild(id(1), NOW), key("k")).await.unwrap(), Begun::Yes);
    assert_eq!(table.begin(&IndexJob::rebuild(id(2), NOW), key("k")).await.unwrap(), Begun::KeyTaken);
    assert_eq!(table.begin(&IndexJob::rebuild(id(2), NOW), key("l")).await.unwrap(), Begun::Running(id(1)));
    assert_eq!(table.ordered(key("k").unwrap()).await.unwrap(), Some(id(1)));
    assert_eq!(table.ordered(key("l").unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn jobs_are_listed_by_kind_the_newest_first() {
    let (db, table) = table().await;
    for n in 1..=5 {
        let job = IndexJob::rebuild(id(n), NOW);
        table.begin(&job, None).await.unwrap();
        table.advance(&after(&job, JobStage::Done), 0).await.unwrap();
    }
    table.begin(&IndexJob::reconciliation(id(9), NOW), None).await.unwrap();
    let first = table.latest(JobKind::Rebuild, None, 3).await.unwrap();
    let ids = |items: Vec<IndexJob>| items.into_iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!((ids(first.items), first.next), (vec![id(5), id(4), id(3)], Some(id(3))));
    let rest = table.latest(JobKind::Rebuild, Some(id(3)), 3).await.unwrap();
    assert_eq!((ids(rest.items), rest.next), (vec![id(2), id(1)], None));
    let comparisons = table.latest(JobKind::Reconciliation, None, 3).await.unwrap();
    assert_eq!(ids(comparisons.items), [id(9)]);
    let kept = async |n| {
        let get = db.client().get_item().table_name(HOMESTAY_TABLE);
        let get = get
            .key("pk", AttributeValue::S(format!("REBUILD#{}", id(n))))
            .key("sk", AttributeValue::S("REBUILD".into()));
        get.send().await.unwrap().item.unwrap().contains_key("ttl")
    };
    assert_eq!((kept(1).await, kept(9).await), (false, true), "there is a comparison every hour");
}

/// Every homestay of the table, part by part and page by page, and how many items were not readable.
async fn read(table: &HomestayTable, limit: u16) -> (Vec<Homestay>, u64) {
    let (mut all, mut unreadable) = (Vec::new(), 0);
    for part in 0..TABLE_PARTS {
        let mut after = None;
        loop {
            let page = table.page(part, after.as_ref(), limit).await.unwrap();
            all.extend(page.homestays);
            unreadable += page.unreadable;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    (all, unreadable)
}

#[tokio::test]
async fn the_parts_have_every_homestay_once_and_nothing_else() {
    let (_db, table) = table().await;
    for n in 0..40 {
        table.insert(&homestay(&format!("h-{n}"))).await.unwrap();
    }
    let deleted = homestay("h-7").deleted(NOW);
    table.replace(&deleted, homestay("h-7").version).await.unwrap();
    table.begin(&IndexJob::rebuild(id(1), NOW), None).await.unwrap();
    for limit in [1, 7, 100] {
        let (all, unreadable) = read(&table, limit).await;
        let ids: BTreeSet<&HomestayId> = all.iter().map(|homestay| &homestay.id).collect();
        assert_eq!((all.len(), ids.len(), unreadable), (40, 40, 0), "{limit}");
        let gone = all.iter().find(|homestay| homestay.id == deleted.id).unwrap();
        assert_eq!((gone.version, gone.is_visible()), (deleted.version, false));
    }
}

#[tokio::test]
async fn an_item_that_nobody_understands_is_told_from_one_that_is_not_there() {
    let (db, table) = table().await;
    for id in ["h-1", "h-2"] {
        table.insert(&homestay(id)).await.unwrap();
    }
    let update = db.client().update_item().table_name(HOMESTAY_TABLE);
    update
        .key("pk", AttributeValue::S("HOMESTAY#h-2".into()))
        .key("sk", AttributeValue::S("HOMESTAY".into()))
        .update_expression("REMOVE version")
        .send()
        .await
        .unwrap();
    let ids: Vec<HomestayId> = ["h-2", "h-3", "h-1", "h-2"].iter().map(|id| id.parse().unwrap()).collect();
    let stored = table.many(&ids).await.unwrap();
    let one = Stored::Homestay(Box::new(homestay("h-1")));
    assert_eq!(stored, [Stored::Unreadable, Stored::Nothing, one, Stored::Unreadable]);
    let (all, unreadable) = read(&table, 100).await;
    assert_eq!((all.len(), unreadable), (1, 1));
}

#[tokio::test]
async fn hundreds_of_homestays_are_looked_up_at_once() {
    let (_db, table) = table().await;
    for n in 0..250 {
        table.insert(&homestay(&format!("h-{n}"))).await.unwrap();
    }
    let ids: Vec<HomestayId> = (0..260).map(|n| format!("h-{n}").parse().unwrap()).collect();
    let stored = table.many(&ids).await.unwrap();
    assert_eq!(stored.iter().filter(|stored| **stored == Stored::Nothing).count(), 10);
    assert_eq!(table.many(&[]).await.unwrap(), []);
    table.estimate().await.unwrap();
}

#[tokio::test]
async fn a_place_that_is_none_is_not_read_from() {
    let (_db, table) = table().await;
    let error = table.page(0, Some(&TablePosition("nowhere".into())), 1).await.unwrap_err();
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn an_outage_may_be_tried_again() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let table = HomestayTable::new(fault.client(), HOMESTAY_TABLE.into());
        let job = IndexJob::rebuild(id(1), NOW);
        let ids = ["h-1".parse().unwrap()];
        let errors = [
            table.job(job.id).await.unwrap_err(),
            table.begin(&job, None).await.unwrap_err(),
            table.advance(&job, 0).await.unwrap_err(),
            table.advance(&after(&job, JobStage::Done), 0).await.unwrap_err(),
            table.latest(JobKind::Rebuild, None, 1).await.unwrap_err(),
            table.page(0, None, 1).await.unwrap_err(),
            table.many(&ids).await.unwrap_err(),
            table.estimate().await.unwrap_err(),
        ];
        assert!(errors.iter().all(domain_coupon::StoreError::is_retryable), "{fault:?}: {errors:?}");
    }
}
