use coupon_http::{store_problem, try_again};
use domain_coupon::StoreError;
use platform_http::{Problem, StatusCode};

use crate::handler::{MAX_BODY_BYTES, MAX_REPORTS};

/// Why reports were not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// The channels have no such provider, or it does not report here.
    #[error("no provider of this name reports here")]
    UnknownProvider,
    /// Whether the caller is the provider cannot be told now.
    #[error("the secrets of the providers could not be read yet")]
    NoSecrets,
    /// Whoever calls does not show that it is the provider.
    #[error("the signature is missing, old or wrong")]
    InvalidSignature,
    /// The body has more than [`MAX_BODY_BYTES`].
    #[error("the body is too large")]
    BodyTooLarge,
    /// The body has more than [`MAX_REPORTS`].
    #[error("the body has too many reports")]
    TooManyReports,
    /// The body is not what this provider sends.
    #[error("the body has no reports")]
    Unreadable,
    /// Not all reports could be recorded. Some may be.
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) fn to_problem(error: &ReceiveError) -> Problem {
    match error {
        ReceiveError::UnknownProvider => {
            Problem::new(StatusCode::NOT_FOUND, "unknown-provider", "No provider of this name reports here")
        }
        ReceiveError::NoSecrets => try_again(),
        ReceiveError::InvalidSignature => Problem::new(
            StatusCode::UNAUTHORIZED,
            "invalid-signature",
            "The request does not show that the provider sent it",
        ),
        ReceiveError::BodyTooLarge => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large")
                .with("maxBytes", MAX_BODY_BYTES)
        }
        ReceiveError::TooManyReports => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-many-reports",
            "The body has more reports than are taken at once",
        )
        .with("maxReports", MAX_REPORTS),
        ReceiveError::Unreadable => Problem::new(
            StatusCode::BAD_REQUEST,
            "unreadable-report",
            "The body is not what this provider sends",
        ),
        ReceiveError::Store(error) => store_problem(error),
    }
}
