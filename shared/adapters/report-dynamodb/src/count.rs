use std::{collections::BTreeSet, time::Duration};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use coupon_dynamodb::{Cancelled, corrupt};
use domain_coupon::StoreError;
use domain_ids::TemplateId;
use domain_report::{Counters, Fact, FactStore, Hour, Tally, Written};
use jiff::{SignedDuration, Timestamp};

use crate::{
    ReportTable,
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
            Err(error) => not_counted(tally.facts(), error.into()),
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

/// The first items are the marks, in the order of the facts.
fn not_counted(facts: &[Fact], why: Cancelled) -> Result<Written, StoreError> {
    let marked = facts.iter().enumerate().filter(|(place, _)| why.refused(*place).is_some());
    let known: BTreeSet<_> = marked.map(|(_, fact)| fact.id).collect();
    if !known.is_empty() {
        Ok(Written::Known(known))
    } else if why.is_contended() {
        Ok(Written::Conflict)
    } else {
        Err(why.into())
    }
}
