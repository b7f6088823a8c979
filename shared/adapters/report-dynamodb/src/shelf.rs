use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use coupon_dynamodb::{corrupt, store_error};
use domain_coupon::StoreError;
use domain_ids::{CampaignId, TemplateId};
use domain_report::{Counters, Hour, ReportShelf};

use crate::{
    ReportTable,
    keys::{self, Key},
};

/// Pages of 1 MB that are read for one template: some 400,000 counters. A sale that runs for a year has 8,784 hours of
/// a few counters each.
const MAX_PAGES: u32 = 100;

impl ReportShelf for ReportTable {
    async fn has_template(&self, id: TemplateId) -> Result<bool, StoreError> {
        Ok(self.read(keys::template(id), "pk").await?.is_some())
    }

    async fn templates_of(&self, id: CampaignId) -> Result<Option<Vec<TemplateId>>, StoreError> {
        let Some(campaign) = self.read(keys::campaign(id), "pk, templates").await? else { return Ok(None) };
        let templates = match campaign.get("templates") {
            None => Vec::new(),
            Some(AttributeValue::M(templates)) => {
                let ids: Result<Vec<TemplateId>, _> = templates.keys().map(|id| id.parse()).collect();
                let mut ids = ids.map_err(corrupt)?;
                ids.sort();
                ids
            }
            Some(_) => return Err(corrupt("templates is no map")),
        };
        Ok(Some(templates))
    }

    async fn hours(&self, template: TemplateId) -> Result<BTreeMap<Hour, Counters>, StoreError> {
        let mut hours: BTreeMap<Hour, Counters> = BTreeMap::new();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :report AND begins_with(sk, :hours)")
                .expression_attribute_values(":report", AttributeValue::S(keys::report_pk(template)))
                .expression_attribute_values(":hours", AttributeValue::S(keys::HOURS.into()))
                .set_exclusive_start_key(next)
                .send()
                .await
                .map_err(store_error)?;
            for item in page.items.unwrap_or_default() {
                let hour = hour_of(&item).ok_or_else(|| corrupt("counters of no hour"))?;
                let counters: Counters = serde_dynamo::from_item(item).map_err(corrupt)?;
                *hours.entry(hour).or_default() += &counters;
            }
            next = page.last_evaluated_key;
            if next.is_none() {
                return Ok(hours);
            }
        }
        Err(corrupt("more counters than a template can have"))
    }
}

fn hour_of(item: &Key) -> Option<Hour> {
    keys::hour_of(item.get("sk")?.as_s().ok()?)
}

impl ReportTable {
    /// As it was a moment ago, at half the price of as it is now: the counters are as old.
    async fn read(&self, key: Key, attributes: &str) -> Result<Option<Key>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .projection_expression(attributes)
            .send()
            .await
            .map_err(store_error)?;
        Ok(output.item)
    }
}
