use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_ids::{CampaignId, TemplateId};
use domain_report::{FactId, Hour};

pub(crate) type Key = HashMap<String, AttributeValue>;

/// Sort keys of the counters of hours.
pub(crate) const HOURS: &str = "HOUR#";

pub(crate) fn mark(fact: FactId) -> Key {
    key(format!("FACT#{}", fact.coupon), fact.revision.to_string())
}

pub(crate) fn hour(template: TemplateId, hour: Hour, shard: u16) -> Key {
    key(report_pk(template), format!("{HOURS}{hour}#{shard}"))
}

pub(crate) fn report_pk(template: TemplateId) -> String {
    format!("REPORT#{template}")
}

/// The hour of a sort key that [`hour`] has made.
pub(crate) fn hour_of(sk: &str) -> Option<Hour> {
    let (hour, _shard) = sk.strip_prefix(HOURS)?.split_once('#')?;
    hour.parse().ok()
}

pub(crate) fn returned(template: TemplateId) -> Key {
    key(template_pk(template), "RETURNED".into())
}

pub(crate) fn template(id: TemplateId) -> Key {
    key(template_pk(id), "TEMPLATE".into())
}

pub(crate) fn campaign(id: CampaignId) -> Key {
    key(format!("CAMPAIGN#{id}"), "CAMPAIGN".into())
}

fn template_pk(id: TemplateId) -> String {
    format!("TEMPLATE#{id}")
}

fn key(pk: String, sk: String) -> Key {
    HashMap::from([("pk".into(), AttributeValue::S(pk)), ("sk".into(), AttributeValue::S(sk))])
}
