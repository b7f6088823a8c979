use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// What an execution environment remembers of something that costs more to read than to be a little old.
#[derive(Debug)]
pub(crate) struct Remembered<T> {
    fresh_for: SignedDuration,
    retry_after: SignedDuration,
    known: Mutex<Known<T>>,
}

#[derive(Debug)]
struct Known<T> {
    /// When it was last read, and for how long that is enough.
    read: Option<(Timestamp, SignedDuration)>,
    value: Option<Arc<T>>,
}

impl<T> Remembered<T> {
    /// Read again after `fresh_for`, and after a failure not before `retry_after`.
    pub fn new(fresh_for: SignedDuration, retry_after: SignedDuration) -> Self {
        Self { fresh_for, retry_after, known: Mutex::new(Known { read: None, value: None }) }
    }

    /// What `read` yields, or did within the time it is fresh. Where it fails, what it yielded last, however old, if ever.
    pub async fn get<E>(&self, now: Timestamp, read: impl Future<Output = Result<T, E>>) -> Option<Arc<T>> {
        {
            let known = self.known();
            // A time in the future is one of a clock that was set back: not to be waited for.
            let is_enough = known.read.is_some_and(|(read_at, enough_for)| {
                (SignedDuration::ZERO..enough_for).contains(&now.duration_since(read_at))
            });
            if is_enough {
                return known.value.clone();
            }
        }
        let outcome = read.await;
        let mut known = self.known();
        if let Ok(value) = outcome {
            known.read = Some((now, self.fresh_for));
            known.value = Some(Arc::new(value));
        } else {
            known.read = Some((now, self.retry_after));
        }
        known.value.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::NOW;

    const TEN: SignedDuration = SignedDuration::from_secs(10);
    const ONE: SignedDuration = SignedDuration::from_secs(1);

    #[tokio::test]
    async fn it_is_read_again_when_it_is_old() {
        let remembered = Remembered::new(TEN, ONE);
        let get = async |now, value: Result<u32, ()>| {
            remembered.get(now, async { value }).await.as_deref().copied()
        };
        assert_eq!(get(NOW, Ok(1)).await, Some(1));
        assert_eq!(get(NOW + TEN - ONE, Ok(2)).await, Some(1));
        assert_eq!(get(NOW + TEN, Ok(3)).await, Some(3));
    }

    #[tokio::test]
    async fn a_failure_leaves_what_was_known_and_is_not_repeated_at_once() {
        let remembered = Remembered::new(TEN, ONE);
        let get = async |now, value: Result<u32, ()>| {
            remembered.get(now, async { value }).await.as_deref().copied()
        };
        assert_eq!(get(NOW, Err(())).await, None);
        assert_eq!(get(NOW, Ok(1)).await, None, "it was asked a moment ago");
        assert_eq!(get(NOW + ONE, Ok(2)).await, Some(2));
        assert_eq!(get(NOW + TEN + ONE, Err(())).await, Some(2));
        assert_eq!(get(NOW + TEN + ONE, Ok(3)).await, Some(2));
        assert_eq!(get(NOW + TEN + ONE + ONE, Ok(4)).await, Some(4));
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_makes_nothing_fresh() {
        let remembered = Remembered::new(TEN, ONE);
        let get = async |now, value: Result<u32, ()>| {
            remembered.get(now, async { value }).await.as_deref().copied()
        };
        assert_eq!(get(NOW, Ok(1)).await, Some(1));
        assert_eq!(get(NOW - ONE, Ok(2)).await, Some(2));
    }
}
