//! When one more is admitted: integers in, integers out. No I/O, no clock.

use std::time::Duration;

/// Microseconds since 1970. Limits keep every sum within a few thousand years of now, far from the ends of the type.
pub(crate) type Micros = i64;

/// A length of time, of which limits allow 31 days.
pub(crate) fn micros(length: Duration) -> Micros {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX / 4)
}

/// One of the windows that time is divided into, all of one length, aligned to 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub start: Micros,
    pub length: Micros,
}

impl Window {
    /// The one that `now` is in.
    pub fn at(now: Micros, length: Duration) -> Self {
        let length = micros(length).max(1);
        Self { start: now - now.rem_euclid(length), length }
    }

    pub fn end(self) -> Micros {
        self.start.saturating_add(self.length)
    }

    pub fn previous(self) -> Self {
        Self { start: self.start.saturating_sub(self.length), ..self }
    }

    fn next(self) -> Self {
        Self { start: self.end(), ..self }
    }
}

/// A sliding window's limit: what the previous window admitted fades linearly while this one lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sliding {
    pub limit: u32,
    pub window: Window,
    /// What the window before admitted.
    pub before: u32,
}

impl Sliding {
    /// How many this window may have admitted at most by `now`, which is in it.
    pub fn allowed(self, now: Micros) -> u32 {
        let rest = self.window.end().saturating_sub(now).clamp(0, self.window.length);
        // Rounded up: the limit holds to the last unit.
        let faded = (u128::from(self.before) * u128::from(rest.unsigned_abs()))
            .div_ceil(u128::from(self.window.length.unsigned_abs()));
        self.limit.saturating_sub(u32::try_from(faded).unwrap_or(u32::MAX))
    }

    /// Before when nothing more is admitted, where this window has admitted `count` so far.
    pub fn refuses_until(self, count: u32) -> Micros {
        match self.limit.checked_sub(count.saturating_add(1)) {
            Some(spare) => self.faded_to(spare),
            // This window is full, and what it has admitted must fade in the next.
            None => Self { window: self.window.next(), before: count, ..self }
                .faded_to(self.limit.saturating_sub(1)),
        }
    }

    /// The first instant of this window at which no more than `most` of the one before count.
    fn faded_to(self, most: u32) -> Micros {
        let length = i128::from(self.window.length);
        let rest = match self.before {
            0 => length,
            before => (i128::from(most) * length / i128::from(before)).min(length),
        };
        self.window.end().saturating_sub(i64::try_from(rest).unwrap_or(self.window.length))
    }
}

/// A token bucket as the instant at which it is full again: the generic cell rate algorithm (ITU-T I.371, "virtual
/// scheduling"). One number says it all, and it only ever grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    pub capacity: u32,
    /// The time between two tokens.
    pub every: Micros,
}

/// How one more token is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// The bucket is full: its next fullness is one token from now.
    FromFull { full_at: Micros },
    /// Its fullness moves on by one token, unless it is later than `at_latest` by now.
    FromRest { at_latest: Micros },
    /// There is no token before this instant.
    Empty { until: Micros },
}

impl Bucket {
    /// What to do at `now` with a bucket that is full at `full_at`; `None` where nothing was ever taken.
    pub fn take(self, full_at: Option<Micros>, now: Micros) -> Take {
        let at_latest = now.saturating_add(self.all_but_one());
        match full_at {
            Some(full_at) if full_at > at_latest => Take::Empty { until: self.refuses_until(full_at) },
            Some(full_at) if full_at >= now => Take::FromRest { at_latest },
            _ => Take::FromFull { full_at: now.saturating_add(self.every) },
        }
    }

    /// Tokens left at `now`.
    pub fn remaining(self, full_at: Micros, now: Micros) -> u32 {
        let missing = full_at.saturating_sub(now).max(0).unsigned_abs().div_ceil(self.every.unsigned_abs());
        self.capacity.saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX))
    }

    /// Before when there is no token, in a bucket that is full at `full_at`.
    pub fn refuses_until(self, full_at: Micros) -> Micros {
        full_at.saturating_sub(self.all_but_one())
    }

    /// The latest at which a bucket can be full that is emptied at `now`.
    pub fn fills_by(self, now: Micros) -> Micros {
        now.saturating_add(self.all_but_one()).saturating_add(self.every)
    }

    fn all_but_one(self) -> Micros {
        self.every.saturating_mul(i64::from(self.capacity) - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Attempts, each so long after the one before, within a few windows.
    fn attempts() -> impl Strategy<Value = Vec<Micros>> {
        let pauses = prop_oneof![Just(0_i64), 1..50_000_i64, 1..3_000_000_i64];
        prop::collection::vec(pauses, 1..120).prop_map(|pauses| {
            let at = |now: &mut Micros, pause| {
                *now += pause;
                Some(*now)
            };
            pauses.into_iter().scan(1_794_326_400_000_123, at).collect()
        })
    }

    /// What a sliding window does when it is asked at each of these times; with, for each refusal, until when.
    fn slide(limit: u32, length: Duration, times: &[Micros]) -> Vec<(Micros, Option<Micros>)> {
        let mut counts = std::collections::BTreeMap::<Micros, u32>::new();
        let outcome = |&now| {
            let window = Window::at(now, length);
            let before = counts.get(&window.previous().start).copied().unwrap_or(0);
            let count = counts.entry(window.start).or_default();
            let sliding = Sliding { limit, window, before };
            if *count < sliding.allowed(now) {
                *count += 1;
                (now, None)
            } else {
                (now, Some(sliding.refuses_until(*count)))
            }
        };
        times.iter().map(outcome).collect()
    }

    fn admitted(outcomes: &[(Micros, Option<Micros>)]) -> Vec<Micros> {
        outcomes.iter().filter(|(_, refused)| refused.is_none()).map(|(at, _)| *at).collect()
    }

    #[test]
    fn windows_follow_each_other_also_before_1970() {
        let second = Duration::from_secs(1);
        for now in [-1_000_001, -1_000_000, -1, 0, 999_999, 1_000_000] {
            let window = Window::at(now, second);
            assert!((window.start..window.end()).contains(&now), "{now} {window:?}");
            assert_eq!(window.previous().end(), window.start);
            assert_eq!(window.start % 1_000_000, 0);
        }
    }

    #[test]
    fn what_was_admitted_before_fades() {
        let sliding = |before| Sliding { limit: 10, window: Window { start: 0, length: 1_000 }, before };
        assert_eq!(sliding(10).allowed(0), 0);
        assert_eq!(sliding(10).allowed(99), 0, "a tenth is not over");
        assert_eq!(sliding(10).allowed(100), 1);
        assert_eq!(sliding(10).allowed(999), 9);
        assert_eq!(sliding(0).allowed(0), 10);
        assert_eq!(sliding(10).refuses_until(0), 100);
        assert_eq!(sliding(10).refuses_until(4), 500);
        assert_eq!(sliding(0).refuses_until(10), 1_100, "in the next window, a tenth must fade");
        assert_eq!(Sliding { limit: 1, ..sliding(0) }.refuses_until(1), 2_000);
    }

    #[test]
    fn numbers_at_the_ends_do_not_panic() {
        let numbers = [i64::MIN, -1, 0, 1, i64::MAX];
        for now in numbers {
            let window = Window::at(now / 2, crate::MAX_PERIOD);
            let sliding = Sliding { limit: u32::MAX, window, before: u32::MAX };
            let _ = (sliding.allowed(now), sliding.refuses_until(u32::MAX), window.previous());
            for full_at in numbers {
                let bucket = Bucket { capacity: u32::MAX, every: i64::MAX / 2 };
                let _ =
                    (bucket.take(Some(full_at), now), bucket.remaining(full_at, now), bucket.fills_by(now));
            }
        }
    }

    proptest! {
        #[test]
        fn a_sliding_window_admits_no_more_than_it_promises(times in attempts(), limit in 1..20_u32) {
            let length = Duration::from_secs(1);
            let admitted = admitted(&slide(limit, length, &times));
            for (first, from) in admitted.iter().enumerate() {
                for (last, to) in admitted.iter().enumerate().skip(first) {
                    // Between the two, both included: an interval of this length, and a µs.
                    let x = to - from;
                    if x < 1_000_000 {
                        let most = i64::from(limit) * (1_000_000 + x + 1) / 1_000_000;
                        let count = i64::try_from(last - first + 1).unwrap();
                        prop_assert!(count <= most, "{} in {} µs of {:?}", count, x, admitted);
                    }
                }
            }
            for at in &admitted {
                let window = Window::at(*at, length);
                let within = admitted.iter().filter(|at| (window.start..window.end()).contains(at)).count();
                prop_assert!(within <= limit as usize);
            }
        }

        #[test]
        fn a_sliding_window_is_as_lax_as_its_formula(times in attempts(), limit in 1..20_u32) {
            // A log of every admission, looked through each time, weighed in parts of a million.
            let mut log: Vec<Micros> = Vec::new();
            for (now, refused) in slide(limit, Duration::from_secs(1), &times) {
                let start = now - now.rem_euclid(1_000_000);
                let count = |from: Micros| {
                    let within = log.iter().filter(|&&at| (from..from + 1_000_000).contains(&at));
                    i64::try_from(within.count()).unwrap()
                };
                let weight = count(start) * 1_000_000 + count(start - 1_000_000) * (start + 1_000_000 - now);
                prop_assert_eq!(refused.is_none(), weight + 1_000_000 <= i64::from(limit) * 1_000_000);
                if refused.is_none() {
                    log.push(now);
                }
            }
        }

        #[test]
        fn a_sliding_window_says_when_it_admits_again(times in attempts(), limit in 1..20_u32) {
            let outcomes = slide(limit, Duration::from_secs(1), &times);
            if let Some((now, Some(until))) = outcomes.last() {
                prop_assert!(until > now);
                let later = |extra| {
                    let mut times = times.clone();
                    times.push(until + extra);
                    slide(limit, Duration::from_secs(1), &times).last().unwrap().1
                };
                prop_assert!(later(-1).is_some() && later(0).is_none(), "{:?} {:?}", later(-1), later(0));
            }
        }

        #[test]
        fn a_bucket_admits_as_a_bucket_of_tokens_does(times in attempts(), capacity in 1..20_u32, every in 1_000..400_000_i64) {
            let bucket = Bucket { capacity, every };
            let full = i64::from(capacity) * every;
            // Tokens in µs of refill, poured in one by one.
            let (mut level, mut asked_at, mut full_at) = (full, times[0], None);
            for now in times {
                level = full.min(level + now - asked_at);
                asked_at = now;
                let taken = bucket.take(full_at, now);
                prop_assert_eq!(level >= every, !matches!(taken, Take::Empty { .. }));
                match taken {
                    Take::FromFull { full_at: next } => full_at = Some(next),
                    Take::FromRest { at_latest } => {
                        prop_assert!(full_at.unwrap() <= at_latest);
                        full_at = full_at.map(|at| at + every);
                    }
                    Take::Empty { until } => {
                        prop_assert_eq!(until, now + every - level, "the next token");
                        continue;
                    }
                }
                level -= every;
                prop_assert_eq!(i64::from(bucket.remaining(full_at.unwrap(), now)), level / every);
                prop_assert!(full_at.unwrap() <= bucket.fills_by(now));
            }
        }

        #[test]
        fn a_clock_that_jumps_gives_no_token_back(
            mut times in attempts(), jumps in prop::collection::vec(-2_000_000..1_i64, 120), capacity in 1..20_u32,
        ) {
            let bucket = Bucket { capacity, every: 100_000 };
            times.iter_mut().zip(jumps).for_each(|(at, jump)| *at += jump);
            let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
            let (mut full_at, mut admitted) = (None, 0);
            for now in times {
                full_at = match bucket.take(full_at, now) {
                    Take::FromFull { full_at } => Some(full_at),
                    Take::FromRest { .. } => full_at.map(|at| at + bucket.every),
                    Take::Empty { .. } => continue,
                };
                admitted += 1;
            }
            prop_assert!(admitted <= i64::from(capacity) + (last - first) / bucket.every);
        }
    }
}
