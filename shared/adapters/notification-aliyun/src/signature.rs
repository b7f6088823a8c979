//! Signatures of version 3, `ACS3-HMAC-SHA256`.
//!
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature>; the test has its
//! published example.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Who we are to Aliyun. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The id of the access key.
    pub access_key_id: String,
    /// Its secret.
    pub access_key_secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// What is signed besides headers.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// The path, `/` at least.
    pub path: &'a str,
    /// As [`canonical_query`] writes it, which is how it must be sent.
    pub query: &'a str,
    /// Of the body, as [`sha256_hex`] writes it.
    pub body_sha256: &'a str,
}

impl Signed<'_> {
    fn canonical(&self, headers: &[(&str, String)]) -> (String, String) {
        let mut headers: Vec<(String, &str)> =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.trim())).collect();
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let mut lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        lines.push(String::new());
        let lines = lines.join("\n");
        let Self { method, path, query, body_sha256 } = self;
        (format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{body_sha256}"), names)
    }

    /// The header `Authorization` for a request with these headers, all of which are signed, in any order.
    pub fn authorization(&self, credentials: &Credentials, headers: &[(&str, String)]) -> String {
        let (canonical, names) = self.canonical(headers);
        let to_sign = format!("{ALGORITHM}\n{}", sha256_hex(canonical.as_bytes()));
        let signature = hmac_sha256_hex(credentials.access_key_secret.as_bytes(), to_sign.as_bytes());
        let id = &credentials.access_key_id;
        format!("{ALGORITHM} Credential={id},SignedHeaders={names},Signature={signature}")
    }
}

/// Parameters in the one order and spelling that is signed.
pub fn canonical_query(params: &[(&str, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut encoded: Vec<(String, String)> =
        params.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    encoded.sort();
    let pairs: Vec<String> = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn hmac_sha256_hex(key: &[u8], message: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(message);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pairs = Vec<(&'static str, String)>;

    fn published() -> (Pairs, Pairs) {
        let headers = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ];
        let params =
            [("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"), ("RegionId", "cn-shanghai")];
        let owned = |of: &[(&'static str, &str)]| of.iter().map(|&(n, v)| (n, v.to_owned())).collect();
        (owned(&headers), owned(&params))
    }

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "YourAccessKeyId".into(),
            access_key_secret: "YourAccessKeySecret".into(),
        }
    }

    fn authorization(headers: &[(&str, String)], params: &[(&str, String)]) -> String {
        let (query, hash) = (canonical_query(params), sha256_hex(b""));
        let signed = Signed { method: "POST", path: "/", query: &query, body_sha256: &hash };
        signed.authorization(&credentials(), headers)
    }

    #[test]
    fn the_published_example_is_met() {
        let (headers, params) = published();
        let (query, hash) = (canonical_query(&params), sha256_hex(b""));
        let signed = Signed { method: "POST", path: "/", query: &query, body_sha256: &hash };
        let canonical = signed.canonical(&headers).0;
        assert_eq!(
            sha256_hex(canonical.as_bytes()),
            "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
        );
        assert_eq!(
            signed.authorization(&credentials(), &headers),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,\
             SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
             Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    #[test]
    fn reserved_characters_are_encoded_as_rfc_3986_has_it() {
        let params = [("a b", "*~+/='闪".to_owned())];
        assert_eq!(canonical_query(&params), "a%20b=%2A~%2B%2F%3D%27%E9%97%AA");
    }

    #[test]
    fn the_secret_never_reaches_a_log() {
        assert!(!format!("{:?}", credentials()).contains("YourAccessKeySecret"));
    }

    proptest! {
        #[test]
        fn the_order_of_headers_and_parameters_does_not_matter(
            headers in Just(published().0).prop_shuffle(),
            params in Just(published().1).prop_shuffle(),
        ) {
            let (first, second) = published();
            prop_assert_eq!(authorization(&headers, &params), authorization(&first, &second));
        }

        #[test]
        fn whatever_changes_changes_the_signature(place in 0..6_usize, text in "[a-z0-9]{1,20}") {
            let (mut headers, params) = published();
            let before = authorization(&headers, &params);
            headers[place].1 = text;
            prop_assert_ne!(authorization(&headers, &params), before);
        }
    }
}
