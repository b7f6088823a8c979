use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

/// A circuit breaker: a domain that fails is left alone for a while, so that callers get their answer at once and the domain
/// gets its rest. It knows what this execution environment has seen.
#[derive(Debug)]
pub(crate) struct Breaker {
    failures: u32,
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls go through; so many in a row have failed.
    Closed { failures: u32 },
    /// No calls before then; then one, whose outcome decides.
    Open { until: Timestamp },
}

impl Breaker {
    /// Opens after `failures` in a row, for `rest`.
    pub(crate) fn new(failures: u32, rest: Duration) -> Self {
        Self { failures, rest, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Whether a call may be made. After a rest the first who asks may, and the others wait for another one.
    pub(crate) fn admits(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        match *state {
            State::Closed { .. } => true,
            State::Open { until } if until <= now => {
                *state = self.opened(now);
                true
            }
            State::Open { .. } => false,
        }
    }

    /// There was an answer, whatever it says.
    pub(crate) fn succeeded(&self) {
        *self.state() = State::Closed { failures: 0 };
    }

    /// There was none. Says whether that opens it.
    pub(crate) fn failed(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        let failures = match *state {
            State::Closed { failures } => failures.saturating_add(1),
            State::Open { .. } => self.failures,
        };
        let opens = failures >= self.failures;
        *state = if opens { self.opened(now) } else { State::Closed { failures } };
        opens
    }

    fn opened(&self, now: Timestamp) -> State {
        State::Open { until: now.checked_add(self.rest).unwrap_or(Timestamp::MAX) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn what_fails_in_a_row_is_left_alone_and_then_probed_by_one() {
        let breaker = Breaker::new(2, Duration::from_secs(10));
        assert!(!breaker.failed(at(0)));
        assert!(breaker.admits(at(0)));
        assert!(breaker.failed(at(0)));
        assert!(!breaker.admits(at(9)));
        assert!(breaker.admits(at(10)), "one probe");
        assert!(!breaker.admits(at(10)), "and one alone");
        assert!(breaker.failed(at(11)), "which fails");
        assert!(!breaker.admits(at(20)));
        assert!(breaker.admits(at(21)));
        breaker.succeeded();
        assert!((0..3).all(|_| breaker.admits(at(21))));
    }

    #[test]
    fn an_answer_ends_the_row() {
        let breaker = Breaker::new(2, Duration::from_secs(10));
        for _ in 0..3 {
            assert!(!breaker.failed(at(0)));
            breaker.succeeded();
        }
    }
}
