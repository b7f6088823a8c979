use std::collections::HashMap;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::invariants::{Ledger, Shard, StoredCoupon};
use crate::{Endpoints, aws};

/// Shards read at once.
const CONCURRENCY: usize = 16;

type Item = HashMap<String, AttributeValue>;

/// All that the table holds of `template`. Scans the whole table, so that no coupon is missed, whoever holds it.
pub async fn read(endpoints: &Endpoints, template: &str) -> Result<Ledger> {
    let table = Table { client: Client::new(&aws::config(endpoints).await), name: &endpoints.coupon_table };
    let (shards, coupons) = tokio::try_join!(table.shards(template), table.coupons(template))?;
    Ok(Ledger { shards, coupons })
}

struct Table<'a> {
    client: Client,
    name: &'a str,
}

impl Table<'_> {
    async fn shards(&self, template: &str) -> Result<Vec<Shard>> {
        let item = self.item(format!("TEMPLATE#{template}"), "TEMPLATE").await?;
        let shards = number(&item, "shards")?;
        stream::iter(0..shards)
            .map(async |shard| {
                let item = self.item(format!("TEMPLATE#{template}#STOCK#{shard}"), "STOCK").await?;
                Ok(Shard { capacity: number(&item, "capacity")?, issued: number(&item, "issued")? })
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await
    }

    async fn coupons(&self, template: &str) -> Result<Vec<StoredCoupon>> {
        let mut pages = self
            .client
            .scan()
            .table_name(self.name)
            .consistent_read(true)
            .filter_expression("begins_with(sk, :coupons)")
            .expression_attribute_values(":coupons", AttributeValue::S(format!("COUPON#{template}#")))
            .into_paginator()
            .items()
            .send();
        let mut coupons = Vec::new();
        while let Some(item) = pages.next().await {
            coupons.push(coupon(&item.context("cannot scan the coupon table")?)?);
        }
        Ok(coupons)
    }

    async fn item(&self, pk: String, sk: &str) -> Result<Item> {
        let output = self
            .client
            .get_item()
            .table_name(self.name)
            .consistent_read(true)
            .key("pk", AttributeValue::S(pk.clone()))
            .key("sk", AttributeValue::S(sk.to_owned()))
            .send()
            .await
            .with_context(|| format!("cannot read {pk}"))?;
        output.item.with_context(|| format!("there is no {pk}"))
    }
}

fn coupon(item: &Item) -> Result<StoredCoupon> {
    let guest = text(item, "pk")?.strip_prefix("USER#").context("a coupon of no user")?;
    Ok(StoredCoupon {
        guest: guest.to_owned(),
        id: text(item, "id")?.to_owned(),
        code: text(item, "code")?.to_owned(),
    })
}

fn text<'a>(item: &'a Item, name: &str) -> Result<&'a str> {
    let text = item.get(name).and_then(|value| value.as_s().ok());
    text.map(String::as_str).with_context(|| format!("an item without the text {name}"))
}

fn number(item: &Item, name: &str) -> Result<u64> {
    let number = item.get(name).and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok());
    number.with_context(|| format!("an item without the number {name}"))
}
