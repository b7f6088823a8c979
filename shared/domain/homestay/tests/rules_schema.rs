//! The schema by which AWS `AppConfig` (draft 4) checks search rules before it hands them out, and the parser that reads
//! them. What the schema lets through and the parser refuses is taken back by an alarm, minutes later; so the schema says
//! whatever a schema can. The CDK app tries it on the same documents.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use domain_homestay::{MAX_BLOCKED, Ranking, SearchRules};
use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::from_str(include_str!("../rules.schema.json")).unwrap()
}

fn accepted(document: &Value) -> bool {
    SearchRules::parse(document.to_string().as_bytes()).is_ok()
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Documents that have `value` where the ranking has a number, for each of its numbers; and what the schema says of it.
fn numbers(schema: &Value) -> Vec<(impl Fn(i64) -> Value, &Value)> {
    let ranking = &schema["properties"]["ranking"]["properties"];
    let own = ranking.as_object().unwrap().iter().filter(|(name, _)| *name != "boosts");
    let boosts = ranking["boosts"]["properties"].as_object().unwrap().iter();
    own.map(|it| (false, it))
        .chain(boosts.map(|it| (true, it)))
        .map(|(is_boost, (name, said))| {
            let document = move |value: i64| {
                let number = json!({name: value});
                json!({"ranking": if is_boost { json!({"boosts": number}) } else { number }})
            };
            (document, if said["$ref"].is_null() { said } else { &schema["definitions"]["weight"] })
        })
        .collect()
}

#[test]
fn the_schema_knows_the_fields_that_are_read_and_no_other() {
    let schema = schema();
    let ranking = serde_json::to_value(Ranking::default()).unwrap();
    let said = &schema["properties"]["ranking"];
    assert_eq!(names(&said["properties"]), names(&ranking));
    assert_eq!(names(&said["properties"]["boosts"]["properties"]), names(&ranking["boosts"]));
    let rules = json!({"synonyms": ["a, b"], "ranking": ranking, "blocked": ["c"]});
    assert!(accepted(&rules));
    assert_eq!(names(&schema["properties"]), names(&rules));
    for object in [&schema, said, &said["properties"]["boosts"]] {
        assert_eq!(object["additionalProperties"], false);
    }
}

#[test]
fn each_number_has_the_bounds_of_the_parser() {
    let schema = schema();
    let numbers = numbers(&schema);
    assert_eq!(numbers.len(), 12);
    for (document, said) in numbers {
        let (least, most) = (said["minimum"].as_i64().unwrap(), said["maximum"].as_i64().unwrap());
        for (value, expected) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            assert_eq!(accepted(&document(value)), expected, "{}", document(value));
        }
    }
}

#[test]
fn each_list_is_as_long_as_the_parser_takes_it() {
    let schema = schema();
    for (name, entry) in [("synonyms", "a, b"), ("blocked", "a")] {
        let most = usize::try_from(schema["properties"][name]["maxItems"].as_u64().unwrap()).unwrap();
        assert!(accepted(&json!({name: vec![entry; most]})), "{name}");
        assert!(!accepted(&json!({name: vec![entry; most + 1]})), "{name}");
    }
    assert_eq!(schema["properties"]["blocked"]["maxItems"], MAX_BLOCKED);
}

#[test]
fn the_parser_takes_and_refuses_the_documents_that_the_schema_is_tried_on() {
    let documents: Value = serde_json::from_str(include_str!("rules/documents.json")).unwrap();
    // What only the schema refuses is no trouble: nobody is handed it.
    for (kind, expected) in
        [("accepted", true), ("refused", false), ("refusedByParser", false), ("refusedBySchema", true)]
    {
        for document in documents[kind].as_array().unwrap() {
            assert_eq!(accepted(document), expected, "{kind}: {document}");
        }
    }
}
