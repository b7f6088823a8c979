use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use coupon_dynamodb::{corrupt, store_error};
use domain_coupon::StoreError;
use domain_ids::MessageId;
use domain_notification::Digests;
use jiff::Timestamp;

use crate::{NotificationTable, keys};

impl Digests for NotificationTable {
    async fn join(
        &self,
        digest: MessageId,
        member: MessageId,
        forgotten_at: Timestamp,
    ) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(keys::key(keys::digest_pk(digest), member.to_string())))
            .item("ttl", AttributeValue::N(forgotten_at.as_second().to_string()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = put.send().await.map_err(store_error)?;
        self.consumed.write(output.consumed_capacity());
        Ok(())
    }

    async fn members(&self, digest: MessageId) -> Result<Vec<MessageId>, StoreError> {
        let (mut members, mut after) = (Vec::new(), None);
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("pk = :digest")
                .expression_attribute_values(":digest", AttributeValue::S(keys::digest_pk(digest)))
                .set_exclusive_start_key(after)
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let output = query.send().await.map_err(store_error)?;
            self.consumed.read(output.consumed_capacity());
            for item in output.items() {
                let member = item.get("sk").and_then(|sk| sk.as_s().ok()?.parse().ok());
                members.push(member.ok_or_else(|| corrupt("a member that is no message"))?);
            }
            after = output.last_evaluated_key;
            if after.is_none() {
                return Ok(members);
            }
        }
    }
}
