//! Counting on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use domain_coupon::{Source, StoreError};
use domain_ids::{CouponId, Nth};
use domain_money::Fen;
use domain_report::{
    Counters, Event, Fact, FactId, FactStore, Hour, ReportShelf, Summary, Tally, Written, count,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use report_dynamodb::ReportTable;
use testing::{COUPON_TABLE, EmbeddedDynamoDb, NOW, template_id};

type Item = HashMap<String, AttributeValue>;

fn fact(guest: u32, revision: u32, event: Event, minutes: i64) -> Fact {
    let guest = format!("guest-{guest}").parse().unwrap();
    let coupon = CouponId::new(&guest, template_id(1 + u128::from(revision % 2)), Nth::MIN);
    let at = NOW + SignedDuration::from_mins(minutes);
    Fact { id: FactId { coupon, revision }, event, at, restock: true }
}

async fn open() -> (EmbeddedDynamoDb, ReportTable) {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = ReportTable::new(db.client(), name);
    (db, table)
}

async fn items(db: &EmbeddedDynamoDb, prefix: &str) -> Vec<Item> {
    let all = db.client().scan().table_name(COUPON_TABLE).send().await.unwrap().items.unwrap();
    all.into_iter().filter(|item| item["pk"].as_s().unwrap().starts_with(prefix)).collect()
}

/// What has come back, by template.
async fn returned(db: &EmbeddedDynamoDb) -> BTreeMap<String, u64> {
    let items = items(db, "TEMPLATE#").await;
    let entry = |item: &Item| {
        assert_eq!(item["sk"].as_s().unwrap(), "RETURNED");
        (item["pk"].as_s().unwrap().clone(), item["count"].as_n().unwrap().parse().unwrap())
    };
    items.iter().map(entry).collect()
}

#[tokio::test]
async fn facts_are_counted_by_template_and_hour() {
    let (db, table) = open().await;
    let saved = Fen::new(2_000);
    let facts = vec![
        fact(1, 1, Event::Issued(Source::Queue), 0),
        fact(2, 1, Event::Issued(Source::Exchange), 59),
        fact(3, 1, Event::Issued(Source::Grant), 60),
        fact(4, 3, Event::Used { saved }, 60),
        fact(5, 2, Event::Expired, 61),
        fact(6, 2, Event::Refunded { saved }, 61),
    ];
    let summary = count(&table, facts, NOW, 1).await.unwrap();
    assert_eq!(summary, Summary { counted: 6, known: 0, conflicts: 0 });

    let first = Hour::of(NOW);
    let none = Counters::default();
    let expected = BTreeMap::from([
        (first, Counters { issued: 2, claimed: 1, exchanged: 1, ..none }),
        (first.later(1), Counters { issued: 1, granted: 1, used: 1, saved_fen: 2_000, ..none }),
    ]);
    assert_eq!(table.hours(template_id(2)).await.unwrap(), expected);
    let back = Counters { expired: 1, refunded: 1, refunded_fen: 2_000, ..none };
    assert_eq!(table.hours(template_id(1)).await.unwrap(), BTreeMap::from([(first.later(1), back)]));
    assert_eq!(returned(&db).await, BTreeMap::from([(format!("TEMPLATE#{}", template_id(1)), 2)]));
}

#[tokio::test]
async fn a_mark_is_kept_for_three_days() {
    let (db, table) = open().await;
    count(&table, vec![fact(1, 7, Event::Locked, -9_000)], NOW, 1).await.unwrap();
    let marks = items(&db, "FACT#").await;
    let until = (NOW + SignedDuration::from_hours(72)).as_second().to_string();
    assert_eq!((marks.len(), marks[0]["sk"].as_s().unwrap().as_str()), (1, "7"));
    assert_eq!(
        marks[0]["ttl"].as_n().unwrap(),
        &until,
        "not from the time of the fact, which may be long ago"
    );
}

/// One item of below 1 KB for each fact, and one counter for a transaction's worth of them: in a transaction each
/// costs 2 write units.
#[tokio::test]
async fn a_fact_costs_one_item_and_its_part_of_a_counter() {
    let (db, table) = open().await;
    let facts = (0..970).map(|guest| fact(guest, 1, Event::Issued(Source::Claim), 0)).collect();
    count(&table, facts, NOW, 1).await.unwrap();
    let (marks, counters) = (items(&db, "FACT#").await, items(&db, "REPORT#").await);
    assert_eq!(marks.len(), 970);
    assert!(counters.len() <= 2, "few counters are in use while nobody is in the way: {}", counters.len());
    let bytes = |item: &Item| format!("{item:?}").len();
    assert!(marks.iter().chain(&counters).all(|item| bytes(item) < 1_000));
}

#[tokio::test]
async fn what_was_counted_is_told_and_the_rest_is_counted() {
    let (_db, table) = open().await;
    let facts: Vec<Fact> = (0..120).map(|guest| fact(guest, 1, Event::Locked, 0)).collect();
    count(&table, facts[..50].to_vec(), NOW, 1).await.unwrap();
    let summary = count(&table, facts.clone(), NOW, 2).await.unwrap();
    assert_eq!(summary, Summary { counted: 70, known: 50, conflicts: 0 });
    let summary = count(&table, facts, NOW, 3).await.unwrap();
    assert_eq!(summary, Summary { counted: 0, known: 120, conflicts: 0 });
    let hours = table.hours(template_id(2)).await.unwrap();
    assert_eq!(hours[&Hour::of(NOW)].locked, 120);
}

#[tokio::test]
async fn counters_of_all_shards_and_pages_are_summed() {
    let (db, table) = open().await;
    for shard in 0..12 {
        let number = |number: u32| AttributeValue::N(number.to_string());
        let put = db
            .client()
            .put_item()
            .table_name(COUPON_TABLE)
            .item("pk", AttributeValue::S(format!("REPORT#{}", template_id(1))))
            .item("sk", AttributeValue::S(format!("HOUR#2026-11-1{}T07#{shard}", shard % 2)))
            .item("issued", number(1 << shard))
            // A counter of a later version, and enough of it that they take several pages.
            .item("padding", AttributeValue::S("x".repeat(300_000)));
        put.send().await.unwrap();
    }
    let hours = table.hours(template_id(1)).await.unwrap();
    let issued: Vec<(String, u64)> = hours.iter().map(|(hour, sum)| (hour.to_string(), sum.issued)).collect();
    assert_eq!(issued, [("2026-11-10T07".to_owned(), 0x555), ("2026-11-11T07".to_owned(), 0xaaa)]);
}

#[tokio::test]
async fn templates_and_campaigns_are_found() {
    let (db, table) = open().await;
    let put = |pk: String, sk: &str| {
        let put = db.client().put_item().table_name(COUPON_TABLE).item("pk", AttributeValue::S(pk));
        put.item("sk", AttributeValue::S(sk.into()))
    };
    put(format!("TEMPLATE#{}", template_id(1)), "TEMPLATE").send().await.unwrap();
    assert!(table.has_template(template_id(1)).await.unwrap());
    assert!(!table.has_template(template_id(2)).await.unwrap());

    let campaign = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
    assert_eq!(table.templates_of(campaign).await.unwrap(), None);
    let pk = format!("CAMPAIGN#{campaign}");
    put(pk.clone(), "CAMPAIGN").send().await.unwrap();
    assert_eq!(table.templates_of(campaign).await.unwrap(), Some(vec![]));
    let entry = |n| (template_id(n).to_string(), AttributeValue::M(Item::new()));
    let templates = AttributeValue::M([entry(2), entry(1)].into());
    put(pk.clone(), "CAMPAIGN").item("templates", templates).send().await.unwrap();
    assert_eq!(table.templates_of(campaign).await.unwrap(), Some(vec![template_id(1), template_id(2)]));
    for wrong in
        [AttributeValue::L(vec![]), AttributeValue::M([("x".to_owned(), AttributeValue::Bool(true))].into())]
    {
        put(pk.clone(), "CAMPAIGN").item("templates", wrong).send().await.unwrap();
        assert!(matches!(table.templates_of(campaign).await, Err(StoreError::Corrupt(_))));
    }
}

/// The table, on a network that fails as `faults` say, in turn.
struct Unreliable {
    table: ReportTable,
    faults: Mutex<Vec<Fault>>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Conflict,
    /// The request is lost.
    Lost,
    /// The write happens, and the answer is lost.
    Cut,
}

impl FactStore for Unreliable {
    async fn write(&self, tally: &Tally, shard: u16, now: Timestamp) -> Result<Written, StoreError> {
        let fault = self.faults.lock().unwrap().pop().unwrap_or(Fault::None);
        match fault {
            Fault::None => self.table.write(tally, shard, now).await,
            Fault::Conflict => Ok(Written::Conflict),
            Fault::Lost => Err(StoreError::Unavailable("lost".into())),
            Fault::Cut => {
                self.table.write(tally, shard, now).await?;
                Err(StoreError::Unavailable("cut".into()))
            }
        }
    }

    async fn wait(&self, _: Duration) {}
}

fn any_facts() -> impl Strategy<Value = Vec<Fact>> {
    let event = prop_oneof![
        Just(Event::Issued(Source::Claim)),
        Just(Event::Locked),
        Just(Event::Used { saved: Fen::new(7) }),
        Just(Event::Expired),
        Just(Event::Refunded { saved: Fen::new(3) }),
    ];
    let one = (event, 0..200_i64);
    proptest::collection::vec(one, 0..150).prop_map(|facts| {
        let facts = facts.into_iter().zip(0_u32..);
        facts.map(|((event, minutes), n)| fact(n / 3, n % 3 + 1, event, minutes)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn however_a_stream_is_replayed_and_broken_off_each_fact_is_counted_once(
        facts in any_facts(),
        replays in proptest::collection::vec((0..150_usize, 1..120_usize), 0..4),
        faults in proptest::collection::vec(
            prop_oneof![Just(Fault::None), Just(Fault::Conflict), Just(Fault::Lost), Just(Fault::Cut)],
            0..16,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (db, table) = open().await;
            let store = Unreliable { table, faults: Mutex::new(faults) };
            let whole = std::iter::once(&facts[..]);
            let parts = replays.iter().map(|&(from, length)| {
                let from = from.min(facts.len());
                &facts[from..(from + length).min(facts.len())]
            });
            for batch in parts.chain(whole) {
                // As Lambda does: the whole batch again until it is counted.
                let mut seed = 0;
                while let Err(left) = count(&store, batch.to_vec(), NOW, seed).await {
                    let ids: BTreeSet<FactId> = batch.iter().map(|fact| fact.id).collect();
                    prop_assert!(left.facts.is_subset(&ids));
                    seed += 1;
                    prop_assert!(seed < 100, "it must come to an end");
                }
            }

            for template in [template_id(1), template_id(2)] {
                let mut expected: BTreeMap<Hour, Counters> = BTreeMap::new();
                let of_template = || facts.iter().filter(|fact| fact.template() == template);
                for fact in of_template() {
                    *expected.entry(fact.hour()).or_default() += fact;
                }
                prop_assert_eq!(store.table.hours(template).await.unwrap(), expected);
                let back = of_template().filter(|fact| fact.returns_stock()).count();
                let returned = returned(&db).await.get(&format!("TEMPLATE#{template}")).copied();
                prop_assert_eq!(returned.unwrap_or_default(), u64::try_from(back).unwrap());
            }
            Ok(())
        })?;
    }
}
