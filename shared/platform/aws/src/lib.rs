//! platform-aws.
