//! The committed document is the one the code describes, and its examples are ones the code accepts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{fs, path::PathBuf};

use serde_json::Value;

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join(path)
}

fn document() -> Value {
    serde_json::from_str(&openapi::document().unwrap()).unwrap()
}

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    })
}

#[test]
fn the_committed_document_is_fresh() {
    let committed = fs::read_to_string(repository("docs/openapi.json")).unwrap_or_default();
    assert!(
        committed == openapi::document().unwrap(),
        "docs/openapi.json is out of date: cargo xtask openapi"
    );
}

#[test]
fn every_event_sample_is_of_a_documented_route_and_every_route_has_one() {
    let document = document();
    let mut documented: Vec<String> = operations(&document).map(|(route, _)| route).collect();
    let mut sampled: Vec<String> = fs::read_dir(repository("events/api"))
        .unwrap()
        .map(|entry| {
            let event: Value = serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap();
            event["routeKey"].as_str().unwrap().to_owned()
        })
        .collect();
    // API Gateway serves it without a function.
    documented.retain(|route| route != "POST /v1/coupon-templates/{id}/queued-claims");
    documented.sort();
    sampled.sort();
    sampled.dedup();
    assert_eq!(documented, sampled);
}

#[test]
fn every_operation_names_its_errors_and_is_protected_unless_public() {
    let document = document();
    for (route, operation) in operations(&document) {
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{route}");
        assert!(responses.contains_key("503") && responses.contains_key("429"), "{route}");
        let public =
            ["GET /v1/coupon-templates", "GET /v1/campaigns", "GET /v1/homestays", "POST /v1/search-clicks"]
                .iter()
                .any(|public| route.starts_with(public));
        // Providers have no tokens of ours: each proves in its own way who it is.
        let is_provider_s = route.contains("/v1/delivery-reports/");
        assert_eq!(operation["security"].is_array(), !public && !is_provider_s, "{route}");
        assert_eq!(responses.contains_key("401"), !public, "{route}");
    }
}

#[test]
fn the_example_of_a_template_can_be_published() {
    let document = document();
    let example = document["components"]["schemas"]["CreateTemplateRequest"]["example"].clone();
    let request: coupon_http::CreateTemplateRequest = serde_json::from_value(example).unwrap();
    let now = "2026-11-01T00:00:00Z".parse().unwrap();
    request.parse().unwrap().publish("01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap(), now).unwrap();
}
