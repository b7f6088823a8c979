//! Broadcasts: each an item, with an entry in the list of all and one for its idempotency key.

use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use coupon_dynamodb::{Cancelled, condition_held, corrupt, store_error};
use domain_channel::{Channel, Priority};
use domain_coupon::{Page, StoreError};
use domain_ids::{BroadcastId, TemplateCode, TransactionId};
use domain_notification::{
    Audience, Broadcast, BroadcastAdded, BroadcastFailure, BroadcastFigures, BroadcastKey, BroadcastShelf,
    BroadcastStatus, Broadcasts, Params,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    NotificationTable,
    keys::{Key, key},
};

/// The partition of the list: one entry for each broadcast, which operators alone make.
const BROADCASTS: &str = "BROADCASTS";

/// Where the key's entry stands in the transaction.
const KEY_PLACE: usize = 0;

/// Broadcasts of a page that are read at once.
const CONCURRENCY: usize = 8;

/// A broadcast as it is stored. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BroadcastItem {
    id: BroadcastId,
    /// The group; absent where all guests are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    channel: Channel,
    priority: Priority,
    template: TemplateCode,
    #[serde(default)]
    params: Params,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheduled_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction: Option<TransactionId>,
    fingerprint: u64,
    created_at: i64,
    updated_at: i64,
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    pages: u32,
    accepted: u64,
    repeated: u64,
    refused: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    restarted: bool,
    #[serde(rename = "rev")]
    revision: u64,
    /// Seconds since 1970, as DynamoDB wants it.
    ttl: i64,
}

fn broadcast_key(id: BroadcastId) -> Key {
    key(format!("BROADCAST#{id}"), "BROADCAST".into())
}

fn entry_key(id: BroadcastId) -> Key {
    key(BROADCASTS.into(), id.to_string())
}

fn write(broadcast: &Broadcast) -> Result<Key, StoreError> {
    let Broadcast { status, figures, .. } = broadcast;
    let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
    let item = BroadcastItem {
        id: broadcast.id,
        group: match &broadcast.audience {
            Audience::All => None,
            Audience::Group(group) => Some(group.as_str().to_owned()),
        },
        channel: broadcast.channel,
        priority: broadcast.priority,
        template: broadcast.template.clone(),
        params: broadcast.params.clone(),
        scheduled_at: ms(broadcast.scheduled_at),
        expires_at: ms(broadcast.expires_at),
        transaction: broadcast.transaction.clone(),
        fingerprint: broadcast.fingerprint,
        created_at: broadcast.created_at.as_millisecond(),
        updated_at: broadcast.updated_at.as_millisecond(),
        status: status.name().to_owned(),
        failure: match status {
            BroadcastStatus::Failed(why) => Some(why.name().to_owned()),
            BroadcastStatus::Running | BroadcastStatus::Done | BroadcastStatus::Cancelled => None,
        },
        pages: broadcast.pages,
        accepted: figures.accepted,
        repeated: figures.repeated,
        refused: figures.refused,
        next: broadcast.next.clone(),
        restarted: broadcast.restarted,
        revision: broadcast.revision,
        ttl: broadcast.forgotten_at().as_second(),
    };
    let mut item: Key = serde_dynamo::to_item(item).map_err(corrupt)?;
    item.extend(broadcast_key(broadcast.id));
    Ok(item)
}

fn parse(item: Key) -> Result<Broadcast, StoreError> {
    let item: BroadcastItem = serde_dynamo::from_item(item).map_err(corrupt)?;
    let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(corrupt);
    let failure = |name: &str| BroadcastFailure::ALL.into_iter().find(|why| why.name() == name);
    let status = match (item.status.as_str(), item.failure.as_deref()) {
        ("running", None) => BroadcastStatus::Running,
        ("done", None) => BroadcastStatus::Done,
        ("cancelled", None) => BroadcastStatus::Cancelled,
        ("failed", Some(why)) => {
            BroadcastStatus::Failed(failure(why).ok_or_else(|| corrupt("an unknown failure"))?)
        }
        _ => return Err(corrupt("an unknown status of a broadcast")),
    };
    Ok(Broadcast {
        id: item.id,
        audience: match item.group {
            None => Audience::All,
            Some(group) => Audience::Group(group.parse().map_err(corrupt)?),
        },
        channel: item.channel,
        priority: item.priority,
        template: item.template,
        params: item.params,
        scheduled_at: item.scheduled_at.map(time).transpose()?,
        expires_at: item.expires_at.map(time).transpose()?,
        transaction: item.transaction,
        fingerprint: item.fingerprint,
        created_at: time(item.created_at)?,
        updated_at: time(item.updated_at)?,
        status,
        pages: item.pages,
        figures: BroadcastFigures { accepted: item.accepted, repeated: item.repeated, refused: item.refused },
        next: item.next,
        restarted: item.restarted,
        revision: item.revision,
    })
}

/// The broadcast that an entry of the list, or of a key, is about.
fn named(entry: &Key, attribute: &str) -> Result<BroadcastId, StoreError> {
    let id = entry.get(attribute).and_then(|value| value.as_s().ok()?.parse().ok());
    id.ok_or_else(|| corrupt("an entry without its broadcast"))
}

impl Broadcasts for NotificationTable {
    async fn create(&self, broadcast: &Broadcast, key: &BroadcastKey) -> Result<BroadcastAdded, StoreError> {
        let ttl = AttributeValue::N(broadcast.forgotten_at().as_second().to_string());
        let put = |item: Key| {
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            put.condition_expression("attribute_not_exists(pk)")
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .build()
                .map(|put| TransactWriteItem::builder().put(put).build())
                .map_err(corrupt)
        };
        let mut of_key = crate::keys::key(format!("BROADCAST#KEY#{}", key.as_str()), "KEY".into());
        of_key.insert("id".into(), AttributeValue::S(broadcast.id.to_string()));
        of_key.insert("ttl".into(), ttl.clone());
        let mut entry = entry_key(broadcast.id);
        entry.insert("ttl".into(), ttl);
        let transaction = self
            .client
            .transact_write_items()
            .transact_items(put(of_key)?)
            .transact_items(put(write(broadcast)?)?)
            .transact_items(put(entry)?);
        let Err(cancelled) = transaction.send().await.map_err(Cancelled::from) else {
            return Ok(BroadcastAdded::New);
        };
        let Some(refused) = cancelled.refused(KEY_PLACE) else { return Err(cancelled.into()) };
        let id = refused.item().ok_or_else(|| corrupt("a refusal without its item"))?;
        let known = Broadcasts::broadcast(self, named(id, "id")?).await?;
        let known = known.ok_or_else(|| corrupt("a key without its broadcast"))?;
        Ok(BroadcastAdded::Known(Box::new(known)))
    }

    async fn broadcast(&self, id: BroadcastId) -> Result<Option<Broadcast>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(broadcast_key(id)));
        let output = get.consistent_read(true).send().await.map_err(store_error)?;
        output.item.map(parse).transpose()
    }

    async fn update(&self, next: &Broadcast) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(next)?))
            .condition_expression("rev = :before")
            .expression_attribute_values(
                ":before",
                AttributeValue::N(next.revision.saturating_sub(1).to_string()),
            );
        Ok(condition_held(put.send().await)?.is_some())
    }
}

impl BroadcastShelf for NotificationTable {
    async fn newest(
        &self,
        after: Option<BroadcastId>,
        limit: u16,
    ) -> Result<Page<Broadcast, BroadcastId>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :broadcasts")
            .expression_attribute_values(":broadcasts", AttributeValue::S(BROADCASTS.into()))
            .set_exclusive_start_key(after.map(entry_key))
            .scan_index_forward(false)
            .limit(i32::from(limit));
        let output = query.send().await.map_err(store_error)?;
        let ids: Vec<BroadcastId> =
            output.items().iter().map(|entry| named(entry, "sk")).collect::<Result<_, _>>()?;
        let next = ids.last().copied().filter(|_| output.last_evaluated_key.is_some());
        let found: Vec<Option<Broadcast>> = stream::iter(ids)
            .map(|id| Broadcasts::broadcast(self, id))
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        // One whose time is over may be gone before its entry is.
        Ok(Page { items: found.into_iter().flatten().collect(), next })
    }
}
