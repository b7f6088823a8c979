use aws_sdk_dynamodb::{Client, types::AttributeValue};
use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_campaign::{Campaign, CampaignPosition, CampaignShelf, CampaignSource, CampaignStore};
use domain_coupon::{Page, StoreError};
use domain_ids::CampaignId;
use jiff::Timestamp;

use crate::{item, keys};

/// The campaigns of the coupon table.
#[derive(Debug, Clone)]
pub struct CampaignTable {
    client: Client,
    table: String,
}

impl CampaignTable {
    /// The table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Writes the campaign where the stored one has version `expected`, or where there is none; says whether it did.
    async fn put(&self, campaign: &Campaign, expected: Option<u64>) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::write(campaign).map_err(corrupt)?));
        let put = match expected {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(version) => put
                .condition_expression("version = :expected")
                .expression_attribute_values(":expected", AttributeValue::N(version.to_string())),
        };
        Ok(condition_held(put.send().await)?.is_some())
    }

    async fn campaigns(
        &self,
        ending_after: Option<Timestamp>,
        after: Option<CampaignPosition>,
        limit: u16,
        ascending: bool,
    ) -> Result<Page<Campaign, CampaignPosition>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_END)
            .expression_attribute_values(":campaigns", AttributeValue::S(keys::CAMPAIGNS.into()))
            .set_exclusive_start_key(after.map(keys::position))
            .scan_index_forward(ascending)
            .limit(i32::from(limit));
        let query = match ending_after {
            None => query.key_condition_expression("listPk = :campaigns"),
            // The next millisecond: a campaign that ends now is over.
            Some(now) => query
                .key_condition_expression("listPk = :campaigns AND listSk >= :end")
                .expression_attribute_values(
                    ":end",
                    AttributeValue::S(keys::list_sk_from(now.as_millisecond() + 1)),
                ),
        };
        let output = query.send().await.map_err(store_error)?;
        let more = output.last_evaluated_key.is_some();
        let items = output.items.unwrap_or_default();
        let items: Vec<Campaign> =
            items.into_iter().map(item::parse).collect::<Result<_, _>>().map_err(corrupt)?;
        let next =
            items.last().filter(|_| more).map(|last| CampaignPosition { ends_at: last.ends_at, id: last.id });
        Ok(Page { items, next })
    }
}

impl CampaignSource for CampaignTable {
    async fn campaign(&self, id: CampaignId) -> Result<Option<Campaign>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(keys::campaign(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        output.item.map(item::parse).transpose().map_err(corrupt)
    }
}

impl CampaignStore for CampaignTable {
    async fn insert(&self, campaign: &Campaign) -> Result<(), StoreError> {
        if self.put(campaign, None).await? { Ok(()) } else { Err(corrupt("a campaign with this id exists")) }
    }

    async fn replace(&self, campaign: &Campaign, expected: u64) -> Result<bool, StoreError> {
        self.put(campaign, Some(expected)).await
    }
}

impl CampaignShelf for CampaignTable {
    async fn ending_after(
        &self,
        now: Timestamp,
        after: Option<CampaignPosition>,
        limit: u16,
    ) -> Result<Page<Campaign, CampaignPosition>, StoreError> {
        // A campaign that has ended meanwhile lies before all that are left, where DynamoDB refuses to begin.
        let after = after.filter(|after| after.ends_at.as_millisecond() > now.as_millisecond());
        self.campaigns(Some(now), after, limit, true).await
    }

    async fn all(
        &self,
        after: Option<CampaignPosition>,
        limit: u16,
    ) -> Result<Page<Campaign, CampaignPosition>, StoreError> {
        self.campaigns(None, after, limit, false).await
    }
}
