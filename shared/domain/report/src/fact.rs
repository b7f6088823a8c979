use domain_coupon::Source;
use domain_ids::{CouponId, TemplateId};
use domain_money::Fen;
use jiff::Timestamp;

use crate::Hour;

/// Something that has happened to a coupon. It never changes: what comes again under the same id is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Which coupon, and which of the things that happened to it.
    pub id: FactId,
    /// What.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    /// Whether the coupon goes back to sale when it expires or is refunded.
    pub restock: bool,
}

/// Names a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId {
    /// The coupon.
    pub coupon: CouponId,
    /// The revision that the coupon has by it: 1 when it is issued.
    pub revision: u32,
}

/// What may happen to a coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A guest has it.
    Issued(Source),
    /// An order holds it.
    Locked,
    /// The order has given it up.
    Released,
    /// An order was paid with it.
    Used {
        /// What the order saved.
        saved: Fen,
    },
    /// Its time was over.
    Expired,
    /// The order that was paid with it was cancelled.
    Refunded {
        /// What the order had saved.
        saved: Fen,
    },
}

impl Fact {
    /// The template of the coupon.
    pub fn template(&self) -> TemplateId {
        self.id.coupon.template()
    }

    /// The hour in which it is counted.
    pub fn hour(&self) -> Hour {
        Hour::of(self.at)
    }

    /// Whether a unit of stock comes back by it.
    pub fn returns_stock(&self) -> bool {
        match self.event {
            Event::Expired | Event::Refunded { .. } => self.restock,
            Event::Issued(_) | Event::Locked | Event::Released | Event::Used { .. } => false,
        }
    }
}
