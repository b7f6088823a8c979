//! What guests and operators look at.

use domain_ids::{CouponId, GuestId, TemplateId};
use jiff::Timestamp;

use crate::{Coupon, CouponStatus, StoreError, Template};

/// Pages of the store read for one page of the answer. A guest with more coupons of other statuses than these hold
/// gets a short page and a cursor to go on from.
const MAX_READS: u32 = 4;

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, Position> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<Position>,
}

/// Where the coupons of a guest are read.
pub trait CouponShelf: Sync {
    /// Up to `limit` coupons of `guest`, those of the newest template first, from behind `after` on.
    fn coupons(
        &self,
        guest: &GuestId,
        after: Option<CouponId>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Coupon, CouponId>, StoreError>> + Send;

    /// One coupon, if `guest` holds it.
    fn coupon(
        &self,
        guest: &GuestId,
        id: CouponId,
    ) -> impl Future<Output = Result<Option<Coupon>, StoreError>> + Send;
}

/// Up to `limit` coupons of `guest` that have `status` at `now` (any status without one).
///
/// The status is not indexed: an index would cost every claim another write, while a guest's coupons fit into a
/// few reads (`docs/decisions/0004-coupon-keys.md`).
pub async fn list_coupons(
    store: &impl CouponShelf,
    guest: &GuestId,
    status: Option<CouponStatus>,
    after: Option<CouponId>,
    limit: u16,
    now: Timestamp,
) -> Result<Page<Coupon, CouponId>, StoreError> {
    let mut items = Vec::with_capacity(usize::from(limit));
    let mut next = after;
    for _ in 0..MAX_READS {
        let page = store.coupons(guest, next, limit).await?;
        let wanted = |coupon: &Coupon| status.is_none_or(|status| coupon.status(now) == status);
        items.extend(page.items.into_iter().filter(wanted));
        next = page.next;
        if next.is_none() || items.len() >= usize::from(limit) {
            break;
        }
    }
    if items.len() > usize::from(limit) {
        items.truncate(usize::from(limit));
        next = items.last().map(|coupon| coupon.id);
    }
    Ok(Page { items, next })
}

/// A place in the list of templates by the end of their sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplatePosition {
    /// The end of the sale.
    pub ends_at: Timestamp,
    /// The template.
    pub id: TemplateId,
}

/// Where templates are read.
pub trait TemplateShelf: Sync {
    /// The template as it is now (not an older copy).
    fn template(&self, id: TemplateId) -> impl Future<Output = Result<Option<Template>, StoreError>> + Send;

    /// Up to `limit` templates whose sale ends after `now`, the next to end first, from behind `after` on. A change
    /// may take a moment to show.
    fn on_sale(
        &self,
        now: Timestamp,
        after: Option<TemplatePosition>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Template, TemplatePosition>, StoreError>> + Send;

    /// Up to `limit` templates, the last to end first, from behind `after` on. A change may take a moment to show.
    fn all(
        &self,
        after: Option<TemplatePosition>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Template, TemplatePosition>, StoreError>> + Send;

    /// How much of a template is left, added up over its shards; `None` where it is unlimited. While claims go on, the shards are read at slightly different moments.
    fn remaining(&self, template: &Template) -> impl Future<Output = Result<Option<u32>, StoreError>> + Send;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CouponState, fixtures};

    struct Shelf(Vec<Coupon>);

    impl CouponShelf for Shelf {
        async fn coupons(
            &self,
            _: &GuestId,
            after: Option<CouponId>,
            limit: u16,
        ) -> Result<Page<Coupon, CouponId>, StoreError> {
            let rest = self.0.iter().skip_while(|coupon| after.is_some_and(|after| coupon.id <= after));
            let items: Vec<Coupon> = rest.clone().take(usize::from(limit)).cloned().collect();
            let more = rest.count() > items.len();
            Ok(Page { next: items.last().filter(|_| more).map(|coupon| coupon.id), items })
        }

        async fn coupon(&self, _: &GuestId, _: CouponId) -> Result<Option<Coupon>, StoreError> {
            unreachable!("listing does not read single coupons")
        }
    }

    proptest! {
        /// Following the cursors shows every coupon of the status once, in order, whatever the page size.
        #[test]
        fn the_pages_add_up(used in prop::collection::vec(any::<bool>(), 0..120), limit in 1_u16..20) {
            let coupons: Vec<Coupon> = (1..).zip(&used).map(|(nth, &used)| {
                let mut coupon = fixtures::coupon("ann", nth);
                if used {
                    coupon.state = CouponState::Expired;
                }
                coupon
            }).collect();
            let guest = "ann".parse().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let shelf = Shelf(coupons.clone());

            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let list = list_coupons(&shelf, &guest, Some(CouponStatus::Expired), after, limit, fixtures::NOW);
                let page = runtime.block_on(list).unwrap();
                prop_assert!(page.items.len() <= usize::from(limit));
                seen.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let wanted: Vec<Coupon> = coupons.into_iter().filter(|coupon| coupon.status(fixtures::NOW) == CouponStatus::Expired).collect();
            prop_assert_eq!(seen, wanted);
        }
    }
}
