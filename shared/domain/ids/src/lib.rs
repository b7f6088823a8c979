//! Typed identifiers. A value that exists is valid: every id is parsed, never merely wrapped.
//!
//! Text forms are bounded, so that an id from a request can go into a key or a log line as it is.

mod coupon;
mod text_id;
mod ulid_id;

pub use coupon::{CouponId, Nth};
pub use text_id::{
    GuestId, HomestayId, HostId, OrderId, ProviderName, RequestId, RuleId, TemplateCode, TransactionId,
};
pub use ulid_id::{
    BroadcastId, CampaignId, CodeBatchId, GrantId, ImportId, MessageId, RebuildId, SearchId, TemplateId,
};

/// The text is not an identifier of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id")]
pub struct InvalidId {
    /// Which kind of id was expected, for example `template`.
    pub kind: &'static str,
}

/// `Display`, `FromStr`, `Debug` and serde through the one text form of an id.
macro_rules! text_form {
    ($id:ty) => {
        impl std::fmt::Debug for $id {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }

        impl serde::Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_form;
