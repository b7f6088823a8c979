//! The gate in front of what is worth abusing: whether an attempt to claim a coupon or to exchange a code may go on.
//!
//! [`RiskGate`] finds out what the [risk policy](domain_risk) in force wants to know of an [`Attempt`], counts it under the
//! policy's limits ([`platform_rate_limit`]) and has the policy decide. The policy changes while the function runs
//! ([`platform_hot_config`]). Where every rule is off, nothing is counted, nothing is called, nothing is logged.
//!
//! **The gate fails open.** A limit whose counter cannot be reached within [`CHECK_DEADLINE`] passes for one that is kept,
//! and `RiskLimitUnavailable` counts it: the gate keeps abuse down; what keeps stock and limits per guest right lies
//! behind it and does not depend on it.
//!
//! Addresses, devices and guests are digested before anything is done with them. None is stored, logged or measured.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use domain_ids::GuestId;
//! use domain_risk::RiskPolicy;
//! use platform_hot_config::HotConfig;
//! # use platform_http::{Problem, Request};
//! use platform_rate_limit::{RateLimiter, SubjectKey};
//! use risk_dynamodb::{Attempt, RiskGate};
//! # use platform_config::{ConfigError, Env};
//!
//! # async fn main_rs(env: &Env, sdk: &aws_config::SdkConfig, client: aws_sdk_dynamodb::Client, key: SubjectKey, now: jiff::Timestamp) -> Result<RiskGate, ConfigError> {
//! // main.rs; the key is a secret of the stage
//! let policy = HotConfig::from_env(env, "RISK_POLICY", sdk, RiskPolicy::default())?;
//! policy.current(now).await; // loaded before the first guest comes
//! let limiter = RateLimiter::new(client, env.required("COUPON_TABLE")?);
//! let gate = RiskGate::new(limiter, policy, key);
//! # Ok(gate)
//! # }
//!
//! # async fn handler_rs(gate: &RiskGate, request: &Request, guest: GuestId, now: jiff::Timestamp) -> Result<(), Problem> {
//! // handler.rs, once the guest is known
//! gate.admit(&Attempt::from_request(request, guest, "claim"), now).await?;
//! # Ok(())
//! # }
//! ```

mod gate;
mod http;

pub use gate::{Attempt, CHECK_DEADLINE, RiskGate};
pub use http::{DEVICE_HEADER, MAX_DEVICE_CHARS, challenge_required, request_blocked};
