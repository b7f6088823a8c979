//! Mails through a server that speaks SMTP (RFC 5321), by `lettre`.
//!
//! The endpoint is the server as `host` or `host:port`; without a port it is that of the mode of TLS.
//!
//! # Settings
//!
//! | Setting | |
//! |---|---|
//! | `from` | the sender's address; its domain is what the server is greeted with, and the right half of each `Message-ID` |
//! | `fromName` | what the sender is called, at most 100 characters; optional |
//! | `tls` | `required`: STARTTLS, port 587; `wrapper`: TLS from the first byte, port 465; `none`: port 25, for a server on the loopback interface alone; `required` without it |
//!
//! The secret is `{"username": "…", "password": "…"}`, or null for a server that wants none.
//!
//! # What a reply means
//!
//! | The server says | Verdict |
//! |---|---|
//! | anything but yes until we are let in (greeting, EHLO, STARTTLS, AUTH); no TLS, no connection | fail over |
//! | 421: it is closing | fail over |
//! | another 4yz, greylisting among it | retry |
//! | 550, 551, 553 to RCPT with an enhanced code that calls the mailbox dead (5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.1.10, 5.2.1) | suppress |
//! | 5yz to RCPT with an enhanced code of policy (5.7.x) | fail over |
//! | other 550, 551, 552, 553 to RCPT; 552 to the content | give up |
//! | another 5yz | fail over |
//! | nothing, or nonsense, before the content is under way | fail over |
//! | nothing, or nonsense, from then on | unknown |
//!
//! Enhanced codes are those of RFC 3463. A bare 550 may be a policy as well as a dead mailbox (RFC 5321, section 4.2.3), so
//! that nobody is suppressed for it.
//!
//! # Why not `AsyncSmtpTransport`
//!
//! It does in one call what the table tells apart: its error does not say whether the content was under way, and its
//! time-out is for connecting alone. So the same connection is driven command by command, under one deadline.
//!
//! Each mail has a connection of its own: one that waited through a freeze of the execution environment is dead, and a mail
//! on it would be in doubt. SMTP has no idempotency key either; the `Message-ID` is the same for a repeat, by which some
//! servers recognise it.

mod mail;
mod provider;
mod reply;
mod settings;

pub use platform_http_client::InvalidSettings;
pub use provider::SmtpMail;
