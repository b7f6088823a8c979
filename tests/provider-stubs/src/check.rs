//! What several providers check in the same way.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

pub(crate) fn hmac_sha256_hex(key: &[u8], message: &[u8]) -> String {
    HEXLOWER.encode(&hmac_sha256(key, message))
}

pub(crate) fn is_same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// `name=value` parts of an `Authorization` header behind its scheme.
pub(crate) fn authorization_part<'a>(header: &'a str, scheme: &str, name: &str) -> Option<&'a str> {
    let rest = header.strip_prefix(scheme)?.strip_prefix(' ')?;
    rest.split(',').map(str::trim).find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}
