//! Completes what somebody is typing: places, popular queries, titles.

pub mod handler;
