use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use domain_coupon::{RefillStore, Stock, StoreError, Template, TemplateStore};
use domain_ids::TemplateId;

use crate::{
    CouponTable,
    error::{condition_held, corrupt},
    template_item,
};

impl RefillStore for CouponTable {
    async fn raise_shards(&self, template: &Template) -> Result<(), StoreError> {
        match &template.stock {
            Stock::Unlimited => Ok(()),
            Stock::Limited(stock) => self.raise(template.id, stock).await,
        }
    }

    async fn replace(&self, template: &Template, expected: u64) -> Result<bool, StoreError> {
        self.put_template(template, Some(expected)).await
    }
}

impl TemplateStore for CouponTable {
    async fn insert(&self, template: &Template) -> Result<(), StoreError> {
        self.raise_shards(template).await?;
        if self.put_template(template, None).await? {
            Ok(())
        } else {
            Err(corrupt("a template with this id exists"))
        }
    }

    async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        self.read_template(id).await
    }
}

impl CouponTable {
    /// Writes the template where the stored one has version `expected`, or where there is none; says whether it did.
    async fn put_template(&self, template: &Template, expected: Option<u64>) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(template_item::write(template).map_err(corrupt)?))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let put = match expected {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(version) => put
                .condition_expression("version = :expected")
                .expression_attribute_values(":expected", AttributeValue::N(version.to_string())),
        };
        let written = condition_held(put.send().await)?;
        if let Some(output) = &written {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(written.is_some())
    }
}
