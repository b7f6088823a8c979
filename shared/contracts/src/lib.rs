//! What crosses a queue or a bus. One type per queue, so that a message needs no `type`; on the bus the `detail-type`
//! tells.
//!
//! | Type | From | To |
//! |---|---|---|
//! | [`QueuedClaim`] | API Gateway | `claim-coupon-batch` |
//! | [`GrantChunk`] | `manage-grants` | `grant-coupons` |
//! | [`CodeExport`] | `manage-exchange-codes` | `export-exchange-codes` |
//! | [`GuestEvent`] | guests and orders, over the bus | `grant-coupons-on-event` |
//! | [`PlatformEvent`] | everybody, over the bus; `remind-expiring-coupons` | `notify-on-event` |
//! | [`QueuedMessage`] | `queue-notifications` and others | `dispatch-notification` |
//! | [`BroadcastPage`] | `send-notification` | `broadcast-notifications` |
//! | [`SearchEvent`] | `search-homestays`, `record-search-click` | `count-searches` |
//! | [`ImportStep`] | `manage-homestays`, `import-homestays` | `import-homestays` |
//! | [`RebuildStep`] | `manage-search-index`, `reindex-homestays` | `reindex-homestays` |
//!
//! # How a contract grows
//!
//! While a function is replaced its old and its new version run side by side, and a message waits in a queue for up
//! to fourteen days. So a field that is added may be absent, one that nobody knows is ignored, and none is ever
//! removed, renamed, or given another meaning. What cannot follow that rule is another type, on another queue or under
//! another `detail-type`. `events/contracts/` has a sample of each, as it has been sent since its first day: a test
//! reads them all.
//!
//! Times are UTC instants in RFC 3339; money is an integer number of fen; nothing that we send names a guest but
//! by id.

mod bus;
mod code_export;
mod grant_chunk;
mod notification;
mod queued_claim;
mod search;

#[cfg(test)]
mod samples;

pub use bus::GuestEvent;
pub use code_export::CodeExport;
pub use grant_chunk::GrantChunk;
pub use notification::{BroadcastPage, PlatformEvent, QueuedMessage};
pub use queued_claim::{InvalidQueuedClaim, QueuedClaim};
pub use search::{ImportStep, RebuildStep, SearchEvent};
