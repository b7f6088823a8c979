use std::{collections::BTreeSet, time::Duration};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, CancellationReason, Put, TransactWriteItem, Update},
};
use domain_ids::TemplateId;
use domain_report::{Counters, Fact, FactStore, Hour, StoreError, Tally, Written};
use jiff::{SignedDuration, Timestamp};

use crate::{
    ReportTable,
    error::{corrupt, is_throttling, store_error},
    keys::{self, Key},
};

/// How long a fact is known to be counted: three times as long as the stream keeps it, and so can bring it again.
pub const MARKS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(3 * 24);

impl FactStore for ReportTable {
    async fn write(&self, tally: &Tally, shard: u16, now: Timestamp) -> Result<Written, StoreError> {
        let until = now.as_second().saturating_add(MARKS_KEPT_FOR.as_secs());
        let marks = tally.facts().iter().map(|fact| self.mark(fact, until));
        let hours = tally
            .counters()
            .iter()
            .map(|((template, hour), counters)| self.add_to_hour(*template, *hour, shard, counters));
        let returned =
            tally.returned().iter().map(|(template, count)| self.add_to_returned(*template, *count));
        let items: Vec<TransactWriteItem> = marks.chain(hours).chain(returned).collect::<Result<_, _>>()?;
        let written = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        match written {
            Ok(_) => Ok(Written::Counted),
            Err(error) => cancelled(tally.facts(), error),
        }
    }

    async fn wait(&self, delay: Duration) {
        tokio::time::sleep(delay).await;
    }
}

impl ReportTable {
    fn mark(&self, fact: &Fact, until: i64) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(keys::mark(fact.id)))
            .item("ttl", AttributeValue::N(until.to_string()))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(corrupt)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn add_to_hour(
        &self,
        template: TemplateId,
        hour: Hour,
        shard: u16,
        counters: &Counters,
    ) -> Result<TransactWriteItem, StoreError> {
        let numbers: Key = serde_dynamo::to_item(counters).map_err(corrupt)?;
        self.add(keys::hour(template, hour, shard), numbers)
    }

    fn add_to_returned(&self, template: TemplateId, count: u64) -> Result<TransactWriteItem, StoreError> {
        let count = ("count".into(), AttributeValue::N(count.to_string()));
        self.add(keys::returned(template), Key::from([count]))
    }

    /// Adds the numbers other than 0, of which a fact makes at least one.
    fn add(&self, key: Key, numbers: Key) -> Result<TransactWriteItem, StoreError> {
        let zero = AttributeValue::N("0".into());
        let numbers: Vec<(String, AttributeValue)> =
            numbers.into_iter().filter(|(_, number)| *number != zero).collect();
        let terms: Vec<String> = numbers.iter().map(|(name, _)| format!("#{name} :{name}")).collect();
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key))
            .update_expression(format!("ADD {}", terms.join(", ")));
        for (name, number) in numbers {
            update = update
                .expression_attribute_names(format!("#{name}"), &name)
                .expression_attribute_values(format!(":{name}"), number);
        }
        Ok(TransactWriteItem::builder().update(update.build().map_err(corrupt)?).build())
    }
}

/// Reads the reasons, in the order of the transaction's items: first the marks.
fn cancelled(facts: &[Fact], error: SdkError<TransactWriteItemsError>) -> Result<Written, StoreError> {
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => return Ok(Written::Conflict),
        _ => return Err(store_error(error)),
    };
    let failed = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    let known: BTreeSet<_> =
        facts.iter().zip(reasons).filter(|(_, reason)| failed(reason)).map(|(fact, _)| fact.id).collect();
    if !known.is_empty() {
        Ok(Written::Known(known))
    } else if reasons.iter().any(|reason| reason.code() == Some("TransactionConflict")) {
        Ok(Written::Conflict)
    } else if reasons.iter().any(|reason| is_throttling(reason.code())) {
        Err(StoreError::Throttled(Box::new(error)))
    } else {
        Err(store_error(error))
    }
}
