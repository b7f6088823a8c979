//! Since when guests have had their accounts: told by the bus when they sign up, kept beside their coupons.
//!
//! | item | `pk` | `sk` | attributes |
//! |---|---|---|---|
//! | account | `USER#<guest>` | `ACCOUNT` | `since`, in milliseconds since 1970 |
//!
//! An access token does not say it, and to ask the user pool for every claim would be slow and soon be throttled.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_coupon::StoreError;
use domain_ids::GuestId;
use jiff::Timestamp;

/// The accounts of guests.
#[derive(Debug, Clone)]
pub struct Accounts {
    client: Client,
    table: String,
}

impl Accounts {
    /// Those in the table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Notes that `guest` has an account since `since`. Of several moments the earliest stays, in whatever order they
    /// come. 1 write unit.
    pub async fn note(&self, guest: &GuestId, since: Timestamp) -> Result<(), StoreError> {
        let mut item = key(guest);
        let since = AttributeValue::N(since.as_millisecond().to_string());
        item.insert("since".into(), since.clone());
        let written = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR since > :since")
            .expression_attribute_values(":since", since)
            .send()
            .await;
        condition_held(written).map(|_| ())
    }

    /// Since when `guest` has had an account; `None` where nobody has told. 0.5 read units, and as old as a moment.
    pub async fn since(&self, guest: &GuestId) -> Result<Option<Timestamp>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(guest)))
            .send()
            .await
            .map_err(store_error)?;
        let Some(item) = output.item else { return Ok(None) };
        let since = item.get("since").and_then(|value| value.as_n().ok()?.parse().ok());
        let since = since.ok_or_else(|| corrupt("an account without since"))?;
        Timestamp::from_millisecond(since).map(Some).map_err(corrupt)
    }
}

fn key(guest: &GuestId) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".into(), AttributeValue::S(format!("USER#{guest}"))),
        ("sk".into(), AttributeValue::S("ACCOUNT".into())),
    ])
}
