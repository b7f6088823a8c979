use std::{collections::BTreeMap, fs, path::Path};

use lambda_http::{Context, Request, RequestExt, request::from_str};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Lambda's id of every invocation here.
pub const REQUEST_ID: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";

/// The sample event `events/<path>`.
pub fn event(path: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(path);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The request that a function receives for an API Gateway event (payload format 2.0): parsed by `lambda_http`, with
/// [`REQUEST_ID`].
#[expect(clippy::needless_pass_by_value, reason = "an event is made for one request")]
pub fn request(event: Value) -> Request {
    let mut context = Context::default();
    REQUEST_ID.clone_into(&mut context.request_id);
    from_str(&event.to_string()).expect("an event of an HTTP API").with_lambda_context(context)
}

/// A request as API Gateway passes it on.
///
/// ```
/// use testing::ApiRequest;
///
/// let request = ApiRequest::new("PATCH", "/v1/admin/coupon-templates/{id}")
///     .path("id", "01KA0000000000000000000000")
///     .caller("ann", &["admin"])
///     .header("If-Match", "\"1\"")
///     .json(&serde_json::json!({ "name": "双十一" }))
///     .build();
/// assert_eq!(request.uri().path(), "/v1/admin/coupon-templates/01KA0000000000000000000000");
/// ```
#[derive(Debug, Clone)]
pub struct ApiRequest {
    method: String,
    route: String,
    path: BTreeMap<String, String>,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    claims: Option<Value>,
    body: Option<String>,
}

impl ApiRequest {
    /// One without body and identity, for a route such as `/v1/coupon-templates/{id}/claims`.
    pub fn new(method: &str, route: &str) -> Self {
        let mut request = Self {
            method: method.into(),
            route: route.into(),
            path: BTreeMap::new(),
            query: Vec::new(),
            headers: BTreeMap::new(),
            claims: None,
            body: None,
        };
        for (name, value) in [
            ("accept", "*/*"),
            ("host", "api.example.com"),
            ("user-agent", "test"),
            ("x-amzn-trace-id", "Root=1-6912345f-0123456789abcdef01234567"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-proto", "https"),
        ] {
            request = request.header(name, value);
        }
        request
    }

    /// The value of `{name}` in the route, as the caller means it (not percent-encoded).
    #[must_use]
    pub fn path(mut self, name: &str, value: &str) -> Self {
        self.path.insert(name.into(), value.into());
        self
    }

    /// A parameter of the query, as the caller means it. May be sent several times.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// A header. One that is sent again is joined with a comma.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|values| *values = format!("{values},{value}"))
            .or_insert_with(|| value.into());
        self
    }

    /// Who sends it: the claims of a Cognito access token, as the JWT authorizer passes them on.
    #[must_use]
    pub fn caller(mut self, subject: &str, groups: &[&str]) -> Self {
        let mut claims = json!({
            "sub": subject,
            "client_id": "test-client",
            "exp": "1794330000",
            "iat": "1794326400",
            "iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_example",
            "scope": "aws.cognito.signin.user.admin",
            "token_use": "access",
            "username": subject,
        });
        if !groups.is_empty() {
            claims["cognito:groups"] = format!("[{}]", groups.join(" ")).into();
        }
        self.claims = Some(claims);
        self.header("authorization", "Bearer test")
    }

    /// A JSON body, declared as such.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_string(body).expect("a JSON document");
        self.header("content-type", "application/json").body(&body)
    }

    /// A body of any text.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The event.
    pub fn event(self) -> Value {
        let path = self
            .path
            .iter()
            .fold(self.route.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        let route_key = format!("{} {}", self.method, self.route);
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value)))
            .collect();
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": path,
            "rawQueryString": query.join("&"),
            "headers": self.headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "domainName": "api.example.com",
                "domainPrefix": "api",
                "http": {
                    "method": self.method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "test",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": route_key,
                "stage": "$default",
                "time": "10/Nov/2026:16:00:00 +0000",
                "timeEpoch": 1_794_326_400_000_u64,
            },
            "isBase64Encoded": false,
        });
        if !self.path.is_empty() {
            event["pathParameters"] = json!(self.path);
        }
        if !self.query.is_empty() {
            event["queryStringParameters"] = joined(&self.query);
        }
        if let Some(claims) = self.claims {
            event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
        }
        if let Some(body) = self.body {
            event["body"] = body.into();
        }
        event
    }

    /// What a function receives.
    pub fn build(self) -> Request {
        request(self.event())
    }
}

/// Parameters by name, those sent several times joined with a comma.
fn joined(parameters: &[(String, String)]) -> Value {
    let mut joined = Map::new();
    for (name, value) in parameters {
        let together = match joined.get(name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.clone(),
        };
        joined.insert(name.clone(), together.into());
    }
    joined.into()
}

/// Everything but the unreserved characters of RFC 3986 is encoded.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, request::RequestContext};

    use super::*;

    #[test]
    fn a_function_sees_what_was_asked_for() {
        let request = ApiRequest::new("POST", "/v1/things/{id}/parts")
            .path("id", "7")
            .query("name", "满 1&2")
            .query("tag", "a")
            .query("tag", "b")
            .header("Idempotency-Key", "k-1")
            .caller("ann", &["admin", "guest"])
            .json(&json!({ "weight": 1 }))
            .build();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri().path(), "/v1/things/7/parts");
        assert_eq!(request.path_parameters().first("id"), Some("7"));
        assert_eq!(request.query_string_parameters().all("name"), Some(vec!["满 1&2"]));
        assert_eq!(request.query_string_parameters().all("tag"), Some(vec!["a", "b"]));
        assert_eq!(request.headers()["idempotency-key"], "k-1");
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(request.body(), &Body::from(r#"{"weight":1}"#));
        assert_eq!(request.lambda_context().request_id, REQUEST_ID);
        let RequestContext::ApiGatewayV2(context) = request.request_context() else {
            panic!("not an HTTP API")
        };
        assert_eq!(context.route_key.as_deref(), Some("POST /v1/things/{id}/parts"));
        let claims = context.authorizer.unwrap().jwt.unwrap().claims;
        assert_eq!((claims["sub"].as_str(), claims["cognito:groups"].as_str()), ("ann", "[admin guest]"));
    }

    #[test]
    fn headers_and_parameters_that_are_repeated_are_joined() {
        let event = ApiRequest::new("GET", "/v1/things")
            .header("If-Match", "\"1\"")
            .header("if-match", "\"2\"")
            .query("tag", "a")
            .query("tag", "b")
            .event();
        assert_eq!(event["headers"]["if-match"], "\"1\",\"2\"");
        assert_eq!(event["queryStringParameters"]["tag"], "a,b");
        assert_eq!(event["rawQueryString"], "tag=a&tag=b");
    }

    #[test]
    fn a_request_without_identity_and_body_has_neither() {
        let event = ApiRequest::new("GET", "/v1/things").event();
        assert_eq!(event["requestContext"].get("authorizer"), None);
        assert_eq!(event.get("body"), None);
        assert_eq!(request(event).body(), &Body::Empty);
    }

    #[test]
    fn every_sample_event_of_the_api_is_a_request() {
        let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/api");
        for entry in fs::read_dir(events).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let event = event(&format!("api/{name}"));
            let route_key = event["routeKey"].as_str().unwrap().to_owned();
            assert!(route_key.starts_with(request(event).method().as_str()), "{name}");
        }
    }

    #[test]
    #[should_panic(expected = "no-such-event.json")]
    fn a_missing_event_is_named() {
        event("api/no-such-event.json");
    }
}
