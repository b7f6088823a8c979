//! A store that costs nothing: what is left is the handler and the rules.

use std::time::Duration;

use domain_coupon::{ClaimStore, CodeUse, Coupon, Issue, RefillStore, Shard, StoreError, Template};
use domain_ids::{GuestId, TemplateId};
use jiff::Timestamp;

/// Has one template, and stock without end.
pub struct FreeStore {
    template: Template,
}

impl FreeStore {
    /// With this template.
    pub fn of(template: Template) -> Self {
        Self { template }
    }
}

impl RefillStore for FreeStore {
    async fn raise_shards(&self, _template: &Template) -> Result<(), StoreError> {
        Ok(())
    }

    async fn replace(&self, _template: &Template, _expected: u64) -> Result<bool, StoreError> {
        Ok(true)
    }
}

impl ClaimStore for FreeStore {
    async fn template(&self, _id: TemplateId) -> Result<Option<Template>, StoreError> {
        Ok(Some(self.template.clone()))
    }

    async fn held(&self, _guest: &GuestId, _template: TemplateId) -> Result<Vec<Coupon>, StoreError> {
        Ok(Vec::new())
    }

    async fn issue(
        &self,
        _coupon: &Coupon,
        _shard: Option<Shard>,
        _exchange: Option<CodeUse>,
    ) -> Result<Issue, StoreError> {
        Ok(Issue::Issued)
    }

    async fn open_shards(&self, _template: TemplateId, shards: &[Shard]) -> Result<Vec<Shard>, StoreError> {
        Ok(shards.to_vec())
    }

    async fn mark_sold_out(&self, _: TemplateId, _epoch: u64, _at: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn wait(&self, _delay: Duration) {}
}
