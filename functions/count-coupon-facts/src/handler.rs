//! The stream of the coupon table.

use std::{collections::BTreeMap, convert::Infallible};

use domain_coupon::StoreError;
use domain_report::{CountError, FactId, FactStore, NotCounted, Summary, count};
use jiff::Timestamp;
use platform_batch::{
    Failure, StreamEvent, StreamResponse,
    stream::{self, Position},
};
use report_dynamodb::fact;
use serde_dynamo::Item;

/// What an invocation cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Seeds the choice of counters and the jitter.
    pub seed: u64,
}

/// Counts the facts that the changes tell, in any order. Reports the first change that is not counted: Lambda brings it
/// again, and all behind it, of which those counted are known by their marks.
pub async fn handle(
    store: &impl FactStore,
    chance: Chance,
    event: StreamEvent,
) -> Result<StreamResponse, Infallible> {
    let (records, mut response) = stream::records::<Item>(event);
    let mut facts = Vec::with_capacity(records.len());
    let mut positions: BTreeMap<FactId, Position> = BTreeMap::new();
    for record in records {
        match fact(record.change) {
            Ok(Some(fact)) => {
                positions.entry(fact.id).or_insert(record.position);
                facts.push(fact);
            }
            Ok(None) => {}
            Err(error) => response.fail(&record.position, &Failure::never(error)),
        }
    }
    match count(store, facts, chance.at, chance.seed).await {
        Ok(summary) => record(summary),
        Err(left) => {
            let first = left.facts.iter().filter_map(|id| positions.get(id)).min();
            if let Some(first) = first {
                response.fail(first, &to_failure(left));
            }
        }
    }
    Ok(response)
}

fn to_failure(left: NotCounted) -> Failure {
    match left.error {
        CountError::Busy | CountError::Store(StoreError::Unavailable(_) | StoreError::Throttled(_)) => {
            Failure::again(left)
        }
        CountError::Store(StoreError::Corrupt(_)) => Failure::never(left),
    }
}

fn record(summary: Summary) {
    let Summary { counted, known, conflicts } = summary;
    for (name, number) in [("FactsCounted", counted), ("FactsKnown", known)] {
        metrics::counter!(name).increment(u64::try_from(number).unwrap_or(u64::MAX));
    }
    metrics::counter!("CountConflicts").increment(conflicts.into());
    tracing::info!(facts.counted = counted, facts.known = known, facts.conflicts = conflicts, "counted");
}
