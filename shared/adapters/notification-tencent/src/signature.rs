//! Signatures of version 3, `TC3-HMAC-SHA256`, of `POST` requests.
//!
//! <https://cloud.tencent.com/document/api/382/52072>; the tests have its published examples.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// Who we are to Tencent Cloud. `Debug` hides the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The id of the key.
    pub secret_id: String,
    /// The key.
    pub secret_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("secret_id", &self.secret_id).finish_non_exhaustive()
    }
}

/// The header `Authorization` for a request at `now` with these headers, all of which are signed, in any order.
/// `content-type` and `host` must be among them.
pub fn authorization(
    credentials: &Credentials,
    service: &str,
    now: Timestamp,
    headers: &[(&str, String)],
    body: &[u8],
) -> String {
    let (canonical, names) = canonical(headers, body);
    let day = now.strftime("%Y-%m-%d").to_string();
    let scope = format!("{day}/{service}/tc3_request");
    let to_sign = string_to_sign(now, &scope, &canonical);
    let key = hmac_sha256(format!("TC3{}", credentials.secret_key).as_bytes(), day.as_bytes());
    let key = hmac_sha256(&hmac_sha256(&key, service.as_bytes()), b"tc3_request");
    let signature = HEXLOWER.encode(&hmac_sha256(&key, to_sign.as_bytes()));
    let id = &credentials.secret_id;
    format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
}

/// The request in the one spelling that is signed, and the names of its headers.
fn canonical(headers: &[(&str, String)], body: &[u8]) -> (String, String) {
    let mut headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_lowercase()))
        .collect();
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    // Path and query are fixed for POST.
    let mut lines = vec!["POST".to_owned(), "/".to_owned(), String::new()];
    lines.extend(headers.iter().map(|(name, value)| format!("{name}:{value}")));
    lines.extend([String::new(), names.clone(), sha256_hex(body)]);
    (lines.join("\n"), names)
}

fn string_to_sign(now: Timestamp, scope: &str, canonical: &str) -> String {
    format!("{ALGORITHM}\n{}\n{scope}\n{}", now.as_second(), sha256_hex(canonical.as_bytes()))
}

fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `DescribeInstances` for instances called 未命名, as published: with its escapes.
    const BODY: &[u8] =
        br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;

    type Pairs = Vec<(&'static str, String)>;

    fn published() -> Pairs {
        vec![
            ("content-type", "application/json; charset=utf-8".to_owned()),
            ("host", "cvm.tencentcloudapi.com".to_owned()),
            ("x-tc-action", "DescribeInstances".to_owned()),
        ]
    }

    fn at_example() -> Timestamp {
        Timestamp::from_second(1_551_113_065).unwrap()
    }

    fn signed(secret_id: &str, secret_key: &str, headers: &[(&str, String)]) -> String {
        let credentials = Credentials { secret_id: secret_id.into(), secret_key: secret_key.into() };
        authorization(&credentials, "cvm", at_example(), headers, BODY)
    }

    /// The page as it was from 2019, with a whole key.
    #[test]
    fn the_published_example_is_met() {
        let headers = &published()[..2];
        let (canonical, _) = canonical(headers, BODY);
        assert_eq!(sha256_hex(BODY), "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064");
        assert_eq!(
            string_to_sign(at_example(), "2019-02-25/cvm/tc3_request", &canonical),
            "TC3-HMAC-SHA256\n1551113065\n2019-02-25/cvm/tc3_request\n\
             5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031"
        );
        let (id, key) = ("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE");
        assert_eq!(
            signed(id, key, headers),
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
             SignedHeaders=content-type;host, \
             Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
        );
    }

    /// The page as it was later, which signs the action as well, with a key that has asterisks: they are meant literally.
    #[test]
    fn the_later_published_example_is_met() {
        let (id, key) = ("AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******", "Gu5t9xGARNpq86cd98joQYCN3*******");
        assert_eq!(
            signed(id, key, &published()),
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******/2019-02-25/cvm/tc3_request, \
             SignedHeaders=content-type;host;x-tc-action, \
             Signature=be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3"
        );
    }

    #[test]
    fn the_day_is_that_of_utc() {
        let credentials = Credentials { secret_id: "id".into(), secret_key: "key".into() };
        let at = "2019-02-26T00:30:00+08:00".parse().unwrap();
        let signed = authorization(&credentials, "sms", at, &published(), b"");
        assert!(signed.contains("Credential=id/2019-02-25/sms/"), "{signed}");
    }

    #[test]
    fn the_key_never_reaches_a_log() {
        let credentials = Credentials { secret_id: "id".into(), secret_key: "hunter2".into() };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn the_order_and_case_of_headers_do_not_matter(headers in Just(published()).prop_shuffle()) {
            let upper: Vec<(String, String)> =
                headers.iter().map(|(name, value)| (name.to_uppercase(), value.clone())).collect();
            let upper: Vec<(&str, String)> = upper.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
            let expected = signed("id", "key", &published());
            prop_assert_eq!(&signed("id", "key", &headers), &expected);
            prop_assert_eq!(&signed("id", "key", &upper), &expected);
        }

        #[test]
        fn whatever_changes_changes_the_signature(place in 0..3_usize, text in "[a-z0-9]{1,20}") {
            let mut headers = published();
            headers[place].1 = text;
            prop_assert_ne!(signed("id", "key", &headers), signed("id", "key", &published()));
        }
    }
}
