//! platform-config.
