use std::fmt;

use lambda_http::{
    Body, Response,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::respond;

/// What the `type` of every problem begins with; the slug follows.
///
/// A URN, not a URL: it identifies the problem and promises no page to look at. (The crate `problem_details` keeps
/// the type in an `http::Uri`, which cannot hold a URN; hence the document is written here.)
pub const PROBLEM_TYPE_PREFIX: &str = "urn:flashsale:problem:";

/// Characters of a field's name or of what it must be. Either may come from the caller's own body.
const MAX_TEXT_CHARS: usize = 200;

/// Fields reported at once: more help nobody.
const MAX_FIELDS: usize = 32;

/// Why a request was refused, as an RFC 9457 problem (`application/problem+json`).
///
/// The texts are static, so that nothing of an error's source can leak; what varies goes into members of its own,
/// which clients can read without parsing prose.
#[derive(Clone)]
pub struct Problem {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    particulars: Box<Particulars>,
}

/// What differs from one occurrence to the next.
#[derive(Clone, Default)]
struct Particulars {
    detail: Option<&'static str>,
    fields: Vec<Field>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Field {
    field: String,
    must: String,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Field],
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

impl Problem {
    /// A problem of this kind. The slug is part of the API: clients match on it, and it never changes. The title
    /// is the same for every occurrence.
    pub fn new(status: StatusCode, slug: &'static str, title: &'static str) -> Self {
        Self { status, slug, title, particulars: Box::default() }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn detail(mut self, text: &'static str) -> Self {
        self.particulars.detail = Some(text);
        self
    }

    /// Adds a member of its own (RFC 9457, section 3.2), in camelCase. A value that is not JSON is left out, and so
    /// is one that would replace a member every problem has.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Serialize) -> Self {
        let reserved = ["type", "title", "status", "detail", "instance", "errors"];
        debug_assert!(!reserved.contains(&member), "{member} belongs to every problem");
        if let Ok(value) = serde_json::to_value(value)
            && !reserved.contains(&member)
        {
            self.particulars.members.insert(member.to_owned(), value);
        }
        self
    }

    /// Names a field at fault (nested ones joined by `/`; the whole body is the empty text) and what it must be, in
    /// the member `errors`. At most 32 are kept, each text cut at 200 characters.
    #[must_use]
    pub fn field(mut self, field: &str, must: &str) -> Self {
        if self.particulars.fields.len() < MAX_FIELDS {
            self.particulars.fields.push(Field { field: shortened(field), must: shortened(must) });
        }
        self
    }

    /// When to try again, in seconds from now (RFC 9110, section 10.2.3).
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.particulars.headers.push((RETRY_AFTER, seconds.into()));
        self
    }

    /// How to authenticate (RFC 6750, section 3): required with status 401.
    #[must_use]
    pub(crate) fn bearer_challenge(mut self) -> Self {
        self.particulars.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        self
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What identifies it: the end of its `type`, and the name to log and count it by.
    pub fn slug(&self) -> &'static str {
        self.slug
    }

    /// The response. It is never cached.
    pub fn into_response(self) -> Response<Body> {
        // Text keys and values that are JSON already: this cannot fail, and if it did the status would still stand.
        let body = serde_json::to_string(&self).map_or(Body::Empty, Body::Text);
        let mut response = respond::respond(self.status, "application/problem+json", body);
        response.headers_mut().extend(self.particulars.headers);
        response
    }
}

/// The document alone: a problem that is kept for later, or part of another answer.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = Document {
            r#type: [PROBLEM_TYPE_PREFIX, self.slug].concat(),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.particulars.detail,
            errors: &self.particulars.fields,
            members: &self.particulars.members,
        };
        document.serialize(serializer)
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("status", &self.status.as_u16())
            .field("slug", &self.slug)
            .field("errors", &self.particulars.fields)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::body_of;

    fn sold_out() -> Problem {
        Problem::new(StatusCode::CONFLICT, "coupon-sold-out", "The coupon is sold out")
    }

    #[test]
    fn a_problem_is_a_document_of_rfc_9457() {
        let problem = sold_out()
            .detail("Nothing is left of this template.")
            .with("templateId", "01J00000000000000000000000")
            .field("endTime", "must be in the future");
        assert_eq!((problem.status(), problem.slug()), (StatusCode::CONFLICT, "coupon-sold-out"));
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::CONFLICT);
        insta::with_settings!({ sort_maps => true }, {
            insta::assert_json_snapshot!(body_of(&response), @r#"
            {
              "detail": "Nothing is left of this template.",
              "errors": [
                {
                  "field": "endTime",
                  "must": "must be in the future"
                }
              ],
              "status": 409,
              "templateId": "01J00000000000000000000000",
              "title": "The coupon is sold out",
              "type": "urn:flashsale:problem:coupon-sold-out"
            }
            "#);
        });
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        insta::with_settings!({ sort_maps => true }, {
            insta::assert_json_snapshot!(body_of(&sold_out().into_response()), @r#"
            {
              "status": 409,
              "title": "The coupon is sold out",
              "type": "urn:flashsale:problem:coupon-sold-out"
            }
            "#);
        });
    }

    #[test]
    fn a_problem_that_is_part_of_another_answer_is_the_same_document() {
        let problem = sold_out().with("templateId", "01J00000000000000000000000").retry_after(1);
        assert_eq!(serde_json::to_value(&problem).unwrap(), body_of(&problem.into_response()));
    }

    #[test]
    fn a_refusal_for_now_says_when_to_come_back() {
        let response =
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "try-again", "Busy").retry_after(1).into_response();
        assert_eq!(response.headers()["retry-after"], "1");
    }

    #[test]
    fn a_value_that_is_not_json_is_left_out() {
        let not_json = std::collections::BTreeMap::from([(vec![1], 2)]);
        let response = sold_out().with("held", not_json).into_response();
        assert_eq!(body_of(&response), body_of(&sold_out().into_response()));
    }

    proptest! {
        #[test]
        fn fields_are_bounded_in_number_and_length(fields in proptest::collection::vec(".{0,400}", 0..50)) {
            let problem = fields.iter().fold(sold_out(), |problem, field| problem.field(field, field));
            prop_assert_eq!(problem.particulars.fields.len(), fields.len().min(MAX_FIELDS));
            prop_assert!(problem.particulars.fields.iter().all(|field| field.must.chars().count() <= MAX_TEXT_CHARS + 1));
        }
    }
}
