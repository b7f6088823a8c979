//! Shows guests what they were told within the app, and lets them mark it as read or remove it.

pub mod handler;
