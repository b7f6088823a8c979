use std::fmt;

use lambda_http::http::{HeaderMap, HeaderValue, StatusCode, header::IF_MATCH};

use crate::Problem;

/// A strong entity tag made of a version: `"7"` (RFC 9110, section 8.8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ETag(pub u64);

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl From<ETag> for HeaderValue {
    fn from(tag: ETag) -> Self {
        // Quotes and digits are always a header value.
        Self::try_from(tag.to_string()).unwrap_or_else(|_| Self::from_static("\"0\""))
    }
}

/// The version a change is based on, from `If-Match`.
///
/// Without the header: 428 `precondition-required` (RFC 6585), since a change that does not say what it is based on
/// would undo another's. `*`, a weak tag, several tags and anything else that no [`ETag`] reads like:
/// 400 `invalid-if-match`.
pub fn if_match(headers: &HeaderMap) -> Result<u64, Problem> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let value = values.next().ok_or_else(|| {
        Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition-required",
            "The change must say what it is based on",
        )
        .detail("Send the ETag of the version you read as If-Match.")
    })?;
    let only = if values.next().is_none() { version(value) } else { None };
    only.ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid-if-match", "If-Match is not a tag of this resource")
            .detail("Send one ETag exactly as it was received, for example \"7\".")
    })
}

fn version(value: &HeaderValue) -> Option<u64> {
    let digits = value.to_str().ok()?.trim().strip_prefix('"')?.strip_suffix('"')?;
    // One spelling only: `+7` and `07` also parse as a number.
    digits.parse().ok().filter(|version: &u64| version.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(values: &[&[u8]]) -> Result<u64, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_bytes(value).unwrap());
        }
        if_match(&headers).map_err(|problem| problem.slug())
    }

    #[test]
    fn a_change_must_say_what_it_is_based_on() {
        assert_eq!(parse(&[]), Err("precondition-required"));
    }

    #[test]
    fn only_one_strong_tag_is_accepted() {
        for value in
            ["*", "W/\"7\"", "7", "\"\"", "\"7", "\"07\"", "\"+7\"", "\"-1\"", "\"7\",\"8\"", "\"x\"", ""]
        {
            assert_eq!(parse(&[value.as_bytes()]), Err("invalid-if-match"), "{value:?}");
        }
        assert_eq!(parse(&[b"\"7\"", b"\"7\""]), Err("invalid-if-match"));
    }

    proptest! {
        #[test]
        fn a_tag_reads_back(version: u64) {
            let value = HeaderValue::from(ETag(version));
            prop_assert_eq!(parse(&[value.as_bytes()]), Ok(version));
        }

        #[test]
        fn no_header_panics(value in proptest::collection::vec(any::<u8>(), 0..60)) {
            if HeaderValue::from_bytes(&value).is_ok() {
                let _ = parse(&[&value]);
            }
        }
    }
}
