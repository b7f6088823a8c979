//! The rules of exchange codes: what a code is, how a batch of them is ordered and written to a file, and how a guest
//! exchanges one for a coupon.
//!
//! A code proves itself (`docs/decisions/0008-exchange-codes.md`): it says which of which batch it is, and carries a
//! digest that only whoever has the [`ExchangeKey`] can make. So no code is stored anywhere; what is stored is the
//! batch, and the mark of each code that was used.
//!
//! No AWS, no HTTP, no clock, no randomness: time and random bits are arguments, and what must be stored goes through
//! the ports [`CodeBatchLookup`], [`CodeBatchStore`], [`ExportQueue`], [`CodeFiles`] and [`Guesses`].

mod batch;
mod code;
mod exchange;
mod export;
mod key;
mod order;
mod store;

#[cfg(test)]
mod fixtures;

pub use batch::{CodeBatch, CodeBatchStatus, CodeCount, Label, MAX_CODES, MAX_LABEL_CHARS, Serial};
pub use code::{ExchangeCode, InvalidExchangeCode};
pub use exchange::{
    BATCH_REMEMBERED_FOR, BatchMemory, ExchangeCoupon, ExchangeDesk, ExchangeError, Guesser, Guesses,
    exchange,
};
pub use export::{CSV_HEADER, CodeDownloads, CodeFiles, ExportError, Exported, export_batch};
pub use key::{BatchKey, ExchangeKey, GenuineCode, InvalidExchangeKey, MIN_SECRET_BYTES};
pub use order::{BatchSeed, MAX_DRAWS, OrderCodes, OrderError, Ordered, order_batch, revoke_batch};
pub use store::{Added, CodeBatchLookup, CodeBatchStore, ExportQueue};
