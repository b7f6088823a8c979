//! The suite on a server that speaks `OpenSearch` and is there without Java: `osmem-server`, which `cargo xtask setup` installs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod servers;

use std::{
    fs,
    path::PathBuf,
    process::{Command, id},
};

use proptest::prelude::*;
use search_conformance::Gap;
use serde_json::Value;
use servers::{OnServer, Server, tools};

/// What it cannot do, found by running the suite without gaps. The genuine node has none (`tests/opensearch.rs`).
const GAPS: &[Gap] = &[
    Gap { scenario: "pages_by_cursor_are_the_long_list", why: SCORES },
    Gap { scenario: "a_page_beyond_the_end_is_empty", why: SCORES },
];

/// So behind the score that it told comes, now and then, the homestay that it told it of.
const SCORES: &str = "osmem-server orders by scores of 64 bits and tells them to 32";

/// The server, or nothing where it is not installed.
fn server() -> Option<OnServer> {
    let Some(binary) = binary() else {
        eprintln!(
            "SKIPPED: osmem-server is not there. Run `cargo xtask setup`, or set OSMEM_SERVER to its path."
        );
        return None;
    };
    let mut command = Command::new(binary);
    command.args(["-addr", "127.0.0.1:0", "-no-ja", "-parent-pid", &id().to_string()]);
    let server = Server::start(&mut command, |line| {
        let said: Value = serde_json::from_str(line).ok()?;
        Some(said.get("url")?.as_str()?.to_owned())
    });
    Some(OnServer::new(server, GAPS))
}

#[allow(clippy::disallowed_methods, reason = "a test looks for what it needs")]
fn binary() -> Option<PathBuf> {
    if let Ok(path) = std::env::var("OSMEM_SERVER") {
        return Some(path.into());
    }
    // lib/python3.x/site-packages, whichever Python it is.
    let pythons = fs::read_dir(tools().join("venv/lib")).ok()?.filter_map(Result::ok);
    let binaries = pythons.map(|python| python.path().join("site-packages/osmem_server/bin/osmem-server"));
    binaries.into_iter().find(|binary| binary.is_file())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_what_every_index_must() {
    let Some(backend) = server() else { return };
    search_conformance::run(&backend).await;
}

#[test]
fn index_and_table_agree_after_any_history() {
    let Some(backend) = server() else { return };
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(seed: u64)| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let replayed = runtime.block_on(search_conformance::replay(&backend, seed));
        prop_assert!(replayed.is_ok(), "{replayed:?}");
    });
}
