//! What an error of the SDK says about the message.

use std::{error::Error, io};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sns::{
    error::{ProvideErrorMetadata, SdkError},
    operation::publish::PublishError,
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::DispatchFailure};
use domain_notification::{Failure, Verdict};

/// What to do about a message that `Publish` failed for.
pub(crate) fn failure(error: &SdkError<PublishError, HttpResponse>) -> Failure {
    match error {
        SdkError::ConstructionFailure(_) => Failure::new(Verdict::FailOver, "not-built"),
        SdkError::DispatchFailure(failure) if was_never_sent(failure) => {
            Failure::new(Verdict::FailOver, "unreachable")
        }
        SdkError::DispatchFailure(_) => Failure::new(Verdict::Unknown, "lost"),
        SdkError::TimeoutError(_) => Failure::new(Verdict::Unknown, "timeout"),
        SdkError::ResponseError(_) => Failure::new(Verdict::Unknown, "unreadable-answer"),
        SdkError::ServiceError(answer) => refusal(answer.err(), answer.raw().status().as_u16()),
        // The enum may grow; what is not known may have been sent.
        _ => Failure::new(Verdict::Unknown, "unknown"),
    }
}

/// Whether the device that a message was for is no more: its app is gone, or its endpoint is.
pub(crate) fn is_dead_device(error: &SdkError<PublishError, HttpResponse>) -> bool {
    match error.as_service_error() {
        Some(PublishError::EndpointDisabledException(_) | PublishError::NotFoundException(_)) => true,
        // How SNS speaks of an endpoint that was deleted, or never was.
        Some(PublishError::InvalidParameterException(invalid)) => {
            invalid.message().is_some_and(|text| text.contains("TargetArn") || text.contains("target arn"))
        }
        _ => false,
    }
}

fn refusal(error: &PublishError, status: u16) -> Failure {
    let verdict = match error {
        PublishError::InvalidParameterException(invalid)
            if invalid.message().is_some_and(|text| text.contains("opted out")) =>
        {
            Verdict::Suppress
        }
        PublishError::InvalidParameterException(_)
        | PublishError::InvalidParameterValueException(_)
        | PublishError::ValidationException(_) => Verdict::GiveUp,
        PublishError::KmsThrottlingException(_) => Verdict::Retry,
        other if other.code().is_some_and(|code| code.contains("Throttl")) || status == 429 => Verdict::Retry,
        // Somebody between SNS and us waited in vain for SNS.
        _ if status == 504 => Verdict::Unknown,
        _ => Verdict::FailOver,
    };
    match error.code() {
        Some(code) => Failure::new(verdict, code),
        None => Failure::new(verdict, status.to_string()),
    }
}

/// Whether the request cannot have reached the service: nobody was reached, or it was not even signed.
fn was_never_sent(failure: &DispatchFailure) -> bool {
    // The client has no read time-out: what times out below the operation is the connecting.
    failure.is_user()
        || failure.is_timeout()
        || failure.as_connector_error().is_some_and(|error| says_unsent(error))
}

fn says_unsent(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| {
        let connecting = error.downcast_ref::<hyper_util::client::legacy::Error>();
        let refused = error.downcast_ref::<io::Error>();
        connecting.is_some_and(hyper_util::client::legacy::Error::is_connect)
            || refused.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
            || error.is::<CredentialsError>()
    })
}
