//! What a dispatch comes to, issued straight through the SDK and an HTTP client: two reads, the lease, the signed request,
//! the outcome. And what an acceptance comes to: one put.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use notification_aliyun::signature::{Credentials, Signed, canonical_query, sha256_hex};
use provider_stubs::{ALIYUN_ACCESS_KEY_ID, ALIYUN_ACCESS_KEY_SECRET, ALIYUN_SIGN_NAME};
use testing::NOTIFICATION_TABLE;

use super::service::{self, Service};

type Item = HashMap<String, AttributeValue>;

/// The calls, with nothing around them.
pub struct Raw {
    client: Client,
    http: reqwest::Client,
    endpoint: String,
    host: String,
    credentials: Credentials,
    /// A message as it is stored.
    sample: Item,
    /// Messages that were accepted.
    pub ids: Vec<String>,
}

impl Raw {
    /// On a table of its own with so many messages, which must be one at least.
    pub async fn with_messages(endpoint: &str, messages: usize) -> Result<Arc<Self>> {
        let service = Service::with_messages(endpoint, messages).await?;
        let client = service.client.clone();
        let first = service.ids.first().context("a message")?;
        let get = client.get_item().table_name(NOTIFICATION_TABLE).set_key(Some(key(first)));
        let sample = get.send().await?.item.context("the message")?;
        Ok(Arc::new(Self {
            client,
            http: reqwest::Client::builder().no_proxy().build()?,
            endpoint: endpoint.to_owned(),
            host: endpoint.split('/').nth(2).unwrap_or_default().to_owned(),
            credentials: Credentials {
                access_key_id: ALIYUN_ACCESS_KEY_ID.into(),
                access_key_secret: ALIYUN_ACCESS_KEY_SECRET.into(),
            },
            sample,
            ids: service.ids.clone(),
        }))
    }

    /// Two reads, the lease, the request, the outcome.
    pub async fn dispatch(&self, id: &str) -> Result<()> {
        let get = self.client.get_item().table_name(NOTIFICATION_TABLE).set_key(Some(key(id)));
        let item = get.consistent_read(true).send().await?.item.context("the message")?;
        let receiver = item.get("receiver").and_then(|it| it.as_s().ok()).context("the receiver")?;
        let number = receiver.trim_start_matches("tel:+86").to_owned();
        let suppressed = format!("SUPPRESSED#{}", sha256_hex(receiver.as_bytes()));
        let get = self.client.get_item().table_name(NOTIFICATION_TABLE).key("pk", text(suppressed));
        ensure!(get.key("sk", text("SUPPRESSED")).send().await?.item.is_none(), "not suppressed");
        let now = platform_lambda::now();
        let lease = self
            .client
            .update_item()
            .table_name(NOTIFICATION_TABLE)
            .set_key(Some(key(id)))
            .update_expression(
                "SET #status = :status, rev = :rev, attempts = :rev, provider = :by, #at = :at, #until = :at",
            )
            .condition_expression("rev = :rev")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":status", text("sending"))
            .expression_attribute_values(":rev", number_of(1))
            .expression_attribute_values(":by", text("aliyun"))
            .expression_attribute_values(":at", number_of(now.as_millisecond()));
        lease.send().await?;
        let reference = self.post(&number, id).await?;
        let record = self
            .client
            .update_item()
            .table_name(NOTIFICATION_TABLE)
            .set_key(Some(key(id)))
            .update_expression(
                "SET #status = :status, rev = :next, #reference = :ref, #at = :at REMOVE #until",
            )
            .condition_expression("rev = :rev")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#reference", "reference")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":status", text("sent"))
            .expression_attribute_values(":rev", number_of(1))
            .expression_attribute_values(":next", number_of(2))
            .expression_attribute_values(":ref", text(reference))
            .expression_attribute_values(":at", number_of(platform_lambda::now().as_millisecond()));
        record.send().await?;
        Ok(())
    }

    /// The signed request; what the provider calls the message.
    async fn post(&self, number: &str, id: &str) -> Result<String> {
        let blanks = serde_json::json!({
            "homestay": "West Lake Courtyard", "checkIn": "2026-12-24", "nights": "3", "amount": "1280.00",
            "order": "20261124-4711",
        });
        let query = canonical_query(&[
            ("PhoneNumbers", number.to_owned()),
            ("SignName", ALIYUN_SIGN_NAME.to_owned()),
            ("TemplateCode", "SMS_154950909".to_owned()),
            ("TemplateParam", blanks.to_string()),
            ("OutId", id.to_owned()),
        ]);
        let hash = sha256_hex(b"");
        let headers = [
            ("host", self.host.clone()),
            ("x-acs-action", "SendSms".to_owned()),
            ("x-acs-version", "2017-05-25".to_owned()),
            ("x-acs-date", platform_lambda::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("x-acs-signature-nonce", service::nonce()),
            ("x-acs-content-sha256", hash.clone()),
        ];
        let signed = Signed { method: "POST", path: "/aliyun/", query: &query, body_sha256: &hash };
        let authorization = signed.authorization(&self.credentials, &headers);
        let mut request = self.http.post(format!("{}/?{query}", self.endpoint));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer: serde_json::Value =
            request.header("authorization", authorization).send().await?.json().await?;
        let reference = answer.get("BizId").and_then(serde_json::Value::as_str);
        Ok(reference.with_context(|| format!("not taken: {answer}"))?.to_owned())
    }

    /// A message that is not there yet, as long as a real one in every attribute.
    pub async fn put(&self, id: &str) -> Result<()> {
        let mut item = self.sample.clone();
        item.extend(key(id));
        item.insert("id".into(), text(id));
        let put = self.client.put_item().table_name(NOTIFICATION_TABLE).set_item(Some(item));
        put.condition_expression("attribute_not_exists(pk)").send().await?;
        Ok(())
    }
}

fn key(id: &str) -> Item {
    Item::from([("pk".into(), text(format!("MESSAGE#{id}"))), ("sk".into(), text("MESSAGE"))])
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number_of(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
