//! Rules: all in one partition, since whoever reads one reads all.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::types::AttributeValue;
use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_coupon::StoreError;
use domain_ids::RuleId;
use domain_notification::{Rule, RuleShelf};
use jiff::{SignedDuration, Timestamp};

use crate::{
    NotificationTable,
    keys::{Key, key},
};

const RULES: &str = "RULES";

/// How long rules may be believed: so long a change takes no effect.
pub const RULES_REMEMBERED_FOR: SignedDuration = SignedDuration::from_secs(5);

fn rule_key(id: &RuleId) -> Key {
    key(RULES.into(), id.to_string())
}

/// A rule is kept as its JSON: conditions may be any value, and DynamoDB does not tell `1.0` from `1`.
fn parse(item: &Key) -> Result<Rule, StoreError> {
    let text = item.get("rule").and_then(|rule| rule.as_s().ok()).ok_or_else(|| corrupt("no rule"))?;
    serde_json::from_str(text).map_err(corrupt)
}

fn revision(revision: u32) -> AttributeValue {
    AttributeValue::N(revision.to_string())
}

impl RuleShelf for NotificationTable {
    async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let (mut rules, mut after) = (Vec::new(), None);
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :rules")
                .expression_attribute_values(":rules", AttributeValue::S(RULES.into()))
                .set_exclusive_start_key(after);
            let output = query.send().await.map_err(store_error)?;
            for item in output.items() {
                rules.push(parse(item)?);
            }
            after = output.last_evaluated_key;
            if after.is_none() {
                return Ok(rules);
            }
        }
    }

    async fn rule(&self, id: &RuleId) -> Result<Option<Rule>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(rule_key(id)));
        let output = get.consistent_read(true).send().await.map_err(store_error)?;
        output.item.as_ref().map(parse).transpose()
    }

    async fn put_rule(&self, next: &Rule) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(rule_key(&next.id)))
            .item("revision", revision(next.revision))
            .item("rule", AttributeValue::S(serde_json::to_string(next).map_err(corrupt)?));
        let put = match next.revision.saturating_sub(1) {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            before => put
                .condition_expression("revision = :before")
                .expression_attribute_values(":before", revision(before)),
        };
        Ok(condition_held(put.send().await)?.is_some())
    }

    async fn remove_rule(&self, id: &RuleId, expected: u32) -> Result<bool, StoreError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(rule_key(id)))
            .condition_expression("revision = :expected")
            .expression_attribute_values(":expected", revision(expected));
        Ok(condition_held(delete.send().await)?.is_some())
    }
}

/// Rules as an execution environment remembers them, for [`RULES_REMEMBERED_FOR`].
#[derive(Debug)]
pub struct RuleCache<S = NotificationTable> {
    shelf: S,
    now: fn() -> Timestamp,
    read: Mutex<Option<(Timestamp, Arc<[Rule]>)>>,
}

impl<S: RuleShelf> RuleCache<S> {
    /// Remembers what is read of `shelf`, by the clock `now`.
    pub fn new(shelf: S, now: fn() -> Timestamp) -> Self {
        Self { shelf, now, read: Mutex::default() }
    }

    /// Every rule, as of at most [`RULES_REMEMBERED_FOR`] ago.
    pub async fn rules(&self) -> Result<Arc<[Rule]>, StoreError> {
        let now = (self.now)();
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, rules)) = read {
            // A clock that was set back would keep them for as long.
            if (SignedDuration::ZERO..RULES_REMEMBERED_FOR).contains(&now.duration_since(at)) {
                return Ok(rules);
            }
        }
        let rules: Arc<[Rule]> = self.shelf.rules().await?.into();
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&rules)));
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

    use super::*;

    static CLOCK: AtomicI64 = AtomicI64::new(1_795_514_400);

    fn clock() -> Timestamp {
        Timestamp::from_second(CLOCK.load(Ordering::Relaxed)).unwrap()
    }

    #[derive(Default)]
    struct Counting(AtomicU32);

    impl RuleShelf for Counting {
        async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(corrupt("the first call")),
                _ => Ok(Vec::new()),
            }
        }

        async fn rule(&self, _: &RuleId) -> Result<Option<Rule>, StoreError> {
            unreachable!("the cache reads all")
        }

        async fn put_rule(&self, _: &Rule) -> Result<bool, StoreError> {
            unreachable!("the cache does not write")
        }

        async fn remove_rule(&self, _: &RuleId, _: u32) -> Result<bool, StoreError> {
            unreachable!("the cache does not write")
        }
    }

    #[tokio::test]
    async fn rules_are_believed_for_five_seconds_and_a_failure_is_not_remembered() {
        let cache = RuleCache::new(Counting::default(), clock);
        assert!(cache.rules().await.is_err());
        for (seconds, expected) in [(0, 2), (4, 2), (1, 3), (-1, 4), (0, 4)] {
            CLOCK.fetch_add(seconds, Ordering::Relaxed);
            assert!(cache.rules().await.is_ok());
            assert_eq!(cache.shelf.0.load(Ordering::Relaxed), expected, "after {seconds} s");
        }
    }
}
