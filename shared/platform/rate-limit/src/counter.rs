//! The two conditional writes that count, and the reads that spare others.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use crate::{
    Limit, StoreError, Subject,
    arithmetic::{Micros, Take, Window},
};

/// Seconds that an item outlives its meaning: clocks differ, and a bucket must not be forgotten before it is full.
const TTL_MARGIN_SECONDS: i64 = 60;

/// The attribute that counts what a window admitted.
const ADMITTED: &str = "admitted";

/// The attribute that says when a bucket is full again, in µs since 1970.
const FULL_AT: &str = "fullAt";

/// The items of the limits.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    pub client: Client,
    pub table: String,
}

/// What became of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written<T> {
    /// The attribute after it.
    Done(T),
    /// Its condition did not hold; the attribute as it is, if there is one.
    Refused(Option<T>),
}

impl Counters {
    /// One more in `window`, unless it has admitted `allowed` or more.
    pub async fn count(
        &self,
        limit: &Limit,
        subject: Subject,
        window: Window,
        allowed: u32,
        meaningful_until: Micros,
    ) -> Result<Written<u32>, StoreError> {
        let update = self
            .update(window_key(limit, subject, window), meaningful_until)
            .update_expression("SET #ttl = :ttl ADD admitted :one")
            .condition_expression("attribute_not_exists(admitted) OR admitted < :allowed")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":allowed", number(allowed.into()));
        written(update, ADMITTED).await
    }

    /// What `window` has admitted.
    pub async fn counted(&self, limit: &Limit, subject: Subject, window: Window) -> Result<u32, StoreError> {
        Ok(self.read(window_key(limit, subject, window), ADMITTED).await?.unwrap_or(0))
    }

    /// Takes a token in the way that `take` says; nothing is written for [`Take::Empty`].
    pub async fn take(
        &self,
        limit: &Limit,
        subject: Subject,
        take: Take,
        now: Micros,
        every: Micros,
        meaningful_until: Micros,
    ) -> Result<Written<Micros>, StoreError> {
        let update = self
            .update(bucket_key(limit, subject), meaningful_until)
            .expression_attribute_values(":now", number(now));
        let update = match take {
            Take::FromFull { full_at } => update
                .update_expression("SET fullAt = :fullAt, #ttl = :ttl")
                .condition_expression("attribute_not_exists(fullAt) OR fullAt < :now")
                .expression_attribute_values(":fullAt", number(full_at)),
            Take::FromRest { at_latest } => update
                .update_expression("SET fullAt = fullAt + :every, #ttl = :ttl")
                .condition_expression("fullAt BETWEEN :now AND :atLatest")
                .expression_attribute_values(":every", number(every))
                .expression_attribute_values(":atLatest", number(at_latest)),
            Take::Empty { .. } => return Ok(Written::Refused(None)),
        };
        written(update, FULL_AT).await
    }

    /// When a bucket is full again.
    pub async fn full_at(&self, limit: &Limit, subject: Subject) -> Result<Option<Micros>, StoreError> {
        self.read(bucket_key(limit, subject), FULL_AT).await
    }

    fn update(&self, pk: String, meaningful_until: Micros) -> UpdateItemFluentBuilder {
        let ttl = meaningful_until.div_euclid(1_000_000).saturating_add(TTL_MARGIN_SECONDS);
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(pk)))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number(ttl))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    async fn read<T: TryFrom<i64>>(&self, pk: String, name: &str) -> Result<Option<T>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(pk)))
            .projection_expression(name)
            .consistent_read(true)
            .send()
            .await?;
        output.item().map_or(Ok(None), |item| attribute(item, name))
    }
}

async fn written<T: TryFrom<i64>>(
    update: UpdateItemFluentBuilder,
    name: &str,
) -> Result<Written<T>, StoreError> {
    match update.send().await {
        Ok(output) => {
            let after = output.attributes().map_or(Ok(None), |item| attribute(item, name))?;
            after.map(Written::Done).ok_or_else(|| corrupt("a write did not return what it wrote"))
        }
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                failed.item().map_or(Ok(None), |item| attribute(item, name)).map(Written::Refused)
            }
            _ => Err(error.into()),
        },
    }
}

/// Each window of each subject has a partition key of its own, so that the busiest of them is one item, and no more.
fn window_key(limit: &Limit, subject: Subject, window: Window) -> String {
    format!("LIMIT#{}#{subject}#{}", limit.rule(), window.start.div_euclid(1_000))
}

fn bucket_key(limit: &Limit, subject: Subject) -> String {
    format!("LIMIT#{}#{subject}", limit.rule())
}

fn key(pk: String) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".into(), AttributeValue::S(pk)), ("sk".into(), AttributeValue::S("LIMIT".into()))])
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn attribute<T: TryFrom<i64>>(
    item: &HashMap<String, AttributeValue>,
    name: &str,
) -> Result<Option<T>, StoreError> {
    let Some(value) = item.get(name) else { return Ok(None) };
    let number = value.as_n().ok().and_then(|text| text.parse::<i64>().ok());
    let parsed = number.and_then(|number| T::try_from(number).ok());
    parsed.map(Some).ok_or_else(|| corrupt("an attribute is not the number it should be"))
}

fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt(what.into())
}
