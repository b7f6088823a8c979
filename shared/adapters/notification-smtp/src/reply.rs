//! What a server's reply says about the mail.

use std::error::Error as _;

use domain_notification::{Failure, Verdict};
use lettre::transport::smtp::Error;

/// How far the dialogue has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Until the server lets us in: connecting, greeting, EHLO, STARTTLS.
    Entry,
    /// AUTH.
    Login,
    /// MAIL.
    Sender,
    /// RCPT.
    Recipient,
    /// DATA.
    Start,
    /// The content, and the wait for what the server thinks of it.
    Content,
}

impl Stage {
    /// What a lost connection or a broken dialogue means.
    pub fn lost(self) -> Failure {
        match self {
            Self::Entry => Failure::new(Verdict::FailOver, "unreachable"),
            Self::Login => Failure::new(Verdict::FailOver, "not-let-in"),
            Self::Sender | Self::Recipient | Self::Start => Failure::new(Verdict::FailOver, "lost"),
            Self::Content => Failure::new(Verdict::Unknown, "lost"),
        }
    }

    /// What running out of time means.
    pub fn timed_out(self) -> Failure {
        Failure::new(self.lost().verdict, "timeout")
    }
}

/// What to do about a mail whose dialogue ended at `stage` with this error.
pub(crate) fn failure(stage: Stage, error: &Error) -> Failure {
    let Some(code) = error.status().map(u16::from) else { return stage.lost() };
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    let enhanced = enhanced(&text);
    let verdict = verdict(stage, code, enhanced);
    match enhanced {
        Some(enhanced) => Failure::new(verdict, format!("{code}-{enhanced}")),
        None => Failure::new(verdict, code.to_string()),
    }
}

fn verdict(stage: Stage, code: u16, enhanced: Option<&str>) -> Verdict {
    match (stage, code) {
        (Stage::Entry | Stage::Login, _) | (_, 421) => Verdict::FailOver,
        (_, 400..=499) => Verdict::Retry,
        (Stage::Recipient, 550..=553) => match enhanced {
            Some("5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1") => Verdict::Suppress,
            Some(policy) if policy.starts_with("5.7.") => Verdict::FailOver,
            Some(_) | None => Verdict::GiveUp,
        },
        (Stage::Content, 552) => Verdict::GiveUp,
        _ => Verdict::FailOver,
    }
}

/// The enhanced status code (RFC 3463) that a reply begins with, if it does.
fn enhanced(text: &str) -> Option<&str> {
    let word = text.split_whitespace().next()?;
    let mut parts = word.split('.');
    let is_class = matches!(parts.next(), Some("4" | "5"));
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let numbers = parts.clone().count();
    (is_class && numbers == 2 && parts.all(is_number)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reply_has_its_verdict_at_each_stage() {
        use Stage::{Content, Entry, Login, Recipient, Sender, Start};
        use Verdict::{FailOver, GiveUp, Retry, Suppress};
        for (stage, code, enhanced, expected) in [
            (Entry, 554, None, FailOver),
            (Entry, 451, None, FailOver),
            (Login, 535, Some("5.7.8"), FailOver),
            (Login, 454, Some("4.7.0"), FailOver),
            (Sender, 451, None, Retry),
            (Sender, 550, Some("5.7.1"), FailOver),
            (Recipient, 421, None, FailOver),
            (Recipient, 450, Some("4.2.0"), Retry),
            (Recipient, 452, None, Retry),
            (Recipient, 550, Some("5.1.1"), Suppress),
            (Recipient, 550, Some("5.2.1"), Suppress),
            (Recipient, 553, Some("5.1.3"), Suppress),
            (Recipient, 550, Some("5.7.1"), FailOver),
            (Recipient, 550, None, GiveUp),
            (Recipient, 551, None, GiveUp),
            (Recipient, 552, Some("5.2.2"), GiveUp),
            (Recipient, 553, None, GiveUp),
            (Recipient, 554, None, FailOver),
            (Start, 554, None, FailOver),
            (Content, 451, None, Retry),
            (Content, 552, None, GiveUp),
            (Content, 554, Some("5.7.1"), FailOver),
        ] {
            assert_eq!(verdict(stage, code, enhanced), expected, "{stage:?} {code} {enhanced:?}");
        }
    }

    #[test]
    fn only_an_enhanced_code_is_taken_for_one() {
        assert_eq!(enhanced("5.1.1 <ann@example.com>: no such user"), Some("5.1.1"));
        assert_eq!(enhanced("5.1.10 null MX"), Some("5.1.10"));
        for text in ["", "no such user", "5.1", "5.1.1.1", "6.1.1", "5.1.x", "5.1.1234", "5..1", "192.0.2.1"]
        {
            assert_eq!(enhanced(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_what_is_lost_with_the_content_is_in_doubt() {
        for stage in [Stage::Entry, Stage::Login, Stage::Sender, Stage::Recipient, Stage::Start] {
            assert_eq!(stage.lost().verdict, Verdict::FailOver);
            assert_eq!(stage.timed_out(), Failure::new(Verdict::FailOver, "timeout"));
        }
        assert_eq!(Stage::Content.timed_out(), Failure::new(Verdict::Unknown, "timeout"));
    }
}
