use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use sha2::{Digest, Sha256};

/// Characters of a client's name that are kept: an address of any kind is shorter.
const MAX_CLIENT_CHARS: usize = 64;

/// Who searches, to tell one from another: a network address.
///
/// Of an IPv6 address only the first half is kept: whoever has one has all 2⁶⁴ of the other half, and would be as many
/// clients. It is never stored or logged, and has no `Debug` that says it.
#[derive(Clone, PartialEq, Eq)]
pub struct Client(String);

impl Client {
    /// The client at this address. What is no address is a name like any other.
    pub fn at(address: &str) -> Self {
        match address.parse() {
            Ok(IpAddr::V4(address)) => Self(address.to_string()),
            Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
                Some(address) => Self(address.to_string()),
                None => Self(network(address).to_string()),
            },
            Err(_) => Self(address.chars().take(MAX_CLIENT_CHARS).collect()),
        }
    }

    /// The address, for the queue.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept of it: the same for a client all day long, and nothing that leads back once the salt is gone.
    pub fn digest(&self, salt: &Salt) -> ClientDigest {
        let digest = Sha256::new().chain_update(salt.0).chain_update(&self.0).finalize();
        ClientDigest(std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default()))
    }
}

fn network(address: Ipv6Addr) -> Ipv6Addr {
    let [a, b, c, d, ..] = address.segments();
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// Random bytes of a day. There are only so many addresses: without it a digest could be tried on all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

/// Tells the clients of a day apart: the first 16 bytes of SHA-256 of the day's salt and the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientDigest(pub [u8; 16]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_network_is_one_client() {
        assert_eq!(Client::at("2001:db8:1:2:3:4:5:6"), Client::at("2001:db8:1:2::1"));
        assert_ne!(Client::at("2001:db8:1:2::1"), Client::at("2001:db8:1:3::1"));
        assert_eq!(Client::at("::ffff:192.0.2.1"), Client::at("192.0.2.1"));
        assert_eq!(Client::at(&"x".repeat(10_000)).as_str().len(), MAX_CLIENT_CHARS);
    }

    #[test]
    fn a_digest_is_of_the_client_and_the_day() {
        let (monday, tuesday) = (Salt([1; 32]), Salt([2; 32]));
        let (ann, bob) = (Client::at("192.0.2.1"), Client::at("192.0.2.2"));
        assert_eq!(ann.digest(&monday), ann.digest(&monday));
        assert_ne!(ann.digest(&monday), bob.digest(&monday));
        assert_ne!(ann.digest(&monday), ann.digest(&tuesday));
    }

    #[test]
    fn neither_address_nor_salt_is_logged() {
        let text = format!("{:?} {:?}", Client::at("192.0.2.1"), Salt([7; 32]));
        assert_eq!(text, "Client Salt");
    }
}
