//! Grants as operators order and look at them.

use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValue, TransactWriteItem};
use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_coupon::{Page, StoreError};
use domain_grant::{Chunk, Grant, GrantDesk, GrantKey, GrantShelf};
use domain_ids::GrantId;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::{
    GrantTable, grant_item,
    keys::{self, Item, number, text},
    progress::{Transacted, patiently},
};

/// Grants of a page that are read at once.
const CONCURRENCY: usize = 8;

impl GrantShelf for GrantTable {
    async fn grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        let item = self.item(keys::grant(id)).await?;
        item.map(grant_item::parse).transpose().map_err(corrupt)
    }

    async fn chunks(&self, id: GrantId) -> Result<Vec<Chunk>, StoreError> {
        let mut chunks = Vec::new();
        let mut after = None;
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :grant AND begins_with(sk, :chunks)")
                .expression_attribute_values(":grant", text(keys::grant_pk(id)))
                .expression_attribute_values(":chunks", text(keys::CHUNKS))
                .set_exclusive_start_key(after)
                .consistent_read(true)
                .send()
                .await
                .map_err(store_error)?;
            for item in output.items.unwrap_or_default() {
                chunks.push(grant_item::parse_chunk(item).map_err(corrupt)?);
            }
            after = output.last_evaluated_key;
            if after.is_none() {
                return Ok(chunks);
            }
        }
    }
}

impl GrantDesk for GrantTable {
    async fn ordered(&self, key: GrantKey) -> Result<Option<GrantId>, StoreError> {
        let Some(item) = self.item(keys::request(key)).await? else { return Ok(None) };
        let grant = item.get("grant").and_then(|grant| grant.as_s().ok()).and_then(|id| id.parse().ok());
        grant.map(Some).ok_or_else(|| corrupt("the key of a request without a grant"))
    }

    async fn create(&self, grant: &Grant, key: Option<GrantKey>) -> Result<bool, StoreError> {
        let mut puts =
            vec![self.put(keys::entry(grant.id))?, self.put(grant_item::write(grant).map_err(corrupt)?)?];
        if let Some(key) = key {
            let mut mark = keys::request(key);
            mark.insert("grant".into(), text(grant.id.to_string()));
            puts.push(self.put(mark)?);
        }
        Ok(matches!(self.transact(puts).await?, Transacted::Written))
    }

    async fn newest(&self, after: Option<GrantId>, limit: u16) -> Result<Page<Grant, GrantId>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :grants")
            .expression_attribute_values(":grants", text(keys::GRANTS))
            .set_exclusive_start_key(after.map(keys::entry))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .send()
            .await
            .map_err(store_error)?;
        let more = output.last_evaluated_key.is_some();
        let ids: Vec<GrantId> = output.items().iter().map(id_of).collect::<Result<_, _>>()?;
        let next = ids.last().copied().filter(|_| more);
        let grants: Vec<Option<Grant>> =
            stream::iter(ids).map(|id| self.grant(id)).buffered(CONCURRENCY).try_collect().await?;
        Ok(Page { items: grants.into_iter().flatten().collect(), next })
    }

    async fn set_paused(
        &self,
        id: GrantId,
        paused: bool,
        at: Timestamp,
    ) -> Result<Option<Grant>, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::grant(id)))
            .update_expression("SET paused = :paused, updatedAt = :at")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":paused", AttributeValue::Bool(paused))
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .return_values(ReturnValue::AllNew);
        let written = condition_held(patiently(|| update.clone().send()).await)?;
        let item = written.and_then(|output| output.attributes);
        item.map(grant_item::parse).transpose().map_err(corrupt)
    }
}

impl GrantTable {
    pub(crate) async fn item(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        Ok(get.send().await.map_err(store_error)?.item)
    }

    fn put(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(corrupt)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

fn id_of(entry: &Item) -> Result<GrantId, StoreError> {
    let id = entry.get("sk").and_then(|id| id.as_s().ok()).and_then(|id| id.parse().ok());
    id.ok_or_else(|| corrupt("an entry that names no grant"))
}
