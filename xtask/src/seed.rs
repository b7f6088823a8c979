//! What a fresh stack holds: users of both groups and a template of each kind.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Api, Endpoints, Identity, User};

/// Fulfils the pool's policy and guards nothing.
const PASSWORD: &str = "Only-for-development-1";

/// A time that no run of a stack reaches.
const SALES_LAST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The users every stack has.
pub(crate) fn users() -> Vec<User> {
    [("admin", "admin"), ("guest", "guest"), ("guest-2", "guest")]
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
    Ok(())
}

/// All types, limited and unlimited stock, a running and a coming sale. The first is the one the examples claim.
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
        assert!(templates.iter().any(|it| it["totalCount"] == -1));
        assert!(templates.iter().any(|it| it["startTime"].as_str() > Some("1970-01-01T00:00:00Z")));
    }

    #[test]
    fn there_are_an_admin_and_two_guests() {
        let groups: Vec<String> = users().into_iter().map(|user| user.group).collect();
        assert_eq!(groups, ["admin", "guest", "guest"]);
    }
}
