use domain_notification::Verdict;

/// What to do about a message that `WeChat` refuses with `code`.
///
/// | `errcode` | Why | Verdict |
/// |---|---|---|
/// | -1 | busy | retry |
/// | 45009, 45011 | too many calls, today or now | retry |
/// | 43108 | another message to the same user is on its way | retry |
/// | 40003 | no such user | suppress |
/// | 43004, 43101 | the user does not follow the account, or refuses messages | suppress |
/// | 47001, 47003, 40097 | what fills in the template is not as it must be | give up |
/// | 45168 | a forbidden word | give up |
/// | 40037, 41030 | the template, or the page, is not set up | fail over |
/// | 40001, 40014, 42001 | the access token is not good, nor was the next one: see [`is_token_refused`] | fail over |
/// | 48001 and all others | it was refused, and is none of the above: our app is not set up for it | fail over |
pub fn verdict(code: i64) -> Verdict {
    match code {
        -1 | 45_009 | 45_011 | 43_108 => Verdict::Retry,
        40_003 | 43_004 | 43_101 => Verdict::Suppress,
        47_001 | 47_003 | 40_097 | 45_168 => Verdict::GiveUp,
        _ => Verdict::FailOver,
    }
}

/// Whether the code of a failure says that the access token is not good: then nothing was sent.
pub fn is_token_refused(code: &str) -> bool {
    matches!(code, "40001" | "40014" | "42001")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_table_says() {
        for (code, expected) in [
            (-1, Verdict::Retry),
            (45_009, Verdict::Retry),
            (45_011, Verdict::Retry),
            (40_003, Verdict::Suppress),
            (43_004, Verdict::Suppress),
            (43_101, Verdict::Suppress),
            (47_003, Verdict::GiveUp),
            (40_037, Verdict::FailOver),
            (40_001, Verdict::FailOver),
            (48_001, Verdict::FailOver),
            (99_999, Verdict::FailOver),
        ] {
            assert_eq!(verdict(code), expected, "{code}");
        }
    }
}
