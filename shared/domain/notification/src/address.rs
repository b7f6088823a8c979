//! Where messages go.

use std::{fmt, str::FromStr, sync::Arc};

use domain_channel::Channel;
use domain_ids::GuestId;
use serde::{Deserialize, Serialize, de};

/// Devices of a guest that are reached: the newest ones.
pub const MAX_DEVICES: usize = 10;

/// The text is no address of the kind asked for. It is not repeated: addresses are personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {must}")]
pub struct InvalidAddress {
    /// What it must be.
    pub must: &'static str,
}

/// A text of a checked form that must not reach a log: `Debug` hides it.
macro_rules! address {
    ($(#[$doc:meta])* $name:ident, $must:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The address. Not to be logged.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidAddress;

            fn from_str(text: &str) -> Result<Self, InvalidAddress> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(InvalidAddress { must: $must }) }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

address! {
    /// A phone number in the form of E.164: `+`, the country code, the number; 8 to 15 digits.
    PhoneNumber, "a phone number such as +8613800138000", |text| {
        text.strip_prefix('+').is_some_and(|digits| {
            (8..=15).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_digit())
                && !digits.starts_with('0')
        })
    }
}

address! {
    /// A mail address: one that a mail server may take, at most 254 characters of ASCII (RFC 5321).
    MailAddress, "a mail address", is_mail_address
}

address! {
    /// Who somebody is to an app of ours on `WeChat`: 1 to 64 characters of `A-Z a-z 0-9 - _`.
    OpenId, "an openid", |text| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    }
}

address! {
    /// A device: the ARN of its endpoint at SNS.
    Device, "the ARN of an SNS platform endpoint", |text| {
        text.len() <= 512
            && text.starts_with("arn:aws")
            && text.contains(":sns:")
            && text.contains(":endpoint/")
            && text.bytes().all(|b| b.is_ascii_graphic())
    }
}

/// Letters, digits and the specials of an unquoted local part; a domain of two labels or more. Quoted local parts and
/// address literals exist on paper alone, and provide ways to smuggle.
fn is_mail_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 254
        && (1..=64).contains(&local.len())
        && local.bytes().all(atom)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// Where one message goes: on the way of its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// By text message.
    Phone(PhoneNumber),
    /// By mail.
    Mail(MailAddress),
    /// By `WeChat`: through the official account, the mini program, or whichever of both the provider speaks for.
    Wechat {
        /// The openid for the official account.
        official: Option<OpenId>,
        /// The openid for the mini program.
        mini: Option<OpenId>,
    },
    /// To these devices, 1 to [`MAX_DEVICES`].
    Devices(Vec<Device>),
    /// Into the inbox of this guest.
    Inbox(GuestId),
}

impl Address {
    /// The channel it is an address of.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Phone(_) => Channel::Sms,
            Self::Mail(_) => Channel::Email,
            Self::Wechat { .. } => Channel::Wechat,
            Self::Devices(_) => Channel::Push,
            Self::Inbox(_) => Channel::Internal,
        }
    }
}

/// To whom a message is sent: to a guest, whose addresses we know, or to an address of somebody who need be no guest.
///
/// Its text is a guest's id, or a URI: `tel:+8613800138000` (RFC 3966), `mailto:ann@example.com` (RFC 6068),
/// `wechat-official:<openid>`, `wechat-mini:<openid>`. `Debug` shows guests alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Receiver {
    /// A guest, by the channel's address that the guest has at the time of sending.
    Guest(GuestId),
    /// A phone number.
    Phone(PhoneNumber),
    /// A mail address.
    Mail(MailAddress),
    /// A follower of the official account.
    WechatOfficial(OpenId),
    /// A user of the mini program.
    WechatMini(OpenId),
}

impl Receiver {
    /// The guest, unless it is an address alone.
    pub fn guest(&self) -> Option<&GuestId> {
        match self {
            Self::Guest(guest) => Some(guest),
            Self::Phone(_) | Self::Mail(_) | Self::WechatOfficial(_) | Self::WechatMini(_) => None,
        }
    }

    /// Whether messages of this channel can go there.
    pub fn takes(&self, channel: Channel) -> bool {
        match self {
            Self::Guest(_) => true,
            Self::Phone(_) => channel == Channel::Sms,
            Self::Mail(_) => channel == Channel::Email,
            Self::WechatOfficial(_) | Self::WechatMini(_) => channel == Channel::Wechat,
        }
    }

    /// The address, where it is one by itself.
    pub fn address(&self) -> Option<Address> {
        match self {
            Self::Guest(_) => None,
            Self::Phone(phone) => Some(Address::Phone(phone.clone())),
            Self::Mail(mail) => Some(Address::Mail(mail.clone())),
            Self::WechatOfficial(id) => Some(Address::Wechat { official: Some(id.clone()), mini: None }),
            Self::WechatMini(id) => Some(Address::Wechat { official: None, mini: Some(id.clone()) }),
        }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest(guest) => write!(f, "{guest}"),
            Self::Phone(phone) => write!(f, "tel:{}", phone.as_str()),
            Self::Mail(mail) => write!(f, "mailto:{}", mail.as_str()),
            Self::WechatOfficial(id) => write!(f, "wechat-official:{}", id.as_str()),
            Self::WechatMini(id) => write!(f, "wechat-mini:{}", id.as_str()),
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest(guest) => write!(f, "{guest:?}"),
            Self::Phone(phone) => write!(f, "{phone:?}"),
            Self::Mail(mail) => write!(f, "{mail:?}"),
            Self::WechatOfficial(id) | Self::WechatMini(id) => write!(f, "{id:?}"),
        }
    }
}

impl FromStr for Receiver {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        match text.split_once(':') {
            None => text
                .parse()
                .map(Self::Guest)
                .map_err(|_| InvalidAddress { must: "a guest's id, or an address as a URI" }),
            Some(("tel", phone)) => phone.parse().map(Self::Phone),
            Some(("mailto", mail)) => mail.parse().map(Self::Mail),
            Some(("wechat-official", id)) => id.parse().map(Self::WechatOfficial),
            Some(("wechat-mini", id)) => id.parse().map(Self::WechatMini),
            Some(_) => Err(InvalidAddress {
                must: "a guest's id, or tel:, mailto:, wechat-official: or wechat-mini: with an address",
            }),
        }
    }
}

impl Serialize for Receiver {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Receiver {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Where a guest can be reached, as the platform's user service tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Contacts {
    /// For text messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneNumber>,
    /// For mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<MailAddress>,
    /// Who the guest is to the official account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wechat_official: Option<OpenId>,
    /// Who the guest is to the mini program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wechat_mini: Option<OpenId>,
    /// The guest's devices, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

impl Contacts {
    /// Where `guest`, whose contacts these are, is reached by `channel`, if at all.
    pub fn address(&self, guest: &GuestId, channel: Channel) -> Option<Address> {
        match channel {
            Channel::Sms => self.phone.clone().map(Address::Phone),
            Channel::Email => self.email.clone().map(Address::Mail),
            Channel::Wechat => {
                let (official, mini) = (self.wechat_official.clone(), self.wechat_mini.clone());
                (official.is_some() || mini.is_some()).then_some(Address::Wechat { official, mini })
            }
            Channel::Push => {
                let devices: Vec<Device> = self.devices.iter().take(MAX_DEVICES).cloned().collect();
                (!devices.is_empty()).then_some(Address::Devices(devices))
            }
            Channel::Internal => Some(Address::Inbox(guest.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_receiver_is_a_guest_or_an_address() {
        for (text, channel) in [
            ("tel:+8613800138000", Channel::Sms),
            ("mailto:ann.b+x@mail.example.com", Channel::Email),
            ("wechat-official:oABC-_1", Channel::Wechat),
            ("wechat-mini:oABC-_1", Channel::Wechat),
        ] {
            let receiver: Receiver = text.parse().unwrap();
            assert_eq!(receiver.to_string(), text);
            assert_eq!(receiver.address().unwrap().channel(), channel);
            assert!(Channel::ALL.iter().all(|&other| receiver.takes(other) == (other == channel)));
            assert_eq!(receiver.guest(), None);
        }
        let guest: Receiver = "ann".parse().unwrap();
        assert!(Channel::ALL.iter().all(|&channel| guest.takes(channel)));
        assert_eq!(guest.address(), None);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "a b",
            "tel:13800138000",
            "tel:+0123456789",
            "tel:+12345",
            "tel:+1234567890123456",
            "mailto:ann",
            "mailto:@example.com",
            "mailto:a@b",
            "mailto:a..b@example.com",
            "mailto:a@example.com\r\nBcc: x@y.z",
            "mailto:a@-x.com",
            "mailto:a@b@example.com",
            "wechat-mini:",
            "fax:+8613800138000",
        ] {
            assert!(text.parse::<Receiver>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_address_never_reaches_a_log() {
        let receivers = ["tel:+8613800138000", "mailto:13800138000@example.com", "wechat-mini:o13800138000"];
        for receiver in receivers.map(|text| text.parse::<Receiver>().unwrap()) {
            let shown = format!("{receiver:?} {:?}", receiver.address());
            assert!(!shown.contains("138"), "{shown}");
        }
    }

    #[test]
    fn contacts_are_an_address_for_each_channel_they_have() {
        let guest: GuestId = "ann".parse().unwrap();
        let contacts = Contacts {
            phone: Some("+8613800138000".parse().unwrap()),
            wechat_mini: Some("o1".parse().unwrap()),
            ..Contacts::default()
        };
        let reached: Vec<Channel> = Channel::ALL
            .iter()
            .copied()
            .filter(|&channel| contacts.address(&guest, channel).is_some_and(|it| it.channel() == channel))
            .collect();
        assert_eq!(reached, [Channel::Sms, Channel::Wechat, Channel::Internal]);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_reads_the_same(text in "(tel:|mailto:|wechat-mini:)?.{0,80}") {
            if let Ok(receiver) = text.parse::<Receiver>() {
                prop_assert_eq!(receiver.to_string().parse::<Receiver>().unwrap(), receiver);
            }
        }
    }
}
