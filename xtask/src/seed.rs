//! What a fresh stack holds: users of both groups and a template of each kind.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Api, Endpoints, Identity, User, seed_notifications};

/// Fulfils the pool's policy and guards nothing.
const PASSWORD: &str = "Only-for-development-1";

/// A time that no run of a stack reaches.
const SALES_LAST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The users every stack has.
pub(crate) fn users() -> Vec<User> {
    [("admin", "admin"), ("guest", "guest"), ("guest-2", "guest"), ("host", "host")]
        .map(|(name, group)| User {
            name: format!("{name}@example.com"),
            password: PASSWORD.to_owned(),
            group: group.to_owned(),
        })
        .into()
}

/// Makes what is not there yet.
pub(crate) async fn seed(endpoints: &Endpoints, now: Timestamp) -> Result<()> {
    let identity = Identity::new(endpoints).await;
    try_join_all(endpoints.users.iter().map(|user| async {
        identity.ensure_user(&user.name, &user.password).await?;
        identity.add_to_group(&user.name, &user.group).await
    }))
    .await?;

    let admin = endpoints.admin()?;
    let token = identity.token(&admin.name, &admin.password).await?.access_token;
    let api = Api::new(&endpoints.api_url)?;
    let existing = api.templates(&token).await?;
    let missing = templates(now)
        .into_iter()
        .filter(|template| !existing.iter().any(|other| other.get("name") == template.get("name")));
    for template in missing {
        api.create_template(&token, &template).await.context("cannot seed the templates")?;
    }
    seed_campaign(&api, &token, now).await.context("cannot seed the campaign")?;
    seed_notifications::seed(endpoints, &identity, &api, &token).await
}

/// A campaign that gives half of the guests one coupon and half the other, within a budget.
async fn seed_campaign(api: &Api, token: &str, now: Timestamp) -> Result<()> {
    let exists = |it: &Value| it.get("name").is_some_and(|name| name == CAMPAIGN);
    if api.campaigns(token).await?.iter().any(exists) {
        return Ok(());
    }
    let mut offers = Vec::new();
    for (template, variant) in campaign_templates(now).iter().zip(["cash", "discount"]) {
        let created = api.create_template(token, template).await?;
        let id = created.get("id").and_then(Value::as_str).context("a template without id")?.to_owned();
        offers.push((id, json!({ "weight": 50, "variant": variant })));
    }
    let offers: Vec<(&str, Value)> = offers.iter().map(|(id, offer)| (id.as_str(), offer.clone())).collect();
    let campaign = json!({
        "name": CAMPAIGN, "description": "每人一张，先到先得",
        "startTime": now, "endTime": now + SALES_LAST, "budgetFen": 1_000_000, "split": true,
    });
    api.create_campaign(token, &campaign, &offers).await.map(|_| ())
}

/// The campaign that every stack has.
const CAMPAIGN: &str = "双旦大促";

/// What the campaign offers: each of 100 coupons of at most 30 yuan.
fn campaign_templates(now: Timestamp) -> [Value; 2] {
    let common = json!({
        "threshold": { "type": "amount", "amountFen": 10_000 },
        "totalCount": 100, "perUserLimit": 1, "validDays": 30,
        "startTime": now, "endTime": now + SALES_LAST, "issueType": "manual", "expectedClaimsPerSecond": 100,
        "stacking": { "type": "group", "group": "festival" }, "restock": true,
    });
    let with = |own: Value| {
        let mut template = common.clone();
        if let (Some(template), Value::Object(own)) = (template.as_object_mut(), own) {
            template.extend(own);
        }
        template
    };
    [
        with(json!({ "name": "双旦立减30元", "type": "cash", "amountFen": 3000 })),
        with(json!({
            "name": "双旦8折", "type": "discount", "discountPercent": 20, "discountCapFen": 3000,
        })),
    ]
}

/// All types, limited and unlimited stock, a running and a coming sale, every way of issuing. The first is the one the
/// examples claim.
fn templates(now: Timestamp) -> Vec<Value> {
    let end = now + SALES_LAST;
    let soon = now + SALES_LAST / 30;
    vec![
        json!({
            "name": "满100减20", "type": "full_reduction", "amountFen": 2000,
            "threshold": { "type": "amount", "amountFen": 10_000 },
            "totalCount": 1000, "perUserLimit": 1, "validDays": 30,
            "startTime": now, "endTime": end, "issueType": "manual", "expectedClaimsPerSecond": 1000,
        }),
        json!({
            "name": "周末8折", "type": "discount", "discountPercent": 20, "discountCapFen": 5000,
            "threshold": { "type": "none" },
            "totalCount": 500, "perUserLimit": 2, "validDays": 14,
            "startTime": now, "endTime": end, "issueType": "manual", "expectedClaimsPerSecond": 200,
        }),
        json!({
            "name": "50元代金券", "type": "cash", "amountFen": 5000,
            "threshold": { "type": "none" },
            "totalCount": 100, "perUserLimit": 1, "validDays": 7,
            "startTime": soon, "endTime": end, "issueType": "manual", "expectedClaimsPerSecond": 2000,
        }),
        json!({
            "name": "早餐礼券", "type": "gift", "giftSku": "BREAKFAST-2",
            "threshold": { "type": "none" },
            "totalCount": 50, "perUserLimit": 1, "validDays": 90,
            "startTime": now, "endTime": end, "issueType": "manual", "expectedClaimsPerSecond": 50,
        }),
        json!({
            "name": "新客立减10元", "type": "cash", "amountFen": 1000,
            "threshold": { "type": "amount", "amountFen": 5000 },
            "totalCount": -1, "perUserLimit": 1, "validDays": 30,
            "startTime": now, "endTime": end, "issueType": "manual", "expectedClaimsPerSecond": 100,
            "scope": { "firstOrderOnly": true }, "stacking": { "type": "stackable" },
        }),
        json!({
            "name": "整点秒杀券", "type": "cash", "amountFen": 9900,
            "threshold": { "type": "amount", "amountFen": 20_000 },
            "totalCount": 200, "perUserLimit": 1, "validDays": 7, "issueMode": "queued",
            "startTime": now, "endTime": end, "issueType": "manual", "expectedClaimsPerSecond": 1000,
        }),
        json!({
            "name": "注册礼", "type": "cash", "amountFen": 2000,
            "threshold": { "type": "none" },
            "totalCount": 10_000, "perUserLimit": 1, "validDays": 30,
            "startTime": now, "endTime": end, "issueType": "auto", "autoRule": { "on": "sign_up" },
            "expectedClaimsPerSecond": 20,
        }),
        json!({
            "name": "门店兑换券", "type": "cash", "amountFen": 5000,
            "threshold": { "type": "none" }, "scope": { "cities": ["北京"] },
            "totalCount": 1000, "perUserLimit": 5, "validDays": 90,
            "startTime": now, "endTime": end, "issueType": "exchange", "expectedClaimsPerSecond": 20,
        }),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_templates_cover_every_type_and_have_names_of_their_own() {
        let templates = templates(Timestamp::UNIX_EPOCH);
        let all = |member| templates.iter().filter_map(|it| it[member].as_str()).collect::<BTreeSet<_>>();
        assert_eq!(all("type"), BTreeSet::from(["cash", "discount", "full_reduction", "gift"]));
        assert_eq!(all("name").len(), templates.len());
        assert_eq!(all("issueType"), BTreeSet::from(["auto", "exchange", "manual"]));
        assert!(templates.iter().any(|it| it["issueMode"] == "queued"));
        assert!(templates.iter().any(|it| it["totalCount"] == -1));
        assert!(templates.iter().any(|it| it["startTime"].as_str() > Some("1970-01-01T00:00:00Z")));
    }

    #[test]
    fn there_are_an_admin_two_guests_and_a_host() {
        let groups: Vec<String> = users().into_iter().map(|user| user.group).collect();
        assert_eq!(groups, ["admin", "guest", "guest", "host"]);
    }
}
