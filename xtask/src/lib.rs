//! The developer commands of this repository (`cargo xtask help`), and as a library what the end-to-end tests need:
//! a private local [`Stack`], its users' tokens ([`Identity`]), the [`upload`] of a file, and the [`sale`] with its invariants.
#![allow(
    clippy::disallowed_methods,
    reason = "a tool reads the clock and the environment and waits; no rule of the domain lives here"
)]
#![allow(clippy::float_arithmetic, reason = "seconds and rates, shown to people")]

pub mod cli;
pub mod sale;

mod api;
mod aws;
mod command;
mod dev;
mod endpoints;
mod guide;
mod identity;
mod import;
mod launcher;
mod notify;
mod openapi;
mod package;
mod page;
mod ports;
mod prepare;
mod prerequisites;
mod scaffold;
mod seed;
mod seed_homestays;
mod seed_notifications;
mod service;
mod stack;
mod step;
mod synth;
mod workspace;

pub use api::{Answer, Api};
pub use endpoints::{Endpoints, User};
pub use identity::{Identity, Token};
pub use import::upload;
pub use prepare::chromium;
pub use stack::{Options, Stack};
