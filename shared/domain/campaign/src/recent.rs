use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain_ids::CampaignId;
use jiff::{SignedDuration, Timestamp};

/// Campaigns remembered at once; far more than run at once.
const MAX_CAMPAIGNS: usize = 256;

/// What one execution environment remembers of campaigns for a short while, so that a storm of requests costs few reads.
#[derive(Debug)]
pub struct Recent<T> {
    kept_for: SignedDuration,
    entries: Mutex<HashMap<CampaignId, (Timestamp, T)>>,
}

impl<T: Clone> Recent<T> {
    /// A memory whose entries are believed for `kept_for`.
    pub fn new(kept_for: SignedDuration) -> Self {
        Self { kept_for, entries: Mutex::default() }
    }

    /// What was learnt of a campaign, if that is recent enough.
    pub fn recall(&self, id: CampaignId, now: Timestamp) -> Option<T> {
        let entries = self.entries();
        let (learnt_at, value) = entries.get(&id)?;
        let age = now.duration_since(*learnt_at);
        (SignedDuration::ZERO..self.kept_for).contains(&age).then(|| value.clone())
    }

    /// Remembers what was found out at `now`.
    pub fn learn(&self, id: CampaignId, value: T, now: Timestamp) {
        let mut entries = self.entries();
        if entries.len() >= MAX_CAMPAIGNS && !entries.contains_key(&id) {
            entries.clear();
        }
        entries.insert(id, (now, value));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<CampaignId, (Timestamp, T)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::NOW;

    fn id(n: usize) -> CampaignId {
        CampaignId::from_parts(1, n as u128)
    }

    #[test]
    fn what_was_learnt_is_forgotten_after_the_interval() {
        let recent = Recent::new(SignedDuration::from_secs(2));
        recent.learn(id(1), "new", NOW);
        let just_before = NOW + SignedDuration::from_millis(1_999);
        assert_eq!(recent.recall(id(1), just_before), Some("new"));
        assert_eq!(recent.recall(id(1), NOW + SignedDuration::from_secs(2)), None);
        assert_eq!(recent.recall(id(1), NOW - SignedDuration::from_secs(1)), None, "a clock set back");
        assert_eq!(recent.recall(id(2), NOW), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let recent = Recent::new(SignedDuration::from_secs(2));
        for n in 0..10 * MAX_CAMPAIGNS {
            recent.learn(id(n), n, NOW);
        }
        assert!(recent.entries().len() <= MAX_CAMPAIGNS);
    }
}
