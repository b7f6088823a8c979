//! What a claim comes to in DynamoDB, issued straight through the SDK: the same two items, the same conditions, and
//! nothing around them.

use std::{
    collections::HashMap,
    num::NonZeroU16,
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::Result;
use aws_sdk_dynamodb::{
    Client,
    primitives::Blob,
    types::{
        AttributeValue, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        Update,
    },
};
use domain_coupon::{EXPIRY_SHARDS, Template};
use testing::COUPON_TABLE;

/// Claims on one template, on its shards in turn.
pub struct RawTransaction {
    client: Client,
    template: String,
    name: String,
    shards: NonZeroU16,
    next_shard: AtomicU16,
}

impl RawTransaction {
    /// For a template whose shards exist.
    pub fn new(client: Client, template: &Template, shards: NonZeroU16) -> Self {
        Self {
            client,
            template: template.id.to_string(),
            name: template.terms.name.clone(),
            shards,
            next_shard: AtomicU16::new(0),
        }
    }

    /// One coupon and one unit less.
    pub async fn claim(&self, guest: &str) -> Result<()> {
        let turn = self.next_shard.fetch_add(1, Ordering::Relaxed);
        let put = Put::builder()
            .table_name(COUPON_TABLE)
            .set_item(Some(self.coupon(guest, turn % EXPIRY_SHARDS)))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        let shard = turn % self.shards;
        let take = Update::builder()
            .table_name(COUPON_TABLE)
            .key("pk", text(format!("TEMPLATE#{}#STOCK#{shard}", self.template)))
            .key("sk", text("STOCK"))
            .update_expression("SET issued = issued + :one")
            .condition_expression("issued < #capacity")
            .expression_attribute_names("#capacity", "capacity")
            .expression_attribute_values(":one", number("1"))
            .build()?;
        self.client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().update(take).build())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        Ok(())
    }

    /// As long as a real one in every attribute.
    fn coupon(&self, guest: &str, expiry_shard: u16) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".into(), text(format!("USER#{guest}"))),
            ("sk".into(), text(format!("COUPON#{}#001", self.template))),
            ("id".into(), text(format!("{}-1-JGIV4DL5JNAC4MAX", self.template))),
            ("guest".into(), text(guest)),
            ("code".into(), text("1000-0000-0000-000Z")),
            ("name".into(), text(self.name.as_str())),
            ("type".into(), text("full_reduction")),
            ("amountFen".into(), number("2000")),
            ("thresholdFen".into(), number("10000")),
            ("status".into(), text("unused")),
            ("rev".into(), number("1")),
            ("changedAt".into(), number("1794326400000")),
            ("source".into(), text("claim")),
            ("expiryShard".into(), text(format!("EXPIRY#{expiry_shard:03}"))),
            ("claimedAt".into(), number("1794326400000")),
            ("expiresAt".into(), number("1796918400000")),
            ("key".into(), AttributeValue::B(Blob::new([0; 16]))),
        ])
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: &str) -> AttributeValue {
    AttributeValue::N(value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Sale;
    use crate::event;

    /// The length of each attribute's value, so that a change of the real item is not forgotten here.
    async fn sizes(sale: &Sale, guest: &str) -> BTreeMap<String, usize> {
        let query = sale
            .client
            .query()
            .table_name(super::COUPON_TABLE)
            .key_condition_expression("pk = :guest")
            .expression_attribute_values(":guest", super::text(format!("USER#{guest}")));
        let item = query.send().await.unwrap().items.unwrap().remove(0);
        item.into_iter().map(|(name, value)| (name, format!("{value:?}").len())).collect()
    }

    #[tokio::test]
    async fn both_write_the_same_amount() {
        let sale = Sale::of(1_000).await.unwrap();
        let (claims, raw) = (sale.claims(), sale.raw().unwrap());
        claims.call(claims.request(1)).await.unwrap();
        raw.call(raw.request(1)).await.unwrap();
        let mut theirs = sizes(&sale, &event::guest(2, 1)).await;
        let mut ours = sizes(&sale, &event::guest(1, 1)).await;
        // Shown byte by byte; compared by what is there.
        assert!(ours.remove("key").is_some() && theirs.remove("key").is_some());
        assert_eq!(ours, theirs);
    }
}
