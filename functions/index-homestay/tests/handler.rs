//! What becomes of a table's changes, in an index in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_homestay::{
    Facilities, GenerationId, GeoPoint, Homestay, HomestayChange, HomestayStore, IndexAdmin, NewHomestay,
    Rating, RoomType, RowState,
};
use domain_money::Fen;
use homestay_dynamodb::HomestayTable;
use index_homestay::handler;
use jiff::SignedDuration;
use platform_batch::StreamEvent;
use serde_json::{Value, json};
use testing::{EmbeddedDynamoDb, HOMESTAY_TABLE, IndexFault, ItemChange, MemoryIndex, NOW, stream_event};

type Item = HashMap<String, AttributeValue>;

fn live() -> GenerationId {
    "a".parse().unwrap()
}

fn homestay(id: &str) -> Homestay {
    let new = NewHomestay {
        title: "三里屯阳光大床房".to_owned(),
        subtitle: "近地铁".to_owned(),
        info: "安静".to_owned(),
        location: GeoPoint::new(39.936, 116.4546).unwrap(),
        city: "北京".to_owned(),
        district: "朝阳区".to_owned(),
        price: Fen::new(29_900),
        room_type: RoomType::Double,
        capacity: 2,
        facilities: Facilities::new(),
        cover: String::new(),
        row_state: RowState::Published,
        rating: Rating { hundredths: 480, count: 12 },
        sales: 30,
    };
    Homestay::create(id.parse().unwrap(), "host-1".parse().unwrap(), new, NOW).unwrap()
}

/// The images that a table's stream has of a homestay that goes through these states.
async fn images(states: &[Homestay]) -> Vec<Item> {
    let (db, name) = EmbeddedDynamoDb::with_homestay_table().await;
    let table = HomestayTable::new(db.client(), name);
    let mut images = Vec::new();
    for homestay in states {
        match images.len() {
            0 => assert!(table.insert(homestay).await.unwrap()),
            before => assert!(table.replace(homestay, states[before - 1].version).await.unwrap()),
        }
        let get = db.client().get_item().table_name(HOMESTAY_TABLE);
        let get = get
            .key("pk", AttributeValue::S(format!("HOMESTAY#{}", homestay.id)))
            .key("sk", AttributeValue::S("HOMESTAY".into()));
        images.push(get.send().await.unwrap().item.unwrap());
    }
    images
}

fn changes(images: &[Item]) -> Vec<ItemChange> {
    let before = std::iter::once(None).chain(images.iter().cloned().map(Some));
    before.zip(images.iter().cloned().map(Some)).collect()
}

async fn handled(index: &MemoryIndex, event: StreamEvent) -> Value {
    json!(handler::handle(index, || NOW + SignedDuration::from_secs(1), event).await.unwrap())
}

fn failures(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

/// The version that is held of a homestay, and whether it is visible.
fn held(index: &MemoryIndex, id: &str) -> Option<(u64, bool)> {
    let contents = index.contents(&live());
    contents.get(&id.parse().unwrap()).map(|(version, document)| (version.get(), document.is_some()))
}

/// Created, changed, unpublished, deleted.
fn life(id: &str) -> Vec<Homestay> {
    let first = homestay(id);
    let change = |from: &Homestay, change| from.changed(change, NOW).unwrap();
    let second = change(&first, HomestayChange { sales: Some(31), ..HomestayChange::default() });
    let unpublished = HomestayChange { row_state: Some(RowState::Unpublished), ..HomestayChange::default() };
    let third = change(&second, unpublished);
    let fourth = third.deleted(NOW);
    vec![first, second, third, fourth]
}

#[tokio::test]
async fn each_change_takes_effect() {
    let index = MemoryIndex::with_live("a");
    let images = images(&life("h-1")).await;
    for (change, expected) in changes(&images).into_iter().zip([(1, true), (2, true), (3, false), (4, false)])
    {
        assert_eq!(handled(&index, stream_event(&[change])).await, failures(&[]));
        assert_eq!(held(&index, "h-1"), Some(expected));
    }
}

#[tokio::test]
async fn changes_of_a_batch_are_applied_together_and_of_each_homestay_the_newest() {
    let index = MemoryIndex::with_live("a");
    let mut batch = changes(&images(&life("h-1")[..2]).await);
    batch.extend(changes(&images(&life("h-2")[..1]).await));
    assert_eq!(handled(&index, stream_event(&batch)).await, failures(&[]));
    assert_eq!((held(&index, "h-1"), held(&index, "h-2")), (Some((2, true)), Some((1, true))));
    // Which generations there are, and one write to the one that there is.
    assert_eq!(index.calls(), 2);
}

#[tokio::test]
async fn a_late_change_does_not_overwrite_a_newer_one() {
    let index = MemoryIndex::with_live("a");
    let images = images(&life("h-1")).await;
    let all = changes(&images);
    for at in [3, 0, 2, 1, 0] {
        assert_eq!(handled(&index, stream_event(&all[at..=at])).await, failures(&[]));
        assert_eq!(held(&index, "h-1"), Some((4, false)));
    }
}

#[tokio::test]
async fn a_generation_that_is_being_built_takes_changes_too() {
    let index = MemoryIndex::with_live("a");
    let building: GenerationId = "b".parse().unwrap();
    index.build(&building).await.unwrap();
    handled(&index, stream_event(&changes(&images(&life("h-1")[..1]).await))).await;
    assert_eq!(index.contents(&building), index.contents(&live()));
    assert_eq!(index.contents(&building).len(), 1);
}

#[tokio::test]
async fn the_end_of_a_deleted_homestays_time_to_live_changes_nothing() {
    let index = MemoryIndex::with_live("a");
    let images = images(&life("h-1")).await;
    handled(&index, stream_event(&changes(&images))).await;
    let calls = index.calls();
    let gone: ItemChange = (images.last().cloned(), None);
    assert_eq!(handled(&index, stream_event(&[gone])).await, failures(&[]));
    assert_eq!((held(&index, "h-1"), index.calls()), (Some((4, false)), calls));
}

#[tokio::test]
async fn a_change_that_cannot_be_read_fails_and_the_others_are_applied() {
    let index = MemoryIndex::with_live("a");
    let mut batch = changes(&images(&life("h-1")[..1]).await);
    batch.extend(changes(&images(&life("h-2")[..1]).await));
    batch.extend(changes(&images(&life("h-3")[..1]).await));
    batch[1].1.as_mut().unwrap().remove("version");
    assert_eq!(handled(&index, stream_event(&batch)).await, failures(&["101"]));
    assert_eq!((held(&index, "h-1"), held(&index, "h-2")), (Some((1, true)), None));
    assert_eq!(held(&index, "h-3"), Some((1, true)));
}

#[tokio::test]
async fn what_is_no_homestay_is_left_alone() {
    let index = MemoryIndex::with_live("a");
    let mut import = images(&life("h-1")[..1]).await.remove(0);
    import.insert("pk".into(), AttributeValue::S("IMPORT#1".into()));
    import.insert("sk".into(), AttributeValue::S("IMPORT".into()));
    assert_eq!(handled(&index, stream_event(&[(None, Some(import))])).await, failures(&[]));
    assert_eq!(index.calls(), 0);
}

#[tokio::test]
async fn while_the_index_fails_the_batch_comes_again_from_its_first_change() {
    let index = MemoryIndex::with_live("a");
    let images = images(&life("h-1")).await;
    let mut batch: Vec<ItemChange> = vec![(images.last().cloned(), None)];
    batch.extend(changes(&images));
    for fault in [IndexFault::Unreachable, IndexFault::Busy, IndexFault::LosesAnswer, IndexFault::Corrupt] {
        index.fail_next([None, Some(fault)]);
        assert_eq!(handled(&index, stream_event(&batch)).await, failures(&["101"]), "{fault:?}");
    }
    assert_eq!(handled(&index, stream_event(&batch)).await, failures(&[]));
    assert_eq!(held(&index, "h-1"), Some((4, false)));
    let none = MemoryIndex::default();
    assert_eq!(handled(&none, stream_event(&batch)).await, failures(&["101"]), "no generation is live");
}

#[tokio::test]
async fn the_sample_is_understood() {
    let index = MemoryIndex::with_live("a");
    let event = serde_json::from_value(testing::event("dynamodb/index-homestay.json")).unwrap();
    assert_eq!(handled(&index, event).await, failures(&[]));
    assert_eq!(held(&index, "h-1643534"), Some((1, true)));
    let deleted = serde_json::from_value(testing::event("dynamodb/index-homestay-deleted.json")).unwrap();
    assert_eq!(handled(&index, deleted).await, failures(&[]));
    assert_eq!(held(&index, "h-1643534"), Some((2, false)));
}
