//! Homestays as hosts, operators and imports read and write them.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};
use coupon_dynamodb::{condition_held, corrupt, read_batch, store_error};
use domain_coupon::{Page, StoreError};
use domain_homestay::{
    Homestay, HomestayPosition, HomestayShelf, HomestayStore, ImportMark, ImportStore, StoredHomestay,
    Version,
};
use domain_ids::{HomestayId, HostId};

use crate::{
    HomestayTable,
    homestay_item::{self, ATTRIBUTES, IMPORTED},
    keys::{self, Item, number, text},
};

/// Keys of one `BatchGetItem`: what DynamoDB takes. A hundred of the largest homestays are 2.4 MB, of 16 that it returns.
const KEYS_PER_READ: usize = 100;

/// Where a scan goes on: the keys of an item, of whatever kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScanPosition {
    pk: String,
    sk: String,
}

/// The text is no place in a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no place in a scan")]
pub(crate) struct InvalidPosition;

impl fmt::Display for ScanPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pk, self.sk)
    }
}

impl FromStr for ScanPosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        // No key of this table has a space.
        let (pk, sk) = text.split_once(' ').ok_or(InvalidPosition)?;
        let valid = !pk.is_empty() && !sk.is_empty() && !sk.contains(' ');
        if valid { Ok(Self { pk: pk.to_owned(), sk: sk.to_owned() }) } else { Err(InvalidPosition) }
    }
}

impl ScanPosition {
    pub(crate) fn into_key(self) -> Item {
        keys::key(self.pk, &self.sk)
    }

    pub(crate) fn of(mut key: Item) -> Result<Self, StoreError> {
        let mut part = |name| match key.remove(name) {
            Some(aws_sdk_dynamodb::types::AttributeValue::S(text)) => Ok(text),
            _ => Err(corrupt("a key that is no text")),
        };
        Ok(Self { pk: part("pk")?, sk: part("sk")? })
    }
}

impl HomestayTable {
    /// The items of homestays, by their ids.
    pub(crate) async fn by_id(&self, ids: &[HomestayId]) -> Result<HashMap<HomestayId, Item>, StoreError> {
        // DynamoDB refuses a key that is asked for twice.
        let distinct: Vec<HomestayId> = ids.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = HashMap::with_capacity(distinct.len());
        for ids in distinct.chunks(KEYS_PER_READ) {
            for item in self.some(ids).await? {
                let id = keys::id_of(&item).ok_or_else(|| corrupt("a key that names no homestay"))?;
                found.insert(id, item);
            }
        }
        Ok(found)
    }

    async fn some(&self, ids: &[HomestayId]) -> Result<Vec<Item>, StoreError> {
        let keys = ids.iter().map(keys::homestay).collect();
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        read_batch(&self.client, &self.table, wanted.map_err(corrupt)?, &self.consumed).await
    }

    async fn put(&self, homestay: &Homestay, mark: Option<&ImportMark>) -> Result<bool, StoreError> {
        let mut item = homestay_item::write(homestay).map_err(corrupt)?;
        item.extend(keys::homestay(&homestay.id));
        if let Some(mark) = mark {
            item.insert(IMPORTED.into(), serde_dynamo::to_attribute_value(mark).map_err(corrupt)?);
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let written = condition_held(put.send().await)?;
        if let Some(output) = &written {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(written.is_some())
    }

    /// An update and no put, so that what is written here leaves the mark of an import alone.
    async fn update(
        &self,
        homestay: &Homestay,
        before: Version,
        mark: Option<&ImportMark>,
    ) -> Result<bool, StoreError> {
        let mut item = homestay_item::write(homestay).map_err(corrupt)?;
        let removed: Vec<&str> = ATTRIBUTES.into_iter().filter(|&name| !item.contains_key(name)).collect();
        if let Some(mark) = mark {
            item.insert(IMPORTED.into(), serde_dynamo::to_attribute_value(mark).map_err(corrupt)?);
        }
        let set: Vec<String> = item.keys().map(|name| format!("#{name} = :{name}")).collect();
        let gone: Vec<String> = removed.iter().map(|name| format!("#{name}")).collect();
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::homestay(&homestay.id)))
            .update_expression(format!("SET {} REMOVE {}", set.join(", "), gone.join(", ")))
            .condition_expression("#version = :before")
            .expression_attribute_values(":before", number(before.get()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        for name in removed {
            update = update.expression_attribute_names(format!("#{name}"), name);
        }
        for (name, value) in item {
            let placeholder = format!(":{name}");
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(placeholder, value);
        }
        let written = condition_held(update.send().await)?;
        if let Some(output) = &written {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(written.is_some())
    }
}

impl HomestayStore for HomestayTable {
    async fn homestay(&self, id: &HomestayId) -> Result<Option<Homestay>, StoreError> {
        let item = self.item(keys::homestay(id)).await?;
        item.map(homestay_item::parse).transpose().map_err(corrupt)
    }

    async fn insert(&self, homestay: &Homestay) -> Result<bool, StoreError> {
        self.put(homestay, None).await
    }

    async fn replace(&self, homestay: &Homestay, before: Version) -> Result<bool, StoreError> {
        self.update(homestay, before, None).await
    }
}

impl HomestayShelf for HomestayTable {
    async fn of_host(
        &self,
        host: &HostId,
        after: Option<HomestayPosition>,
        limit: u16,
    ) -> Result<Page<Homestay, HomestayPosition>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_HOST)
            .key_condition_expression("hostPk = :host")
            .expression_attribute_values(":host", text(keys::host(host)))
            .set_exclusive_start_key(after.map(|after| keys::position(host, &after)))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        let more = output.last_evaluated_key.is_some();
        let items = output.items.unwrap_or_default();
        let items: Vec<Homestay> =
            items.into_iter().map(homestay_item::parse).collect::<Result<_, _>>().map_err(corrupt)?;
        let position =
            |last: &Homestay| HomestayPosition { created_at: last.created_at, id: last.id.clone() };
        let next = items.last().filter(|_| more).map(position);
        Ok(Page { items, next })
    }
}

impl ImportStore for HomestayTable {
    async fn stored(&self, ids: &[HomestayId]) -> Result<Vec<Option<StoredHomestay>>, StoreError> {
        let found = self.by_id(ids).await?;
        let stored = |id| found.get(id).cloned().map(homestay_item::parse_stored).transpose();
        ids.iter().map(stored).collect::<Result<_, _>>().map_err(corrupt)
    }

    async fn write(
        &self,
        homestay: &Homestay,
        before: Option<Version>,
        mark: &ImportMark,
    ) -> Result<bool, StoreError> {
        match before {
            None => self.put(homestay, Some(mark)).await,
            Some(before) => self.update(homestay, before, Some(mark)).await,
        }
    }
}
