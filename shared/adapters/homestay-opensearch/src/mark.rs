use domain_homestay::Position;

/// Where a page goes on, as it is kept in [`Position::snapshot`]: the key to its last bit, and the point in time.
///
/// A domain orders by numbers of 32 or 64 bits, and goes on behind the very number it is given: one whose last bit was lost on
/// its way through a cursor's decimal digits would skip those that are equal, or repeat them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    pub(crate) key: f64,
    /// The id of a point in time.
    pub(crate) snapshot: Option<String>,
}

/// Hexadecimal digits of a key.
const KEY_DIGITS: usize = 16;

impl Mark {
    /// That of a position. One that is not made here has its key alone.
    pub(crate) fn of(position: &Position) -> Self {
        let known = position.snapshot.as_deref().and_then(Self::parse);
        known.unwrap_or(Self { key: position.key, snapshot: None })
    }

    fn parse(text: &str) -> Option<Self> {
        let (key, rest) = text.split_at_checked(KEY_DIGITS)?;
        let key = f64::from_bits(u64::from_str_radix(key, 16).ok()?);
        let snapshot = if rest.is_empty() { None } else { Some(rest.strip_prefix('.')?.to_owned()) };
        key.is_finite().then_some(Self { key, snapshot })
    }

    /// As it is kept.
    pub(crate) fn text(key: f64, snapshot: Option<&str>) -> String {
        let key = format!("{:016x}", key.to_bits());
        snapshot.map_or_else(|| key.clone(), |snapshot| format!("{key}.{snapshot}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position(key: f64, snapshot: Option<String>) -> Position {
        Position { key, id: "h-1".parse().unwrap(), snapshot }
    }

    proptest! {
        #[test]
        fn the_last_bit_of_a_key_is_kept(key in proptest::num::f64::NORMAL, snapshot in proptest::option::of("[A-Za-z0-9=_.-]{1,40}")) {
            let text = Mark::text(key, snapshot.as_deref());
            let lost = position(key.next_up(), Some(text));
            prop_assert_eq!(Mark::of(&lost), Mark { key, snapshot });
        }

        #[test]
        fn what_is_not_made_here_is_a_key_alone(text in "\\PC{0,40}") {
            let known = Mark::of(&position(1.5, Some(text)));
            prop_assert!(known.key.is_finite());
        }
    }

    #[test]
    fn another_index_s_position_has_its_key() {
        for text in [None, Some("pit"), Some("7ff8000000000000"), Some("3ff0000000000000x")] {
            let known = Mark::of(&position(1.5, text.map(str::to_owned)));
            assert_eq!(known, Mark { key: 1.5, snapshot: None }, "{text:?}");
        }
    }
}
