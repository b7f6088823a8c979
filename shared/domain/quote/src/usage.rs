use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain_coupon::{StoreError, TemplateShelf, Usage};
use domain_ids::TemplateId;
use futures_util::{StreamExt, TryStreamExt, stream};

/// Templates read at once: a guest's coupons are of a few dozen, and each read takes some milliseconds.
const CONCURRENCY: usize = 16;

/// Templates remembered at once. With a hundred ids in each set of a scope one is 20 KB, so that the memory stays below
/// 20 MB; common ones are a few hundred bytes.
const MAX_TEMPLATES: usize = 1_000;

/// What one execution environment remembers of templates between invocations: where their coupons may be used. That
/// never changes, so it is remembered for as long as there is room.
#[derive(Debug, Default)]
pub struct UsageMemory(Mutex<HashMap<TemplateId, Arc<Usage>>>);

impl UsageMemory {
    /// Where the coupons of `templates` may be used; those that are not remembered are read. A template that does not
    /// exist is left out.
    pub async fn recall(
        &self,
        store: &impl TemplateShelf,
        templates: impl IntoIterator<Item = TemplateId> + Send,
    ) -> Result<BTreeMap<TemplateId, Arc<Usage>>, StoreError> {
        let templates: BTreeSet<TemplateId> = templates.into_iter().collect();
        let mut usages: BTreeMap<TemplateId, Arc<Usage>> = {
            let known = self.known();
            templates.iter().filter_map(|id| Some((*id, Arc::clone(known.get(id)?)))).collect()
        };
        let unknown: Vec<TemplateId> = templates.into_iter().filter(|id| !usages.contains_key(id)).collect();
        let read: Vec<(TemplateId, Arc<Usage>)> = stream::iter(unknown)
            .map(|id| async move { store.template(id).await })
            .buffer_unordered(CONCURRENCY)
            .try_filter_map(async |template| {
                Ok(template.map(|template| (template.id, Arc::new(template.usage))))
            })
            .try_collect()
            .await?;
        let mut known = self.known();
        for (id, usage) in read {
            if known.len() >= MAX_TEMPLATES {
                known.clear();
            }
            known.insert(id, Arc::clone(&usage));
            usages.insert(id, usage);
        }
        Ok(usages)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TemplateId, Arc<Usage>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use domain_coupon::{Page, Template, TemplatePosition};
    use jiff::Timestamp;

    use super::*;

    /// Has every template but the first, and counts how often it is asked.
    #[derive(Default)]
    struct Shelf(AtomicUsize);

    impl TemplateShelf for Shelf {
        async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let template = Template { id, ..testing::template(1) };
            Ok((id != testing::template_id(0)).then_some(template))
        }

        async fn on_sale(
            &self,
            _: Timestamp,
            _: Option<TemplatePosition>,
            _: u16,
        ) -> Result<Page<Template, TemplatePosition>, StoreError> {
            unreachable!("single templates are read")
        }

        async fn all(
            &self,
            _: Option<TemplatePosition>,
            _: u16,
        ) -> Result<Page<Template, TemplatePosition>, StoreError> {
            unreachable!("single templates are read")
        }

        async fn remaining(&self, _: &Template) -> Result<Option<u32>, StoreError> {
            unreachable!("stock is of no interest")
        }
    }

    #[tokio::test]
    async fn a_template_is_read_once_and_one_that_is_not_there_each_time() {
        let (shelf, memory) = (Shelf::default(), UsageMemory::default());
        let (missing, there) = (testing::template_id(0), testing::template_id(1));
        for reads in [2, 3] {
            let usages = memory.recall(&shelf, [there, missing, there]).await.unwrap();
            assert_eq!(usages.into_keys().collect::<Vec<_>>(), [there]);
            assert_eq!(shelf.0.load(Ordering::Relaxed), reads);
        }
    }

    #[tokio::test]
    async fn the_memory_is_bounded_and_forgets_nothing_that_was_asked_for() {
        let (shelf, memory) = (Shelf::default(), UsageMemory::default());
        let asked = MAX_TEMPLATES + 200;
        let templates = (1..=asked).map(|n| testing::template_id(n as u128));
        assert_eq!(memory.recall(&shelf, templates).await.unwrap().len(), asked);
        assert!(memory.known().len() <= MAX_TEMPLATES);
    }
}
