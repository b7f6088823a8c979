use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How often an environment tells how many messages it has taken. A hundred environments that each did so with every
/// batch would write one item more often than its partition's thousand times a second.
const TOLD_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// How many messages this environment has taken from the queue since it told last. What it has not told when it ends
/// is lost: places in the queue are about right, no more.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    taken: u64,
    told_at: Option<Timestamp>,
}

impl Progress {
    /// Adds messages taken at `now`, and hands over all that are to be told, if it is time to.
    pub(crate) fn add(&self, taken: usize, now: Timestamp) -> Option<u64> {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.taken = untold.taken.saturating_add(taken.try_into().unwrap_or(u64::MAX));
        let told_lately = untold.told_at.is_some_and(|at| now.duration_since(at) < TOLD_EVERY);
        if told_lately || untold.taken == 0 {
            return None;
        }
        untold.told_at = Some(now);
        Some(std::mem::take(&mut untold.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_told_at_most_once_a_second() {
        let progress = Progress::default();
        let at = |ms| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms);
        assert_eq!(progress.add(0, at(0)), None);
        assert_eq!(progress.add(100, at(1)), Some(100));
        assert_eq!(progress.add(40, at(500)), None);
        assert_eq!(progress.add(2, at(1_000)), None);
        assert_eq!(progress.add(0, at(1_001)), Some(42));
        assert_eq!(progress.add(0, at(2_001)), None);
        assert_eq!(progress.add(1, at(2_002)), Some(1));
    }
}
