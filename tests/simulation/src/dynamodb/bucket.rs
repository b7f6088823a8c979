use std::time::Duration;

/// Write units a second that one partition takes at most, on-demand tables included (Developer Guide, "Burst and
/// adaptive capacity").
pub const WRITE_UNITS_PER_SECOND: u32 = 1_000;

/// Read units a second that one partition takes at most.
pub const READ_UNITS_PER_SECOND: u32 = 3_000;

/// Capacity units that flow in at a steady rate; at most one second's worth is kept.
#[derive(Debug, Clone)]
struct Bucket {
    per_second: u64,
    micro_units: u64,
    filled_at: Duration,
}

const MICRO: u64 = 1_000_000;

impl Bucket {
    fn full(per_second: u32) -> Self {
        let per_second = u64::from(per_second);
        Self { per_second, micro_units: per_second * MICRO, filled_at: Duration::ZERO }
    }

    /// All of `units` or none.
    fn take(&mut self, now: Duration, units: u32) -> bool {
        let elapsed = now.saturating_sub(self.filled_at);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let inflow = micros.saturating_mul(self.per_second);
        self.micro_units = self.micro_units.saturating_add(inflow).min(self.per_second * MICRO);
        self.filled_at = now;
        match self.micro_units.checked_sub(u64::from(units) * MICRO) {
            Some(rest) => {
                self.micro_units = rest;
                true
            }
            None => false,
        }
    }
}

/// The capacity of one partition.
#[derive(Debug, Clone)]
pub struct Partition {
    write: Bucket,
    read: Bucket,
}

impl Partition {
    pub fn new() -> Self {
        Self { write: Bucket::full(WRITE_UNITS_PER_SECOND), read: Bucket::full(READ_UNITS_PER_SECOND) }
    }

    pub fn write(&mut self, now: Duration, units: u32) -> bool {
        self.write.take(now, units)
    }

    pub fn read(&mut self, now: Duration, units: u32) -> bool {
        self.read.take(now, units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_takes_a_thousand_write_units_a_second() {
        let mut partition = Partition::new();
        let taken = |partition: &mut Partition, from_ms: u64| {
            (from_ms..from_ms + 1_000)
                .flat_map(|ms| [ms; 5])
                .filter(|&ms| partition.write(Duration::from_millis(ms), 1))
                .count()
        };
        let first = taken(&mut partition, 0);
        assert!((1_990..=2_000).contains(&first), "a second's worth was saved up: {first}");
        assert_eq!(taken(&mut partition, 1_000), 1_000);
    }

    #[test]
    fn units_are_taken_all_or_none_and_do_not_pile_up() {
        let mut bucket = Bucket::full(10);
        let day = Duration::from_hours(24);
        assert!(!bucket.take(day, 11), "never more than a second's worth");
        assert!(bucket.take(day, 10));
        assert!(!bucket.take(day + Duration::from_micros(99_999), 1));
        assert!(bucket.take(day + Duration::from_millis(100), 1));
    }
}
