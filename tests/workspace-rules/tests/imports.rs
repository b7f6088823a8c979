//! Who may import whom (ARCHITECTURE.md, "Who may import whom").
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// A crate's place in the house, told from its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Leaf,
    Coupon,
    Domain,
    Contracts,
    Adapter,
    Platform,
    Function,
    Testing,
    Tool,
}

struct Crate {
    name: String,
    place: Place,
    /// Name, and whether it is used by tests alone.
    imports: Vec<(String, bool)>,
}

fn place(folder: &str) -> Place {
    match folder.split('/').collect::<Vec<_>>().as_slice() {
        ["shared", "domain", "ids" | "money" | "channel" | "text"] => Place::Leaf,
        ["shared", "domain", "coupon"] => Place::Coupon,
        ["shared", "domain", _] => Place::Domain,
        ["shared", "contracts"] => Place::Contracts,
        ["shared", "adapters", _] => Place::Adapter,
        ["shared", "platform", _] => Place::Platform,
        ["shared", "testing"] => Place::Testing,
        ["functions", _] => Place::Function,
        ["tests", _] | ["xtask"] => Place::Tool,
        _ => panic!("{folder} has no place in the house: see ARCHITECTURE.md"),
    }
}

fn house() -> Vec<Crate> {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let root = metadata.workspace_root.clone();
    let packages = metadata.packages.into_iter();
    packages
        .map(|package| Crate {
            place: place(package.manifest_path.parent().unwrap().strip_prefix(&root).unwrap().as_str()),
            name: package.name.to_string(),
            imports: package
                .dependencies
                .iter()
                .map(|dependency| (dependency.name.clone(), dependency.kind == DependencyKind::Development))
                .collect(),
        })
        .collect()
}

fn breaches(rule: impl Fn(&Crate, &str, Option<Place>, bool) -> bool) -> Vec<String> {
    let house = house();
    let places: BTreeMap<&str, Place> =
        house.iter().map(|member| (member.name.as_str(), member.place)).collect();
    let mut breaches = Vec::new();
    for member in &house {
        for (import, test_only) in &member.imports {
            if rule(member, import, places.get(import.as_str()).copied(), *test_only) {
                breaches.push(format!("{} imports {import}", member.name));
            }
        }
    }
    breaches
}

#[test]
fn the_domain_knows_neither_aws_nor_http_nor_a_runtime() {
    let foreign = ["aws-", "lambda", "http", "hyper", "tokio", "tracing", "metrics", "reqwest", "axum"];
    let found = breaches(|member, import, _, test_only| {
        matches!(member.place, Place::Domain | Place::Coupon | Place::Leaf | Place::Contracts)
            && !test_only
            && foreign.iter().any(|prefix| import.starts_with(prefix))
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_domain_is_built_on_coupons_and_coupons_and_contracts_on_leaves() {
    let found = breaches(|member, _, import, test_only| match (member.place, import) {
        (Place::Domain, Some(import)) => !test_only && !matches!(import, Place::Leaf | Place::Coupon),
        (Place::Coupon | Place::Contracts, Some(import)) => !test_only && import != Place::Leaf,
        (Place::Leaf, Some(_)) => !test_only,
        _ => false,
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_platform_knows_no_domain_and_no_adapter() {
    let found = breaches(|member, _, import, _| {
        member.place == Place::Platform
            && matches!(
                import,
                Some(
                    Place::Leaf
                        | Place::Coupon
                        | Place::Domain
                        | Place::Contracts
                        | Place::Adapter
                        | Place::Function
                )
            )
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_function_imports_another_and_nothing_shared_imports_a_function() {
    let found =
        breaches(|member, _, import, _| import == Some(Place::Function) && member.place != Place::Tool);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_adapter_speaks_one_sdk() {
    for member in house().iter().filter(|member| member.place == Place::Adapter) {
        let sdks =
            member.imports.iter().filter(|(import, test_only)| import.starts_with("aws-sdk-") && !test_only);
        assert!(sdks.count() <= 1, "{}", member.name);
    }
}

#[test]
fn test_helpers_stay_in_tests() {
    let found = breaches(|member, _, import, test_only| {
        import == Some(Place::Testing) && !test_only && member.place != Place::Tool
    });
    assert!(found.is_empty(), "{found:#?}");
}
