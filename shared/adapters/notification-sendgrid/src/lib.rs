//! Mails through `SendGrid`: v3 Mail Send, and the Event Webhook with its signature.
//!
//! The endpoint is `https://api.sendgrid.com` without one; `https://api.eu.sendgrid.com` for subusers in the EU.
//!
//! # Settings
//!
//! | Setting | |
//! |---|---|
//! | `from` | the sender's address, of a verified identity |
//! | `fromName` | what the sender is called, at most 100 characters; optional |
//!
//! The secret is `{"apiKey": "SG.…"}`, a key that may do `mail.send` and nothing else.
//!
//! # What an answer means
//!
//! | `SendGrid` says | Verdict |
//! |---|---|
//! | 2xx | taken |
//! | 400 of a field of the account (`from`, `reply_to`, `asm`, `ip_pool_name`, `template_id`, `categories`) | fail over |
//! | another 400; 413: the mail is too large | give up |
//! | 401, without credit among it; 403; 404, 405, 415 and other 4xx; 3xx | fail over |
//! | 429 | retry, not before `Retry-After` or `X-RateLimit-Reset` |
//! | 504: a gateway waited in vain | unknown |
//! | another 5xx | fail over |
//! | no connection | fail over |
//! | no answer, or half of one | unknown |
//!
//! Mail Send knows no idempotency key; an unknown outcome stays unknown until an event tells.

mod events;
mod provider;
mod signature;

pub use events::{MAX_REPORTS, UnreadableReports, delivery_reports};
pub use platform_http_client::InvalidSettings;
pub use provider::{MESSAGE_ARG, SendGrid};
pub use signature::{InvalidSignature, MAX_AGE, SIGNATURE_HEADER, TIMESTAMP_HEADER, UnusableKey, WebhookKey};
