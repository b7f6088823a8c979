use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::CancellationReason,
};
use domain_coupon::StoreError;

use crate::error::is_throttling;

/// Why a transaction did not happen. DynamoDB gives a reason for each item, in their order, and several may hold at
/// once: which of them counts first is the caller's to say.
#[derive(Debug)]
pub struct Cancelled(SdkError<TransactWriteItemsError>);

impl Cancelled {
    /// The reason given for the item at `place`, from 0, if that item's own condition did not hold.
    pub fn refused(&self, place: usize) -> Option<&CancellationReason> {
        self.reasons().get(place).filter(|reason| is_refusal(reason))
    }

    /// Whether the condition of any item did not hold.
    pub fn is_refused(&self) -> bool {
        self.reasons().iter().any(is_refusal)
    }

    /// Whether another transaction was in the way. Nothing was written.
    pub fn is_conflict(&self) -> bool {
        self.reasons().iter().any(|reason| reason.code() == Some("TransactionConflict"))
    }

    /// Whether a transaction was in the way: another one, or this one, sent before and still under way, which may
    /// still be written.
    pub fn is_contended(&self) -> bool {
        let under_way = matches!(
            self.0.as_service_error(),
            Some(TransactWriteItemsError::TransactionInProgressException(_))
        );
        under_way || self.is_conflict()
    }

    fn is_throttled(&self) -> bool {
        is_throttling(self.0.code()) || self.reasons().iter().any(|reason| is_throttling(reason.code()))
    }

    fn reasons(&self) -> &[CancellationReason] {
        match self.0.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                cancelled.cancellation_reasons()
            }
            _ => &[],
        }
    }
}

fn is_refusal(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

impl From<SdkError<TransactWriteItemsError>> for Cancelled {
    fn from(error: SdkError<TransactWriteItemsError>) -> Self {
        Self(error)
    }
}

/// What is left for the caller once its own answers are ruled out: conflicts and throttling pass by themselves, and
/// whatever else there is may have happened or not.
impl From<Cancelled> for StoreError {
    fn from(cancelled: Cancelled) -> Self {
        if cancelled.is_conflict() || cancelled.is_throttled() {
            Self::Throttled(Box::new(cancelled.0))
        } else {
            Self::Unavailable(Box::new(cancelled.0))
        }
    }
}
