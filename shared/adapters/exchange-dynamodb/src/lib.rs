//! Batches of exchange codes in the coupon table. No code is among the items, and nothing that a code could be made of.
//!
//! | Item | `pk` | `sk` | Attributes |
//! |---|---|---|---|
//! | batch | `CODEBATCH#<serial>` | `CODEBATCH` | `id`, `template`, `count`, `label`, `seed`, `createdAt`, `exportedAt`, `disabledAt` |
//! | codes of a template | `TEMPLATE#<template>` | `CODES` | `ordered` |
//! | place in the list | `TEMPLATE#<template>` | `CODEBATCH#<batch>` | |
//!
//! The serial is the end of the batch's id, so that a batch is found by either. The mark of a code that was used is
//! written with its coupon, by `coupon-dynamodb`; codes that are not genuine are counted by `platform-rate-limit`
//! ([`GuessCounter`]).

mod guesses;
mod item;
mod keys;
mod table;

pub use guesses::{GUESSES_PER_GUEST, GUESSES_PER_IP, GuessCounter};
pub use table::ExchangeTable;
