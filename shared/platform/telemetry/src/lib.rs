//! What a function tells about itself: JSON logs, spans and metrics.
//!
//! - **Logs**: one JSON object a line on standard output, from where Lambda takes them to `CloudWatch` Logs. The fields
//!   of the event and of its spans are at the top level, so that a query needs no path. Panics are logged too.
//! - **Spans**: [`observe`] opens one per invocation. Its fields have the names of OpenTelemetry's semantic
//!   conventions (`faas.invocation_id` is Lambda's request id), so that a `tracing-opentelemetry` layer finds them in
//!   place.
//! - **Metrics**: recorded through the `metrics` facade and written in `CloudWatch`'s embedded metric format, as a log
//!   line: no API call, no cost per call. They are flushed once per invocation, after the work.
//!
//! No personal data: no names, numbers, addresses, tokens or bodies. A log line is readable by more people, and kept
//! longer, than the record it tells of.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use platform_config::Env;
//! use platform_telemetry::{Chain, Invocation, Stopwatch, Trigger, init, observe};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), platform_telemetry::InitError> {
//! init("claim-coupon", &Env::process())?; // once, first thing in main
//!
//! let trigger = Trigger::Http("POST /v1/claims");
//! let invocation = Invocation { request_id: "8e03978e", trigger, xray_trace_id: None };
//! let answer: Result<u16, Infallible> = observe(invocation, async {
//!     let watch = Stopwatch::start();
//!     let answer = Ok(201);
//!     metrics::counter!("claims", "outcome" => "issued").increment(1);
//!     match &answer {
//!         Ok(status) => tracing::info!(http.response.status_code = status, duration_ms = watch.elapsed_ms(), "done"),
//!         Err(error) => tracing::error!(error = %Chain(error), "failed"),
//!     }
//!     answer
//! })
//! .await;
//! # Ok(())
//! # }
//! ```

mod chain;
mod invocation;
mod json;
mod panics;
mod setup;

pub use chain::{Chain, MAX_CHAIN_BYTES};
pub use invocation::{Invocation, Stopwatch, Trigger, observe};
pub use setup::{InitError, init};
