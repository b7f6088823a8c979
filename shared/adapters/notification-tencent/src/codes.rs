use domain_notification::Verdict;

/// What to do about a message that Tencent Cloud refuses with `code`, be it for the whole request or for the number.
///
/// | `code` | Why | Verdict |
/// |---|---|---|
/// | `RequestLimitExceeded`, `RequestLimitExceeded.*`, `ResourceInsufficient` | too many requests, or too busy | retry |
/// | `InvalidParameterValue.IncorrectPhoneNumber`, `FailedOperation.PhoneNumberParseFail` | the number is none | suppress |
/// | `FailedOperation.PhoneNumberInBlacklist` | its owner has unsubscribed, or wants nothing from anybody | suppress |
/// | `FailedOperation.ContainSensitiveWord`, `InvalidParameterValue.TemplateParameterFormatError`, `InvalidParameterValue.TemplateParameterLengthLimit`, `InvalidParameterValue.ProhibitedUseUrlInTemplateParameter`, `InvalidParameterValue.ContentLengthLimit` | what fills in the template may not be sent | give up |
/// | `InternalError`, `InternalError.Timeout`, `InternalError.SendAndRecvFail`, `InternalError.OtherError` | it failed half-way | unknown |
/// | `LimitExceeded.*` | this number, or our app, has had enough for now | fail over |
/// | `FailedOperation.InsufficientBalanceInSmsPackage`, `UnauthorizedOperation.ServiceSuspendDueToArrears` | no credit | fail over |
/// | `FailedOperation.SignatureIncorrectOrUnapproved`, `FailedOperation.TemplateIncorrectOrUnapproved`, `FailedOperation.TemplateParamSetNotMatchApprovedTemplate` | not approved, or not as approved: another provider's may be | fail over |
/// | `AuthFailure.*`, `UnauthorizedOperation.*` | our keys, rights or clock | fail over |
/// | `UnsupportedOperation.*` and all others | it was refused, and is none of the above | fail over |
///
/// A limit of one number or of our own is no retry: that would keep all messages from Tencent Cloud for a while.
pub fn verdict(code: &str) -> Verdict {
    match code {
        "RequestLimitExceeded" | "ResourceInsufficient" => Verdict::Retry,
        _ if code.starts_with("RequestLimitExceeded.") => Verdict::Retry,
        "InvalidParameterValue.IncorrectPhoneNumber"
        | "FailedOperation.PhoneNumberParseFail"
        | "FailedOperation.PhoneNumberInBlacklist" => Verdict::Suppress,
        "FailedOperation.ContainSensitiveWord"
        | "InvalidParameterValue.TemplateParameterFormatError"
        | "InvalidParameterValue.TemplateParameterLengthLimit"
        | "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"
        | "InvalidParameterValue.ContentLengthLimit" => Verdict::GiveUp,
        "InternalError"
        | "InternalError.Timeout"
        | "InternalError.SendAndRecvFail"
        | "InternalError.OtherError" => Verdict::Unknown,
        _ => Verdict::FailOver,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_table_says() {
        for (code, expected) in [
            ("RequestLimitExceeded", Verdict::Retry),
            ("RequestLimitExceeded.UinLimitExceeded", Verdict::Retry),
            ("InvalidParameterValue.IncorrectPhoneNumber", Verdict::Suppress),
            ("FailedOperation.PhoneNumberInBlacklist", Verdict::Suppress),
            ("FailedOperation.ContainSensitiveWord", Verdict::GiveUp),
            ("InternalError.Timeout", Verdict::Unknown),
            ("InternalError.SigVerificationFail", Verdict::FailOver),
            ("LimitExceeded.PhoneNumberDailyLimit", Verdict::FailOver),
            ("FailedOperation.InsufficientBalanceInSmsPackage", Verdict::FailOver),
            ("FailedOperation.TemplateIncorrectOrUnapproved", Verdict::FailOver),
            ("AuthFailure.SignatureFailure", Verdict::FailOver),
            ("UnauthorizedOperation.SmsSdkAppIdVerifyFail", Verdict::FailOver),
            ("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber", Verdict::FailOver),
            ("SomethingNew", Verdict::FailOver),
        ] {
            assert_eq!(verdict(code), expected, "{code}");
        }
    }
}
