use lambda_http::{
    Request,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::{Path, Segment};

use crate::Problem;

/// Bytes of a request body. The largest document we accept, a grant to a thousand guests, has some 40 KiB.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The JSON body of a request.
///
/// - Not declared as `application/json` (in UTF-8): 415 `unsupported-media-type`.
/// - Longer than [`MAX_BODY_BYTES`]: 413 `body-too-large`.
/// - Empty or not JSON: 400 `invalid-json`, with `line` and `column` (both from 1) where it goes wrong.
/// - JSON, but not an object that is a `T`: 422 `invalid-body`, naming the first field at fault.
///
/// The body is never repeated to the caller, but for the name of an unknown field, shortened.
pub fn json_body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let body: &[u8] = request.body().as_ref();
    if !is_json(request.headers()) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body must be JSON",
        )
        .detail("Send the body as Content-Type: application/json."));
    }
    if body.len() > MAX_BODY_BYTES {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large")
            .with("maxBytes", MAX_BODY_BYTES));
    }
    if body.is_empty() {
        return Err(not_json().detail("The body is empty."));
    }
    if str::from_utf8(body).is_err() {
        return Err(not_json().detail("The body is not UTF-8."));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut json);
    match (parsed, json.end()) {
        (Ok(value), Ok(())) if body.trim_ascii_start().starts_with(b"{") => Ok(value),
        // serde takes the values of a struct in a row, too.
        (Ok(_), Ok(())) => Err(invalid("", "must be an object")),
        (Ok(_), Err(trailing)) => Err(misplaced(&trailing)),
        // serde_json reports some wrong types as wrong syntax, and a wrong type before it has seen all the syntax.
        (Err(error), _) => Err(match serde_json::from_slice::<IgnoredAny>(body) {
            Ok(_) => at_fault(error.path(), &error.inner().to_string()),
            Err(syntax) => misplaced(&syntax),
        }),
    }
}

/// `application/json`, with no other charset than UTF-8, which is the only one JSON has (RFC 8259, section 8.1).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    media_type.eq_ignore_ascii_case("application/json")
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
                charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

fn not_json() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid-json", "The body is not valid JSON")
}

fn misplaced(error: &serde_json::Error) -> Problem {
    not_json().with("line", error.line()).with("column", error.column())
}

fn at_fault(path: &Path, message: &str) -> Problem {
    let mut field = pointer(path);
    let named = |start: &str| message.strip_prefix(start).and_then(|rest| rest.split('`').next());
    let must = if let Some(missing) = named("missing field `") {
        push(&mut field, missing);
        "must be present".to_owned()
    } else if let Some(repeated) = named("duplicate field `") {
        push(&mut field, repeated);
        "must be sent once".to_owned()
    } else if message.starts_with("unknown field `") {
        "must not be sent: there is no such field".to_owned()
    } else {
        expectation(message)
    };
    invalid(&field, &must)
}

fn invalid(field: &str, must: &str) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-body",
        "The body is not what this operation expects",
    )
    .field(field, must)
}

/// The names on the way to the field, joined by `/`.
fn pointer(path: &Path) -> String {
    let mut field = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut field, &index.to_string()),
            Segment::Map { key } => push(&mut field, key),
            // A variant is not written in an internally tagged value, and what is buffered has no path.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    field
}

fn push(field: &mut String, name: &str) {
    if !field.is_empty() {
        field.push('/');
    }
    field.push_str(name);
}

/// What serde expected, which is text of the program; what it got, which is text of the caller, is left out.
fn expectation(message: &str) -> String {
    let from_serde = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"]
        .iter()
        .any(|start| message.starts_with(start));
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let expected = message.rsplit_once(", expected ").filter(|_| from_serde).map(|(_, expected)| expected);
    let must = match expected {
        None => "valid",
        Some("u8") => "an integer from 0 to 255",
        Some("u16") => "an integer from 0 to 65535",
        Some("u32") => "an integer from 0 to 4294967295",
        Some("u64" | "usize") => "an integer of at least 0",
        Some("i8" | "i16" | "i32" | "i64") => "an integer",
        Some("f32" | "f64") => "a number",
        Some("a sequence") => "an array",
        Some("a map") => "an object",
        Some(named) if named.starts_with("struct ") => "an object",
        Some(expected) => expected,
    };
    format!("must be {must}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Body,
        fixtures::{body_of, post},
    };

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Thing {
        name: String,
        per_user_limit: u8,
        #[serde(default)]
        color: Option<Color>,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Color {
        Red,
        DarkBlue,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        weight: u32,
    }

    fn parse(body: impl Into<Body>) -> Result<Thing, (u16, Value)> {
        json_body(&post(Some("application/json"), body.into())).map_err(|problem| {
            let response = problem.into_response();
            (response.status().as_u16(), body_of(&response))
        })
    }

    /// The one field at fault, and what it must be.
    fn fault(body: &str) -> (String, String) {
        let (status, problem) = parse(body).unwrap_err();
        assert_eq!((status, &problem["type"]), (422, &json!("urn:flashsale:problem:invalid-body")), "{body}");
        let text = |member: &str| problem["errors"][0][member].as_str().unwrap().to_owned();
        (text("field"), text("must"))
    }

    fn fails(body: &str, field: &str, must: &str) {
        assert_eq!(fault(body), (field.to_owned(), must.to_owned()), "{body}");
    }

    #[test]
    fn a_body_is_parsed() {
        let thing =
            Thing { name: "满减".into(), per_user_limit: 2, color: Some(Color::DarkBlue), parts: vec![] };
        let body = r#"{ "name": "满减", "perUserLimit": 2, "color": "dark_blue" }"#;
        assert_eq!(parse(body), Ok(thing));
        assert!(parse(body.as_bytes().to_vec()).is_ok(), "base64 in the event");
    }

    #[test]
    fn the_field_at_fault_is_named() {
        fails(r#"{"name": "x"}"#, "perUserLimit", "must be present");
        fails(r#"{"name": 7, "perUserLimit": 1}"#, "name", "must be a string");
        fails(r#"{"name": "x", "perUserLimit": 300}"#, "perUserLimit", "must be an integer from 0 to 255");
        fails(r#"{"name": "x", "perUserLimit": -1}"#, "perUserLimit", "must be an integer from 0 to 255");
        fails(r#"{"name": "x", "perUserLimit": 1.5}"#, "perUserLimit", "must be an integer from 0 to 255");
        fails(r#"{"name": "x", "perUserLimit": null}"#, "perUserLimit", "must be an integer from 0 to 255");
        fails(r#"{"name": "x", "name": "y"}"#, "name", "must be sent once");
        fails(r#"{"nmae": "x"}"#, "nmae", "must not be sent: there is no such field");
        fails(r#"{"name": "x", "color": "green"}"#, "color", "must be `red` or `dark_blue`");
        fails(r#"{"name": "x", "parts": {}}"#, "parts", "must be an array");
        fails(
            r#"{"name": "x", "parts": [{"weight": 1}, {"weight": "2"}]}"#,
            "parts/1/weight",
            "must be an integer from 0 to 4294967295",
        );
        fails(r#"{"name": "x", "parts": [{}]}"#, "parts/0/weight", "must be present");
        fails(r#"{"name": "x", "color": 0}"#, "color", "must be valid");
        fails("[]", "", "must be an object");
        fails(r#" ["x", 1, "red", []]"#, "", "must be an object");
        fails(r#""text""#, "", "must be an object");
        fails("1", "", "must be an object");
    }

    #[test]
    fn what_the_caller_sent_is_not_repeated() {
        let secret = "hunter2, expected hunter2 at line 1";
        let bodies = [
            json!({ "name": "x", "perUserLimit": secret }),
            json!({ "name": "x", "color": secret }),
            json!({ "name": "x", "parts": secret }),
            json!(secret),
        ];
        for body in bodies {
            let (field, must) = fault(&body.to_string());
            assert!(!format!("{field} {must}").contains("hunter2"), "{field}: {must}");
        }
    }

    #[test]
    fn the_name_of_an_unknown_field_is_shortened() {
        let (field, _) = fault(&json!({ "x".repeat(10_000): 1 }).to_string());
        assert_eq!(field.chars().count(), 201);
    }

    #[test]
    fn what_is_not_json_says_where() {
        let (status, problem) = parse("{\n  \"name\": hunter2 }").unwrap_err();
        assert_eq!(status, 400);
        insta::with_settings!({ sort_maps => true }, {
            insta::assert_json_snapshot!(problem, @r#"
            {
              "column": 11,
              "line": 2,
              "status": 400,
              "title": "The body is not valid JSON",
              "type": "urn:flashsale:problem:invalid-json"
            }
            "#);
        });
    }

    #[test]
    fn every_kind_of_garbage_is_invalid_json() {
        let deep = "[".repeat(10_000);
        for body in ["", " ", "{", "{}x", "nul", "'", "\u{feff}{}", "{\"name\": \"\\ud800\"", &deep] {
            let (status, problem) = parse(body).unwrap_err();
            let kind = (status, &problem["type"]);
            assert_eq!(kind, (400, &json!("urn:flashsale:problem:invalid-json")), "{body:?}");
        }
        assert_eq!(parse(vec![0xff, 0xfe, b'{']).unwrap_err().0, 400, "not UTF-8");
        assert_eq!(parse(b"{\"name\": \"\xff\"}".to_vec()).unwrap_err().0, 400, "not UTF-8 inside");
    }

    #[test]
    fn a_body_has_a_limit() {
        let of_length = |length: usize| json!({ "name": "x".repeat(length - 11) }).to_string();
        assert_eq!(of_length(100).len(), 100);
        assert_eq!(parse(of_length(MAX_BODY_BYTES)).unwrap_err().0, 422);
        let (status, problem) = parse(of_length(MAX_BODY_BYTES + 1)).unwrap_err();
        assert_eq!((status, &problem["maxBytes"]), (413, &json!(65536)));
    }

    #[test]
    fn only_json_is_accepted() {
        let status = |content_type| {
            json_body::<Value>(&post(content_type, "{}".into()))
                .map_or_else(|problem| problem.status().as_u16(), |_| 200)
        };
        for json in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert_eq!(status(Some(json)), 200, "{json}");
        }
        for other in [
            "text/plain",
            "",
            "application/jsonp",
            "application/json; charset=gbk",
            "application/xml, application/json",
        ] {
            assert_eq!(status(Some(other)), 415, "{other}");
        }
        assert_eq!(status(None), 415);
    }

    proptest! {
        #[test]
        fn no_body_panics_and_every_error_is_a_4xx(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err((status, problem)) = parse(body) {
                prop_assert!((400..500).contains(&status));
                prop_assert!(problem["type"].as_str().unwrap().starts_with("urn:flashsale:problem:"));
            }
        }

        #[test]
        fn no_document_panics_and_every_error_is_a_4xx(
            body in r#"\{"(name|perUserLimit|color|parts|x)": ("[a-z`,]{0,9}"|-?[1-9][0-9]{0,9}|\[\{"weight": [1-9][0-9]{0,12}\}\]|null)\}"#,
        ) {
            prop_assert!(matches!(parse(body), Err((422, _))));
        }
    }
}
