use std::{fmt, str::FromStr};

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

/// Faults of one provider that may wait.
pub const MAX_FAULTS: usize = 100_000;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fault {
    /// `ok`: nothing, for scripts where only some requests fail.
    Nothing,
    /// `500`: something within the provider, with a page that no client can read.
    ServerError,
    /// `hang`: no answer ever, and the message is not taken.
    Hang,
    /// `hang-after-accept`: no answer ever, and the message is taken.
    HangAfterAccept,
    /// `cut-reply`: the connection ends within the answer, and the message is not taken.
    CutReply,
    /// `cut-reply-after-accept`: the connection ends within the answer, and the message is taken.
    CutReplyAfterAccept,
    /// The provider says no.
    Refuse(Refusal),
}

/// What a provider says no for; it does so in its own code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// `throttle`: too many requests.
    Throttle,
    /// `invalid-number`: the address is none.
    InvalidNumber,
    /// `no-credit`: the account is empty.
    NoCredit,
    /// `code:<code>`: that code.
    Code(String),
}

/// No such fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownFault;

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "must be ok, 500, hang, hang-after-accept, cut-reply, cut-reply-after-accept, throttle, \
             invalid-number, no-credit, or code: with a code of the provider",
        )
    }
}

impl std::error::Error for UnknownFault {}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        Ok(match text {
            "ok" => Self::Nothing,
            "500" => Self::ServerError,
            "hang" => Self::Hang,
            "hang-after-accept" => Self::HangAfterAccept,
            "cut-reply" => Self::CutReply,
            "cut-reply-after-accept" => Self::CutReplyAfterAccept,
            "throttle" => Self::Refuse(Refusal::Throttle),
            "invalid-number" => Self::Refuse(Refusal::InvalidNumber),
            "no-credit" => Self::Refuse(Refusal::NoCredit),
            _ => {
                let code = text.strip_prefix("code:").ok_or(UnknownFault)?;
                Self::Refuse(Refusal::Code(code.to_owned()))
            }
        })
    }
}

impl TryFrom<String> for Fault {
    type Error = UnknownFault;

    fn try_from(text: String) -> Result<Self, UnknownFault> {
        text.parse()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("ok"),
            Self::ServerError => f.write_str("500"),
            Self::Hang => f.write_str("hang"),
            Self::HangAfterAccept => f.write_str("hang-after-accept"),
            Self::CutReply => f.write_str("cut-reply"),
            Self::CutReplyAfterAccept => f.write_str("cut-reply-after-accept"),
            Self::Refuse(Refusal::Throttle) => f.write_str("throttle"),
            Self::Refuse(Refusal::InvalidNumber) => f.write_str("invalid-number"),
            Self::Refuse(Refusal::NoCredit) => f.write_str("no-credit"),
            Self::Refuse(Refusal::Code(code)) => write!(f, "code:{code}"),
        }
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

/// Answers a request with which `fault` is wrong: `accept` is what the provider does otherwise, `refuse` how it says no.
pub async fn play(
    fault: Option<Fault>,
    accept: impl FnOnce() -> Response,
    refuse: impl FnOnce(Refusal) -> Response,
) -> Response {
    match fault {
        None | Some(Fault::Nothing) => accept(),
        Some(Fault::ServerError) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "<html>something is wrong here</html>").into_response()
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::HangAfterAccept) => {
            drop(accept());
            std::future::pending().await
        }
        Some(Fault::CutReply) => cut(),
        Some(Fault::CutReplyAfterAccept) => {
            drop(accept());
            cut()
        }
        Some(Fault::Refuse(refusal)) => refuse(refusal),
    }
}

/// The beginning of an answer, and then the end of the connection.
fn cut() -> Response {
    let parts = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("cut, as the script says"))];
    Body::from_stream(futures_util::stream::iter(parts)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_it_is_written() {
        for text in [
            "ok",
            "500",
            "hang",
            "hang-after-accept",
            "cut-reply",
            "cut-reply-after-accept",
            "throttle",
            "invalid-number",
            "no-credit",
            "code:isv.X",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        assert_eq!("fire".parse::<Fault>(), Err(UnknownFault));
    }
}
