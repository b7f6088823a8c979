use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of the secret, at least: as many as the digest has (RFC 2104, section 3).
pub const MIN_SECRET_BYTES: usize = 32;

/// Whose doings are counted: a keyed digest, from which nobody without the key learns the address, device or guest.
/// Shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject([u8; 16]);

/// The secret that subjects are digested with: `HMAC-SHA256(secret, "<kind>:<text>")`, of which the first 16 bytes are
/// kept. Without a key, all of the few billion IP addresses could be digested and compared.
///
/// With another secret every counter starts anew and every list of subjects must be written again.
#[derive(Clone)]
pub struct SubjectKey(Hmac<Sha256>);

/// The secret is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret must have at least {MIN_SECRET_BYTES} bytes")]
pub struct InvalidSubjectKey;

impl FromStr for SubjectKey {
    type Err = InvalidSubjectKey;

    fn from_str(secret: &str) -> Result<Self, InvalidSubjectKey> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(InvalidSubjectKey);
        }
        Hmac::new_from_slice(secret.as_bytes()).map(Self).map_err(|_| InvalidSubjectKey)
    }
}

impl SubjectKey {
    /// An address (`ip:192.0.2.1`), or the network of an IPv6 address (`ip:2001:db8:1:2::/64`): a subscriber is given 64
    /// bits to choose addresses from.
    pub fn ip(&self, address: IpAddr) -> Subject {
        match address.to_canonical() {
            IpAddr::V4(address) => self.subject("ip", &address.to_string()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                self.subject("ip", &format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
        }
    }

    /// A device, by the fingerprint that it sends (`device:<fingerprint>`).
    pub fn device(&self, fingerprint: &str) -> Subject {
        self.subject("device", fingerprint)
    }

    /// A guest (`guest:<id>`).
    pub fn guest(&self, id: &str) -> Subject {
        self.subject("guest", id)
    }

    /// `kind` has no colon, so that no two pairs are the same text.
    fn subject(&self, kind: &'static str, text: &str) -> Subject {
        let digest = self.0.clone().chain_update(kind).chain_update(":").chain_update(text).finalize();
        let mut kept = [0; 16];
        kept.iter_mut().zip(digest.into_bytes()).for_each(|(kept, byte)| *kept = byte);
        Subject(kept)
    }
}

impl Subject {
    /// The subject with a digest that a [`SubjectKey`] made.
    pub const fn from_bytes(digest: [u8; 16]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({self})")
    }
}

/// A secret must not reach a log by way of `{:?}`.
impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn key() -> SubjectKey {
        SECRET.parse().unwrap()
    }

    fn ip(text: &str) -> Subject {
        key().ip(text.parse().unwrap())
    }

    /// `printf 'ip:192.0.2.1' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef -r | cut -c1-32`
    #[test]
    fn an_operator_can_work_a_subject_out_with_openssl() {
        assert_eq!(ip("192.0.2.1").to_string(), "fadc60fe27578c94ae3481d3cf8f232a");
        assert_eq!(ip("2001:db8:1:2:3:4:5:6").to_string(), "b0ec936a801870d12e4d6efd611413be");
        assert_eq!(key().device("phone-7").to_string(), "4a6f6708baf9c020d21839cfe634ec8d");
        assert_eq!(key().guest("ann").to_string(), "59ee8580581257792b6b1f677a40cd50");
    }

    #[test]
    fn addresses_of_one_subscriber_are_one_subject() {
        assert_eq!(ip("2001:db8:1:2::1"), ip("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
        assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"), "an IPv4 address in IPv6 clothes");
        assert_ne!(ip("192.0.2.1"), ip("192.0.2.2"));
    }

    #[test]
    fn kinds_and_secrets_do_not_meet() {
        let other: SubjectKey = "f123456789abcdef0123456789abcdef".parse().unwrap();
        assert_ne!(key().device("ann"), key().guest("ann"));
        assert_ne!(key().guest("ann"), other.guest("ann"));
    }

    #[test]
    fn a_secret_is_long_and_never_shown() {
        assert_eq!("x".repeat(31).parse::<SubjectKey>().unwrap_err(), InvalidSubjectKey);
        assert_eq!(format!("{:?}", key()), "SubjectKey(…)");
    }
}
