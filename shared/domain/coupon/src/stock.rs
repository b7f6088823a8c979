//! Stock, split over shards so that many claims can be written at once.
//!
//! A shard counts up: `issued` towards its `capacity`. A claim may raise `issued` only while it is below `capacity`;
//! a top-up raises `capacity` to an absolute figure, so that repeating it changes nothing.

use std::num::NonZeroU16;

use jiff::Timestamp;

use crate::{Violation, Violations, template::limits};

/// Claims per second that one shard is good for: an item held about 8 ms by each transaction, at a conflict rate
/// of at most 20 % (`docs/performance.md`, "How many shards").
pub const CLAIMS_PER_SECOND_PER_SHARD: u32 = 20;

/// More shards than this would make reading them all before "sold out" slow and dear (21 `BatchGetItem` calls).
pub const MAX_SHARDS: u16 = 2048;

/// A shard holds at least this much stock, or the last units would be spread so thin that most claims probe in vain.
pub const MIN_STOCK_PER_SHARD: u32 = 4;

/// One shard of a template's stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u16);

/// How much there is of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stock {
    /// No limit: nothing is counted, no shard exists.
    Unlimited,
    /// A fixed number, which can be topped up.
    Limited(LimitedStock),
}

impl Stock {
    /// Whether there are so many of them in total.
    pub(crate) fn is_of(&self, total: u32) -> bool {
        matches!(self, Self::Limited(stock) if stock.total == total)
    }

    /// Raises the total; it is refilling then. A repeat changes nothing.
    pub(crate) fn raise(&mut self, total: u32, wrong: &mut Violations) {
        match self {
            Self::Unlimited => {
                wrong.check(false, Violation::new("totalCount", "an unlimited template stays unlimited"));
            }
            Self::Limited(stock) => {
                wrong.check(total >= stock.total, Violation::new("totalCount", "can only be raised"));
                wrong.check(
                    total <= limits::TOTAL_COUNT,
                    Violation::new("totalCount", "must be at most 100000000"),
                );
                if total > stock.total {
                    *stock = LimitedStock { total, epoch: stock.epoch + 1, refilling: true, ..stock.clone() };
                }
            }
        }
    }
}

/// A number of coupons over a number of shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitedStock {
    /// How many the operator put on sale.
    pub total: u32,
    /// How many were issued, came back, and are on sale again.
    pub returned: u32,
    /// Fixed when the template is created; a top-up goes into the same shards.
    pub shards: NonZeroU16,
    /// Counts what can make an empty shard refill. What a claimant knows of empty shards holds for one epoch.
    pub epoch: u64,
    /// A top-up has been decided but not every shard may have it yet: nobody may say "sold out".
    pub refilling: bool,
    /// When every shard was seen empty in this epoch.
    pub sold_out_at: Option<Timestamp>,
}

impl LimitedStock {
    /// A new stock, spread over as many shards as the expected rate of claims needs.
    pub fn new(total: u32, expected_claims_per_second: u32) -> Self {
        Self {
            total,
            returned: 0,
            shards: shards_for(total, expected_claims_per_second),
            epoch: 0,
            refilling: false,
            sold_out_at: None,
        }
    }

    /// All that may ever be issued: what was put on sale, and what came back.
    pub fn capacity(&self) -> u32 {
        self.total.saturating_add(self.returned)
    }

    /// How much of the capacity belongs to `shard`: an even share, the remainder going to the first shards.
    pub fn capacity_of(&self, shard: Shard) -> u32 {
        let shards = u32::from(self.shards.get());
        self.capacity() / shards + u32::from(u32::from(shard.0) < self.capacity() % shards)
    }

    /// Every shard.
    pub fn shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.shards.get()).map(Shard)
    }
}

/// S = claims per second / 20, at most one shard per four coupons, 1 to 2,048.
pub fn shards_for(total: u32, expected_claims_per_second: u32) -> NonZeroU16 {
    let wanted = expected_claims_per_second.div_ceil(CLAIMS_PER_SECOND_PER_SHARD);
    let shards = wanted.min(total / MIN_STOCK_PER_SHARD).clamp(1, u32::from(MAX_SHARDS));
    u16::try_from(shards).ok().and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_add_up_to_the_total_and_are_even(total: u32, shards in 1..=MAX_SHARDS) {
            let stock = LimitedStock { shards: shards.try_into().unwrap(), ..LimitedStock::new(total, 1) };
            let shares: Vec<u32> = stock.shards().map(|shard| stock.capacity_of(shard)).collect();
            prop_assert_eq!(shares.iter().map(|&share| u64::from(share)).sum::<u64>(), u64::from(total));
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }

        #[test]
        fn a_top_up_never_takes_from_a_shard(total: u32, more: u32, shards in 1..=MAX_SHARDS) {
            let before = LimitedStock { shards: shards.try_into().unwrap(), ..LimitedStock::new(total, 1) };
            let after = LimitedStock { total: total.saturating_add(more), ..before.clone() };
            prop_assert!(before.shards().all(|shard| before.capacity_of(shard) <= after.capacity_of(shard)));
        }
    }

    #[test]
    fn the_number_of_shards_follows_the_rate_and_the_stock() {
        let shards = |total, rate| shards_for(total, rate).get();
        assert_eq!(shards(1_000_000, 1), 1);
        assert_eq!(shards(1_000_000, 1_000), 50);
        assert_eq!(shards(1_000_000, 25_000), 1_250);
        assert_eq!(shards(100_000_000, 1_000_000), MAX_SHARDS);
        assert_eq!(shards(100, 25_000), 25, "at least four coupons a shard");
        assert_eq!(shards(3, 25_000), 1);
        assert_eq!(shards(0, 0), 1);
    }
}
