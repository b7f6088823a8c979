use std::{collections::HashMap, error::Error};

use aws_sdk_dynamodb::types::AttributeValue;
use domain_ids::{CouponId, GuestId, RequestId, TemplateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Item, KEPT_FOR, Outcome, Settled};

/// An outcome as it is stored, below 1 KB unless a refusal names a dozen coupons. `at` is milliseconds since 1970, `ttl` seconds.
#[derive(Serialize, Deserialize)]
struct RequestItem {
    guest: GuestId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<TemplateId>,
    #[serde(flatten)]
    outcome: OutcomeItem,
    at: i64,
    ttl: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum OutcomeItem {
    Issued { coupon: CouponId },
    Refused { problem: Value },
}

pub(crate) fn write(settled: &Settled) -> Result<Item, serde_dynamo::Error> {
    let mut item: Item = serde_dynamo::to_item(RequestItem {
        guest: settled.guest.clone(),
        template: settled.template,
        outcome: match &settled.outcome {
            Outcome::Issued(coupon) => OutcomeItem::Issued { coupon: *coupon },
            Outcome::Refused(problem) => OutcomeItem::Refused { problem: problem.clone() },
        },
        at: settled.at.as_millisecond(),
        ttl: (settled.at + KEPT_FOR).as_second(),
    })?;
    item.extend(key(&settled.request));
    Ok(item)
}

pub(crate) fn parse(request: RequestId, item: Item) -> Result<Settled, Box<dyn Error + Send + Sync>> {
    let item: RequestItem = serde_dynamo::from_item(item)?;
    Ok(Settled {
        request,
        guest: item.guest,
        template: item.template,
        outcome: match item.outcome {
            OutcomeItem::Issued { coupon } => Outcome::Issued(coupon),
            OutcomeItem::Refused { problem } => Outcome::Refused(problem),
        },
        at: Timestamp::from_millisecond(item.at)?,
    })
}

pub(crate) fn key(request: &RequestId) -> Item {
    pair(format!("REQUEST#{request}"), "REQUEST")
}

/// No request has an empty id.
pub(crate) fn progress_key() -> Item {
    pair("REQUEST#".into(), "PROGRESS")
}

fn pair(pk: String, sk: &str) -> Item {
    HashMap::from([("pk".into(), AttributeValue::S(pk)), ("sk".into(), AttributeValue::S(sk.into()))])
}
