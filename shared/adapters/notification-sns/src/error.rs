//! What an error of the SDK says about the message.

use aws_sdk_sns::{
    error::{ProvideErrorMetadata, SdkError},
    operation::publish::PublishError,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain_notification::{Failure, Verdict};
use platform_aws::was_never_sent;

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
