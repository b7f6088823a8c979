use std::{fmt, str::FromStr, sync::Arc};

use crate::{InvalidId, text_form};

/// An id that somebody else makes: bounded text of an alphabet that cannot forge a key, whose parts are joined by `#`.
macro_rules! text_id {
    ($(#[$doc:meta])* $id:ident, $kind:literal, $max_len:literal, $punctuation:pat) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $id(Arc<str>);

        impl $id {
            const MAX_LEN: usize = $max_len;

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $id {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, $punctuation);
                if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(plain) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { kind: $kind })
                }
            }
        }

        text_form!($id);
    };
}

text_id! {
    /// Identifies a guest: the `sub` claim of the access token.
    ///
    /// 1 to 64 characters of `A-Z a-z 0-9 - _`. Cognito issues UUIDs; the wider alphabet admits other issuers.
    GuestId, "guest", 64, b'-' | b'_'
}

text_id! {
    /// Identifies an order of the order service: 1 to 64 characters of `A-Z a-z 0-9 - _`.
    OrderId, "order", 64, b'-' | b'_'
}

text_id! {
    /// Identifies a request that API Gateway put into a queue: its request id, 1 to 64 characters of
    /// `A-Z a-z 0-9 - _ =`.
    RequestId, "request", 64, b'-' | b'_' | b'='
}

text_id! {
    /// Identifies a homestay: 1 to 64 characters of `A-Z a-z 0-9 - _`.
    HomestayId, "homestay", 64, b'-' | b'_'
}

text_id! {
    /// Identifies a host of homestays: 1 to 64 characters of `A-Z a-z 0-9 - _`.
    HostId, "host", 64, b'-' | b'_'
}

text_id! {
    /// Names a template of notifications, for example `order_confirmed`: 1 to 64 characters of `A-Z a-z 0-9 - _ .`.
    TemplateCode, "notification template", 64, b'-' | b'_' | b'.'
}

text_id! {
    /// Names a rule that turns events into notifications: 1 to 64 characters of `A-Z a-z 0-9 - _ .`.
    RuleId, "notification rule", 64, b'-' | b'_' | b'.'
}

text_id! {
    /// Names what several notifications belong to: 1 to 64 characters of `A-Z a-z 0-9 - _ . :`.
    TransactionId, "transaction", 64, b'-' | b'_' | b'.' | b':'
}

text_id! {
    /// Names a provider of notifications in the configuration, for example `aliyun`: 1 to 32 characters of `A-Z a-z 0-9 - _`.
    ProviderName, "provider", 32, b'-' | b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_forge_a_key() {
        for text in ["", "a#b", "a b", "用户", "a=", &"x".repeat(65)] {
            assert!(text.parse::<GuestId>().is_err(), "{text:?}");
        }
        assert!("0b9f4a1e-7c35-4d0e-9a52-1f6f0c1d2e3f".parse::<GuestId>().is_ok());
    }

    #[test]
    fn a_request_id_of_api_gateway_is_accepted() {
        assert!("JKJaXmPLvHcESHA=".parse::<RequestId>().is_ok());
        assert!("JKJaXmPLvHcESHA#".parse::<RequestId>().is_err());
    }
}
