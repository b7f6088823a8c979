//! Orders and what coupons do for them, as the HTTP API spells them: drafts parsed, reasons and savings shown. Shared by
//! the functions that quote coupons and use them.

mod combination;
mod draft;
mod reason;

pub use combination::{CombinationView, LineSavingView};
pub use draft::{DraftRequest, LineRequest, invalid_draft};
pub use reason::{ReasonView, ScopePartView, reasons};
