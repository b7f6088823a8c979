//! Mails through Amazon SES, API version 2: `SendEmail` with text and HTML, and the events that SES publishes.
//!
//! # Settings
//!
//! | Setting | |
//! |---|---|
//! | `from` | the sender's address, of a verified identity |
//! | `fromName` | what the sender is called, at most 45 bytes; optional |
//! | `configurationSet` | whose event destinations get the events; optional, and without it no delivery report comes |
//! | `region` | another region than the function's; optional |
//!
//! There is no secret: the function's role must allow `ses:SendEmail`.
//!
//! # What an error means
//!
//! | SES says | Verdict |
//! |---|---|
//! | `TooManyRequestsException`, any code with `Throttl` | retry |
//! | `TooManyRequestsException` over the quota of the day | fail over |
//! | `AccountSuspendedException`, `SendingPausedException`, `MailFromDomainNotVerifiedException`, `LimitExceededException`, `NotFoundException` | fail over |
//! | `MessageRejected` because an address is not verified (a sandbox account) | fail over |
//! | `MessageRejected`, `BadRequestException` | give up |
//! | 401, 403, 404, 5xx without a code above | fail over |
//! | 504, any other code | unknown for 504, else fail over |
//! | no connection, no credentials | fail over |
//! | no answer, or one that is none | unknown |
//!
//! # No retries
//!
//! SES knows no idempotency key: an SDK that repeats a request whose answer was lost sends a second mail. So
//! [`client`] turns the SDK's retries off, and so does [`SesMail::from_settings`] whatever client it is given; what is
//! done about a failure is the domain's decision.

mod error;
mod events;
mod provider;
mod settings;

pub use events::{MAX_REPORTS, UnreadableReports, delivery_reports};
pub use platform_http_client::InvalidSettings;
pub use provider::{MESSAGE_TAG, SesMail, client};
