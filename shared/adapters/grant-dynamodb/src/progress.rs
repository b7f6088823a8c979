//! How far a grant is, as those who work on it note it.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::{AttributeValue, Put, TransactWriteItem, Update},
};
use backon::{ExponentialBuilder, Retryable};
use coupon_dynamodb::{Cancelled, condition_held, corrupt};
use domain_coupon::StoreError;
use domain_grant::{Chunk, Failure, GrantBook, Outcome, Part};
use domain_ids::GrantId;
use jiff::Timestamp;

use crate::{
    GrantTable, grant_item,
    keys::{self, Item, number, text},
};

/// A chunk's item is needed as long as its files are there, which is 30 days after the last of them was written.
const CHUNK_KEPT_SECONDS: i64 = 35 * 24 * 60 * 60;

/// Chunks that end in the same moment conflict on their grant; ten work at once.
const AGAIN: ExponentialBuilder = ExponentialBuilder::new()
    .with_jitter()
    .with_min_delay(Duration::from_millis(10))
    .with_max_delay(Duration::from_millis(200))
    .with_max_times(8);

/// What became of a transaction.
pub(crate) enum Transacted {
    /// Everything was written.
    Written,
    /// A condition did not hold; nothing was written.
    Refused,
}

impl GrantBook for GrantTable {
    async fn chunk(&self, id: GrantId, number: u32) -> Result<Option<Chunk>, StoreError> {
        let item = self.item(keys::chunk(id, number)).await?;
        item.map(grant_item::parse_chunk).transpose().map_err(corrupt)
    }

    async fn planned(&self, id: GrantId, at: Timestamp) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::grant(id)))
            .update_expression("SET planned = :planned, updatedAt = :at REMOVE listedTo")
            .condition_expression("attribute_exists(pk) AND planned <> :planned")
            .expression_attribute_values(":planned", AttributeValue::Bool(true))
            .expression_attribute_values(":at", number(at.as_millisecond()));
        condition_held(patiently(|| update.clone().send()).await)?;
        Ok(())
    }

    async fn add_part(
        &self,
        id: GrantId,
        chunk: u32,
        part: &Part,
        listed_to: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut item = keys::chunk(id, chunk);
        item.extend(grant_item::write_part(chunk, part).map_err(corrupt)?);
        item.insert("ttl".into(), number(at.as_second() + CHUNK_KEPT_SECONDS));
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let advance = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::grant(id)))
            .condition_expression("chunks = :chunk AND planned = :not")
            .expression_attribute_values(":chunk", number(chunk))
            .expression_attribute_values(":not", AttributeValue::Bool(false))
            .expression_attribute_values(":next", number(chunk.saturating_add(1)))
            .expression_attribute_values(":ended", AttributeValue::Bool(listed_to.is_none()))
            .expression_attribute_values(":at", number(at.as_millisecond()));
        let set = "SET chunks = :next, planned = :ended, updatedAt = :at";
        let advance = match listed_to {
            None => advance.update_expression(format!("{set} REMOVE listedTo")),
            Some(token) => advance
                .update_expression(format!("{set}, listedTo = :token"))
                .expression_attribute_values(":token", text(token)),
        };
        let items = vec![
            TransactWriteItem::builder().put(put.build().map_err(corrupt)?).build(),
            TransactWriteItem::builder().update(advance.build().map_err(corrupt)?).build(),
        ];
        Ok(matches!(self.transact(items).await?, Transacted::Written))
    }

    async fn finish(
        &self,
        id: GrantId,
        chunk: u32,
        outcome: &Outcome,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut done = grant_item::write_outcome(chunk, outcome).map_err(corrupt)?;
        done.insert("ttl".into(), number(at.as_second() + CHUNK_KEPT_SECONDS));
        let items = vec![
            TransactWriteItem::builder().update(self.set_once(keys::chunk(id, chunk), done)?).build(),
            TransactWriteItem::builder().update(self.count(id, outcome, at)?).build(),
        ];
        Ok(matches!(self.transact(items).await?, Transacted::Written))
    }

    async fn fail(&self, id: GrantId, failure: Failure, at: Timestamp) -> Result<(), StoreError> {
        let failure: AttributeValue = serde_dynamo::to_attribute_value(failure).map_err(corrupt)?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::grant(id)))
            .update_expression("SET failure = :failure, updatedAt = :at")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(failure)")
            .expression_attribute_values(":failure", failure)
            .expression_attribute_values(":at", number(at.as_millisecond()));
        condition_held(patiently(|| update.clone().send()).await)?;
        Ok(())
    }
}

impl GrantTable {
    /// Sets the attributes of a chunk that has no outcome yet.
    fn set_once(&self, key: Item, attributes: Item) -> Result<Update, StoreError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key))
            .condition_expression("attribute_not_exists(#issued)")
            .expression_attribute_names("#issued", "issued");
        let mut sets = Vec::with_capacity(attributes.len());
        for (at, (name, value)) in attributes.into_iter().enumerate() {
            sets.push(format!("#n{at} = :v{at}"));
            update = update
                .expression_attribute_names(format!("#n{at}"), name)
                .expression_attribute_values(format!(":v{at}"), value);
        }
        update.update_expression(format!("SET {}", sets.join(", "))).build().map_err(corrupt)
    }

    /// Adds what came of a chunk to its grant.
    fn count(&self, id: GrantId, outcome: &Outcome, at: Timestamp) -> Result<Update, StoreError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::grant(id)))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":issued", number(outcome.figures.issued));
        let mut adds = vec!["doneChunks :one".to_owned(), "issued :issued".to_owned()];
        for (place, (reason, rows)) in outcome.figures.refused.iter().enumerate() {
            adds.push(format!("refused.#r{place} :r{place}"));
            update = update
                .expression_attribute_names(format!("#r{place}"), reason.as_str())
                .expression_attribute_values(format!(":r{place}"), number(*rows));
        }
        update
            .update_expression(format!("SET updatedAt = :at ADD {}", adds.join(", ")))
            .build()
            .map_err(corrupt)
    }

    /// Writes all items or, where a condition does not hold, none.
    pub(crate) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Transacted, StoreError> {
        let transaction = self.client.transact_write_items().set_transact_items(Some(items));
        let written = (async || transaction.clone().send().await.map_err(Cancelled::from))
            .retry(AGAIN)
            .sleep(tokio::time::sleep)
            .when(|why| why.is_conflict() && !why.is_refused())
            .await;
        match written {
            Ok(_) => Ok(Transacted::Written),
            Err(why) if why.is_refused() => Ok(Transacted::Refused),
            Err(why) => Err(why.into()),
        }
    }
}

/// Repeats a write of one item while a transaction is in its way.
pub(crate) async fn patiently<T, E, F>(write: impl FnMut() -> F) -> Result<T, SdkError<E>>
where
    E: std::error::Error + ProvideErrorMetadata,
    F: Future<Output = Result<T, SdkError<E>>>,
{
    write
        .retry(AGAIN)
        .sleep(tokio::time::sleep)
        .when(|error| error.code() == Some("TransactionConflictException"))
        .await
}
