use std::{collections::BTreeMap, fmt, str::FromStr};

use domain_coupon::CouponCode;
use domain_ids::{GrantId, GuestId, InvalidId, TemplateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// An operator's order to give a coupon of one template to each of many guests, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Identity; sorts by creation time.
    pub id: GrantId,
    /// What is granted.
    pub template: TemplateId,
    /// To whom.
    pub recipients: Recipients,
    /// Makes the coupons' codes.
    pub secret: Secret,
    /// Chunks known so far: all of them once `planned`.
    pub chunks: u32,
    /// Every chunk is known and has been put into the queue.
    pub planned: bool,
    /// Where the listing of a segment goes on.
    pub listed_to: Option<String>,
    /// An operator has stopped it for now.
    pub paused: bool,
    /// Why it cannot go on, ever.
    pub failure: Option<Failure>,
    /// Chunks whose every row has its outcome.
    pub done_chunks: u32,
    /// What came of those.
    pub figures: Figures,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// The last time any of this changed: once it is done, when it was done.
    pub updated_at: Timestamp,
}

/// How far a grant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantStatus {
    /// The guests are being listed; chunks that are known are worked on already.
    Planning,
    /// Every chunk is in the queue.
    Running,
    /// Stopped by an operator.
    Paused,
    /// Every row has its outcome.
    Done,
    /// It cannot go on.
    Failed,
}

impl Grant {
    /// The status now. What is done stays done, also where it was paused before its last chunk.
    pub fn status(&self) -> GrantStatus {
        if self.failure.is_some() {
            GrantStatus::Failed
        } else if self.planned && self.done_chunks >= self.chunks {
            GrantStatus::Done
        } else if self.paused {
            GrantStatus::Paused
        } else if self.planned {
            GrantStatus::Running
        } else {
            GrantStatus::Planning
        }
    }
}

/// Who gets a coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// The guests that a file lists, one a line.
    List(ListFile),
    /// The guests that belong to a segment when it is listed.
    Segment(Segment),
}

/// A file as it was when the grant was ordered. Another file of the same name is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFile {
    /// Where it is.
    pub key: String,
    /// How long it is.
    pub bytes: u64,
    /// The store's name of exactly this content.
    pub tag: String,
}

/// Guests by what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Every guest who can sign in.
    All,
    /// The members of a group.
    Group(GroupName),
}

/// The name of a group of guests: 1 to 128 characters, without spaces and control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(String);

/// The text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid name")]
pub struct InvalidName;

impl GroupName {
    const MAX_CHARS: usize = 128;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let plain = |c: char| !c.is_control() && !c.is_whitespace();
        let valid = (1..=Self::MAX_CHARS).contains(&text.chars().count()) && text.chars().all(plain);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidName) }
    }
}

/// Names an uploaded list: a ULID, as grants have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadId(GrantId);

impl UploadId {
    /// The name of an upload prepared now, of 80 random bits, so that nobody finds another's.
    pub fn from_parts(created_ms: u64, random: u128) -> Self {
        Self(GrantId::from_parts(created_ms, random))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UploadId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|_| InvalidId { kind: "upload" })
    }
}

/// 128 random bits from which a grant makes the code of each coupon. The code of a row is the same each time, which is
/// how a row that is worked on again knows the coupon it issued before from one that another row of the same guest
/// did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 16]);

impl Secret {
    /// From a cryptographic source: who knows it knows the codes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// To be stored, and to be shown to nobody.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The code of the coupon for a row, and what seeds the choice of its shards.
    pub(crate) fn code(self, chunk: u32, line: u32) -> (CouponCode, u64) {
        let digest = Sha256::new().chain_update(self.0).chain_update(chunk.to_be_bytes());
        let digest = digest.chain_update(line.to_be_bytes()).finalize();
        let mut bytes = digest.iter().copied();
        let code = u128::from_be_bytes(std::array::from_fn(|_| bytes.next().unwrap_or_default()));
        let seed = u64::from_be_bytes(std::array::from_fn(|_| bytes.next().unwrap_or_default()));
        (CouponCode::from_random(code), seed)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a grant cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The list is not there any more.
    ListMissing,
    /// The list was replaced after the grant was ordered.
    ListChanged,
    /// There is no such segment, or its listing was interrupted for too long.
    SegmentUnreadable,
}

/// Why a row of a list got no coupon. Those of a claim are spelled as the API's problems are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The row does not begin with a guest id.
    InvalidGuestId,
    /// The row is longer than [`crate::MAX_LINE_BYTES`].
    LineTooLong,
    /// Another row of the list is of the same guest, and got the coupon.
    Duplicate,
    /// The guest holds as many coupons of the template as one guest may.
    ClaimLimitReached,
    /// Nothing was left.
    CouponSoldOut,
    /// The sale had ended.
    SaleEnded,
    /// The sale had not started.
    SaleNotStarted,
    /// The template was paused.
    SalePaused,
    /// The template was gone.
    TemplateNotFound,
    /// Coupons of the template cannot be granted.
    TemplateNotClaimable,
}

impl Reason {
    /// Every one of them.
    pub const ALL: [Self; 10] = [
        Self::InvalidGuestId,
        Self::LineTooLong,
        Self::Duplicate,
        Self::ClaimLimitReached,
        Self::CouponSoldOut,
        Self::SaleEnded,
        Self::SaleNotStarted,
        Self::SalePaused,
        Self::TemplateNotFound,
        Self::TemplateNotClaimable,
    ];

    /// As it is written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidGuestId => "invalid-guest-id",
            Self::LineTooLong => "line-too-long",
            Self::Duplicate => "duplicate",
            Self::ClaimLimitReached => "claim-limit-reached",
            Self::CouponSoldOut => "coupon-sold-out",
            Self::SaleEnded => "sale-ended",
            Self::SaleNotStarted => "sale-not-started",
            Self::SalePaused => "sale-paused",
            Self::TemplateNotFound => "template-not-found",
            Self::TemplateNotClaimable => "template-not-claimable",
        }
    }
}

/// What came of the rows of a list: each is a coupon or a refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Rows that got a coupon.
    pub issued: u64,
    /// Rows that got none, by reason; no zeros.
    pub refused: BTreeMap<Reason, u64>,
}

impl Figures {
    /// Every row.
    pub fn rows(&self) -> u64 {
        self.issued + self.refused()
    }

    /// Rows that got no coupon.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// A row that got no coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which line of its chunk, from 0.
    pub line: u32,
    /// Whose; `None` where the line does not say.
    pub guest: Option<GuestId>,
    /// Why.
    pub reason: Reason,
}

/// A chunk of a grant, as far as anything is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Which, from 0.
    pub number: u32,
    /// The file of its guests, where it was listed from a segment.
    pub part: Option<Part>,
    /// What came of it, once it is done.
    pub outcome: Option<Outcome>,
}

/// A file of guests, all of them one chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub file: String,
    /// How long it is; not 0.
    pub bytes: u64,
}

/// What came of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Lines that begin in it, blank ones and the header included.
    pub lines: u32,
    /// What came of its rows.
    pub figures: Figures,
    /// The file of its refusals, if there are any.
    pub report: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_name_that_cognito_would_take() {
        for name in ["vip", "金卡", "a+b_c.d-e", &"x".repeat(128)] {
            assert_eq!(name.parse::<GroupName>().unwrap().as_str(), name);
        }
        for name in ["", "a b", "a\n", &"x".repeat(129)] {
            assert_eq!(name.parse::<GroupName>(), Err(InvalidName), "{name:?}");
        }
    }

    #[test]
    fn a_reason_is_spelled_one_way() {
        for reason in Reason::ALL {
            let spelled = reason.as_str();
            let read = Reason::deserialize(
                serde::de::value::StrDeserializer::<serde::de::value::Error>::new(spelled),
            );
            assert_eq!(read, Ok(reason));
        }
    }

    #[test]
    fn each_row_has_a_code_of_its_own_that_never_changes() {
        let secret = Secret::from_random([7; 16]);
        assert_eq!(secret.code(3, 5), secret.code(3, 5));
        let others = [Secret::from_random([8; 16]).code(3, 5), secret.code(5, 3), secret.code(3, 6)];
        assert!(others.iter().all(|other| other.0 != secret.code(3, 5).0));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
