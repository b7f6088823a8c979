use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain_report::StoreError;

/// What a failed call means for the caller. Known conditions are handled before this.
pub(crate) fn store_error<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if is_throttling(error.code()) {
        StoreError::Throttled(Box::new(error))
    } else {
        StoreError::Unavailable(Box::new(error))
    }
}

/// Error codes, and codes of a cancelled transaction's reasons, by which DynamoDB refuses more work for now
/// (Developer Guide, "Error handling with DynamoDB").
pub(crate) fn is_throttling(code: Option<&str>) -> bool {
    matches!(
        code,
        Some(
            "ProvisionedThroughputExceededException"
                | "ProvisionedThroughputExceeded"
                | "ThrottlingException"
                | "ThrottlingError"
                | "RequestLimitExceeded"
        )
    )
}

pub(crate) fn corrupt(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt(error.into())
}
