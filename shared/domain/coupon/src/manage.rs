//! What operators do with templates.

use domain_ids::TemplateId;
use jiff::Timestamp;

use crate::{NewTemplate, RefillStore, StoreError, Template, TemplateChange, Violations, refill};

/// Where templates are kept.
pub trait TemplateStore: RefillStore {
    /// Creates the template's shards, then the template itself: nobody sees it before its stock is there.
    fn insert(&self, template: &Template) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The template as it is now (not an older copy).
    fn template(&self, id: TemplateId) -> impl Future<Output = Result<Option<Template>, StoreError>> + Send;
}

/// Why a template was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// What the operator sent is not a sensible template.
    #[error(transparent)]
    Invalid(#[from] Violations),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Why a template was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such template.
    #[error("no such template")]
    NotFound,
    /// Somebody else has changed it since the operator read it.
    #[error("changed by somebody else")]
    Outdated,
    /// What the operator sent is not a sensible change.
    #[error(transparent)]
    Invalid(#[from] Violations),
    /// The store failed. The change may have been made; a repeat with a fresh version completes it.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Publishes a new template.
pub async fn create_template(
    store: &impl TemplateStore,
    id: TemplateId,
    new: NewTemplate,
    now: Timestamp,
) -> Result<Template, CreateError> {
    let template = new.publish(id, now)?;
    store.insert(&template).await?;
    Ok(template)
}

/// Changes a template that still has version `expected`.
///
/// More stock is decided on the template first and then given to every shard; a crash between the two leaves the
/// template refilling, which the next change, or a claim that needs the stock, completes.
pub async fn change_template(
    store: &impl TemplateStore,
    id: TemplateId,
    expected: u64,
    change: TemplateChange,
    now: Timestamp,
) -> Result<Template, ChangeError> {
    let current = store.template(id).await?.ok_or(ChangeError::NotFound)?;
    if current.version != expected {
        return Err(ChangeError::Outdated);
    }
    let next = current.changed(change, now)?;
    if !store.replace(&next, expected).await? {
        return Err(ChangeError::Outdated);
    }
    if !next.is_refilling() {
        return Ok(next);
    }
    match refill::finish(store, &next).await? {
        Some(refilled) => Ok(refilled),
        None => store.template(id).await?.ok_or(ChangeError::NotFound),
    }
}

/// Puts back on sale what came back: `returned` coupons over the template's whole life. Says whether that was more
/// than before.
///
/// May be repeated, by several at once, and with an old figure.
pub async fn restock_template(
    store: &impl TemplateStore,
    id: TemplateId,
    returned: u32,
    now: Timestamp,
) -> Result<bool, ChangeError> {
    let current = store.template(id).await?.ok_or(ChangeError::NotFound)?;
    let Some(next) = current.restocked(returned, now) else { return Ok(false) };
    if !store.replace(&next, current.version).await? {
        return Err(ChangeError::Outdated);
    }
    refill::finish(store, &next).await?;
    Ok(true)
}
