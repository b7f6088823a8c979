//! Where a page ended, as an opaque text: base64url without padding (RFC 4648, section 5).
//!
//! A cursor is not a secret and not a proof: whoever reads one must parse what is inside like any other input, and
//! must not let it lead outside of what the caller may see.

use data_encoding::BASE64URL_NOPAD;
use lambda_http::{Request, http::StatusCode};

use crate::{Problem, parameters};

/// Characters of an encoded cursor. A key of any of our tables is far shorter.
pub const MAX_CHARS: usize = 512;

/// The name of the query parameter.
const PARAMETER: &str = "cursor";

/// The opaque form of a position.
pub fn encode(position: &str) -> String {
    BASE64URL_NOPAD.encode(position.as_bytes())
}

/// The position, if `cursor` is one that [`encode`] may have made: at most [`MAX_CHARS`] characters, and text.
pub fn decode(cursor: &str) -> Option<String> {
    if cursor.len() > MAX_CHARS {
        return None;
    }
    BASE64URL_NOPAD.decode(cursor.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The position in the query parameter `cursor`, if there is one. What does not decode, or is sent twice, is 400
/// `invalid-cursor`.
pub fn from_query(request: &Request) -> Result<Option<String>, Problem> {
    match parameters::raw_query(request, PARAMETER) {
        Ok(None) => Ok(None),
        Ok(Some(cursor)) => decode(cursor).map(Some).ok_or_else(invalid),
        Err(_) => Err(invalid()),
    }
}

/// The problem of a cursor that decodes, but is not a position of this list: 400 `invalid-cursor`.
pub fn invalid() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid-cursor", "The cursor is not valid")
        .detail("Use the nextCursor of the page before as it is, or none to start over.")
        .field(PARAMETER, "must be the nextCursor of the page before")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{get, slug};

    #[test]
    fn a_cursor_comes_from_the_query() {
        let position = "COUPON#01J00000000000000000000000#1";
        let query = format!("cursor={}&limit=5", encode(position));
        assert_eq!(from_query(&get(&query)).unwrap().as_deref(), Some(position));
        assert_eq!(from_query(&get("limit=5")).unwrap(), None);
    }

    #[test]
    fn garbage_is_an_invalid_cursor() {
        let long = format!("cursor={}", "A".repeat(10_000));
        for query in ["cursor=%00", "cursor=a", "cursor=!!", "cursor=_w", "cursor=QQ&cursor=QQ", &long] {
            assert_eq!(slug(from_query(&get(query))), Err("invalid-cursor"), "{query}");
        }
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back(position in ".{0,90}") {
            let cursor = encode(&position);
            prop_assume!(cursor.len() <= MAX_CHARS);
            prop_assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(decode(&cursor), Some(position));
        }

        #[test]
        fn no_text_panics(cursor in ".{0,600}") {
            let _ = decode(&cursor);
        }
    }
}
