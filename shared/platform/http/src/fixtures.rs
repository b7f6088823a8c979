//! Values for this crate's own tests. (`testing` is for those who build on it.)

use lambda_http::{Body, Request, Response, request};
use serde_json::{Value, json};

use crate::Problem;

/// A request as a function receives it, from an event that `change` has had its way with.
pub fn request(change: impl FnOnce(&mut Value)) -> Request {
    let mut event = json!({
        "version": "2.0",
        "routeKey": "GET /v1/things/{id}",
        "rawPath": "/v1/things/7",
        "rawQueryString": "",
        "headers": { "host": "api.example.com", "x-forwarded-proto": "https" },
        "requestContext": {
            "routeKey": "GET /v1/things/{id}",
            "stage": "$default",
            "http": { "method": "GET", "path": "/v1/things/7", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
            "timeEpoch": 1_794_326_400_000_u64,
        },
        "isBase64Encoded": false,
    });
    change(&mut event);
    request::from_str(&event.to_string()).unwrap()
}

pub fn get(query: &str) -> Request {
    request(|event| event["rawQueryString"] = query.into())
}

pub fn post(content_type: Option<&str>, body: Body) -> Request {
    let mut request = get("");
    if let Some(content_type) = content_type {
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
    }
    *request.body_mut() = body;
    request
}

pub fn body_of(response: &Response<Body>) -> Value {
    serde_json::from_slice(response.body().as_ref()).unwrap()
}

pub fn slug<T>(outcome: Result<T, Problem>) -> Result<T, &'static str> {
    outcome.map_err(|problem| problem.slug())
}
