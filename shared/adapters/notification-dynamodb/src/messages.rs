//! Messages: one write to accept one, one to change it.

use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    error::ConditionalCheckFailedException,
};
use coupon_dynamodb::{corrupt, read_batch, replace_state, store_error};
use domain_coupon::{Page, StoreError};
use domain_ids::MessageId;
use domain_notification::{
    Added, Due, DueMessages, Message, MessagePosition, MessageShelf, MessageStore, Receiver,
};
use jiff::Timestamp;

use crate::{
    NotificationTable,
    keys::{self, Key},
    message_item::{self, StateItem, message_from_item},
};

impl MessageStore for NotificationTable {
    async fn add(&self, message: &Message) -> Result<Added, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(message_item::write(message).map_err(corrupt)?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match put.send().await {
            Ok(output) => {
                self.consumed.write(output.consumed_capacity());
                Ok(Added::New)
            }
            Err(error) => match error.as_service_error().and_then(refused) {
                Some(refused) => {
                    let item =
                        refused.item().cloned().ok_or_else(|| corrupt("a refusal without its item"))?;
                    Ok(Added::Known(Box::new(message_from_item(item).map_err(corrupt)?)))
                }
                None => Err(store_error(error)),
            },
        }
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(keys::message(id)));
        let get = get.consistent_read(true).return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = get.send().await.map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        output.item.map(message_from_item).transpose().map_err(corrupt)
    }

    async fn replace(&self, next: &Message) -> Result<bool, StoreError> {
        let state = message_item::state(next).map_err(corrupt)?;
        let (key, before) = (keys::message(next.id), next.revision.saturating_sub(1));
        let attributes = &StateItem::ATTRIBUTES;
        replace_state(&self.client, &self.table, key, attributes, state, before, &self.consumed).await
    }
}

fn refused(
    error: &aws_sdk_dynamodb::operation::put_item::PutItemError,
) -> Option<&ConditionalCheckFailedException> {
    match error {
        aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(refused) => {
            Some(refused)
        }
        _ => None,
    }
}

impl MessageShelf for NotificationTable {
    async fn messages_to(
        &self,
        receiver: &Receiver,
        after: Option<MessagePosition>,
        limit: u16,
    ) -> Result<Page<Message, MessagePosition>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_RECEIVER)
            .key_condition_expression("receiver = :receiver")
            .expression_attribute_values(":receiver", AttributeValue::S(receiver.to_string()))
            .set_exclusive_start_key(after.map(|position| keys::received(receiver, position)))
            .scan_index_forward(false)
            .limit(i32::from(limit));
        let output = query.send().await.map_err(store_error)?;
        let positions: Vec<MessagePosition> =
            output.items().iter().map(position).collect::<Result<_, _>>()?;
        let next = positions.last().copied().filter(|_| output.last_evaluated_key.is_some());
        Ok(Page { items: self.look_up(&positions).await?, next })
    }
}

impl DueMessages for NotificationTable {
    async fn due(
        &self,
        shard: u16,
        until: Timestamp,
        after: Option<Due>,
        limit: u16,
    ) -> Result<Page<Due, Due>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_DUE)
            .key_condition_expression("dueShard = :part AND dueAt < :until")
            .expression_attribute_values(":part", AttributeValue::S(keys::due_part(shard)))
            .expression_attribute_values(":until", AttributeValue::N(until.as_millisecond().to_string()))
            .set_exclusive_start_key(after.map(keys::due))
            .limit(i32::from(limit))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = query.send().await.map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        let items: Vec<Due> = output.items().iter().map(due).collect::<Result<_, _>>()?;
        let next = items.last().copied().filter(|_| output.last_evaluated_key.is_some());
        Ok(Page { items, next })
    }
}

impl NotificationTable {
    /// The messages at these places, in their order, without those that are gone meanwhile.
    async fn look_up(&self, positions: &[MessagePosition]) -> Result<Vec<Message>, StoreError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = positions.iter().map(|it| keys::message(it.id)).collect();
        let wanted = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
        let items = read_batch(&self.client, &self.table, wanted.map_err(corrupt)?, &self.consumed).await?;
        let mut found =
            items.into_iter().map(message_from_item).collect::<Result<Vec<_>, _>>().map_err(corrupt)?;
        found.sort_by_key(|message| positions.iter().position(|it| it.id == message.id));
        Ok(found)
    }
}

fn position(key: &Key) -> Result<MessagePosition, StoreError> {
    let id = keys::parse_message(key).ok_or_else(|| corrupt("an index entry without a message"))?;
    Ok(MessagePosition { accepted_at: time(key, "acceptedAt")?, id })
}

fn due(key: &Key) -> Result<Due, StoreError> {
    let id = keys::parse_message(key).ok_or_else(|| corrupt("an index entry without a message"))?;
    Ok(Due { at: time(key, "dueAt")?, id })
}

fn time(key: &Key, name: &str) -> Result<Timestamp, StoreError> {
    let ms = key.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    Timestamp::from_millisecond(ms.ok_or_else(|| corrupt("an index entry without its time"))?)
        .map_err(corrupt)
}
