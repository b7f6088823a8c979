//! The `Idempotency-Key` header, and what every function that accepts it promises.
//!
//! A caller that lost an answer repeats its request with the same key and gets the same result:
//!
//! - **Same key, same result.** The first request does the work; every repeat, also one that arrives while the first
//!   is still running, gets what the first one made, with the status of the first and `Idempotent-Replayed: true`.
//! - **Scope.** A key belongs to one caller and one operation on one resource. Two guests who choose the same key do
//!   not meet.
//! - **Nothing is stored but a digest** of caller, operation and key: clients are known to put personal data into
//!   such keys.
//! - **Kept as long as the record it created**, as a field of that record and written with it: there is no second
//!   table that could disagree, and no window after which a repeat does the work again.
//! - **A refusal is not remembered.** A request that changed nothing may succeed when it is repeated.
//! - The header is optional. Without it an operation is as repeatable as its own keys make it.
//!
//! See <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/> and, for the semantics of a
//! repeat, the idempotency utility of Powertools for AWS Lambda.

use std::fmt;

use http::{HeaderMap, HeaderName};

/// Where a caller puts the key.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Set to `true` on the answer to a repeat.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Characters of a key: a UUID has 36.
pub const MAX_KEY_CHARS: usize = 255;

/// A caller's name for one request: 1 to [`MAX_KEY_CHARS`] visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// The header is there, but is not one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key is 1 to {MAX_KEY_CHARS} visible ASCII characters and is sent once")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// The key of a request, if it has one.
    ///
    /// The draft says `"…"` (a structured string); most clients send the bare text. Both are the same key. A header
    /// that is sent twice, which API Gateway joins with a comma, must say the same thing twice.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, InvalidIdempotencyKey> {
        let mut key = None;
        for value in headers.get_all(IDEMPOTENCY_KEY) {
            let mut rest = value.to_str().map_err(|_| InvalidIdempotencyKey)?;
            loop {
                let (member, after) = next_member(rest)?;
                if *key.get_or_insert_with(|| member.clone()) != member {
                    return Err(InvalidIdempotencyKey);
                }
                match after.strip_prefix(',') {
                    Some(more) => rest = more,
                    None if after.is_empty() => break,
                    None => return Err(InvalidIdempotencyKey),
                }
            }
        }
        Ok(key)
    }

    fn new(text: String) -> Result<Self, InvalidIdempotencyKey> {
        let valid = (1..=MAX_KEY_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if valid { Ok(Self(text)) } else { Err(InvalidIdempotencyKey) }
    }

    /// The key, to be digested. Not to be stored or logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first key of a comma-separated list, and what follows it.
fn next_member(list: &str) -> Result<(IdempotencyKey, &str), InvalidIdempotencyKey> {
    let list = list.trim_matches([' ', '\t']);
    let Some(quoted) = list.strip_prefix('"') else {
        let (bare, after) = list.split_at(list.find(',').unwrap_or(list.len()));
        let bare = bare.trim_end_matches([' ', '\t']);
        if bare.contains('"') {
            return Err(InvalidIdempotencyKey);
        }
        return Ok((IdempotencyKey::new(bare.into())?, after));
    };
    let mut text = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next() {
            Some('"') => {
                return Ok((IdempotencyKey::new(text)?, chars.as_str().trim_start_matches([' ', '\t'])));
            }
            Some('\\') => text.push(
                chars.next().filter(|escaped| matches!(escaped, '"' | '\\')).ok_or(InvalidIdempotencyKey)?,
            ),
            Some(plain) => text.push(plain),
            None => return Err(InvalidIdempotencyKey),
        }
    }
}

/// A key may hold anything, also personal data: it must not reach a log by way of `{:?}`.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn parse(values: &[&[u8]]) -> Result<Option<String>, InvalidIdempotencyKey> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        IdempotencyKey::from_headers(&headers).map(|key| key.map(|key| key.as_str().to_owned()))
    }

    #[test]
    fn a_request_without_the_header_has_no_key() {
        assert_eq!(parse(&[]), Ok(None));
    }

    #[test]
    fn the_bare_and_the_quoted_form_are_the_same_key() {
        let key = Ok(Some("8e03978e-40d5-43e8-bc93-6894a57f9324".to_owned()));
        assert_eq!(parse(&[b"8e03978e-40d5-43e8-bc93-6894a57f9324"]), key);
        assert_eq!(parse(&[b"\"8e03978e-40d5-43e8-bc93-6894a57f9324\""]), key);
        assert_eq!(parse(&[br#""a\"b\\c""#]), Ok(Some(r#"a"b\c"#.to_owned())));
        assert_eq!(parse(&[br#""a,b""#]), Ok(Some("a,b".to_owned())), "a comma inside the quotes is text");
    }

    #[test]
    fn a_repeated_header_must_say_the_same_thing() {
        let key = Ok(Some("a".to_owned()));
        assert_eq!(parse(&[b"a", b"a"]), key);
        assert_eq!(parse(&[b"a", b"\"a\""]), key);
        assert_eq!(parse(&[b"a,a"]), key, "as API Gateway joins them");
        assert_eq!(parse(&[b"\"a\" , a"]), key);
        assert_eq!(parse(&[b"a", b"b"]), Err(InvalidIdempotencyKey));
        assert_eq!(parse(&[b"a,b"]), Err(InvalidIdempotencyKey));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let long = "k".repeat(MAX_KEY_CHARS + 1);
        for value in
            ["", " ", "\"\"", "\"a", "a\"", "a b", "\"a b\"", "\"a\";p=1", "\"\\n\"", ",a", "a,", &long]
        {
            assert_eq!(parse(&[value.as_bytes()]), Err(InvalidIdempotencyKey), "{value:?}");
        }
        assert_eq!(parse(&["键".as_bytes()]), Err(InvalidIdempotencyKey));
        assert!(parse(&["k".repeat(MAX_KEY_CHARS).as_bytes()]).is_ok());
    }

    #[test]
    fn a_key_never_reaches_a_log() {
        let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY, HeaderValue::from_static("13800138000"))]);
        let key = IdempotencyKey::from_headers(&headers).unwrap();
        assert_eq!(format!("{key:?}"), "Some(IdempotencyKey(…))");
    }

    proptest! {
        #[test]
        fn no_header_panics(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            if HeaderValue::from_bytes(&value).is_ok() {
                let _ = parse(&[&value]);
            }
        }

        #[test]
        fn every_visible_text_can_be_quoted(text in "[!-~]{1,255}") {
            let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(parse(&[quoted.as_bytes()]), Ok(Some(text)));
        }
    }
}
