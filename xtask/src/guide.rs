//! What a developer wants to know once the stack runs.

use std::io::Write;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{Api, Endpoints, Identity, User, workspace};

/// Prints addresses, credentials, logs and a curl for each route.
pub(crate) async fn print(endpoints: &Endpoints) -> Result<()> {
    let admin = endpoints.admin()?;
    let token = Identity::new(endpoints).await.token(&admin.name, &admin.password).await?.access_token;
    let templates = Api::new(&endpoints.api_url)?.templates(&token).await?;
    let template = examples(&templates).context("there is no template to show examples with")?;
    // Whoever reads only its beginning is content.
    let _ = std::io::stdout().write_all(text(endpoints, template).as_bytes());
    Ok(())
}

/// The seeded template the examples claim, whatever was created since.
fn examples(templates: &[Value]) -> Option<&str> {
    let claimable = |it: &&Value| it.get("type").is_some_and(|kind| kind == "full_reduction");
    templates.iter().rfind(claimable).or(templates.last())?.get("id")?.as_str()
}

fn text(endpoints: &Endpoints, template: &str) -> String {
    let Endpoints { api_url, aws_endpoint, users, .. } = endpoints;
    let aws = aws_endpoint.as_deref().unwrap_or("a real account");
    let logs = workspace::local().join("logs");
    let logs = workspace::display(&logs);
    let users =
        lines(users, |User { name, password, group }| format!("{group:<11} {name}  password {password}\n"));
    let curls = lines(&curls(api_url, template), |(title, command)| format!("\n# {title}\n{command}\n"));
    format!(
        "
API         {api_url}
AWS         {aws}
addresses   .local/endpoints.json
logs        {logs}/ministack.log; each function's own, once it has run: {logs}/<function>.log

{users}
Each of these works as it stands, at the root of the repository; the token in it is always fresh.
{curls}"
    )
}

fn lines<T>(items: &[T], text: impl FnMut(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().concat()
}

/// One for each route, in the order in which one would try them.
fn curls(api: &str, template: &str) -> Vec<(&'static str, String)> {
    let as_user = |user: &str| format!("-H \"Authorization: Bearer $(cargo xtask token --user {user})\"");
    let (guest, admin) = (as_user("guest"), as_user("admin"));
    let create = r#"'{"name":"满50减5","type":"full_reduction","amountFen":500,"threshold":{"type":"amount","amountFen":5000},"totalCount":100,"perUserLimit":1,"validDays":7,"startTime":"2026-01-01T00:00:00+08:00","endTime":"2036-01-01T00:00:00+08:00","issueType":"manual","expectedClaimsPerSecond":100}'"#;
    vec![
        ("what is on sale", format!("curl {api}/v1/coupon-templates")),
        ("one sale", format!("curl {api}/v1/coupon-templates/{template}")),
        (
            "claim a coupon; again with the same key gives the same coupon",
            format!(
                "curl -i -X POST {api}/v1/coupon-templates/{template}/claims {guest} -H 'Idempotency-Key: first-try'"
            ),
        ),
        ("my coupons", format!("curl '{api}/v1/me/coupons?status=unused&limit=10' {guest}")),
        (
            "one of my coupons, once there is one: its id is looked up in the list",
            format!(
                "curl {api}/v1/me/coupons/$(curl -s '{api}/v1/me/coupons?limit=1' {guest} | grep -o '\"id\":\"[^\"]*' | cut -d '\"' -f 4) {guest}"
            ),
        ),
        (
            "publish a template",
            format!(
                "curl -X POST {api}/v1/admin/coupon-templates {admin} -H 'Content-Type: application/json' -d {create}"
            ),
        ),
        ("all templates", format!("curl '{api}/v1/admin/coupon-templates?limit=10' {admin}")),
        (
            "one template, with its version",
            format!("curl -i {api}/v1/admin/coupon-templates/{template} {admin}"),
        ),
        (
            "pause the sale; If-Match is the version, as the ETag of the last answer has it",
            format!(
                "curl -X PATCH {api}/v1/admin/coupon-templates/{template} {admin} -H 'If-Match: \"1\"' -H 'Content-Type: application/json' -d '{{\"status\":\"paused\"}}'"
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn there_is_a_curl_for_each_route() {
        let curls = curls("http://api", "T");
        for route in [
            "curl http://api/v1/coupon-templates",
            "curl http://api/v1/coupon-templates/T",
            "curl -i -X POST http://api/v1/coupon-templates/T/claims",
            "curl 'http://api/v1/me/coupons?",
            "curl http://api/v1/me/coupons/",
            "curl -X POST http://api/v1/admin/coupon-templates ",
            "curl 'http://api/v1/admin/coupon-templates?",
            "curl -i http://api/v1/admin/coupon-templates/T ",
            "curl -X PATCH http://api/v1/admin/coupon-templates/T ",
        ] {
            assert!(curls.iter().any(|(_, curl)| curl.starts_with(route)), "{route}");
        }
    }

    #[test]
    fn the_examples_claim_the_first_template_that_was_seeded() {
        let template = |id: &str, kind: &str| json!({ "id": id, "type": kind });
        let templates =
            [template("3", "full_reduction"), template("1", "full_reduction"), template("2", "cash")];
        assert_eq!(examples(&templates), Some("1"));
        assert_eq!(examples(&templates[2..]), Some("2"));
        assert_eq!(examples(&[]), None);
    }
}
