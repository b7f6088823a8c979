use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;

/// Longer than the longest time-out of a function.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Templates or campaigns on a page.
const PAGE: u32 = 50;

/// The HTTP API, as a guest or an operator uses it.
#[derive(Debug, Clone)]
pub struct Api {
    http: Client,
    url: String,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` if it is empty or no JSON.
    pub body: Value,
}

impl Api {
    /// The API at `url`, to which paths are appended.
    pub fn new(url: &str) -> Result<Self> {
        let mut http = Client::builder().timeout(TIMEOUT);
        if ["http://127.0.0.1:", "http://localhost:"].iter().any(|local| url.starts_with(local)) {
            http = http.no_proxy();
        }
        Ok(Self { http: http.build()?, url: url.trim_end_matches('/').to_owned() })
    }

    /// Sends a request; without a token, as anybody.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let request = self.request(method, path, token);
        answer(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// Claims a coupon of `template` under an idempotency key.
    pub async fn claim(&self, template: &str, token: &str, key: &str) -> reqwest::Result<Answer> {
        let path = format!("/v1/coupon-templates/{template}/claims");
        answer(self.request(Method::POST, &path, Some(token)).header("Idempotency-Key", key)).await
    }

    /// Puts a claim on a coupon of `template` into the queue under an idempotency key.
    pub async fn queue_claim(&self, template: &str, token: &str, key: &str) -> reqwest::Result<Answer> {
        let path = format!("/v1/coupon-templates/{template}/queued-claims");
        answer(self.request(Method::POST, &path, Some(token)).header("Idempotency-Key", key)).await
    }

    /// Publishes a template; returns it.
    pub async fn create_template(&self, token: &str, template: &Value) -> Result<Value> {
        let path = "/v1/admin/coupon-templates";
        let answer = self.send(Method::POST, path, Some(token), Some(template)).await?;
        ensure!(answer.status == StatusCode::CREATED, "cannot create a template: {}", answer.brief());
        Ok(answer.body)
    }

    /// All templates.
    pub async fn templates(&self, token: &str) -> Result<Vec<Value>> {
        self.list(token, "/v1/admin/coupon-templates").await
    }

    /// All campaigns.
    pub async fn campaigns(&self, token: &str) -> Result<Vec<Value>> {
        self.list(token, "/v1/admin/campaigns").await
    }

    /// Publishes a campaign with its templates, each by its id with what it is to have of it, and starts it; returns it.
    pub async fn create_campaign(
        &self,
        token: &str,
        campaign: &Value,
        offers: &[(&str, Value)],
    ) -> Result<Value> {
        let created = self.send(Method::POST, "/v1/admin/campaigns", Some(token), Some(campaign)).await?;
        ensure!(created.status == StatusCode::CREATED, "cannot create a campaign: {}", created.brief());
        let path = format!("/v1/admin/campaigns/{}", created.text("id").context("a campaign without id")?);
        let mut last = created;
        let start = (Method::PATCH, path.clone(), serde_json::json!({ "status": "active" }));
        let put = |(template, offer): &(&str, Value)| {
            (Method::PUT, format!("{path}/templates/{template}"), offer.clone())
        };
        for (method, path, body) in offers.iter().map(put).chain([start]) {
            let tag = last.header("etag").context("a campaign without ETag")?;
            let change = self.request(method, &path, Some(token)).header("If-Match", tag);
            last = answer(change.json(&body)).await?;
            ensure!(last.status == StatusCode::OK, "cannot change {path}: {}", last.brief());
        }
        Ok(last.body)
    }

    /// Adds a rule of notifications, unless it is there: then the answer is 412.
    pub async fn put_rule(&self, token: &str, id: &str, rule: &Value) -> reqwest::Result<Answer> {
        let path = format!("/v1/admin/notification-rules/{id}");
        answer(self.request(Method::PUT, &path, Some(token)).header("If-None-Match", "*").json(rule)).await
    }

    /// All items of a list that comes in pages.
    async fn list(&self, token: &str, path: &str) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        let mut page = format!("{path}?limit={PAGE}");
        loop {
            let answer = self.send(Method::GET, &page, Some(token), None).await?;
            ensure!(answer.status == StatusCode::OK, "cannot list {path}: {}", answer.brief());
            let items = answer.body.get("items").and_then(Value::as_array);
            found.extend(items.context("a list without items")?.iter().cloned());
            match answer.text("nextCursor") {
                Some(cursor) => page = format!("{path}?limit={PAGE}&cursor={cursor}"),
                None => return Ok(found),
            }
        }
    }

    fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

impl Answer {
    /// A member of the body that is a text.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member).and_then(Value::as_str)
    }

    /// A header that is a text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The last part of a problem's type: `coupon-sold-out`.
    pub fn problem(&self) -> Option<&str> {
        self.text("type").and_then(|kind| kind.strip_prefix("urn:flashsale:problem:"))
    }

    /// For an error message.
    pub(crate) fn brief(&self) -> String {
        format!("{} {}", self.status, self.body)
    }
}

async fn answer(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await?;
    Ok(Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}
