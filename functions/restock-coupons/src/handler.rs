//! Compares, for every running sale whose coupons go back, what came back with what was put on sale again.
//!
//! The figures are absolute: a run that is repeated, late or half done does no harm, and the next one makes up for it.

use domain_coupon::{
    ChangeError, ReturnedCount, Stock, StoreError, Template, TemplateShelf, TemplateStore, restock_template,
};
use jiff::Timestamp;

/// Templates read at once.
const PAGE: u16 = 50;

/// Restocks every running sale that wants it.
///
/// A template that cannot be restocked does not stop the others; the first failure is returned at the end.
pub async fn handle(
    store: &(impl TemplateShelf + TemplateStore + ReturnedCount),
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut outcome = Ok(());
    let mut after = None;
    loop {
        let page = store.on_sale(now, after, PAGE).await?;
        for template in page.items.iter().filter(|template| template.restock) {
            outcome = outcome.and(restock(store, template, now).await);
        }
        after = page.next;
        if after.is_none() {
            return outcome;
        }
    }
}

async fn restock(
    store: &(impl TemplateStore + ReturnedCount),
    template: &Template,
    now: Timestamp,
) -> Result<(), StoreError> {
    let returned = store.returned(template.id).await?;
    let known = match &template.stock {
        Stock::Unlimited => return Ok(()),
        Stock::Limited(stock) => stock.returned,
    };
    if returned <= known {
        return Ok(());
    }
    match restock_template(store, template.id, returned, now).await {
        Ok(restocked) => {
            if restocked {
                metrics::counter!("CouponsRestocked").increment(u64::from(returned - known));
                tracing::info!(template.id = %template.id, stock.returned = returned, "restocked");
            }
            Ok(())
        }
        // Somebody else changes it just now; the next run will see.
        Err(ChangeError::Outdated | ChangeError::NotFound) => Ok(()),
        Err(ChangeError::Store(error)) => Err(error),
        Err(ChangeError::Invalid(violations)) => Err(StoreError::Corrupt(Box::new(violations))),
    }
}
