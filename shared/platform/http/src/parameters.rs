use std::str::FromStr;

use lambda_http::{Request, RequestExt, http::StatusCode, request::RequestContext};

use crate::Problem;

/// Characters of a path or query parameter: longer than any id, name or cursor of ours.
pub const MAX_PARAMETER_CHARS: usize = 1_024;

/// What API Gateway matched, for example `POST /v1/admin/coupon-templates`: what a function with several routes
/// decides by. Empty for a request that did not come through an HTTP API.
pub fn route_key(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref().unwrap_or_default(),
        _ => "",
    }
}

/// The problem of a route that the function does not serve: 404 `route-not-found`. It takes a mistake in the
/// deployment to get here; API Gateway answers for routes it does not know.
pub fn route_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "route-not-found", "There is no such route")
}

/// The path parameter `name`, if it parses. A thing whose id does not parse does not exist: the caller answers 404,
/// the same as for an id that nobody has.
pub fn path_id<T: FromStr>(request: &Request, name: &str) -> Option<T> {
    let text = request.path_parameters_ref()?.first(name)?;
    if text.len() <= MAX_PARAMETER_CHARS { text.parse().ok() } else { None }
}

/// The query parameter `name`, if there is one. One that does not parse, is sent twice or is too long is 400
/// `invalid-parameter`.
pub fn query<T: FromStr>(request: &Request, name: &'static str) -> Result<Option<T>, Problem> {
    match raw_query(request, name)? {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(invalid(name, "must be one of the documented values")),
        },
    }
}

/// The query parameter `limit`, how many things a page has: 1 to `max`, or `default` where it is not sent. Anything
/// else is 400 `invalid-parameter`.
pub fn limit(request: &Request, default: u16, max: u16) -> Result<u16, Problem> {
    let out_of_range = || invalid("limit", &format!("must be 1 to {max}"));
    match raw_query(request, "limit")? {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|limit| (1..=max).contains(limit)).ok_or_else(out_of_range),
    }
}

pub(crate) fn raw_query<'a>(request: &'a Request, name: &'static str) -> Result<Option<&'a str>, Problem> {
    let Some(values) = request.query_string_parameters_ref().and_then(|query| query.all(name)) else {
        return Ok(None);
    };
    match values.as_slice() {
        [] => Ok(None),
        [text] if text.len() <= MAX_PARAMETER_CHARS => Ok(Some(text)),
        [_] => Err(invalid(name, "must not be that long")),
        _ => Err(invalid(name, "must be sent once")),
    }
}

fn invalid(name: &'static str, must: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid-parameter", "A query parameter is not valid")
        .field(name, must)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{self, body_of, get, slug};

    #[test]
    fn the_route_is_what_api_gateway_matched() {
        assert_eq!(route_key(&get("")), "GET /v1/things/{id}");
        assert_eq!(route_key(&Request::default()), "");
        assert_eq!(route_not_found().status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn an_id_that_does_not_parse_is_no_id() {
        let request =
            |id: &str| fixtures::request(|event| event["pathParameters"] = serde_json::json!({ "id": id }));
        assert_eq!(path_id(&request("7"), "id"), Some(7_u32));
        assert_eq!(path_id::<u32>(&request("seven"), "id"), None);
        assert_eq!(path_id::<u32>(&request("7"), "other"), None);
        assert_eq!(path_id::<String>(&request(&"x".repeat(10_000)), "id"), None);
    }

    #[test]
    fn a_query_parameter_is_parsed_if_it_is_there() {
        assert_eq!(query(&get("n=7"), "n").unwrap(), Some(7_u32));
        assert_eq!(query::<u32>(&get("other=7"), "n").unwrap(), None);
        assert_eq!(query(&get("n=%E6%BB%A1+1"), "n").unwrap(), Some("满 1".to_owned()));
    }

    #[test]
    fn a_query_parameter_that_is_not_usable_is_named() {
        let long = format!("n={}", "1".repeat(10_000));
        for text in ["n=x", "n=", "n=1&n=1", &long] {
            let problem = query::<u32>(&get(text), "n").unwrap_err();
            assert_eq!((problem.status(), problem.slug()), (StatusCode::BAD_REQUEST, "invalid-parameter"));
            assert_eq!(body_of(&problem.into_response())["errors"][0]["field"], "n", "{text}");
        }
    }

    #[test]
    fn a_limit_stays_within_its_bounds() {
        assert_eq!(limit(&get(""), 20, 100).unwrap(), 20);
        assert_eq!(limit(&get("limit=1"), 20, 100).unwrap(), 1);
        assert_eq!(limit(&get("limit=100"), 20, 100).unwrap(), 100);
        for text in ["0", "101", "-1", "65536", "ten", "", "1.0"] {
            let problem = limit(&get(&format!("limit={text}")), 20, 100).unwrap_err();
            assert_eq!(problem.slug(), "invalid-parameter", "{text}");
            let body = body_of(&problem.into_response());
            assert_eq!(
                body["errors"][0],
                serde_json::json!({ "field": "limit", "must": "must be 1 to 100" })
            );
        }
    }

    proptest! {
        #[test]
        fn no_query_panics(text in "[ -~]{0,80}") {
            if let Ok(request) = std::panic::catch_unwind(|| get(&text)) {
                let outcome = slug(limit(&request, 20, 100).map(|limit| (1..=100).contains(&limit)));
                prop_assert!(matches!(outcome, Ok(true) | Err("invalid-parameter")));
                let _ = query::<String>(&request, "n");
            }
        }
    }
}
