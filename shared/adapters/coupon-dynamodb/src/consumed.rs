use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// What DynamoDB charged, as it says itself (`ReturnConsumedCapacity`). Failed conditional writes are charged too but
/// not reported.
#[derive(Debug, Default)]
pub struct Consumed {
    half_reads: AtomicU64,
    half_writes: AtomicU64,
}

/// Capacity units.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    /// Read request units: 4 KB read consistently are 1, eventually consistently 0.5.
    pub read: f64,
    /// Write request units: 1 KB written is 1, in a transaction 2.
    pub write: f64,
}

impl Consumed {
    /// What was consumed since the last call.
    pub fn take(&self) -> Units {
        let units = |halves: &AtomicU64| halves.swap(0, Ordering::Relaxed) as f64 / 2.0;
        Units { read: units(&self.half_reads), write: units(&self.half_writes) }
    }

    pub(crate) fn read<'a>(&self, capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.half_reads.fetch_add(halves(capacity), Ordering::Relaxed);
    }

    pub(crate) fn write<'a>(&self, capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.half_writes.fetch_add(halves(capacity), Ordering::Relaxed);
    }
}

fn halves<'a>(capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) -> u64 {
    let units: f64 = capacity.into_iter().filter_map(ConsumedCapacity::capacity_units).sum();
    (units * 2.0).round() as u64
}
