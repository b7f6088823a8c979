use domain_notification::Verdict;

/// What to do about a message that Aliyun refuses with `code`.
///
/// | `code` | Why | Verdict |
/// |---|---|---|
/// | `Throttling`, `Throttling.*`, `ServiceUnavailable` | too many requests, or too busy | retry |
/// | `isv.MOBILE_NUMBER_ILLEGAL` | the number is none | suppress |
/// | `isv.PARAM_LENGTH_LIMIT`, `isv.PARAM_NOT_SUPPORT_URL`, `isv.TEMPLATE_PARAMS_ILLEGAL`, `isv.INVALID_JSON_PARAM`, `isv.SMS_CONTENT_ILLEGAL`, `isv.UNSUPPORTED_CONTENT` | what fills in the template may not be sent | give up |
/// | `isv.BLACK_KEY_CONTROL_LIMIT` | a forbidden word, or a number that complained: which, is not said | give up |
/// | `isv.CUSTOMER_REFUSED` | the receiver wants no promotions; other messages still arrive | give up |
/// | `SignatureNonceUsed` | the request arrived twice: the first one may have been taken | unknown |
/// | `InternalError` | it failed half-way | unknown |
/// | `isv.BUSINESS_LIMIT_CONTROL` | this number has had enough from this account for now | fail over |
/// | `isv.DAY_LIMIT_CONTROL`, `isv.MONTH_LIMIT_CONTROL` | the account has sent as much as it allowed itself | fail over |
/// | `isv.OUT_OF_SERVICE`, `isv.AMOUNT_NOT_ENOUGH` | no credit | fail over |
/// | `isv.SMS_TEMPLATE_ILLEGAL`, `isv.TEMPLATE_MISSING_PARAMETERS`, `isv.SMS_SIGNATURE_ILLEGAL` | not approved, or not as approved: another provider's may be | fail over |
/// | `SignatureDoesNotMatch`, `InvalidAccessKeyId.*`, `InvalidTimeStamp.*`, `isp.RAM_PERMISSION_DENY` | our keys, rights or clock | fail over |
/// | `isp.SYSTEM_ERROR` and all others | it was refused, and is none of the above | fail over |
///
/// A limit of one number or of our own is no retry: that would keep all messages from Aliyun for a while.
pub fn verdict(code: &str) -> Verdict {
    match code {
        "Throttling" | "ServiceUnavailable" => Verdict::Retry,
        _ if code.starts_with("Throttling.") => Verdict::Retry,
        "isv.MOBILE_NUMBER_ILLEGAL" => Verdict::Suppress,
        "isv.PARAM_LENGTH_LIMIT"
        | "isv.PARAM_NOT_SUPPORT_URL"
        | "isv.TEMPLATE_PARAMS_ILLEGAL"
        | "isv.INVALID_JSON_PARAM"
        | "isv.SMS_CONTENT_ILLEGAL"
        | "isv.UNSUPPORTED_CONTENT"
        | "isv.BLACK_KEY_CONTROL_LIMIT"
        | "isv.CUSTOMER_REFUSED" => Verdict::GiveUp,
        "SignatureNonceUsed" | "InternalError" => Verdict::Unknown,
        _ => Verdict::FailOver,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_table_says() {
        for (code, expected) in [
            ("Throttling.User", Verdict::Retry),
            ("ServiceUnavailable", Verdict::Retry),
            ("isv.MOBILE_NUMBER_ILLEGAL", Verdict::Suppress),
            ("isv.PARAM_LENGTH_LIMIT", Verdict::GiveUp),
            ("isv.BLACK_KEY_CONTROL_LIMIT", Verdict::GiveUp),
            ("SignatureNonceUsed", Verdict::Unknown),
            ("InternalError", Verdict::Unknown),
            ("isv.BUSINESS_LIMIT_CONTROL", Verdict::FailOver),
            ("isv.DAY_LIMIT_CONTROL", Verdict::FailOver),
            ("isv.OUT_OF_SERVICE", Verdict::FailOver),
            ("isv.AMOUNT_NOT_ENOUGH", Verdict::FailOver),
            ("isv.SMS_TEMPLATE_ILLEGAL", Verdict::FailOver),
            ("isv.SMS_SIGNATURE_ILLEGAL", Verdict::FailOver),
            ("SignatureDoesNotMatch", Verdict::FailOver),
            ("InvalidTimeStamp.Expired", Verdict::FailOver),
            ("isp.SYSTEM_ERROR", Verdict::FailOver),
            ("isv.SOMETHING_NEW", Verdict::FailOver),
        ] {
            assert_eq!(verdict(code), expected, "{code}");
        }
    }
}
