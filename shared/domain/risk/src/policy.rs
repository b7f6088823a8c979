use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::SubjectHash;

/// The heaviest a rule can weigh, and the highest threshold. There are seven rules: no sum comes near an overflow.
pub const MAX_WEIGHT: u16 = 1_000;

/// Admissions of a window, or tokens of a bucket.
pub const MAX_LIMIT: u32 = 1_000_000;

/// The longest window, the longest time in which a bucket fills, and the oldest account that can be called new: 31 days,
/// in seconds.
pub const MAX_PERIOD_SECONDS: u32 = 31 * 24 * 3_600;

/// Tokens a second.
pub const MAX_REFILL_PER_SECOND: u32 = 10_000;

/// Subjects on a list. More belong into the firewall.
pub const MAX_LISTED: usize = 1_000;

/// What counts as abuse. One that exists is valid; it comes from a document (`FromStr`), or is the default, in which
/// every rule is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskPolicy {
    /// The score from which an attempt is challenged, 1 to [`MAX_WEIGHT`].
    pub(crate) challenge_at: u16,
    /// The score from which an attempt is blocked, `challenge_at` to [`MAX_WEIGHT`].
    pub(crate) block_at: u16,
    pub(crate) limits: Limits,
    /// An account is new while it is younger than this.
    pub(crate) new_account: (SignedDuration, Effect),
    pub(crate) missing_device: Effect,
    pub(crate) block_listed: Effect,
    pub(crate) allow_list: BTreeSet<SubjectHash>,
    pub(crate) block_list: BTreeSet<SubjectHash>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub per_user: Option<LimitRule>,
    pub per_ip: Option<LimitRule>,
    pub per_device: Option<LimitRule>,
    pub velocity: Option<LimitRule>,
}

/// What an attempt can do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// It exceeds a limit.
    Limit(LimitName),
    /// The guest's account is new.
    NewAccount,
    /// It does not say which device it comes from.
    MissingDevice,
    /// The guest, the address or the device is on the block list.
    BlockListed,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitName {
    /// Attempts of a guest at one action.
    PerUser,
    /// Attempts from an address at one action.
    PerIp,
    /// Attempts from a device at one action.
    PerDevice,
    /// Attempts of a guest at all actions together.
    Velocity,
}

/// The most that a rule can bring about, from nothing upwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is not even looked at.
    #[default]
    Off,
    /// It is reported, and changes nothing.
    Observe,
    /// Its weight counts towards a challenge.
    Challenge,
    /// Its weight counts towards a challenge and towards a block.
    Block,
}

/// What follows when a rule is broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effect {
    /// What it can bring about.
    pub mode: Mode,
    /// What it adds to the score, at most [`MAX_WEIGHT`].
    pub weight: u16,
}

/// A limit, and what follows when it is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRule {
    /// How often.
    pub kind: LimitKind,
    /// What follows.
    pub effect: Effect,
}

/// How often something may be attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// `limit` times in each window.
    FixedWindow {
        /// 1 to [`MAX_LIMIT`].
        limit: u32,
        /// 1 to [`MAX_PERIOD_SECONDS`].
        window_seconds: u32,
    },
    /// `limit` times in the last `window_seconds`, with the window before taken as spread evenly.
    SlidingWindow {
        /// 1 to [`MAX_LIMIT`].
        limit: u32,
        /// 1 to [`MAX_PERIOD_SECONDS`].
        window_seconds: u32,
    },
    /// `capacity` times at once, and once more every `every_micros`.
    TokenBucket {
        /// 1 to [`MAX_LIMIT`].
        capacity: u32,
        /// Microseconds between two tokens, at least 100. An empty bucket fills within [`MAX_PERIOD_SECONDS`].
        every_micros: u64,
    },
}

impl LimitName {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 4] = [Self::PerUser, Self::PerIp, Self::PerDevice, Self::Velocity];
}

impl Rule {
    /// All of them, in the order in which they are reported.
    pub(crate) const ALL: [Self; 7] = [
        Self::BlockListed,
        Self::Limit(LimitName::PerUser),
        Self::Limit(LimitName::PerIp),
        Self::Limit(LimitName::PerDevice),
        Self::Limit(LimitName::Velocity),
        Self::NewAccount,
        Self::MissingDevice,
    ];

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit(LimitName::PerUser) => "per_user",
            Self::Limit(LimitName::PerIp) => "per_ip",
            Self::Limit(LimitName::PerDevice) => "per_device",
            Self::Limit(LimitName::Velocity) => "velocity",
            Self::NewAccount => "new_account",
            Self::MissingDevice => "missing_device",
            Self::BlockListed => "block_listed",
        }
    }
}

impl RiskPolicy {
    /// Whether nothing that is true of an attempt has any consequence, so that nothing need be found out.
    pub fn is_off(&self) -> bool {
        self.allow_list.is_empty()
            && Rule::ALL.into_iter().all(|rule| {
                let unused = rule == Rule::BlockListed && self.block_list.is_empty();
                unused || self.effect(rule).mode == Mode::Off
            })
    }

    /// Whether it matters how old the account is, so that it has to be found out.
    pub fn wants_account_age(&self) -> bool {
        self.effect(Rule::NewAccount).mode != Mode::Off
    }

    /// The limit of this name, if the policy has one.
    pub(crate) fn limit(&self, name: LimitName) -> Option<&LimitRule> {
        match name {
            LimitName::PerUser => &self.limits.per_user,
            LimitName::PerIp => &self.limits.per_ip,
            LimitName::PerDevice => &self.limits.per_device,
            LimitName::Velocity => &self.limits.velocity,
        }
        .as_ref()
    }

    /// What follows when `rule` is broken.
    pub(crate) fn effect(&self, rule: Rule) -> Effect {
        match rule {
            Rule::Limit(name) => self.limit(name).map_or(Effect::default(), |limit| limit.effect),
            Rule::NewAccount => self.new_account.1,
            Rule::MissingDevice => self.missing_device,
            Rule::BlockListed => self.block_listed,
        }
    }
}
