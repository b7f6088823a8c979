use lambda_http::{Body, Response, http::HeaderMap};
use serde_json::Value;

/// What every problem's `type` begins with.
const PROBLEM_TYPE_PREFIX: &str = "urn:flashsale:problem:";

/// A response, read.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
    headers: HeaderMap,
}

impl Answer {
    /// Reads a response, whose body is JSON.
    #[expect(clippy::needless_pass_by_value, reason = "a response is read once")]
    pub fn of(response: Response<Body>) -> Self {
        Self {
            status: response.status().as_u16(),
            body: serde_json::from_slice(response.body().as_ref()).expect("a JSON document"),
            headers: response.headers().clone(),
        }
    }

    /// A header, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("visible ASCII"))
    }

    /// Status and slug of the problem that this must be.
    pub fn problem(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{:?}", self.body);
        assert_eq!(self.body["status"], self.status);
        let slug = self.body["type"].as_str().and_then(|kind| kind.strip_prefix(PROBLEM_TYPE_PREFIX));
        (self.status, slug.expect("a problem of this house"))
    }

    /// The fields at fault that a problem names, each once, joined by a space.
    pub fn fields(&self) -> String {
        let errors = self.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let mut fields: Vec<&str> = errors.iter().filter_map(|error| error["field"].as_str()).collect();
        fields.dedup();
        fields.join(" ")
    }

    /// The member `name` of every item of a list.
    pub fn items(&self, name: &str) -> Vec<Value> {
        let items = self.body["items"].as_array().expect("a list");
        items.iter().map(|item| item[name].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(content_type: &str, body: &Value) -> Answer {
        let response = Response::builder().status(422).header("content-type", content_type);
        Answer::of(response.body(Body::from(body.to_string())).unwrap())
    }

    #[test]
    fn a_problem_is_read() {
        let errors =
            json!([{ "field": "a", "must": "x" }, { "field": "a", "must": "y" }, { "field": "b/c" }]);
        let body = json!({ "type": "urn:flashsale:problem:invalid-body", "status": 422, "errors": errors });
        let answer = answer("application/problem+json", &body);
        assert_eq!(answer.problem(), (422, "invalid-body"));
        assert_eq!(answer.fields(), "a b/c");
        assert_eq!(answer.header("retry-after"), None);
    }

    #[test]
    fn a_list_is_read() {
        let answer = answer("application/json", &json!({ "items": [{ "id": 1 }, { "id": 2 }] }));
        assert_eq!(answer.items("id"), [1, 2]);
        assert_eq!(answer.fields(), "");
    }

    #[test]
    #[should_panic(expected = "application/problem+json")]
    fn what_is_no_problem_is_not_taken_for_one() {
        answer("application/json", &json!({ "type": "urn:flashsale:problem:x" })).problem();
    }
}
