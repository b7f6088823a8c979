use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_coupon::StoreError;
use domain_search::{Baselines, HotList, HotSearch, HotSearches};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    SearchTable,
    keys::{self, Item, number},
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListItem {
    /// In milliseconds since 1970.
    as_of: i64,
    items: Vec<HotSearch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    baseline: Option<Baselines>,
}

impl HotList for SearchTable {
    async fn hot(&self) -> Result<Option<HotSearches>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(keys::hot()));
        let output = get.send().await.map_err(store_error)?;
        output.item.map(parse).transpose()
    }
}

impl SearchTable {
    pub(crate) async fn put_list(&self, list: &HotSearches) -> Result<(), StoreError> {
        let HotSearches { items, as_of, baseline } = list.clone();
        let item = ListItem { as_of: as_of.as_millisecond(), items, baseline };
        let mut item: Item = serde_dynamo::to_item(item).map_err(corrupt)?;
        item.extend(keys::hot());
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            // A run that was slow puts back no earlier list.
            .condition_expression("attribute_not_exists(pk) OR asOf <= :asOf")
            .expression_attribute_values(":asOf", number(as_of.as_millisecond()));
        condition_held(put.send().await).map(|_| ())
    }
}

fn parse(item: Item) -> Result<HotSearches, StoreError> {
    let ListItem { as_of, items, baseline } = serde_dynamo::from_item(item).map_err(corrupt)?;
    Ok(HotSearches { items, as_of: Timestamp::from_millisecond(as_of).map_err(corrupt)?, baseline })
}
