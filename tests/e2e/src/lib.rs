//! A private deployment of the whole app for each test program, and words to speak to it.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot be set up has failed")]

use std::{
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant},
};

use data_encoding::BASE64URL_NOPAD;

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::OnceCell};
use xtask::{Endpoints, Identity, Options, Stack};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static STACK: OnceCell<Stack> = OnceCell::const_new();

/// Runs a test on the program's deployment, which the first test starts and which ends with the program.
pub fn deployed<F: Future<Output = ()>>(
    state: &str,
    fault_proxy: bool,
    test: impl FnOnce(&'static Stack) -> F,
) {
    RUNTIME.block_on(async {
        let state_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/e2e").join(state);
        let options = Options { state_dir, port: None, fault_proxy };
        test(STACK.get_or_init(async || Stack::start(options).await.unwrap()).await).await;
    });
}

/// What the API answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or null.
    pub body: Value,
}

impl Answer {
    /// Status and the end of the problem's type.
    pub fn problem(&self) -> (u16, &str) {
        let kind = self.body.get("type").and_then(Value::as_str).unwrap_or_default();
        (self.status, kind.strip_prefix("urn:flashsale:problem:").unwrap_or(kind))
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A text of the body.
    pub fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {}", self.body))
    }
}

/// Someone who uses the API.
#[derive(Debug, Clone)]
pub struct Person {
    http: Client,
    api_url: String,
    /// The access token.
    pub token: Option<String>,
}

impl Person {
    /// Somebody without a token.
    pub fn anybody(endpoints: &Endpoints) -> Self {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { http, api_url: endpoints.api_url.clone(), token: None }
    }

    /// The seeded operator.
    pub async fn operator(endpoints: &Endpoints) -> Self {
        let admin = endpoints.admin().unwrap();
        let token = Identity::new(endpoints).await.token(&admin.name, &admin.password).await.unwrap();
        Self { token: Some(token.access_token), ..Self::anybody(endpoints) }
    }

    /// A guest, signed up if need be.
    pub async fn guest(endpoints: &Endpoints, name: &str) -> Self {
        Self::signed_up(endpoints, name, None).await
    }

    /// A host, signed up if need be.
    pub async fn host(endpoints: &Endpoints, name: &str) -> Self {
        Self::signed_up(endpoints, name, Some("host")).await
    }

    async fn signed_up(endpoints: &Endpoints, name: &str, group: Option<&str>) -> Self {
        const PASSWORD: &str = "A-password-for-tests-1";
        let identity = Identity::new(endpoints).await;
        let address = format!("{name}@example.com");
        let username = identity.ensure_user(&address, PASSWORD).await.unwrap();
        if let Some(group) = group {
            identity.add_to_group(&username, group).await.unwrap();
        }
        let token = identity.token(&address, PASSWORD).await.unwrap();
        Self { token: Some(token.access_token), ..Self::anybody(endpoints) }
    }

    /// The same person with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The guest's id: the `sub` of the token.
    pub fn subject(&self) -> String {
        let token = self.token.as_deref().unwrap();
        let payload = token.split('.').nth(1).unwrap();
        let claims: Value =
            serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap();
        claims.get("sub").and_then(Value::as_str).unwrap().to_owned()
    }

    /// A request, to be filled and [sent](send).
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.api_url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// Claims a coupon of `template`.
    pub async fn claim(&self, template: &str, key: Option<&str>) -> Answer {
        let request = self.request(Method::POST, &format!("/v1/coupon-templates/{template}/claims"));
        send(match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        })
        .await
    }

    /// Publishes a template of `total` coupons with `change` merged in; returns its id.
    pub async fn publish(&self, total: i64, change: Value) -> String {
        let mut template = template(total);
        template.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap_or_default());
        let request = self.request(Method::POST, "/v1/admin/coupon-templates");
        let answer = send(request.json(&template)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.text("id").to_owned()
    }

    /// Changes a template at its present version.
    pub async fn change(&self, template: &str, change: &Value) -> Answer {
        let path = format!("/v1/admin/coupon-templates/{template}");
        let tag = self.get(&path).await.header("etag").unwrap().to_owned();
        send(self.request(Method::PATCH, &path).header("If-Match", tag).json(change)).await
    }
}

/// A template whose sale runs for years.
pub fn template(total: i64) -> Value {
    json!({
        "name": "满100减20", "type": "full_reduction", "amountFen": 2000,
        "threshold": {"type": "amount", "amountFen": 10000},
        "totalCount": total, "perUserLimit": 1, "validDays": 30,
        "startTime": "2026-01-01T00:00:00+08:00", "endTime": "2036-01-01T00:00:00+08:00",
        "issueType": "manual", "expectedClaimsPerSecond": 100,
    })
}

/// A homestay that can be published.
pub fn homestay(title: &str) -> Value {
    json!({
        "title": title, "subtitle": "近地铁", "info": "安静的小院，早上有鸟叫。", "lat": 39.936, "lon": 116.4546,
        "city": "北京", "district": "朝阳区", "priceFen": 39_900, "roomType": "double", "capacity": 2,
        "facilities": ["wifi", "garden"], "rowState": "published",
    })
}

/// What a search finds.
pub async fn search(person: &Person, query: &[(&str, &str)]) -> Value {
    let answer = send(person.request(Method::GET, "/v1/homestays/search").query(query)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Sends a request.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    Answer { status, headers, body }
}

/// A request to the local AWS itself, by the name that its services know it by.
pub async fn aws(stack: &Stack, target: &str, body: &Value) -> Value {
    let url = stack.endpoints().aws_endpoint.as_deref().unwrap();
    let request = Client::builder().no_proxy().build().unwrap().post(url);
    let request = request.header("X-Amz-Target", target).header("Content-Type", "application/x-amz-json-1.1");
    let answer = send(request.body(body.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Starts a function as its schedule does.
pub async fn tick(stack: &Stack, function: &str) {
    let url = format!("{}/2015-03-31/functions", stack.endpoints().aws_endpoint.as_deref().unwrap());
    let http = Client::builder().no_proxy().build().unwrap();
    let functions = send(http.get(format!("{url}/"))).await;
    let names = functions.body.get("Functions").and_then(Value::as_array).unwrap().iter();
    let name =
        names.filter_map(|it| it.get("FunctionName")?.as_str()).find(|name| name.contains(function)).unwrap();
    let done = send(http.post(format!("{url}/{name}/invocations")).body("{}")).await;
    assert_eq!((done.status, done.header("x-amz-function-error")), (200, None), "{done:?}");
}

/// A condition that must come true; each look takes a request, so that nothing sleeps. The deadline is for an app that
/// is broken, not for a machine that is busy.
pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let deadline = deadline();
    while !holds().await {
        assert!(before(deadline), "did not happen in time");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may give up by the clock")]
fn deadline() -> Instant {
    Instant::now() + Duration::from_mins(2)
}

#[expect(clippy::disallowed_methods, reason = "a test may give up by the clock")]
fn before(deadline: Instant) -> bool {
    Instant::now() < deadline
}
