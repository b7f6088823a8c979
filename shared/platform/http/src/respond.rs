use lambda_http::{
    Body, Response,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
};
use serde::Serialize;

use crate::Problem;

/// A response with this body as `application/json`. It is not cached unless [`with_header`] says otherwise.
///
/// A body that cannot be JSON (a map with keys that are not text) is a mistake in the program: 500 `internal`.
pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Response<Body> {
    match serde_json::to_string(body) {
        Ok(text) => respond(status, "application/json", Body::Text(text)),
        Err(_) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error").into_response()
        }
    }
}

/// A response without a body, 204.
pub fn no_content() -> Response<Body> {
    let mut response = respond(StatusCode::NO_CONTENT, "", Body::Empty);
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

/// Sets a header, replacing what it had. A value with control characters is left out: it could split the response.
pub fn with_header<V>(mut response: Response<Body>, name: HeaderName, value: V) -> Response<Body>
where
    HeaderValue: TryFrom<V>,
{
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

pub(crate) fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;
    use crate::{ETag, fixtures::body_of};

    #[test]
    fn a_response_is_json_that_is_neither_cached_nor_sniffed() {
        let response = json(StatusCode::CREATED, &value!({ "id": 1 }));
        assert_eq!((response.status(), body_of(&response)), (StatusCode::CREATED, value!({ "id": 1 })));
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }

    #[test]
    fn a_header_replaces_the_one_before() {
        let response = with_header(json(StatusCode::OK, &()), CACHE_CONTROL, "public, max-age=5");
        let response = with_header(response, lambda_http::http::header::ETAG, ETag(7));
        assert_eq!(response.headers().get_all("cache-control").iter().count(), 1);
        assert_eq!(response.headers()["cache-control"], "public, max-age=5");
        assert_eq!(response.headers()["etag"], "\"7\"");
    }

    #[test]
    fn a_header_cannot_be_split() {
        let response = with_header(json(StatusCode::OK, &()), CACHE_CONTROL, "a\r\nSet-Cookie: b");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }

    #[test]
    fn a_body_that_is_not_json_is_500_and_leaks_nothing() {
        let response = json(StatusCode::OK, &std::collections::BTreeMap::from([(vec![1], "secret")]));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body_of(&response).to_string().contains("secret"));
    }

    #[test]
    fn no_content_has_no_content_type() {
        let response = no_content();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert!(!response.headers().contains_key(CONTENT_TYPE));
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
}
