use std::ops::AddAssign;

use domain_coupon::Source;
use serde::{Deserialize, Serialize};

use crate::{Event, Fact};

/// How often each thing has happened. Sums: they stop at the largest number rather than wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counters {
    /// Coupons that reached a guest, in whatever way.
    pub issued: u64,
    /// Of these, claimed, at once or through the queue.
    pub claimed: u64,
    /// Of these, granted by an operator.
    pub granted: u64,
    /// Of these, granted by a rule.
    pub auto: u64,
    /// Of these, exchanged for a code.
    pub exchanged: u64,
    /// Times an order took hold of a coupon.
    pub locked: u64,
    /// Times an order gave one up.
    pub released: u64,
    /// Coupons used, also if refunded later.
    pub used: u64,
    /// Coupons whose time was over.
    pub expired: u64,
    /// Coupons whose order was cancelled after they were used.
    pub refunded: u64,
    /// What orders saved by using coupons, in fen.
    pub saved_fen: u64,
    /// Of this, what was of orders that were cancelled, in fen.
    pub refunded_fen: u64,
}

impl Counters {
    /// What the guests saved for good, in fen: what the coupons cost.
    pub fn cost_fen(&self) -> u64 {
        // A refund may have been counted when its use has not yet.
        self.saved_fen.saturating_sub(self.refunded_fen)
    }

    /// Coupons used, of 10,000 issued, rounded down; 0 where none is issued.
    pub fn conversion_basis_points(&self) -> u64 {
        (u128::from(self.used) * 10_000)
            .checked_div(u128::from(self.issued))
            .map_or(0, |points| points.try_into().unwrap_or(u64::MAX))
    }
}

impl AddAssign<&Fact> for Counters {
    fn add_assign(&mut self, fact: &Fact) {
        let one = |counter: &mut u64| *counter = counter.saturating_add(1);
        match fact.event {
            Event::Issued(source) => {
                one(&mut self.issued);
                one(match source {
                    Source::Claim | Source::Queue => &mut self.claimed,
                    Source::Grant => &mut self.granted,
                    Source::Auto => &mut self.auto,
                    Source::Exchange => &mut self.exchanged,
                });
            }
            Event::Locked => one(&mut self.locked),
            Event::Released => one(&mut self.released),
            Event::Used { saved } => {
                one(&mut self.used);
                self.saved_fen = self.saved_fen.saturating_add(saved.get());
            }
            Event::Expired => one(&mut self.expired),
            Event::Refunded { saved } => {
                one(&mut self.refunded);
                self.refunded_fen = self.refunded_fen.saturating_add(saved.get());
            }
        }
    }
}

impl AddAssign<&Counters> for Counters {
    fn add_assign(&mut self, other: &Counters) {
        let sum = |a: u64, b: u64| a.saturating_add(b);
        *self = Self {
            issued: sum(self.issued, other.issued),
            claimed: sum(self.claimed, other.claimed),
            granted: sum(self.granted, other.granted),
            auto: sum(self.auto, other.auto),
            exchanged: sum(self.exchanged, other.exchanged),
            locked: sum(self.locked, other.locked),
            released: sum(self.released, other.released),
            used: sum(self.used, other.used),
            expired: sum(self.expired, other.expired),
            refunded: sum(self.refunded, other.refunded),
            saved_fen: sum(self.saved_fen, other.saved_fen),
            refunded_fen: sum(self.refunded_fen, other.refunded_fen),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_issued_a_share_is_used() {
        let share = |used, issued| Counters { issued, used, ..Counters::default() }.conversion_basis_points();
        assert_eq!((share(0, 0), share(1, 0), share(0, 7)), (0, 0, 0));
        assert_eq!((share(1, 3), share(3, 3), share(2_500, 10_000)), (3_333, 10_000, 2_500));
        assert_eq!((share(u64::MAX, u64::MAX), share(u64::MAX, 1)), (10_000, u64::MAX));
    }

    #[test]
    fn what_is_refunded_costs_nothing() {
        let cost =
            |saved_fen, refunded_fen| Counters { saved_fen, refunded_fen, ..Counters::default() }.cost_fen();
        assert_eq!((cost(5_000, 2_000), cost(0, 2_000)), (3_000, 0));
    }
}
