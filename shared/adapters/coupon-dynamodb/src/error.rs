use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain_coupon::StoreError;

/// What a failed call means for the caller. Known conditions are handled before this.
pub fn store_error<E, R>(error: SdkError<E, R>) -> StoreError
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
pub fn is_throttling(code: Option<&str>) -> bool {
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

/// `None` where a condition did not hold, which is an answer and no error.
pub fn condition_held<T, E, R>(written: Result<T, SdkError<E, R>>) -> Result<Option<T>, StoreError>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match written {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
        Err(error) => Err(store_error(error)),
    }
}

/// An item that cannot be understood.
pub fn corrupt(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt(error.into())
}
