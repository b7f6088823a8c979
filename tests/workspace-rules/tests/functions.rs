//! Every function has what a newcomer looks for, and is deployed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{fs, path::PathBuf};

fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap().to_owned()
}

fn functions() -> Vec<String> {
    let folders = fs::read_dir(root().join("functions")).unwrap();
    let mut names: Vec<String> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_function_is_a_verb_and_a_noun_and_explains_itself() {
    for name in functions() {
        assert!(name.contains('-'), "{name} is not verb-noun");
        let readme = read(&format!("functions/{name}/README.md"));
        for section in ["Trigger", "Environment", "Permissions", "Failure", "Alarms"] {
            assert!(readme.contains(section), "functions/{name}/README.md says nothing of {section}");
        }
    }
}

#[test]
fn every_function_is_deployed() {
    let infra: String = ["infra/cdk/bin", "infra/cdk/lib"]
        .iter()
        .flat_map(|folder| files(&root().join(folder)))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for name in functions() {
        assert!(infra.contains(&name), "{name} is not in infra/cdk");
    }
}

#[test]
fn every_function_has_an_event_to_try_it_with() {
    let events = files(&root().join("events"));
    for name in functions() {
        let has_one =
            events.iter().any(|path| path.file_stem().unwrap().to_str().unwrap().starts_with(&name));
        assert!(has_one, "no file of events/ begins with {name}");
    }
}

#[test]
fn every_event_is_a_request_that_a_function_understands() {
    for path in files(&root().join("events/api")) {
        let relative = path.strip_prefix(root().join("events")).unwrap().to_str().unwrap().to_owned();
        let event = testing::event(&relative);
        let route = event["routeKey"].as_str().unwrap().to_owned();
        let request = testing::request(event);
        assert!(route.starts_with(request.method().as_str()), "{relative}");
    }
}

fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
