//! platform-idempotency.
