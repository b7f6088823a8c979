//! Records what SES says became of mails.

pub mod handler;
