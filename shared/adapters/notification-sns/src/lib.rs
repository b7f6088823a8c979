//! Text messages and push through Amazon SNS: `Publish` to a phone number ([`SnsSms`]) and to the endpoints of devices
//! ([`SnsPush`]), and how a device gets its endpoint ([`register_device`]).
//!
//! # Settings
//!
//! | Setting | Of | |
//! |---|---|---|
//! | `smsType` | SMS | `transactional` or `promotional`; `transactional` without it |
//! | `senderId` | SMS | what the receiver sees as sender, where the country allows it: 1 to 11 letters and digits; optional |
//! | `region` | both | another region than the function's: push needs that of the platform applications, and few regions send SMS; optional |
//!
//! There is no secret: the function's role must allow `sns:Publish`.
//!
//! # What an error means
//!
//! | SNS says | Verdict |
//! |---|---|
//! | `Throttled`, `Throttling…`, `KMSThrottling`, 429 | retry |
//! | `InvalidParameter`, of a number that has opted out | suppress |
//! | `InvalidParameter` of anything else, `InvalidParameterValue`, `ValidationError` | give up |
//! | `EndpointDisabled`, `NotFound`, `InvalidParameter` of the target, of a device | the device is dead; suppress if all are |
//! | `AuthorizationError`, `PlatformApplicationDisabled`, `InternalError`, other codes, other 5xx | fail over |
//! | 504 | unknown |
//! | no connection, no credentials | fail over |
//! | no answer, or one that is none | unknown |
//!
//! # No retries
//!
//! `Publish` to a number or an endpoint knows no idempotency key: an SDK that repeats a request whose answer was lost sends
//! a second message. So [`client`] turns the SDK's retries off, and so do the constructors whatever client they are given.
//!
//! # Push
//!
//! A message goes to all devices of a guest at once and counts as taken if one took it. It carries our message id as APNs'
//! `apns-collapse-id` and as FCM's notification tag, so that a repeat replaces on the screen what it repeats. It is no FCM
//! `collapse_key`: of those FCM keeps four for a device that is offline, and a fifth message would push out the first.

mod error;
mod payload;
mod provider;
mod register;
mod settings;

pub use payload::MAX_PAYLOAD_BYTES;
pub use platform_http_client::InvalidSettings;
pub use provider::{MAX_SMS_CHARS, SnsPush, SnsSms, client};
pub use register::{MAX_TOKEN_CHARS, RegisterError, register_device};
