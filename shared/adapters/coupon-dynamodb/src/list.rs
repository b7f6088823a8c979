use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use domain_coupon::{
    Coupon, CouponShelf, Page, Stock, StoreError, Template, TemplatePosition, TemplateShelf,
};
use domain_ids::{CouponId, GuestId, TemplateId};
use jiff::Timestamp;

use crate::{
    CouponTable, coupon_item,
    error::{corrupt, store_error},
    keys, template_item,
};

impl CouponShelf for CouponTable {
    async fn coupons(
        &self,
        guest: &GuestId,
        after: Option<CouponId>,
        limit: u16,
    ) -> Result<Page<Coupon, CouponId>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :guest AND begins_with(sk, :coupons)")
            .expression_attribute_values(":guest", AttributeValue::S(keys::guest_pk(guest)))
            .expression_attribute_values(":coupons", AttributeValue::S(keys::COUPONS.into()))
            .set_exclusive_start_key(after.map(|id| keys::coupon(guest, id)))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        let more = output.last_evaluated_key.is_some();
        let items = output.items.unwrap_or_default();
        let items: Vec<Coupon> =
            items.into_iter().map(coupon_item::parse).collect::<Result<_, _>>().map_err(corrupt)?;
        let next = items.last().filter(|_| more).map(|coupon| coupon.id);
        Ok(Page { items, next })
    }

    async fn coupon(&self, guest: &GuestId, id: CouponId) -> Result<Option<Coupon>, StoreError> {
        if !id.belongs_to(guest) {
            return Ok(None);
        }
        let item = self.item(keys::coupon(guest, id)).await?;
        item.map(coupon_item::parse).transpose().map_err(corrupt)
    }
}

impl TemplateShelf for CouponTable {
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        self.read_template(id).await
    }

    async fn on_sale(
        &self,
        now: Timestamp,
        after: Option<TemplatePosition>,
        limit: u16,
    ) -> Result<Page<Template, TemplatePosition>, StoreError> {
        // A sale that has ended meanwhile lies before all that are left, where DynamoDB refuses to begin.
        let after = after.filter(|after| after.ends_at.as_millisecond() > now.as_millisecond());
        self.templates(Some(now), after, limit, true).await
    }

    async fn all(
        &self,
        after: Option<TemplatePosition>,
        limit: u16,
    ) -> Result<Page<Template, TemplatePosition>, StoreError> {
        self.templates(None, after, limit, false).await
    }

    async fn remaining(&self, template: &Template) -> Result<Option<u32>, StoreError> {
        match &template.stock {
            Stock::Unlimited => Ok(None),
            Stock::Limited(stock) => self.left(template.id, stock).await.map(Some),
        }
    }
}

impl CouponTable {
    async fn templates(
        &self,
        ending_after: Option<Timestamp>,
        after: Option<TemplatePosition>,
        limit: u16,
        ascending: bool,
    ) -> Result<Page<Template, TemplatePosition>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::TEMPLATES_BY_END)
            .expression_attribute_values(":templates", AttributeValue::S(keys::TEMPLATES.into()))
            .set_exclusive_start_key(after.map(keys::template_position))
            .scan_index_forward(ascending)
            .limit(i32::from(limit))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let query = match ending_after {
            None => query.key_condition_expression("listPk = :templates"),
            // The next millisecond: a sale that ends now is over.
            Some(now) => query
                .key_condition_expression("listPk = :templates AND listSk >= :end")
                .expression_attribute_values(
                    ":end",
                    AttributeValue::S(keys::list_sk_from(now.as_millisecond() + 1)),
                ),
        };
        let output = query.send().await.map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        let more = output.last_evaluated_key.is_some();
        let items = output.items.unwrap_or_default();
        let items: Vec<Template> =
            items.into_iter().map(template_item::parse).collect::<Result<_, _>>().map_err(corrupt)?;
        let next =
            items.last().filter(|_| more).map(|last| TemplatePosition { ends_at: last.ends_at, id: last.id });
        Ok(Page { items, next })
    }
}
