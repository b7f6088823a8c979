//! Requests and responses of an API Gateway HTTP API (payload format 2.0).
//!
//! A handler picks its operation with [`route_key`], parses what it needs with the functions here (each says which
//! [`Problem`] it answers with), and responds with [`json`] or [`Problem::into_response`]. Whatever a caller sends
//! ends in a 4xx problem: nothing here panics on input, and nothing of an error's source reaches the caller.
//!
//! Every response carries `X-Content-Type-Options: nosniff` and `Cache-Control: no-store`; a handler replaces the
//! latter with [`with_header`] where a response may be kept.
//!
//! There is no CORS here: API Gateway answers preflight requests itself, and discards a function's CORS headers
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>).
//!
//! # Limits
//!
//! A body has at most [`MAX_BODY_BYTES`], a cursor at most [`cursor::MAX_CHARS`], a path or query parameter at most
//! [`MAX_PARAMETER_CHARS`]. API Gateway has bounds of its own (10 MB for a body, 10,240 bytes for all headers); these
//! are far below, so that a hostile request costs little.

mod body;
mod caller;
pub mod cursor;
mod entity_tag;
mod parameters;
mod problem;
mod respond;

#[cfg(test)]
mod fixtures;

pub use body::{MAX_BODY_BYTES, json_body};
pub use caller::{Caller, caller, require_signature, unauthenticated};
pub use entity_tag::{ETag, if_match};
pub use lambda_http::{
    Body, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};
pub use parameters::{MAX_PARAMETER_CHARS, limit, path_id, query, route_key, route_not_found};
pub use problem::{PROBLEM_TYPE_PREFIX, Problem};
pub use respond::{json, no_content, with_header};
