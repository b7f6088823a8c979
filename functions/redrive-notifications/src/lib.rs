//! `/v1/admin/notification-redrives`: puts dead letters back, filtered.

pub mod handler;
