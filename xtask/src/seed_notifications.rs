//! What the notification service of a fresh local stack holds: templates, rules, where the guests are reached, and
//! providers that are stand-ins.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{Api, Endpoints, Identity, aws};

/// What messages say, as bodies of `POST /v1/admin/notification-templates`.
const TEMPLATES: &str = include_str!("notification_templates.json");

/// Which events become messages, as bodies of `PUT /v1/admin/notification-rules/{id}`, with that id.
const RULES: &str = include_str!("notification_rules.json");

/// The application for push that the local stage is synthesized for: its ARN is known before it is made.
pub(crate) const LOCAL_PUSH_APPLICATION: &str = "arn:aws:sns:us-east-1:000000000000:app/GCM/flashsale-local";

const PUSH_APPLICATION: &str = "flashsale-local";

/// Kinds of providers that have a stand-in, and its path there.
const STAND_INS: [(&str, &str); 5] = [
    ("aliyun", "aliyun"),
    ("tencent", "tencent"),
    ("wechat_official", "wechat"),
    ("wechat_mini", "wechat"),
    ("sendgrid", "sendgrid"),
];

/// Makes what is not there yet.
pub(crate) async fn seed(endpoints: &Endpoints, identity: &Identity, api: &Api, token: &str) -> Result<()> {
    if let (Some(aws), Some(stubs)) = (&endpoints.aws_endpoint, &endpoints.provider_stubs) {
        use_stand_ins(aws, &endpoints.notification_channels, stubs)
            .await
            .context("cannot set the channels up")?;
        reach_guests(endpoints, identity).await.context("cannot seed where guests are reached")?;
    }
    for template in list(TEMPLATES)? {
        let path = "/v1/admin/notification-templates";
        let answer = api.send(Method::POST, path, Some(token), Some(&template)).await?;
        let is_there = answer.status == StatusCode::CREATED || answer.problem() == Some("template-exists");
        let code = template.get("code").and_then(Value::as_str).unwrap_or_default();
        ensure!(is_there, "cannot seed the template {code}: {}", answer.brief());
    }
    for mut rule in list(RULES)? {
        // Its place says which it is.
        let id = rule.as_object_mut().and_then(|rule| rule.remove("id"));
        let id = id.as_ref().and_then(Value::as_str).context("a rule without id")?.to_owned();
        let answer = api.put_rule(token, &id, &rule).await?;
        let is_there = answer.status.is_success() || answer.status == StatusCode::PRECONDITION_FAILED;
        ensure!(is_there, "cannot seed the rule {id}: {}", answer.brief());
    }
    Ok(())
}

fn list(text: &str) -> Result<Vec<Value>> {
    serde_json::from_str(text).context("data of this program")
}

/// Each user has a phone number, a mail address, a name at `WeChat` and a device.
async fn reach_guests(endpoints: &Endpoints, identity: &Identity) -> Result<()> {
    make_push_application(endpoints).await?;
    let http = Client::builder().no_proxy().build()?;
    let ensure_done = async |request: reqwest::RequestBuilder| -> Result<()> {
        let response = request.send().await?;
        let status = response.status();
        let is_there = status.is_success() || status == StatusCode::PRECONDITION_FAILED;
        ensure!(is_there, "{status} {}", response.text().await?);
        Ok(())
    };
    for (n, user) in endpoints.users.iter().enumerate() {
        let token = identity.token(&user.name, &user.password).await?;
        let contacts = json!({
            "phone": format!("+861380013800{n}"),
            "email": user.name,
            "wechatOfficial": format!("oOfficial-{n}"),
            "wechatMini": format!("oMini-{n}"),
        });
        let url = format!("{}/v1/internal/guests/{}/contacts", endpoints.api_url, token.subject);
        let request = http.put(url).header(header::AUTHORIZATION, unchecked_signature());
        ensure_done(request.header(header::IF_MATCH, "\"0\"").json(&contacts)).await?;
        let url = format!("{}/v1/me/devices/phone", endpoints.api_url);
        let device = json!({ "platform": "fcm", "token": format!("device-of-{n}") });
        ensure_done(http.put(url).bearer_auth(&token.access_token).json(&device)).await?;
    }
    Ok(())
}

/// What the local AWS, which checks no signature, takes for one of a role of ours.
fn unchecked_signature() -> String {
    let key = aws::LOCAL_KEY;
    let scope = format!("20260101/{}/execute-api/aws4_request", aws::LOCAL_REGION);
    format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host, Signature=unchecked")
}

/// The application that [`LOCAL_PUSH_APPLICATION`] names.
async fn make_push_application(endpoints: &Endpoints) -> Result<()> {
    let client = aws_sdk_sns::Client::new(&aws::config(endpoints).await);
    let application = client.create_platform_application().name(PUSH_APPLICATION).platform("GCM");
    let made = application.attributes("PlatformCredential", "local").send().await?;
    let arn = made.platform_application_arn.unwrap_or_default();
    ensure!(arn == LOCAL_PUSH_APPLICATION, "the local AWS calls the application {arn}");
    Ok(())
}

/// Deploys the channels' document anew, with the stand-ins' addresses in it: as an operator would.
async fn use_stand_ins(aws: &str, location: &str, stubs: &str) -> Result<()> {
    let parts: Vec<&str> = location.trim_start_matches("appconfig:").split('/').collect();
    let [application, environment, profile] = parts.as_slice() else {
        anyhow::bail!("{location} is no location of AppConfig")
    };
    let http = Client::builder().no_proxy().build()?;
    let versions = format!(
        "{aws}/applications/{application}/configurationprofiles/{profile}/hostedconfigurationversions"
    );
    let send = async |request: reqwest::RequestBuilder| -> Result<Value> {
        let response = request.header(header::AUTHORIZATION, unchecked_appconfig()).send().await?;
        let (status, bytes) = (response.status(), response.bytes().await?);
        ensure!(status.is_success(), "{status} {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    };
    let listed = send(http.get(&versions)).await?;
    let newest = listed.get("Items").and_then(Value::as_array).into_iter().flatten();
    let newest = newest.filter_map(|it| it.get("VersionNumber")?.as_u64()).max().context("no version")?;
    let mut document = send(http.get(format!("{versions}/{newest}"))).await?;
    let mail_server = mail_server(stubs).context("the stand-ins have no port")?;
    if !redirect(&mut document, stubs, &mail_server) {
        return Ok(());
    }
    let created = http.post(&versions).header(header::CONTENT_TYPE, "application/json");
    send(created.body(document.to_string())).await?;
    let deployment = json!({
        "ConfigurationProfileId": profile,
        "ConfigurationVersion": (newest + 1).to_string(),
        "DeploymentStrategyId": "AppConfig.AllAtOnce",
    });
    let url = format!("{aws}/applications/{application}/environments/{environment}/deployments");
    send(http.post(url).json(&deployment)).await?;
    Ok(())
}

fn unchecked_appconfig() -> String {
    unchecked_signature().replace("execute-api", "appconfig")
}

/// `127.0.0.1:<the port after that of the stand-ins>`.
fn mail_server(stubs: &str) -> Option<String> {
    let port: u16 = stubs.rsplit(':').next()?.parse().ok()?;
    Some(format!("127.0.0.1:{}", port.checked_add(1)?))
}

/// Points the providers that have a stand-in to it; says whether that changed anything.
fn redirect(document: &mut Value, stubs: &str, mail_server: &str) -> bool {
    let before = document.clone();
    let channels = document.get_mut("channels").and_then(Value::as_object_mut);
    for channel in channels.into_iter().flat_map(|channels| channels.values_mut()) {
        let providers = channel.get_mut("providers").and_then(Value::as_array_mut);
        for provider in providers.into_iter().flatten().filter_map(Value::as_object_mut) {
            let kind = provider.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
            let endpoint = match STAND_INS.iter().find(|(name, _)| *name == kind) {
                Some((_, path)) => format!("{stubs}/{path}"),
                None if kind == "smtp" => mail_server.to_owned(),
                None => continue,
            };
            provider.insert("endpoint".into(), endpoint.into());
            provider.insert("enabled".into(), true.into());
        }
    }
    *document != before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seeded_is_json() {
        assert!(list(TEMPLATES).unwrap().len() >= 5);
        assert!(!list(RULES).unwrap().is_empty());
    }

    #[test]
    fn providers_that_have_a_stand_in_are_pointed_to_it() {
        let mut document = json!({ "channels": {
            "sms": { "providers": [
                { "name": "a", "kind": "aliyun", "enabled": false }, { "name": "s", "kind": "sns_sms" },
            ] },
            "email": { "providers": [{ "name": "m", "kind": "smtp" }] },
        } });
        let stubs = "http://127.0.0.1:4700";
        assert!(redirect(&mut document, stubs, &mail_server(stubs).unwrap()));
        let provider = |place: &str| document.pointer(place).unwrap().clone();
        let aliyun = json!({
            "name": "a", "kind": "aliyun", "enabled": true, "endpoint": "http://127.0.0.1:4700/aliyun",
        });
        assert_eq!(provider("/channels/sms/providers/0"), aliyun);
        assert_eq!(provider("/channels/sms/providers/1"), json!({ "name": "s", "kind": "sns_sms" }));
        assert_eq!(provider("/channels/email/providers/0")["endpoint"], json!("127.0.0.1:4701"));
        let mut again = document.clone();
        assert!(!redirect(&mut again, stubs, "127.0.0.1:4701"));
    }
}
