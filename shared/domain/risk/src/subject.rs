use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, de::Error};

/// A guest, an address or a device as a keyed digest of 16 bytes; in text, 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectHash([u8; 16]);

/// The text is not a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject is 32 hexadecimal digits in lower case")]
pub struct InvalidSubjectHash;

impl SubjectHash {
    /// The subject with this digest.
    pub const fn from_bytes(digest: [u8; 16]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl FromStr for SubjectHash {
    type Err = InvalidSubjectHash;

    fn from_str(text: &str) -> Result<Self, InvalidSubjectHash> {
        let digest = HEXLOWER.decode(text.as_bytes()).map_err(|_| InvalidSubjectHash)?;
        digest.try_into().map(Self).map_err(|_| InvalidSubjectHash)
    }
}

impl<'de> Deserialize<'de> for SubjectHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for SubjectHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for SubjectHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_32_hexadecimal_digits() {
        let text = "fadc60fe27578c94ae3481d3cf8f232a";
        assert_eq!(text.parse::<SubjectHash>().unwrap().to_string(), text);
        let upper = text.to_uppercase();
        for other in ["", "fadc", &upper, &text[1..], "zadc60fe27578c94ae3481d3cf8f232a", "键"] {
            assert_eq!(other.parse::<SubjectHash>(), Err(InvalidSubjectHash), "{other}");
        }
    }
}
