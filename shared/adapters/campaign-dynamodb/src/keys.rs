use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_campaign::CampaignPosition;
use domain_ids::CampaignId;

pub(crate) type Key = HashMap<String, AttributeValue>;

/// The index that lists what ends; templates are in another partition of it.
pub(crate) const BY_END: &str = "templates-by-end";

/// Campaigns' partition of the index: operators write them rarely.
pub(crate) const CAMPAIGNS: &str = "CAMPAIGNS";

pub(crate) fn campaign(id: CampaignId) -> Key {
    HashMap::from([
        ("pk".into(), AttributeValue::S(format!("CAMPAIGN#{id}"))),
        ("sk".into(), AttributeValue::S("CAMPAIGN".into())),
    ])
}

/// The keys of the table and of the index.
pub(crate) fn position(position: CampaignPosition) -> Key {
    let mut key = campaign(position.id);
    let list_sk = format!("{}#{}", list_sk_from(position.ends_at.as_millisecond()), position.id);
    key.insert("listPk".into(), AttributeValue::S(CAMPAIGNS.into()));
    key.insert("listSk".into(), AttributeValue::S(list_sk));
    key
}

/// Where the campaigns begin that end at `ends_at_ms`: leading zeros make text order time order. The year 9999 has 15
/// digits.
pub(crate) fn list_sk_from(ends_at_ms: i64) -> String {
    format!("{ends_at_ms:015}")
}
