use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    Limit, Subject,
    arithmetic::{Micros, Window},
};

/// Subjects remembered at once. An entry has about 100 bytes.
const MAX_ENTRIES: usize = 10_000;

/// What one execution environment has seen of subjects, so that the next check is cheaper. All of it stays true
/// whatever other environments do: they can only admit more.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<(Limit, Subject), Known>>);

/// What is known of a subject under a limit. A changed limit is another limit, of which nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Nothing is admitted before this instant.
    pub refused_until: Option<Micros>,
    pub fact: Fact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    /// All there is to know is when it is admitted again.
    None,
    /// What a window that is over has admitted.
    Window { over: Window, admitted: u32 },
    /// A bucket is full at this instant, or later.
    FullAt(Micros),
}

impl Known {
    /// Before when nothing is admitted, if that is later than `now`.
    pub fn refuses_at(&self, now: Micros) -> Option<Micros> {
        self.refused_until.filter(|&until| now < until)
    }

    /// From when on it is of no use.
    fn stale_at(&self) -> Micros {
        let fact = match self.fact {
            Fact::None => Micros::MIN,
            Fact::Window { over, .. } => over.end().saturating_add(over.length),
            Fact::FullAt(at) => at,
        };
        self.refused_until.unwrap_or(Micros::MIN).max(fact)
    }
}

impl Memory {
    /// What is known of `subject`.
    pub fn recall(&self, limit: &Limit, subject: Subject) -> Option<Known> {
        self.entries().get(&(limit.clone(), subject)).copied()
    }

    /// Remembers it in place of what was known, if it is of any use after `now`.
    pub fn learn(&self, limit: &Limit, subject: Subject, known: Known, now: Micros) {
        if known.stale_at() <= now {
            return;
        }
        let mut entries = self.entries();
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, known| known.stale_at() > now);
        }
        if entries.len() >= MAX_ENTRIES {
            // Forgetting costs a write where it would have been spared; it admits nobody.
            entries.clear();
        }
        entries.insert((limit.clone(), subject), known);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<(Limit, Subject), Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Kind, SubjectKey};

    fn limit(limit: u32) -> Limit {
        Limit::new("r", Kind::FixedWindow { limit, window: Duration::from_secs(1) }).unwrap()
    }

    fn subject(n: usize) -> Subject {
        let key: SubjectKey = "0123456789abcdef0123456789abcdef".parse().unwrap();
        key.guest(&n.to_string())
    }

    const fn refused_until(at: Micros) -> Known {
        Known { refused_until: Some(at), fact: Fact::None }
    }

    #[test]
    fn a_subject_is_remembered_under_its_limit() {
        let memory = Memory::default();
        memory.learn(&limit(1), subject(1), refused_until(10), 9);
        assert_eq!(memory.recall(&limit(1), subject(1)), Some(refused_until(10)));
        assert_eq!(memory.recall(&limit(2), subject(1)), None, "a limit that was changed");
        assert_eq!(memory.recall(&limit(1), subject(2)), None);
    }

    #[test]
    fn what_is_of_no_use_is_not_kept() {
        let memory = Memory::default();
        memory.learn(&limit(1), subject(1), refused_until(9), 9);
        assert_eq!(memory.recall(&limit(1), subject(1)), None);
        let over = Window { start: 0, length: 5 };
        let known = Known { refused_until: None, fact: Fact::Window { over, admitted: 1 } };
        assert_eq!(known.stale_at(), 10, "the window before counts for as long again");
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_useless_first() {
        let memory = Memory::default();
        let limit = limit(1);
        memory.learn(&limit, subject(0), refused_until(1_000), 0);
        for n in 1..MAX_ENTRIES {
            memory.learn(&limit, subject(n), refused_until(10), 0);
        }
        memory.learn(&limit, subject(MAX_ENTRIES), refused_until(20), 10);
        assert_eq!(memory.entries().len(), 2);
        assert!(memory.recall(&limit, subject(0)).is_some());
        for n in 0..2 * MAX_ENTRIES {
            memory.learn(&limit, subject(n), refused_until(20), 10);
        }
        assert!(memory.entries().len() <= MAX_ENTRIES);
    }
}
