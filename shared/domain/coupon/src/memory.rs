//! What one execution environment remembers between invocations, so that a storm of claims costs few reads and,
//! once a sale is sold out, none.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain_ids::TemplateId;
use fixedbitset::FixedBitSet;
use jiff::{SignedDuration, Timestamp};

use crate::{Stock, Template};

/// How long a template is believed without looking again: a pause, an extension or a top-up is seen by everyone
/// after this long. At one consistent read per interval and environment, 6,000 environments stay within the 3,000
/// read units a second of the template's partition.
pub const REMEMBERED_FOR: SignedDuration = SignedDuration::from_secs(2);

/// Templates remembered at once; far more than sales run at once.
const MAX_TEMPLATES: usize = 256;

/// A bounded, short-lived memory of templates and of shards that are empty.
#[derive(Debug, Default)]
pub struct SaleMemory(Mutex<HashMap<TemplateId, Entry>>);

#[derive(Debug)]
struct Entry {
    template: Option<Arc<Template>>,
    read_at: Timestamp,
    known: Known,
}

/// What is known of a template's shards in its epoch.
#[derive(Debug, Default)]
struct Known {
    empty: FixedBitSet,
    stalled_at: Option<Timestamp>,
}

impl SaleMemory {
    /// What is remembered of a template, if it is recent enough: `Some(None)` where there is no such template.
    pub fn recall(&self, id: TemplateId, now: Timestamp) -> Option<Option<Arc<Template>>> {
        let entries = self.entries();
        let entry = entries.get(&id)?;
        let age = now.duration_since(entry.read_at);
        (SignedDuration::ZERO..REMEMBERED_FOR).contains(&age).then(|| entry.template.clone())
    }

    /// Whether what is remembered of a template was read within `age`.
    pub fn is_fresh(&self, id: TemplateId, now: Timestamp, age: SignedDuration) -> bool {
        self.entries().get(&id).is_some_and(|entry| now.duration_since(entry.read_at) < age)
    }

    /// Remembers a template as it was read at `now`. What is known of empty shards is kept within an epoch.
    pub fn learn(&self, id: TemplateId, template: Option<Arc<Template>>, now: Timestamp) {
        let mut entries = self.entries();
        let known = match entries.remove(&id) {
            Some(old) if epoch(old.template.as_deref()) == epoch(template.as_deref()) => old.known,
            _ => Known::default(),
        };
        if entries.len() >= MAX_TEMPLATES {
            entries.clear();
        }
        entries.insert(id, Entry { template, read_at: now, known });
    }

    /// The shards of `template` known to be empty in its epoch.
    pub fn empty_shards(&self, template: &Template) -> FixedBitSet {
        let entries = self.entries();
        let entry = entries.get(&template.id).filter(|entry| is_same_epoch(entry, template));
        entry.map(|entry| entry.known.empty.clone()).unwrap_or_default()
    }

    /// Remembers shards of `template` that were seen empty in its epoch.
    pub fn learn_empty(&self, template: &Template, empty: &FixedBitSet) {
        let mut entries = self.entries();
        if let Some(entry) = entries.get_mut(&template.id).filter(|entry| is_same_epoch(entry, template)) {
            entry.known.empty.union_with(empty);
        }
    }

    /// How long claims in this environment have found nothing in the epoch of `template`, without knowing it all.
    pub fn stalled_for(&self, template: &Template, now: Timestamp) -> SignedDuration {
        let mut entries = self.entries();
        let entry = entries.get_mut(&template.id).filter(|entry| is_same_epoch(entry, template));
        entry.map_or(SignedDuration::ZERO, |entry| {
            now.duration_since(*entry.known.stalled_at.get_or_insert(now))
        })
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<TemplateId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same_epoch(entry: &Entry, template: &Template) -> bool {
    epoch(entry.template.as_deref()) == epoch(Some(template))
}

fn epoch(template: Option<&Template>) -> Option<u64> {
    match &template?.stock {
        Stock::Unlimited => None,
        Stock::Limited(stock) => Some(stock.epoch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        TemplateChange,
        fixtures::{self, NOW},
    };

    fn bits(set: &[usize]) -> FixedBitSet {
        set.iter().copied().collect()
    }

    #[test]
    fn a_template_is_forgotten_after_the_interval() {
        let memory = SaleMemory::default();
        let template = Arc::new(fixtures::template(10));
        memory.learn(template.id, Some(template.clone()), NOW);
        let just_before = NOW + REMEMBERED_FOR - SignedDuration::from_millis(1);
        assert_eq!(memory.recall(template.id, just_before), Some(Some(template.clone())));
        assert_eq!(memory.recall(template.id, NOW + REMEMBERED_FOR), None);
        assert_eq!(memory.recall(template.id, NOW - SignedDuration::from_secs(1)), None, "a clock set back");
    }

    #[test]
    fn empty_shards_are_forgotten_with_their_epoch() {
        let memory = SaleMemory::default();
        let template = Arc::new(fixtures::template(10));
        memory.learn(template.id, Some(template.clone()), NOW);
        memory.learn_empty(&template, &bits(&[0, 1]));
        memory.learn(template.id, Some(template.clone()), NOW);
        assert_eq!(memory.empty_shards(&template), bits(&[0, 1]), "same epoch");

        let more = TemplateChange { total_count: Some(20), ..TemplateChange::default() };
        let raised = Arc::new(template.changed(more, NOW).unwrap());
        memory.learn(raised.id, Some(raised.clone()), NOW);
        assert!(memory.empty_shards(&raised).is_clear());
        memory.learn_empty(&template, &bits(&[3]));
        assert!(memory.empty_shards(&raised).is_clear(), "late knowledge of an older epoch");
    }

    #[test]
    fn the_memory_is_bounded() {
        let memory = SaleMemory::default();
        for n in 0..10 * MAX_TEMPLATES {
            memory.learn(fixtures::template_id(n as u128), None, NOW);
        }
        assert!(memory.entries().len() <= MAX_TEMPLATES);
    }
}
