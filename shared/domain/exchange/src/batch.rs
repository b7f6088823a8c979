use std::fmt;

use domain_coupon::{Violation, crockford};
use domain_ids::{CodeBatchId, TemplateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::BatchSeed;

/// Codes of a batch, and of all batches of a template: what one file and one invocation can take, and the room that
/// the 20 bits of an index leave.
pub const MAX_CODES: u32 = 1_000_000;

/// Characters of a label.
pub const MAX_LABEL_CHARS: usize = 100;

/// Codes that were ordered together. Nothing of the codes themselves is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBatch {
    /// Identity; its last bits are the [`Serial`].
    pub id: CodeBatchId,
    /// What the codes are exchanged for.
    pub template: TemplateId,
    /// How many there are.
    pub count: CodeCount,
    /// What operators call it.
    pub label: Label,
    /// What its id was drawn with, by which a repeat of the order is recognised.
    pub seed: BatchSeed,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When the file was written last.
    pub exported_at: Option<Timestamp>,
    /// From when on its codes are refused.
    pub disabled_at: Option<Timestamp>,
}

/// What an operator sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeBatchStatus {
    /// The file is being written.
    Exporting,
    /// The file can be downloaded.
    Ready,
    /// Every code is refused.
    Disabled,
}

impl CodeBatch {
    /// Which batch its codes say they are of.
    pub fn serial(&self) -> Serial {
        self.id.into()
    }

    /// What an operator sees.
    pub fn status(&self) -> CodeBatchStatus {
        match (self.disabled_at, self.exported_at) {
            (Some(_), _) => CodeBatchStatus::Disabled,
            (None, Some(_)) => CodeBatchStatus::Ready,
            (None, None) => CodeBatchStatus::Exporting,
        }
    }
}

/// Names a batch within a code, in 24 bits: the last of the batch's id. No two batches have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(u32);

/// Bits of a serial.
const SERIAL_BITS: u32 = 24;

impl Serial {
    pub(crate) fn from_low_bits(bits: u128) -> Self {
        Self(u32::try_from(bits & ((1 << SERIAL_BITS) - 1)).unwrap_or_default())
    }

    pub(crate) fn to_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }
}

impl From<CodeBatchId> for Serial {
    fn from(id: CodeBatchId) -> Self {
        let symbols = id.to_string().into_bytes().into_iter().filter_map(crockford::value);
        Self::from_low_bits(symbols.fold(0, |bits, value| bits << crockford::BITS | u128::from(value)))
    }
}

impl From<Serial> for u128 {
    fn from(serial: Serial) -> Self {
        serial.0.into()
    }
}

/// Six hexadecimal digits.
impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.0)
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// How many codes a batch has: 1 to [`MAX_CODES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeCount(u32);

impl CodeCount {
    /// So many, if a batch may have that many.
    pub fn new(count: u32) -> Result<Self, Violation> {
        let fits = (1..=MAX_CODES).contains(&count);
        if fits { Ok(Self(count)) } else { Err(Violation::new("count", "must be 1 to 1000000")) }
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// What operators call a batch: 1 to [`MAX_LABEL_CHARS`] characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// The text, if it is a label.
    pub fn new(text: String) -> Result<Self, Violation> {
        let printable = !text.chars().any(char::is_control) && text.trim() == text;
        if (1..=MAX_LABEL_CHARS).contains(&text.chars().count()) && printable {
            Ok(Self(text))
        } else {
            let must = "must be 1 to 100 characters, without control characters or space around it";
            Err(Violation::new("label", must))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_serial_is_the_end_of_the_batchs_id(created_ms in 0..1_u64 << 48, random: u128) {
            let id = CodeBatchId::from_parts(created_ms, random);
            prop_assert_eq!(u128::from(Serial::from(id)), random & 0xFF_FFFF);
        }
    }

    #[test]
    fn a_count_and_a_label_have_limits() {
        let long = "春".repeat(MAX_LABEL_CHARS);
        assert!([1, MAX_CODES].map(CodeCount::new).iter().all(Result::is_ok));
        assert!([0, MAX_CODES + 1].map(CodeCount::new).iter().all(Result::is_err));
        for label in ["a", "双十一 1", &long] {
            assert_eq!(Label::new(label.into()).unwrap().as_str(), label);
        }
        for label in ["", " a", "a\n", &format!("{long}春")] {
            assert_eq!(Label::new(label.into()).unwrap_err().field, "label", "{label:?}");
        }
    }
}
