use std::{fmt, time::Duration};

use domain_notification::{Accepted, Failure, Verdict};
use http::StatusCode;
use serde::Deserialize;

use crate::verdict;

#[derive(Deserialize)]
struct Sent {
    errcode: i64,
    msgid: Option<u64>,
}

/// Reads the answer to a message: `errcode` where it has one, else the status.
pub fn read_sent(status: StatusCode, body: &[u8]) -> Result<Accepted, Failure> {
    match serde_json::from_slice::<Sent>(body) {
        Ok(Sent { errcode: 0, msgid }) => {
            Ok(Accepted { reference: msgid.map(|id| id.to_string()), dead: vec![] })
        }
        Ok(Sent { errcode, .. }) => Err(Failure::new(verdict(errcode), errcode.to_string())),
        Err(_) => Err(unreadable(status)),
    }
}

fn unreadable(status: StatusCode) -> Failure {
    let verdict = match status.as_u16() {
        // Said by whatever is in front of the API, which did not let the request through.
        429 | 503 => Verdict::Retry,
        300..=499 => Verdict::FailOver,
        _ => Verdict::Unknown,
    };
    Failure::new(verdict, format!("http-{}", status.as_u16()))
}

/// An access token that `WeChat` has given out. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The token.
    pub token: String,
    /// For how long it is good.
    pub good_for: Duration,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("good_for", &self.good_for).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Token { access_token: String, expires_in: u32 },
    Refused { errcode: i64 },
}

/// Reads the answer to `stable_token`. No message was sent yet, so that nothing is unknown.
pub fn read_token(status: StatusCode, body: &[u8]) -> Result<Token, Failure> {
    match serde_json::from_slice::<Given>(body) {
        Ok(Given::Token { access_token, expires_in }) if !access_token.is_empty() => {
            Ok(Token { token: access_token, good_for: Duration::from_secs(expires_in.into()) })
        }
        Ok(Given::Refused { errcode }) => {
            let verdict = match verdict(errcode) {
                Verdict::Retry => Verdict::Retry,
                Verdict::FailOver
                | Verdict::Skip
                | Verdict::GiveUp
                | Verdict::Suppress
                | Verdict::Unknown => Verdict::FailOver,
            };
            Err(Failure::new(verdict, format!("token-{errcode}")))
        }
        Ok(Given::Token { .. }) | Err(_) => {
            Err(Failure::new(Verdict::FailOver, format!("token-http-{}", status.as_u16())))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_answers_are_read() {
        let sent = |body: &str| read_sent(StatusCode::OK, body.as_bytes());
        let accepted = sent(r#"{"errcode": 0, "errmsg": "ok", "msgid": 3294402298110051942}"#).unwrap();
        assert_eq!(accepted.reference.as_deref(), Some("3294402298110051942"));
        assert_eq!(sent(r#"{"errcode": 0, "errmsg": "ok"}"#), Ok(Accepted::default()));
        let refused = sent(r#"{"errcode": 40003, "errmsg": "invalid openid rid: 5f0e"}"#);
        assert_eq!(refused, Err(Failure::new(Verdict::Suppress, "40003")));
        let token = read_token(StatusCode::OK, br#"{"access_token": "ACCESS_TOKEN", "expires_in": 7200}"#);
        let expected = Token { token: "ACCESS_TOKEN".into(), good_for: Duration::from_hours(2) };
        assert_eq!(token, Ok(expected));
        assert!(!format!("{token:?}").contains("ACCESS_TOKEN"));
    }

    #[test]
    fn a_token_that_is_refused_sends_messages_elsewhere() {
        for (body, expected) in [
            (r#"{"errcode": 40125, "errmsg": "invalid appsecret"}"#, (Verdict::FailOver, "token-40125")),
            (r#"{"errcode": -1, "errmsg": "system error"}"#, (Verdict::Retry, "token--1")),
            (r#"{"errcode": 40003, "errmsg": "invalid openid"}"#, (Verdict::FailOver, "token-40003")),
            ("<html>", (Verdict::FailOver, "token-http-200")),
            (r#"{"access_token": "", "expires_in": 7200}"#, (Verdict::FailOver, "token-http-200")),
        ] {
            let failure = read_token(StatusCode::OK, body.as_bytes()).unwrap_err();
            assert_eq!((failure.verdict, failure.code.as_str()), expected);
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_judged_by_its_status() {
        for (status, expected) in [
            (200, Verdict::Unknown),
            (403, Verdict::FailOver),
            (429, Verdict::Retry),
            (502, Verdict::Unknown),
            (503, Verdict::Retry),
        ] {
            let failure = read_sent(StatusCode::from_u16(status).unwrap(), b"<html>").unwrap_err();
            assert_eq!(failure, Failure::new(expected, format!("http-{status}")));
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(body: Vec<u8>, text in ".{0,200}", status in 100..600_u16) {
            let status = StatusCode::from_u16(status).unwrap();
            for body in [body.as_slice(), text.as_bytes()] {
                let _ = read_sent(status, body);
                let _ = read_token(status, body);
            }
        }
    }
}
