//! Inboxes in the embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use domain_channel::Category;
use domain_ids::{GuestId, MessageId};
use domain_notification::{
    Accepted, Address, Inbox, InboxEntry, InboxPosition, MAX_UNREAD, Outgoing, Provider, Rendered, Verdict,
};
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::{InboxProvider, NotificationTable};
use proptest::{prelude::*, test_runner::TestCaseError};
use testing::{EmbeddedDynamoDb, Fault, NOTIFICATION_TABLE};

const CATEGORIES: [Category; 4] =
    [Category::Account, Category::Order, Category::Reminder, Category::Marketing];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_514_400 + seconds).unwrap()
}

fn now() -> Timestamp {
    at(0)
}

fn ann() -> GuestId {
    "ann".parse().unwrap()
}

fn id(number: u64) -> MessageId {
    MessageId::from_parts(number, number.into())
}

fn place(number: u64, due: i64) -> InboxPosition {
    InboxPosition { at: at(due), id: id(number) }
}

fn outgoing(guest: &str, place: InboxPosition, category: Category) -> Outgoing {
    Outgoing {
        id: place.id,
        address: Address::Inbox(guest.parse().unwrap()),
        rendered: Rendered {
            title: Some(format!("title {}", place.id)),
            content: format!("content {}", place.id),
            ..Rendered::default()
        },
        category,
        accepted_at: at(-1_000),
        due_at: place.at,
    }
}

struct House {
    db: EmbeddedDynamoDb,
    table: NotificationTable,
}

impl House {
    async fn new() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
        Self { table: NotificationTable::new(db.client(), name), db }
    }

    async fn deliver(&self, place: InboxPosition, category: Category, clock: fn() -> Timestamp) {
        let provider = InboxProvider::new(self.table.clone(), clock);
        let taken = provider.send(&outgoing("ann", place, category)).await;
        assert_eq!(taken, Ok(Accepted::default()));
    }

    async fn all(&self, category: Option<Category>) -> Vec<InboxEntry> {
        self.pages(category, 100).await.concat()
    }

    async fn pages(&self, category: Option<Category>, limit: u16) -> Vec<Vec<InboxEntry>> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = self.table.entries(&ann(), category, after, limit).await.unwrap();
            assert!(page.items.len() <= usize::from(limit));
            pages.push(page.items);
            after = page.next;
            if after.is_none() {
                return pages;
            }
        }
    }

    async fn unread(&self) -> Vec<(Category, u32)> {
        self.table.unread(&ann()).await.unwrap().into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// The item as it is stored.
    async fn raw(&self, sk: &str) -> Option<std::collections::HashMap<String, AttributeValue>> {
        let get = self.db.client().get_item().table_name(NOTIFICATION_TABLE);
        let get =
            get.key("pk", AttributeValue::S("INBOX#ann".into())).key("sk", AttributeValue::S(sk.into()));
        get.send().await.unwrap().item
    }
}

#[tokio::test]
async fn an_entry_is_delivered_once_and_read_back() {
    let house = House::new().await;
    for _ in 0..2 {
        house.deliver(place(1, -5), Category::Order, now).await;
    }
    let expected = InboxEntry {
        id: id(1),
        at: at(-5),
        category: Category::Order,
        title: Some(format!("title {}", id(1))),
        content: format!("content {}", id(1)),
        is_read: false,
    };
    assert_eq!(house.all(None).await, [expected]);
    assert_eq!(house.unread().await, [(Category::Order, 1)]);
    let bob = house.table.entries(&"bob".parse().unwrap(), None, None, 10).await.unwrap();
    assert!(bob.items.is_empty(), "an inbox is its guest's alone");
    let stored = house.raw(&format!("ENTRY#{:015}#{}", at(-5).as_millisecond(), id(1))).await.unwrap();
    let ttl = (at(0) + domain_notification::INBOX_KEPT_FOR).as_second();
    assert_eq!(stored["ttl"], AttributeValue::N(ttl.to_string()));
}

#[tokio::test]
async fn a_deleted_entry_does_not_come_back_and_nothing_of_it_is_kept() {
    let house = House::new().await;
    house.deliver(place(1, 0), Category::Order, now).await;
    assert!(house.table.delete(&ann(), place(1, 0)).await.unwrap());
    assert!(!house.table.delete(&ann(), place(1, 0)).await.unwrap());
    house.deliver(place(1, 0), Category::Order, now).await;
    assert!(house.all(None).await.is_empty());
    assert!(house.unread().await.is_empty());
    assert!(!house.table.mark_read(&ann(), place(1, 0), at(1)).await.unwrap());
    let left = house.raw(&format!("ENTRY#{:015}#{}", at(0).as_millisecond(), id(1))).await.unwrap();
    assert!(left.contains_key("ttl") && !left.contains_key("content") && !left.contains_key("title"));
}

#[tokio::test]
async fn pages_follow_each_other_from_the_newest_on() {
    let house = House::new().await;
    for number in 0..23 {
        let category = if number % 7 == 0 { Category::Marketing } else { Category::Order };
        house.deliver(place(number, number.cast_signed() / 2), category, now).await;
    }
    for number in [3, 4, 20] {
        assert!(house.table.delete(&ann(), place(number, number.cast_signed() / 2)).await.unwrap());
    }
    let expected = |wanted: &dyn Fn(u64) -> bool| {
        let mut places: Vec<_> =
            (0..23).filter(|n| wanted(*n)).map(|n| place(n, n.cast_signed() / 2)).collect();
        places.sort();
        places.reverse();
        places
    };
    for limit in [1, 2, 7, 23, 100] {
        let listed: Vec<_> =
            house.pages(None, limit).await.concat().iter().map(InboxEntry::position).collect();
        assert_eq!(listed, expected(&|n| ![3, 4, 20].contains(&n)), "limit {limit}");
        let rare = house.pages(Some(Category::Marketing), limit).await.concat();
        let rare: Vec<_> = rare.iter().map(InboxEntry::position).collect();
        assert_eq!(rare, expected(&|n| n % 7 == 0), "limit {limit}");
    }
}

#[tokio::test]
async fn all_is_read_in_one_write_and_what_arrives_later_is_not() {
    let house = House::new().await;
    house.deliver(place(1, -10), Category::Order, now).await;
    house.deliver(place(2, -9), Category::Marketing, now).await;
    house.table.mark_all_read(&ann(), Some(Category::Order), at(5)).await.unwrap();
    assert_eq!(house.unread().await, [(Category::Marketing, 1)]);
    house.table.mark_all_read(&ann(), None, at(5)).await.unwrap();
    assert!(house.unread().await.is_empty());
    house.table.mark_all_read(&ann(), None, at(1)).await.unwrap();
    assert!(house.unread().await.is_empty(), "a mark does not go back");
    // Due before all was read, and arrived after.
    house.deliver(place(3, -8), Category::Order, || at(6)).await;
    assert_eq!(house.unread().await, [(Category::Order, 1)]);
    let read: Vec<bool> = house.all(None).await.iter().map(|entry| entry.is_read).collect();
    assert_eq!(read, [false, true, true]);
    // So late that the count does not look there.
    house.deliver(place(4, -100_000), Category::Order, || at(6)).await;
    assert_eq!(house.unread().await, [(Category::Order, 1)]);
    assert!(house.all(None).await.last().unwrap().is_read, "list and count agree");
}

#[tokio::test]
async fn what_is_not_there_is_not_read() {
    let house = House::new().await;
    assert!(!house.table.mark_read(&ann(), place(1, 0), at(0)).await.unwrap());
    assert!(!house.table.delete(&ann(), place(1, 0)).await.unwrap());
    house.deliver(place(1, 0), Category::Order, now).await;
    assert!(house.all(None).await.len() == 1, "nor was anything written");
    for _ in 0..2 {
        assert!(house.table.mark_read(&ann(), place(1, 0), at(1)).await.unwrap());
    }
    assert!(house.unread().await.is_empty());
}

#[tokio::test]
async fn unread_entries_are_counted_over_pages_and_up_to_a_limit() {
    let house = House::new().await;
    let long = "长".repeat(700);
    for number in 0..u64::from(MAX_UNREAD) + 5 {
        let mut outgoing = outgoing("ann", place(number, number.cast_signed()), Category::Reminder);
        outgoing.rendered.content.clone_from(&long);
        InboxProvider::new(house.table.clone(), now).send(&outgoing).await.unwrap();
    }
    house.deliver(place(9_999, -1), Category::Order, now).await;
    assert_eq!(house.unread().await, [(Category::Order, 1), (Category::Reminder, MAX_UNREAD)]);
}

#[tokio::test]
async fn a_store_that_fails_is_told_as_what_may_be_tried_again() {
    let table = |fault: Fault| NotificationTable::new(fault.client(), NOTIFICATION_TABLE.into());
    for (fault, verdict) in [
        (Fault::Unreachable, Verdict::Unknown),
        (Fault::Broken, Verdict::Unknown),
        (Fault::Throttling, Verdict::Retry),
    ] {
        let provider = InboxProvider::new(table(fault), now);
        let failure = provider.send(&outgoing("ann", place(1, 0), Category::Order)).await.unwrap_err();
        assert_eq!(failure.verdict, verdict, "{fault:?}");
    }
    let provider = InboxProvider::new(House::new().await.table, now);
    assert!(provider.recognises(now(), now()));
    let mut wrong = outgoing("ann", place(1, 0), Category::Order);
    wrong.address = Address::Phone("+8613800138000".parse().unwrap());
    assert_eq!(provider.send(&wrong).await.unwrap_err().verdict, Verdict::GiveUp);
}

#[derive(Debug, Clone)]
enum Step {
    Add(u64, usize),
    ReadOne(u64),
    ReadAll(Option<usize>, i64),
    Delete(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..6_u64;
    prop_oneof![
        (number.clone(), 0..4_usize).prop_map(|(number, category)| Step::Add(number, category)),
        number.clone().prop_map(Step::ReadOne),
        (proptest::option::of(0..4_usize), -3..12_i64)
            .prop_map(|(category, until)| Step::ReadAll(category, until)),
        number.prop_map(Step::Delete),
    ]
}

/// An entry as a guest would think of it.
#[derive(Clone)]
struct Told {
    category: Category,
    arrived: i64,
    is_read: bool,
    is_deleted: bool,
}

/// Each step in its second; an entry's place is the number of its message, whenever it arrives.
async fn agree(steps: &[Step]) -> Result<(), TestCaseError> {
    let house = House::new().await;
    let mut model: BTreeMap<u64, Told> = BTreeMap::new();
    let mut read_until: BTreeSet<(Category, i64)> = BTreeSet::new();
    let client = house.db.client();
    for (second, step) in (0..).zip(steps) {
        let category = |place: usize| CATEGORIES[place];
        match *step {
            Step::Add(number, of) => {
                // A clock is a function without surroundings: the time of arrival is corrected after the delivery.
                house.deliver(place(number, number.cast_signed()), category(of), now).await;
                if let std::collections::btree_map::Entry::Vacant(vacant) = model.entry(number) {
                    let sk =
                        format!("ENTRY#{:015}#{}", at(number.cast_signed()).as_millisecond(), id(number));
                    let update = client.update_item().table_name(NOTIFICATION_TABLE);
                    let update = update.key("pk", AttributeValue::S("INBOX#ann".into()));
                    let update = update.key("sk", AttributeValue::S(sk));
                    let arrived = AttributeValue::N(at(second).as_millisecond().to_string());
                    let update = update.update_expression("SET arrivedAt = :at");
                    update.expression_attribute_values(":at", arrived).send().await.unwrap();
                    // A mark may be set for a time to come.
                    let is_read = read_until.iter().any(|&(it, until)| it == category(of) && until >= second);
                    let told = Told { category: category(of), arrived: second, is_read, is_deleted: false };
                    vacant.insert(told);
                }
            }
            Step::ReadOne(number) => {
                let entry = place(number, number.cast_signed());
                let is_there = house.table.mark_read(&ann(), entry, at(second)).await.unwrap();
                let told = model.get_mut(&number).filter(|told| !told.is_deleted);
                prop_assert_eq!(is_there, told.is_some());
                if let Some(told) = told {
                    told.is_read = true;
                }
            }
            Step::ReadAll(of, until) => {
                let of = of.map(category);
                house.table.mark_all_read(&ann(), of, at(until)).await.unwrap();
                for it in CATEGORIES.into_iter().filter(|&it| of.is_none_or(|of| of == it)) {
                    read_until.insert((it, until));
                    for told in model.values_mut().filter(|told| told.category == it && told.arrived <= until)
                    {
                        told.is_read = true;
                    }
                }
            }
            Step::Delete(number) => {
                let entry = place(number, number.cast_signed());
                let was_there = house.table.delete(&ann(), entry).await.unwrap();
                let told = model.get_mut(&number).filter(|told| !told.is_deleted);
                prop_assert_eq!(was_there, told.is_some());
                if let Some(told) = told {
                    told.is_deleted = true;
                }
            }
        }
        let shown = house.pages(None, 2).await.concat();
        let shown: Vec<_> = shown.iter().map(|entry| (entry.id, entry.category, entry.is_read)).collect();
        let left = model.iter().rev().filter(|(_, told)| !told.is_deleted);
        let expected: Vec<_> =
            left.map(|(&number, told)| (id(number), told.category, told.is_read)).collect();
        prop_assert_eq!(&shown, &expected);
        let mut unread: BTreeMap<Category, u32> = CATEGORIES.map(|category| (category, 0)).into();
        for (_, category, _) in expected.iter().filter(|(_, _, is_read)| !is_read) {
            *unread.get_mut(category).unwrap() += 1;
        }
        prop_assert_eq!(house.table.unread(&ann()).await.unwrap(), unread);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_added_read_and_deleted_list_and_count_agree_with_what_a_guest_thinks(
        steps in proptest::collection::vec(step(), 0..14),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agree(&steps))?;
    }
}

#[tokio::test]
async fn an_entry_from_long_ago_keeps_its_order() {
    let house = House::new().await;
    let old = InboxPosition { at: at(0) - SignedDuration::from_hours(24 * 400), id: id(1) };
    house.deliver(old, Category::Order, now).await;
    house.deliver(place(2, 0), Category::Order, now).await;
    let ids: Vec<MessageId> = house.all(None).await.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [id(2), id(1)]);
}
