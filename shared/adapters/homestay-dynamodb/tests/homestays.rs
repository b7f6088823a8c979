//! Homestays and imports on an embedded table: conditions, paging, what each call costs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use coupon_dynamodb::Units;
use domain_coupon::StoreError;
use domain_homestay::{
    Checkpoint, Datum, Facilities, Facility, GeoPoint, Homestay, HomestayChange, HomestayShelf,
    HomestayStore, Import, ImportBook, ImportDesk, ImportEnd, ImportFailure, ImportFailureReason,
    ImportFigures, ImportFile, ImportFormat, ImportKey, ImportMark, ImportShelf, ImportStatus, ImportStore,
    NewHomestay, Rating, ReportPart, RoomType, RowOutcome, RowState, State, Version,
};
use domain_ids::{HomestayId, ImportId};
use domain_money::Fen;
use homestay_dynamodb::{HomestayTable, homestay_from_image};
use jiff::{SignedDuration, Timestamp};
use testing::{EmbeddedDynamoDb, HOMESTAY_TABLE, NOW};

struct World {
    client: Client,
    table: HomestayTable,
}

impl World {
    async fn new() -> Self {
        let client = EmbeddedDynamoDb::with_homestay_table().await.0.client();
        Self { table: HomestayTable::new(client.clone(), HOMESTAY_TABLE.into()), client }
    }

    async fn items(&self) -> Vec<std::collections::HashMap<String, AttributeValue>> {
        self.client.scan().table_name(HOMESTAY_TABLE).send().await.unwrap().items.unwrap()
    }
}

fn homestay_at(id: &str, host: &str, created_at: Timestamp) -> Homestay {
    let new = NewHomestay {
        title: "三里屯阳光大床房".into(),
        subtitle: String::new(),
        info: "安静".into(),
        location: GeoPoint::new(39.936, 116.0).unwrap(),
        city: "北京".into(),
        district: "朝阳区".into(),
        price: Fen::new(29_900),
        room_type: RoomType::Double,
        capacity: 2,
        facilities: Facilities::from([Facility::Wifi, Facility::Parking]),
        cover: String::new(),
        row_state: RowState::Published,
        rating: Rating { hundredths: 480, count: 12 },
        sales: 30,
    };
    Homestay::create(id.parse().unwrap(), host.parse().unwrap(), new, created_at).unwrap()
}

fn homestay(id: &str) -> Homestay {
    homestay_at(id, "ann", NOW)
}

fn price(fen: u64) -> HomestayChange {
    HomestayChange { price: Some(Fen::new(fen)), ..HomestayChange::default() }
}

fn mark(at: u64) -> ImportMark {
    ImportMark { import: ImportId::from_parts(1, 1), at, outcome: RowOutcome::Changed }
}

#[tokio::test]
async fn a_homestay_reads_back_in_every_state() {
    let world = World::new().await;
    let first = homestay("h-1");
    assert!(world.table.insert(&first).await.unwrap());
    assert!(!world.table.insert(&first).await.unwrap(), "there is one");
    assert_eq!(world.table.homestay(&first.id).await.unwrap(), Some(first.clone()));

    let second = first.changed(price(1), NOW + SignedDuration::from_secs(1)).unwrap();
    assert!(!world.table.replace(&second, Version::from_stored(7)).await.unwrap(), "of another version");
    assert!(world.table.replace(&second, first.version).await.unwrap());
    assert!(!world.table.replace(&second, first.version).await.unwrap(), "of the version before");
    assert_eq!(world.table.homestay(&first.id).await.unwrap(), Some(second.clone()));

    let third = second.deleted(NOW);
    assert!(world.table.replace(&third, second.version).await.unwrap());
    let stored = world.table.homestay(&first.id).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.state), (third.version, State::Deleted(NOW)));
    assert_eq!((stored.title.as_str(), stored.created_at), ("", NOW));
    let item = &world.items().await[0];
    for gone in ["title", "info", "location", "hostPk", "facilities", "priceFen"] {
        assert!(!item.contains_key(gone), "{gone}");
    }
    let kept_until = NOW.as_second() + 30 * 24 * 60 * 60;
    assert_eq!(item["ttl"], AttributeValue::N(kept_until.to_string()));

    let back = Homestay { version: third.version.next(), ..first.clone() };
    assert!(world.table.write(&back, Some(third.version), &mark(5)).await.unwrap());
    assert_eq!(world.table.homestay(&first.id).await.unwrap(), Some(back));
    assert!(!world.items().await[0].contains_key("ttl"));
    assert!(!world.items().await[0].contains_key("deletedAt"));
}

#[tokio::test]
async fn an_image_of_the_stream_is_the_homestay() {
    let world = World::new().await;
    let first = homestay("h-1");
    world.table.write(&first, None, &mark(5)).await.unwrap();
    world.table.start(&import(1), None).await.unwrap();
    for item in world.items().await {
        let image: serde_dynamo::Item =
            serde_json::from_value(serde_json::to_value(serde_dynamo::Item::from(item.clone())).unwrap())
                .unwrap();
        let expected = item["pk"].as_s().unwrap().starts_with("HOMESTAY").then(|| first.clone());
        assert_eq!(homestay_from_image(image).unwrap(), expected);
        assert_eq!(homestay_from_image(item).unwrap(), expected);
    }
    let mut garbled = world
        .items()
        .await
        .into_iter()
        .find(|item| item["sk"] == AttributeValue::S("HOMESTAY".into()))
        .unwrap();
    garbled.insert("priceFen".into(), AttributeValue::S("cheap".into()));
    assert!(homestay_from_image(garbled).is_err());
    assert!(homestay_from_image(std::collections::HashMap::<String, AttributeValue>::new()).is_err());
}

#[tokio::test]
async fn the_mark_of_an_import_outlives_what_others_write() {
    let world = World::new().await;
    let first = homestay("h-1");
    assert!(world.table.write(&first, None, &mark(5)).await.unwrap());
    assert!(!world.table.write(&first, None, &mark(9)).await.unwrap(), "there is one");
    let second = first.changed(price(1), NOW).unwrap();
    assert!(world.table.replace(&second, first.version).await.unwrap());
    assert!(world.table.replace(&second.deleted(NOW), second.version).await.unwrap());
    let stored = world.table.stored(std::slice::from_ref(&first.id)).await.unwrap().remove(0).unwrap();
    assert_eq!(stored.mark, Some(mark(5)));
    assert_eq!(stored.homestay.state, State::Deleted(NOW));
}

#[tokio::test]
async fn many_are_read_in_their_order_however_many() {
    let world = World::new().await;
    for n in (0..230).step_by(2) {
        world.table.insert(&homestay(&format!("h-{n}"))).await.unwrap();
    }
    let mut ids: Vec<HomestayId> = (0..230).rev().map(|n| format!("h-{n}").parse().unwrap()).collect();
    ids.push(ids[1].clone());
    let stored = world.table.stored(&ids).await.unwrap();
    for (id, stored) in ids.iter().zip(&stored) {
        let n: u32 = id.as_str()[2..].parse().unwrap();
        assert_eq!(stored.as_ref().map(|stored| &stored.homestay.id), n.is_multiple_of(2).then_some(id));
    }
    assert_eq!(stored.len(), 231);
    assert!(world.table.stored(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_host_sees_the_own_ones_the_newest_first_and_no_deleted_ones() {
    let world = World::new().await;
    // Two of one moment: the id decides.
    let moments = [5, 3, 3, 9, 1];
    for (n, at) in moments.into_iter().enumerate() {
        let created_at = NOW + SignedDuration::from_secs(at);
        world.table.insert(&homestay_at(&format!("h-{n}"), "ann", created_at)).await.unwrap();
    }
    world.table.insert(&homestay_at("other", "bob", NOW)).await.unwrap();
    let gone = homestay_at("gone", "ann", NOW);
    world.table.insert(&gone).await.unwrap();
    world.table.replace(&gone.deleted(NOW), gone.version).await.unwrap();
    let ann = "ann".parse().unwrap();
    for limit in [1, 2, 5, 50] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = world.table.of_host(&ann, after, limit).await.unwrap();
            assert!(page.items.len() <= usize::from(limit));
            seen.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let times: Vec<i64> =
            seen.iter().map(|homestay| homestay.created_at.as_second() - NOW.as_second()).collect();
        assert_eq!(times, [9, 5, 3, 3, 1], "{limit}");
    }
}

#[tokio::test]
async fn a_change_costs_a_write_of_the_item_and_one_of_the_index() {
    let world = World::new().await;
    let consumed = world.table.consumed();
    let first = homestay("h-1");
    world.table.insert(&first).await.unwrap();
    assert_eq!(consumed.take(), Units::whole(0, 2), "create");
    world.table.homestay(&first.id).await.unwrap();
    assert_eq!(consumed.take(), Units::whole(1, 0), "read");
    let second = first.changed(price(1), NOW).unwrap();
    world.table.replace(&second, first.version).await.unwrap();
    assert_eq!(consumed.take(), Units::whole(0, 2), "change");
    world.table.replace(&second.deleted(NOW), second.version).await.unwrap();
    assert_eq!(consumed.take(), Units::whole(0, 2), "delete");
    world.table.stored(&["h-1".parse().unwrap(), "h-2".parse().unwrap()]).await.unwrap();
    assert!(consumed.take().half_reads <= 4, "two keys of a batch");
}

fn import(n: u128) -> Import {
    Import {
        id: ImportId::from_parts(1, n),
        file: ImportFile { key: "imports/uploads/x".into(), bytes: 1_000, tag: "\"t\"".into() },
        format: ImportFormat::JsonLines,
        source: "demo".parse().unwrap(),
        host: n.is_multiple_of(2).then(|| "ann".parse().unwrap()),
        datum: Datum::Wgs84,
        dry_run: n % 2 == 1,
        status: ImportStatus::Running,
        failure: None,
        position: 0,
        lines: 0,
        figures: ImportFigures::default(),
        parts: Vec::new(),
        created_at: NOW,
        updated_at: NOW,
    }
}

fn checkpoint(to: u64) -> Checkpoint {
    let figures = ImportFigures { created: 1, changed: 2, unchanged: 3, refused: 4 };
    Checkpoint { to, lines: to / 10, figures, part: None, end: None }
}

#[tokio::test]
async fn an_import_is_started_once_for_a_key_and_listed() {
    let world = World::new().await;
    let key = ImportKey::new("eve", "k-1");
    assert!(world.table.start(&import(1), Some(key)).await.unwrap());
    assert!(!world.table.start(&import(2), Some(key)).await.unwrap());
    assert_eq!(world.table.started(key).await.unwrap(), Some(import(1).id));
    assert_eq!(world.table.started(ImportKey::new("eve", "k-2")).await.unwrap(), None);
    assert_eq!(world.table.import(import(2).id).await.unwrap(), None);
    for n in 2..=4 {
        assert!(world.table.start(&import(n), None).await.unwrap());
    }
    assert!(!world.table.start(&import(4), None).await.unwrap(), "there is one");
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = world.table.newest(after, 3).await.unwrap();
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [4, 3, 2, 1].map(import));
}

#[tokio::test]
async fn a_checkpoint_is_written_once_for_a_place() {
    let world = World::new().await;
    let id = import(2).id;
    world.table.start(&import(2), None).await.unwrap();
    let part = ReportPart { from: 0, to: 100, rows: 4 };
    let first = Checkpoint { part: Some(part), ..checkpoint(100) };
    let later = NOW + SignedDuration::from_secs(1);
    world.table.consumed().take();
    assert!(world.table.checkpoint(id, 0, &first, later).await.unwrap());
    assert_eq!(world.table.consumed().take(), Units::whole(0, 2));
    assert!(!world.table.checkpoint(id, 0, &first, later).await.unwrap(), "a repeat");
    assert!(!world.table.checkpoint(id, 50, &checkpoint(200), later).await.unwrap(), "of another place");
    assert!(!world.table.checkpoint(ImportId::from_parts(1, 9), 0, &first, later).await.unwrap(), "of none");
    let expected = Import {
        position: 100,
        lines: 10,
        figures: first.figures,
        parts: vec![part],
        updated_at: later,
        ..import(2)
    };
    assert_eq!(world.table.import(id).await.unwrap(), Some(expected.clone()));

    let cancelled = world.table.cancel(id, later).await.unwrap();
    assert_eq!(cancelled, Some(Import { status: ImportStatus::Cancelled, ..expected }));
    assert_eq!(world.table.cancel(id, later).await.unwrap(), None, "it does not run");
    assert!(
        world.table.checkpoint(id, 100, &checkpoint(200), later).await.unwrap(),
        "what was under way counts"
    );
    let stored = world.table.import(id).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.position, stored.figures.rows()), (ImportStatus::Cancelled, 200, 20));

    let failure =
        ImportFailure { reason: ImportFailureReason::WrongHeader, line: Some(1), column: Some("x".into()) };
    let end = Checkpoint { end: Some(ImportEnd::Failed(failure.clone())), ..checkpoint(200) };
    assert!(world.table.checkpoint(id, 200, &end, later).await.unwrap());
    let stored = world.table.import(id).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.failure), (ImportStatus::Failed, Some(failure)));
    assert!(!world.table.checkpoint(id, 200, &end, later).await.unwrap(), "it is over");
}

#[tokio::test]
async fn an_item_that_nobody_can_read_is_no_homestay() {
    let world = World::new().await;
    let put = world.client.put_item().table_name(HOMESTAY_TABLE);
    let put = put
        .item("pk", AttributeValue::S("HOMESTAY#h-1".into()))
        .item("sk", AttributeValue::S("HOMESTAY".into()));
    put.send().await.unwrap();
    let read = world.table.homestay(&"h-1".parse().unwrap()).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))));
}
