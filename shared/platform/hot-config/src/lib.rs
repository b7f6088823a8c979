//! Configuration that changes while a function runs.
//!
//! A [`HotConfig`] holds the last document that was valid. [`HotConfig::current`] returns it at once; where it was looked
//! at longer ago than the source wants, it is looked at again meanwhile, by one task at a time. Only the first load and
//! one after a long idle time are waited for, at most [`FETCH_DEADLINE`].
//!
//! Nothing that goes wrong there reaches a caller: what was good stays in force, and before there was anything the
//! built-in value is. A failure is logged, counted (`ConfigRefreshFailed` by `reason`: `unavailable` or `invalid`) and
//! tried again after [`RETRY_INTERVAL`].
//!
//! A source is named in the environment:
//!
//! | Value | Source |
//! |---|---|
//! | `appconfig:<application>/<environment>/<profile>` | AWS `AppConfig`, by ids or names |
//! | `file:<path>` | a file, read again when it changes: for local use |
//! | nothing | the built-in value |
//!
//! It is a crate of its own, beside `platform-config`, so that functions with fixed settings do not carry the SDK.
//!
//! ```
//! use std::str::FromStr;
//!
//! use platform_config::Env;
//! use platform_hot_config::HotConfig;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), platform_config::ConfigError> {
//! # let sdk = aws_config::SdkConfig::builder().build();
//! # let now = jiff::Timestamp::UNIX_EPOCH;
//! let limit: HotConfig<u32> = HotConfig::from_env(&Env::process(), "CLAIM_LIMIT", &sdk, 20)?; // once, in main
//! assert_eq!(*limit.current(now).await, 20); // in each invocation
//! # Ok(())
//! # }
//! ```

mod app_config;
mod file;
mod hot;
mod source;

pub use hot::{FETCH_DEADLINE, HotConfig, MAX_STALENESS, RETRY_INTERVAL};
pub use source::{InvalidLocation, Location, MAX_DOCUMENT_BYTES, Source};
