use std::{error::Error, num::NonZeroU16};

use domain_coupon::{
    IssueMode, IssueType, LimitedStock, Stock, Template, TemplatePosition, TemplateStatus, Terms, Usage,
};
use domain_ids::{CampaignId, TemplateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    keys::{self, Key},
    terms_item::TermsItem,
    usage_item::{AutoItem, UsageItem},
};

/// A template as it is stored. Times are milliseconds since 1970; an absent `totalCount` is unlimited stock.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateItem {
    id: TemplateId,
    version: u64,
    #[serde(flatten)]
    terms: TermsItem,
    #[serde(flatten)]
    usage: UsageItem,
    #[serde(flatten)]
    stock: Option<StockItem>,
    per_user_limit: u8,
    valid_days: u16,
    starts_at: i64,
    ends_at: i64,
    issue_type: IssueType,
    issue_mode: IssueMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto: Option<AutoItem>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    restock: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    campaign: Option<CampaignId>,
    expected_claims_per_second: u32,
    status: TemplateStatus,
    created_at: i64,
    updated_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StockItem {
    total_count: u32,
    #[serde(default)]
    returned: u32,
    shards: NonZeroU16,
    epoch: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refilling: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sold_out_at: Option<i64>,
}

pub(crate) fn write(template: &Template) -> Result<Key, serde_dynamo::Error> {
    let stock = match &template.stock {
        Stock::Unlimited => None,
        Stock::Limited(stock) => Some(StockItem {
            total_count: stock.total,
            returned: stock.returned,
            shards: stock.shards,
            epoch: stock.epoch,
            refilling: stock.refilling,
            sold_out_at: stock.sold_out_at.map(Timestamp::as_millisecond),
        }),
    };
    let mut item: Key = serde_dynamo::to_item(TemplateItem {
        id: template.id,
        version: template.version,
        terms: TermsItem::from(&template.terms),
        usage: UsageItem::from(&template.usage),
        stock,
        per_user_limit: template.per_user_limit,
        valid_days: template.valid_days,
        starts_at: template.starts_at.as_millisecond(),
        ends_at: template.ends_at.as_millisecond(),
        issue_type: template.issue_type,
        issue_mode: template.issue_mode,
        auto: template.auto.map(AutoItem::from),
        restock: template.restock,
        campaign: template.campaign,
        expected_claims_per_second: template.expected_claims_per_second,
        status: template.status,
        created_at: template.created_at.as_millisecond(),
        updated_at: template.updated_at.as_millisecond(),
    })?;
    item.extend(keys::template_position(TemplatePosition { ends_at: template.ends_at, id: template.id }));
    Ok(item)
}

pub(crate) fn parse(item: Key) -> Result<Template, Box<dyn Error + Send + Sync>> {
    let item: TemplateItem = serde_dynamo::from_item(item)?;
    let stock = match item.stock {
        None => Stock::Unlimited,
        Some(stock) => Stock::Limited(LimitedStock {
            total: stock.total_count,
            returned: stock.returned,
            shards: stock.shards,
            epoch: stock.epoch,
            refilling: stock.refilling,
            sold_out_at: stock.sold_out_at.map(Timestamp::from_millisecond).transpose()?,
        }),
    };
    Ok(Template {
        id: item.id,
        version: item.version,
        terms: Terms::try_from(item.terms)?,
        usage: Usage::try_from(item.usage)?,
        stock,
        per_user_limit: item.per_user_limit,
        valid_days: item.valid_days,
        starts_at: Timestamp::from_millisecond(item.starts_at)?,
        ends_at: Timestamp::from_millisecond(item.ends_at)?,
        issue_type: item.issue_type,
        issue_mode: item.issue_mode,
        auto: item.auto.map(Into::into),
        restock: item.restock,
        campaign: item.campaign,
        expected_claims_per_second: item.expected_claims_per_second,
        status: item.status,
        created_at: Timestamp::from_millisecond(item.created_at)?,
        updated_at: Timestamp::from_millisecond(item.updated_at)?,
    })
}
