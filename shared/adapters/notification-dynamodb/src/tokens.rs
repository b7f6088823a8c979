use aws_sdk_dynamodb::types::AttributeValue;
use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_coupon::StoreError;
use domain_notification::{SharedToken, SharedTokens};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    NotificationTable,
    keys::{self, Key},
};

/// Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    expires_at: i64,
    refreshing_until: i64,
    rev: u64,
}

impl SharedTokens for NotificationTable {
    async fn read(&self, name: &str) -> Result<SharedToken, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(keys::token(name)));
        let output = get.consistent_read(true).send().await.map_err(store_error)?;
        let Some(item) = output.item else { return Ok(SharedToken::default()) };
        let item: TokenItem = serde_dynamo::from_item(item).map_err(corrupt)?;
        Ok(SharedToken {
            token: item.token,
            expires_at: Timestamp::from_millisecond(item.expires_at).map_err(corrupt)?,
            refreshing_until: Timestamp::from_millisecond(item.refreshing_until).map_err(corrupt)?,
            revision: item.rev,
        })
    }

    async fn replace(&self, name: &str, next: &SharedToken) -> Result<bool, StoreError> {
        let item = TokenItem {
            token: next.token.clone(),
            expires_at: next.expires_at.as_millisecond(),
            refreshing_until: next.refreshing_until.as_millisecond(),
            rev: next.revision,
        };
        let mut item: Key = serde_dynamo::to_item(item).map_err(corrupt)?;
        item.extend(keys::token(name));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let before = next.revision.saturating_sub(1);
        let put = if before == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("rev = :before")
                .expression_attribute_values(":before", AttributeValue::N(before.to_string()))
        };
        Ok(condition_held(put.send().await)?.is_some())
    }
}
