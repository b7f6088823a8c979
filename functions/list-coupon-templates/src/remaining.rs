use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain_coupon::{StoreError, Template, TemplateShelf};
use domain_ids::TemplateId;
use jiff::{SignedDuration, Timestamp};

/// How old the remaining stock may be. Adding up the shards of a sale for 25,000 claims a second costs 1,250 read units:
/// too much for every look, little every five seconds.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_secs(5);

/// Sales remembered at once; far more than are shown at once.
const MAX_SALES: usize = 1_000;

/// What one execution environment remembers of the remaining stock.
#[derive(Debug, Default)]
pub struct RemainingMemory(Mutex<HashMap<TemplateId, (Timestamp, Option<u32>)>>);

impl RemainingMemory {
    /// What is left of `template`, at most [`FRESH_FOR`] old.
    pub(crate) async fn of(
        &self,
        store: &impl TemplateShelf,
        template: &Template,
        now: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        let known = self.entries().get(&template.id).copied();
        if let Some((read_at, remaining)) = known
            && (SignedDuration::ZERO..FRESH_FOR).contains(&now.duration_since(read_at))
        {
            return Ok(remaining);
        }
        let remaining = store.remaining(template).await?;
        let mut entries = self.entries();
        if entries.len() >= MAX_SALES {
            entries.clear();
        }
        entries.insert(template.id, (now, remaining));
        Ok(remaining)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<TemplateId, (Timestamp, Option<u32>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
