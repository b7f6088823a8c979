use std::{fmt, str::FromStr};

use ulid::Ulid;

use crate::{InvalidId, text_form};

/// An id that is a ULID, so that ids sort by creation time.
///
/// Only the canonical text form (26 upper-case Crockford base32 characters) is accepted: two spellings of one id
/// would be two keys.
macro_rules! ulid_id {
    ($(#[$doc:meta])* $id:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $id(Ulid);

        impl $id {
            /// Builds an id from its creation time (milliseconds since 1970) and 80 random bits (higher bits are
            /// ignored).
            pub fn from_parts(created_ms: u64, random: u128) -> Self {
                Self(Ulid::from_parts(created_ms, random))
            }

            /// Milliseconds since 1970 at which it was made, where it was made from the time; at most 48 bits.
            pub fn created_ms(self) -> u64 {
                self.0.timestamp_ms()
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0.array_to_str(&mut [0; ulid::ULID_LEN]))
            }
        }

        impl FromStr for $id {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { kind: $kind };
                let ulid = Ulid::from_string(text).map_err(|_| invalid)?;
                let id = Self(ulid);
                if id.to_string() == text { Ok(id) } else { Err(invalid) }
            }
        }

        text_form!($id);
    };
}

ulid_id! {
    /// Identifies a coupon template.
    TemplateId, "template"
}

ulid_id! {
    /// Identifies a campaign: several templates under one schedule, audience and budget.
    CampaignId, "campaign"
}

ulid_id! {
    /// Identifies a job that grants coupons to many guests.
    GrantId, "grant"
}

ulid_id! {
    /// Identifies a batch of exchange codes.
    CodeBatchId, "code batch"
}

ulid_id! {
    /// Identifies a message to one receiver. It is made from what names the message, not from the time.
    MessageId, "message"
}

ulid_id! {
    /// Identifies a broadcast: one message to each guest of a segment.
    BroadcastId, "broadcast"
}

ulid_id! {
    /// Identifies a search that somebody made: what was clicked in its results refers to it.
    SearchId, "search"
}

ulid_id! {
    /// Identifies a job that imports many homestays from a file.
    ImportId, "import"
}

ulid_id! {
    /// Identifies a rebuild of the search index.
    RebuildId, "rebuild"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_form_round_trips(created_ms in 0..1_u64 << 48, random: u128) {
            let id = TemplateId::from_parts(created_ms, random);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn no_text_panics(text in ".{0,64}") {
            let _ = text.parse::<TemplateId>();
        }
    }

    #[test]
    fn other_spellings_of_an_id_are_refused() {
        let id = TemplateId::from_parts(1_700_000_000_000, 42).to_string();
        assert!(id.to_lowercase().parse::<TemplateId>().is_err());
        assert!(id.replace('0', "O").parse::<TemplateId>().is_err());
        assert!("8ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<TemplateId>().is_err(), "more than 128 bits");
    }
}
