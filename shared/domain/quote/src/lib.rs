//! What coupons do for an order: which apply, what each saves, which go together best, and holding them for it.
//!
//! Money is in fen and rounds down; days are days of business (Asia/Shanghai). `docs/operations/coupon-rules.md` has
//! the rules with worked examples.

mod assess;
mod best;
mod combine;
mod draft;
mod effect;
mod lock;
mod quote;
mod reason;
mod search;
mod usage;

pub use assess::{Applicable, assess};
pub use best::{Best, best_combination, best_single};
pub use combine::{Combination, MAX_COMBINED, Taken, combine};
pub use draft::{DraftViolation, InvalidDraft, Line, MAX_LINES, OrderDraft};
pub use lock::{Held, LockCoupon, LockError, lock_coupon};
pub use quote::{MAX_QUOTED, Quote, quote_coupons};
pub use reason::{Clash, Reason, ScopePart};
pub use usage::UsageMemory;
