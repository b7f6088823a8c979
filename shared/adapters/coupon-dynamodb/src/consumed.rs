use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// What DynamoDB charged, as it says itself (`ReturnConsumedCapacity`). Failed conditional writes are charged too but
/// not reported.
#[derive(Debug, Default)]
pub struct Consumed {
    half_reads: AtomicU64,
    half_writes: AtomicU64,
}

/// Capacity units, counted in halves: an eventually consistent read is half a unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    /// Halves of read request units: 4 KB read consistently are 2.
    pub half_reads: u64,
    /// Halves of write request units: 1 KB written is 2, in a transaction 4.
    pub half_writes: u64,
}

impl Units {
    /// So many whole units.
    pub const fn whole(reads: u64, writes: u64) -> Self {
        Self { half_reads: 2 * reads, half_writes: 2 * writes }
    }
}

impl Consumed {
    /// What was consumed since the last call.
    pub fn take(&self) -> Units {
        Units {
            half_reads: self.half_reads.swap(0, Ordering::Relaxed),
            half_writes: self.half_writes.swap(0, Ordering::Relaxed),
        }
    }

    /// A read was charged so much.
    pub fn read<'a>(&self, capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.half_reads.fetch_add(halves(capacity), Ordering::Relaxed);
    }

    /// A write was charged so much.
    pub fn write<'a>(&self, capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.half_writes.fetch_add(halves(capacity), Ordering::Relaxed);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_arithmetic,
    reason = "the SDK counts units in a float, always a multiple of a half"
)]
fn halves<'a>(capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) -> u64 {
    let units: f64 = capacity.into_iter().filter_map(ConsumedCapacity::capacity_units).sum();
    (units * 2.0).round() as u64
}
