use std::{fmt, str::FromStr, sync::Arc};

use crate::{InvalidId, text_form};

/// Identifies a guest: the `sub` claim of the access token.
///
/// 1 to 64 characters of `A-Z a-z 0-9 - _`. Cognito issues UUIDs; the wider alphabet admits other issuers and still
/// cannot forge a key, whose parts are joined by `#`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestId(Arc<str>);

impl GuestId {
    const MAX_LEN: usize = 64;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for GuestId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId { kind: "guest" })
        }
    }
}

text_form!(GuestId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_forge_a_key() {
        for text in ["", "a#b", "a b", "用户", &"x".repeat(65)] {
            assert!(text.parse::<GuestId>().is_err(), "{text:?}");
        }
        assert!("0b9f4a1e-7c35-4d0e-9a52-1f6f0c1d2e3f".parse::<GuestId>().is_ok());
    }
}
