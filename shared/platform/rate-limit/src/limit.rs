use std::{sync::Arc, time::Duration};

/// Admissions of a window, or tokens of a bucket.
pub const MAX_COUNT: u32 = 1_000_000;

/// The shortest window: clocks of execution environments agree far better than that.
pub const MIN_WINDOW: Duration = Duration::from_secs(1);

/// The longest window, and the longest time in which a bucket fills: an item is kept that long.
pub const MAX_PERIOD: Duration = Duration::from_hours(24 * 31);

/// The shortest time between two tokens: 10,000 a second are more than one item takes.
pub const MIN_REFILL: Duration = Duration::from_micros(100);

/// Characters of a rule's name.
pub const MAX_RULE_CHARS: usize = 64;

/// How often something may happen, under a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limit {
    rule: Arc<str>,
    kind: Kind,
}

/// How admissions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// So many in each window of this length, aligned to 1970.
    FixedWindow {
        /// Admissions of a window, 1 to [`MAX_COUNT`].
        limit: u32,
        /// [`MIN_WINDOW`] to [`MAX_PERIOD`], in whole milliseconds.
        window: Duration,
    },
    /// So many in the last `window`, where what the previous aligned window admitted is taken as spread evenly.
    SlidingWindow {
        /// Admissions of a window, 1 to [`MAX_COUNT`].
        limit: u32,
        /// [`MIN_WINDOW`] to [`MAX_PERIOD`], in whole milliseconds.
        window: Duration,
    },
    /// A bucket that is full at first; each admission takes a token.
    TokenBucket {
        /// Tokens of a full bucket, 1 to [`MAX_COUNT`].
        capacity: u32,
        /// The time between two new tokens, at least [`MIN_REFILL`], in whole microseconds. An empty bucket fills within
        /// [`MAX_PERIOD`].
        every: Duration,
    },
}

/// Not a limit that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// The rule's name cannot stand in a key.
    #[error("a rule is 1 to {MAX_RULE_CHARS} characters of a-z, 0-9, - and :")]
    Rule,
    /// Nothing, or too much, would be admitted.
    #[error("a limit is 1 to {MAX_COUNT}")]
    Count,
    /// The window is too short, too long, or not of whole milliseconds.
    #[error("a window is 1 second to 31 days")]
    Window,
    /// The bucket fills too fast, too slowly, or not in whole microseconds.
    #[error("a token comes every 100 µs or more, and a bucket fills within 31 days")]
    Refill,
}

impl Limit {
    /// The limit `kind` for `rule`: 1 to [`MAX_RULE_CHARS`] of `a-z0-9-:`. Limits of the same rule count together.
    pub fn new(rule: &str, kind: Kind) -> Result<Self, InvalidLimit> {
        let in_key = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b':');
        if !(1..=MAX_RULE_CHARS).contains(&rule.len()) || !rule.bytes().all(in_key) {
            return Err(InvalidLimit::Rule);
        }
        let (count, valid, otherwise) = match kind {
            Kind::FixedWindow { limit, window } | Kind::SlidingWindow { limit, window } => {
                let whole = window.subsec_nanos().is_multiple_of(1_000_000);
                (limit, whole && (MIN_WINDOW..=MAX_PERIOD).contains(&window), InvalidLimit::Window)
            }
            Kind::TokenBucket { capacity, every } => {
                let whole = every.subsec_nanos().is_multiple_of(1_000);
                let fills = every.checked_mul(capacity).is_some_and(|fills| fills <= MAX_PERIOD);
                (capacity, whole && every >= MIN_REFILL && fills, InvalidLimit::Refill)
            }
        };
        if !(1..=MAX_COUNT).contains(&count) {
            return Err(InvalidLimit::Count);
        }
        if valid { Ok(Self { rule: rule.into(), kind }) } else { Err(otherwise) }
    }

    /// The rule's name.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// How admissions are counted.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let fixed = |limit, window| Kind::FixedWindow { limit, window };
        let sliding = |limit, window| Kind::SlidingWindow { limit, window };
        let bucket = |capacity, every| Kind::TokenBucket { capacity, every };
        let long = "r".repeat(MAX_RULE_CHARS + 1);
        let minute = Duration::from_mins(1);
        let table = [
            ("", fixed(1, minute), InvalidLimit::Rule),
            ("a#b", fixed(1, minute), InvalidLimit::Rule),
            ("A", fixed(1, minute), InvalidLimit::Rule),
            (&long, fixed(1, minute), InvalidLimit::Rule),
            ("r", fixed(0, minute), InvalidLimit::Count),
            ("r", sliding(MAX_COUNT + 1, minute), InvalidLimit::Count),
            ("r", bucket(0, minute), InvalidLimit::Count),
            ("r", fixed(1, Duration::from_millis(999)), InvalidLimit::Window),
            ("r", sliding(1, Duration::from_micros(1_000_001)), InvalidLimit::Window),
            ("r", fixed(1, MAX_PERIOD + Duration::from_millis(1)), InvalidLimit::Window),
            ("r", bucket(1, Duration::from_micros(99)), InvalidLimit::Refill),
            ("r", bucket(1, Duration::from_nanos(100_001)), InvalidLimit::Refill),
            ("r", bucket(2, MAX_PERIOD), InvalidLimit::Refill),
            ("r", bucket(MAX_COUNT, Duration::MAX), InvalidLimit::Refill),
        ];
        for (rule, kind, error) in table {
            assert_eq!(Limit::new(rule, kind), Err(error), "{rule} {kind:?}");
        }
        for kind in [fixed(1, MIN_WINDOW), sliding(MAX_COUNT, MAX_PERIOD), bucket(1, MAX_PERIOD)] {
            assert_eq!(Limit::new("per-ip:claim", kind).map(|limit| limit.kind()), Ok(kind));
        }
    }
}
