use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use coupon_dynamodb::{corrupt, store_error};
use domain_coupon::StoreError;
use domain_ids::{MessageId, ProviderName};
use domain_notification::References;
use jiff::Timestamp;

use crate::{NotificationTable, keys};

impl References for NotificationTable {
    async fn referred(
        &self,
        provider: &ProviderName,
        reference: &str,
    ) -> Result<Option<MessageId>, StoreError> {
        let key = keys::reference(provider.as_str(), reference);
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let output = get.send().await.map_err(store_error)?;
        let id = output.item.as_ref().map(|item| item.get("id").and_then(|id| id.as_s().ok()?.parse().ok()));
        match id {
            None => Ok(None),
            Some(id) => id.map(Some).ok_or_else(|| corrupt("a reference to no message")),
        }
    }

    async fn refer(
        &self,
        provider: &ProviderName,
        reference: &str,
        to: MessageId,
        forgotten_at: Timestamp,
    ) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(keys::reference(provider.as_str(), reference)))
            .item("id", AttributeValue::S(to.to_string()))
            .item("ttl", AttributeValue::N(forgotten_at.as_second().to_string()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = put.send().await.map_err(store_error)?;
        self.consumed.write(output.consumed_capacity());
        Ok(())
    }
}
