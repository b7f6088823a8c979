//! The problems that many routes have in common, for their documentation. A route that says something else of a status
//! says it after these.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder},
};

/// What any route may answer.
#[derive(Debug)]
pub struct Everybody;

/// What a route for people who have signed in, or services that have signed, may answer.
#[derive(Debug)]
pub struct SignedIn;

/// What a route for the group `admin` may answer.
#[derive(Debug)]
pub struct Operator;

/// What a route that takes JSON may answer.
#[derive(Debug)]
pub struct JsonBody;

/// What a list that comes in pages may answer.
#[derive(Debug)]
pub struct Paged;

/// What a change of a version may answer.
#[derive(Debug)]
pub struct Versioned;

/// Responses of a route by their status.
pub type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for Everybody {
    fn responses() -> Responses {
        problems([
            ("429", "`too-many-requests`, with `Retry-After`"),
            ("503", "`try-again`, with `Retry-After`"),
        ])
    }
}

impl IntoResponses for SignedIn {
    fn responses() -> Responses {
        let mut responses = Everybody::responses();
        responses.extend(problems([("401", "`unauthenticated`")]));
        responses
    }
}

impl IntoResponses for Operator {
    fn responses() -> Responses {
        let mut responses = SignedIn::responses();
        responses.extend(problems([("403", "`forbidden`")]));
        responses
    }
}

impl IntoResponses for JsonBody {
    fn responses() -> Responses {
        problems([
            ("400", "`invalid-json`"),
            ("413", "`body-too-large`"),
            ("415", "`unsupported-media-type`"),
            ("422", "`invalid-body`, with the fields at fault"),
        ])
    }
}

impl IntoResponses for Paged {
    fn responses() -> Responses {
        problems([("400", "`invalid-parameter`, `invalid-cursor`")])
    }
}

impl IntoResponses for Versioned {
    fn responses() -> Responses {
        problems([
            ("412", "`precondition-failed`: somebody else has changed it"),
            ("428", "`precondition-required`: send `If-Match`"),
        ])
    }
}

/// Problems as a route documents them: each status with what it may be.
pub fn problems<const N: usize>(table: [(&str, &str); N]) -> Responses {
    let response = |(status, description): (&str, &str)| {
        let problem = Content::new(Some(Ref::from_schema_name("ProblemView")));
        let response =
            ResponseBuilder::new().description(description).content("application/problem+json", problem);
        (status.to_owned(), RefOr::T(response.build()))
    };
    table.map(response).into()
}
