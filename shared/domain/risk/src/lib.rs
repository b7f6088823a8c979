//! Whether an attempt (to claim, to exchange a code) looks like abuse.
//!
//! A [`RiskPolicy`] has rules, each with a weight and a mode, and two thresholds. [`RiskPolicy::assess`] adds up the
//! weights of the rules that [`Facts`] break, and compares the sums with the thresholds. The same facts and the same
//! policy always have the same outcome.
//!
//! A rule's mode is the most it can bring about: what is on `observe` is reported and changes nothing; the weight of
//! what is on `challenge` counts towards a challenge; the weight of what is on `block` towards both. Whoever is on the
//! allow list is admitted, whatever else is true.
//!
//! Guests, addresses and devices are known here by keyed digests alone ([`SubjectHash`]).

mod assess;
mod document;
mod policy;
mod subject;

pub use assess::{Assessment, Decision, Facts, Reason};
pub use document::InvalidPolicy;
pub use policy::{
    Effect, LimitKind, LimitName, LimitRule, MAX_LIMIT, MAX_LISTED, MAX_PERIOD_SECONDS,
    MAX_REFILL_PER_SECOND, MAX_WEIGHT, Mode, RiskPolicy, Rule,
};
pub use subject::{InvalidSubjectHash, SubjectHash};
