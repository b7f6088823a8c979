//! platform-telemetry.
