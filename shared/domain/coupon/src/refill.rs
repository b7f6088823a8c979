//! Topping up the stock: an intent first, then every shard, then the end of the intent. Each step may be repeated,
//! by anyone, at any time.

use jiff::Timestamp;

use crate::{StoreError, Template};

/// Where a top-up is carried out.
pub trait RefillStore: Sync {
    /// Raises each shard's capacity to its share of the template's total where it is lower. Never lowers one.
    fn raise_shards(&self, template: &Template) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes `template` if the stored one still has version `expected`; says whether it did.
    fn replace(
        &self,
        template: &Template,
        expected: u64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Gives every shard its share, then declares the top-up finished. Returns the template as it is then, or `None` if
/// somebody else has changed it meanwhile.
pub async fn finish(store: &impl RefillStore, refilling: &Template) -> Result<Option<Template>, StoreError> {
    store.raise_shards(refilling).await?;
    let refilled = refilling.refilled();
    let finished = store.replace(&refilled, refilling.version).await?;
    Ok(finished.then_some(refilled))
}

/// Finishes a top-up that somebody else left behind. Of many who find it, one does the work: the one who moves
/// `updated_at` first.
pub(crate) async fn adopt(
    store: &impl RefillStore,
    abandoned: &Template,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut adopted = abandoned.clone();
    adopted.version += 1;
    adopted.updated_at = now;
    if store.replace(&adopted, abandoned.version).await? {
        finish(store, &adopted).await?;
    }
    Ok(())
}
