//! Inboxes: a partition for each guest.
//!
//! An entry's key is made from the message and the time it was to be sent, so that a message that is dispatched again
//! finds its entry, or what is left of a deleted one. What has been read is an attribute of the entry where one was read,
//! and a mark for all, or for all of a category, where those were: one write, however many they are.
//!
//! A mark is about what had arrived by then, not about what was to be sent by then: a message that arrives late is unread
//! although its place is further down. Not so one that comes later than [`LATEST`]: the count of what is unread looks no
//! further down than that.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, ReturnConsumedCapacity},
};
use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_channel::Category;
use domain_coupon::{Page, StoreError};
use domain_ids::GuestId;
use domain_notification::{
    Accepted, Address, Failure, INBOX_KEPT_FOR, Inbox, InboxEntry, InboxPosition, MAX_UNREAD, Outgoing,
    Provider, Verdict,
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, try_join},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    NotificationTable,
    keys::{Key, key},
};

/// What every entry's sort key begins with.
const ENTRY: &str = "ENTRY#";

/// What comes after every entry's sort key.
const AFTER_ENTRIES: &str = "ENTRY#~";

/// The mark for all categories.
const ALL: &str = "all";

/// How late a message may arrive and still be unread where all was marked as read before: an outage of the dispatcher.
const LATEST: SignedDuration = SignedDuration::from_hours(24);

/// Queries for one page of a category that is rare among others: the rest is for the next page.
const MAX_QUERIES: usize = 5;

/// Pages of 1 MB that are counted through: several thousand entries. What is further down is not counted.
const MAX_COUNTED_PAGES: usize = 10;

fn partition(guest: &GuestId) -> String {
    format!("INBOX#{guest}")
}

fn entry_key(guest: &GuestId, position: InboxPosition) -> Key {
    key(partition(guest), format!("{}#{}", from(position.at), position.id))
}

/// Where the entries of this moment begin. Fifteen digits hold the milliseconds of thousands of years.
fn from(at: Timestamp) -> String {
    format!("{ENTRY}{:015}", at.as_millisecond().max(0))
}

fn marks_key(guest: &GuestId) -> Key {
    key(partition(guest), "READ".into())
}

fn position(sk: &str) -> Option<InboxPosition> {
    let (ms, id) = sk.strip_prefix(ENTRY)?.split_once('#')?;
    let at = Timestamp::from_millisecond(ms.parse().ok()?).ok()?;
    Some(InboxPosition { at, id: id.parse().ok()? })
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// An entry as it is stored, or what is left of one that was deleted. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryItem {
    #[serde(skip_serializing)]
    sk: String,
    category: Category,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(default)]
    content: String,
    arrived_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_at: Option<i64>,
    /// Seconds since 1970, as DynamoDB wants it.
    ttl: i64,
}

/// Up to which moment, in milliseconds since 1970, a guest has read everything.
#[derive(Default)]
struct Marks(BTreeMap<String, i64>);

impl Marks {
    fn parse(item: Option<Key>) -> Result<Self, StoreError> {
        let Some(item) = item else { return Ok(Self::default()) };
        let marks = item.into_iter().filter_map(|(name, value)| Some((name, value.as_n().ok()?.clone())));
        let marks = marks.map(|(name, ms)| Ok((name, ms.parse().map_err(corrupt)?)));
        marks.collect::<Result<_, StoreError>>().map(Self)
    }

    fn of(&self, category: Category) -> Option<i64> {
        [ALL, category.name()].iter().filter_map(|name| self.0.get(*name)).max().copied()
    }

    fn cover(&self, category: Category, arrived_at: i64, at: Timestamp) -> bool {
        let looked_at = |mark: i64| at.as_millisecond() >= oldest(mark);
        self.of(category).is_some_and(|mark| arrived_at <= mark || !looked_at(mark))
    }

    /// Where the oldest entry that may be unread is.
    fn oldest_unread(&self) -> Option<Timestamp> {
        let marks: Option<Vec<i64>> = Category::ALL.iter().map(|&category| self.of(category)).collect();
        Timestamp::from_millisecond(oldest(marks?.into_iter().min()?)).ok()
    }
}

/// The oldest entry that can be unread where all up to `mark` was read.
fn oldest(mark: i64) -> i64 {
    mark.saturating_sub(i64::try_from(LATEST.as_millis()).unwrap_or(i64::MAX)).max(0)
}

impl Inbox for NotificationTable {
    async fn entries(
        &self,
        guest: &GuestId,
        category: Option<Category>,
        after: Option<InboxPosition>,
        limit: u16,
    ) -> Result<Page<InboxEntry, InboxPosition>, StoreError> {
        let items = async {
            let (mut items, mut after) = (Vec::new(), after.map(|position| entry_key(guest, position)));
            for _ in 0..MAX_QUERIES {
                let left = usize::from(limit) - items.len();
                let mut query = self
                    .inbox(guest, ENTRY.to_owned())
                    .filter_expression("attribute_not_exists(deleted)")
                    .set_exclusive_start_key(after)
                    .limit(i32::try_from(left).unwrap_or(i32::MAX));
                if let Some(category) = category {
                    query = query
                        .filter_expression("attribute_not_exists(deleted) AND category = :category")
                        .expression_attribute_values(":category", AttributeValue::S(category.to_string()));
                }
                let output = query.send().await.map_err(store_error)?;
                items.extend(output.items.unwrap_or_default());
                after = output.last_evaluated_key;
                if after.is_none() || items.len() >= limit.into() {
                    break;
                }
            }
            Ok((items, after))
        };
        let ((items, after), marks) = try_join(items, self.marks(guest)).await?;
        let items: Vec<InboxEntry> =
            items.into_iter().map(|item| entry(item, &marks)).collect::<Result<_, _>>()?;
        let next = after.map(|after| {
            let sk = after.get("sk").and_then(|sk| sk.as_s().ok());
            sk.and_then(|sk| position(sk)).ok_or_else(|| corrupt("an inbox's key that is none"))
        });
        Ok(Page { items, next: next.transpose()? })
    }

    async fn unread(&self, guest: &GuestId) -> Result<BTreeMap<Category, u32>, StoreError> {
        let marks = self.marks(guest).await?;
        let begin = marks.oldest_unread().map_or_else(|| ENTRY.to_owned(), from);
        let mut unread: BTreeMap<Category, u32> = Category::ALL.iter().map(|&it| (it, 0)).collect();
        let mut after = None;
        for _ in 0..MAX_COUNTED_PAGES {
            let query = self
                .inbox(guest, begin.clone())
                .filter_expression("attribute_not_exists(deleted) AND attribute_not_exists(readAt)")
                .projection_expression("sk, category, arrivedAt, #ttl")
                .expression_attribute_names("#ttl", "ttl")
                .set_exclusive_start_key(after);
            let output = query.send().await.map_err(store_error)?;
            for item in output.items.unwrap_or_default() {
                let entry = entry(item, &marks)?;
                if let Some(count) = unread.get_mut(&entry.category).filter(|_| !entry.is_read) {
                    *count = MAX_UNREAD.min(*count + 1);
                }
            }
            after = output.last_evaluated_key;
            if after.is_none() || unread.values().all(|&count| count == MAX_UNREAD) {
                break;
            }
        }
        Ok(unread)
    }

    async fn mark_read(
        &self,
        guest: &GuestId,
        entry: InboxPosition,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = self
            .existing(guest, entry)
            .update_expression("SET readAt = if_not_exists(readAt, :now)")
            .expression_attribute_values(":now", number(now.as_millisecond()));
        Ok(condition_held(update.send().await)?.is_some())
    }

    async fn mark_all_read(
        &self,
        guest: &GuestId,
        category: Option<Category>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(marks_key(guest)))
            .update_expression("SET #mark = :until")
            // A mark never goes back: requests come in any order.
            .condition_expression("attribute_not_exists(#mark) OR #mark < :until")
            .expression_attribute_names("#mark", category.map_or(ALL, Category::name))
            .expression_attribute_values(":until", number(until.as_millisecond()));
        condition_held(update.send().await)?;
        Ok(())
    }

    async fn delete(&self, guest: &GuestId, entry: InboxPosition) -> Result<bool, StoreError> {
        let update = self
            .existing(guest, entry)
            .update_expression("SET deleted = :yes REMOVE title, content")
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
        Ok(condition_held(update.send().await)?.is_some())
    }
}

impl NotificationTable {
    /// The inbox of a guest from this sort key on, the newest first, as it is now.
    fn inbox(
        &self,
        guest: &GuestId,
        begin: String,
    ) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(false)
            .key_condition_expression("pk = :inbox AND sk BETWEEN :begin AND :end")
            .expression_attribute_values(":inbox", AttributeValue::S(partition(guest)))
            .expression_attribute_values(":begin", AttributeValue::S(begin))
            .expression_attribute_values(":end", AttributeValue::S(AFTER_ENTRIES.into()))
    }

    async fn marks(&self, guest: &GuestId) -> Result<Marks, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(marks_key(guest)));
        let output = get.consistent_read(true).send().await.map_err(store_error)?;
        Marks::parse(output.item)
    }

    /// A change of an entry that is there and not deleted.
    fn existing(&self, guest: &GuestId, entry: InboxPosition) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(entry_key(guest, entry)))
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(deleted)")
    }
}

fn entry(item: Key, marks: &Marks) -> Result<InboxEntry, StoreError> {
    let item: EntryItem = serde_dynamo::from_item(item).map_err(corrupt)?;
    let InboxPosition { at, id } =
        position(&item.sk).ok_or_else(|| corrupt("an inbox's key that is none"))?;
    let is_read = item.read_at.is_some() || marks.cover(item.category, item.arrived_at, at);
    Ok(InboxEntry { id, at, category: item.category, title: item.title, content: item.content, is_read })
}

/// Delivers into inboxes: one write of one unit for each KB, and a repeat finds that it is there.
#[derive(Debug, Clone)]
pub struct InboxProvider {
    table: NotificationTable,
    now: fn() -> Timestamp,
}

impl InboxProvider {
    /// Delivers into the inboxes of `table`, by the clock `now`.
    pub fn new(table: NotificationTable, now: fn() -> Timestamp) -> Self {
        Self { table, now }
    }

    async fn put(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let Address::Inbox(guest) = &outgoing.address else {
            return Err(Failure::new(Verdict::GiveUp, "not-an-inbox"));
        };
        let now = (self.now)();
        let ttl = now.checked_add(INBOX_KEPT_FOR).unwrap_or(Timestamp::MAX).as_second();
        let item = EntryItem {
            sk: String::new(),
            category: outgoing.category,
            title: outgoing.rendered.title.clone(),
            content: outgoing.rendered.content.clone(),
            arrived_at: now.as_millisecond(),
            read_at: None,
            ttl,
        };
        let mut item: Key =
            serde_dynamo::to_item(item).map_err(|_| Failure::new(Verdict::GiveUp, "not-storable"))?;
        item.extend(entry_key(guest, InboxPosition { at: outgoing.due_at, id: outgoing.id }));
        let put = self
            .table
            .client
            .put_item()
            .table_name(&self.table.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match condition_held(put.send().await) {
            Ok(Some(output)) => {
                self.table.consumed.write(output.consumed_capacity());
                Ok(Accepted::default())
            }
            // There already, read or even deleted: it has arrived.
            Ok(None) => Ok(Accepted::default()),
            Err(StoreError::Throttled(_)) => Err(Failure::new(Verdict::Retry, "throttled")),
            Err(StoreError::Unavailable(_)) => Err(Failure::new(Verdict::Unknown, "store-unavailable")),
            Err(StoreError::Corrupt(_)) => Err(Failure::new(Verdict::GiveUp, "not-storable")),
        }
    }
}

impl Provider for InboxProvider {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        self.put(outgoing).boxed()
    }

    fn recognises(&self, _: Timestamp, _: Timestamp) -> bool {
        true
    }
}
