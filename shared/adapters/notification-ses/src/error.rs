//! What an error of the SDK says about the message.

use aws_sdk_sesv2::{
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::SendEmailError,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain_notification::{Failure, Verdict};
use platform_aws::was_never_sent;

/// What to do about a mail that `SendEmail` failed for.
pub(crate) fn failure(error: &SdkError<SendEmailError, HttpResponse>) -> Failure {
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

fn refusal(error: &SendEmailError, status: u16) -> Failure {
    let verdict = match error {
        // Over the quota of a day there is nothing to wait for.
        SendEmailError::TooManyRequestsException(refused)
            if refused.message().is_some_and(|text| text.contains("Daily")) =>
        {
            Verdict::FailOver
        }
        SendEmailError::TooManyRequestsException(_) => Verdict::Retry,
        SendEmailError::AccountSuspendedException(_)
        | SendEmailError::SendingPausedException(_)
        | SendEmailError::MailFromDomainNotVerifiedException(_)
        | SendEmailError::LimitExceededException(_)
        | SendEmailError::NotFoundException(_) => Verdict::FailOver,
        // What SES says of an identity that is not verified, the receiver's too while the account is in the sandbox:
        // the account is at fault, not the mail.
        SendEmailError::MessageRejected(rejected)
            if rejected.message().is_some_and(|text| text.contains("not verified")) =>
        {
            Verdict::FailOver
        }
        SendEmailError::MessageRejected(_) | SendEmailError::BadRequestException(_) => Verdict::GiveUp,
        other if other.code().is_some_and(|code| code.contains("Throttl")) || status == 429 => Verdict::Retry,
        // Somebody between SES and us waited in vain for SES.
        _ if status == 504 => Verdict::Unknown,
        _ => Verdict::FailOver,
    };
    match error.code() {
        Some(code) => Failure::new(verdict, code),
        None => Failure::new(verdict, status.to_string()),
    }
}
