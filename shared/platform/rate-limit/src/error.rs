use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// `DynamoDB` could not tell. Whether that admits or refuses is the caller's decision.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached, timed out or failed. Whether the check was counted is not known.
    #[error("the rate limit's store is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It refuses more work for now. Nothing was counted.
    #[error("the rate limit's store is throttling")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// An item cannot be understood: a defect, or written by other hands.
    #[error("a rate limit's item is not readable")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Whether the same check may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Throttled(_) => true,
            Self::Corrupt(_) => false,
        }
    }
}

impl<E, R> From<SdkError<E, R>> for StoreError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        // Developer Guide, "Error handling with DynamoDB".
        match error.code() {
            Some(
                "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded",
            ) => Self::Throttled(Box::new(error)),
            _ => Self::Unavailable(Box::new(error)),
        }
    }
}
