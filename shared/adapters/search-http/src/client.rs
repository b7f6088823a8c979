use domain_search::Client;
use lambda_http::{RequestExt, request::RequestContext};
use platform_http::Request;

/// Who searches, by the address that API Gateway has seen. Headers say what their sender likes, so that none is read.
pub fn client(request: &Request) -> Client {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            Client::at(context.http.source_ip.as_deref().unwrap_or_default())
        }
        _ => Client::at(""),
    }
}

#[cfg(test)]
mod tests {
    use testing::ApiRequest;

    use super::*;

    #[test]
    fn a_client_is_where_the_connection_comes_from_and_not_what_a_header_says() {
        let request =
            ApiRequest::new("GET", "/v1/homestays/search").header("x-forwarded-for", "198.51.100.9");
        assert_eq!(client(&request.build()), Client::at("192.0.2.1"));
        assert_eq!(client(&Request::default()), Client::at(""));
    }
}
