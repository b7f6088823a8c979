//! The suite on a genuine `OpenSearch` node, and how alike both backends rank: `make test-opensearch`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod overlap;
mod servers;

use std::process::Command;

use proptest::prelude::*;
use servers::{OnServer, Server, tools};
use tempfile::TempDir;

fn server() -> (OnServer, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let node = tools().join("opensearch-node");
    assert!(node.join("classes/Main.class").is_file(), "the node is not there: run make test-opensearch");
    let mut command = Command::new("java");
    command.args(["-Xms512m", "-Xmx512m", "-cp"]);
    command.arg(format!("{}:{}", node.join("classes").display(), node.join("lib/*").display()));
    command.arg("Main").arg(folder.path());
    let server = Server::start(&mut command, |line| {
        line.strip_prefix("port ").map(|port| format!("http://127.0.0.1:{port}"))
    });
    (OnServer::new(server, &[]), folder)
}

// One node for all: it takes ten seconds and half a gigabyte.
#[test]
fn a_genuine_node() {
    let (backend, _folder) = server();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(search_conformance::run(&backend));
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(seed: u64)| {
        let replayed = runtime.block_on(search_conformance::replay(&backend, seed));
        prop_assert!(replayed.is_ok(), "{replayed:?}");
    });
    println!("ok      index and table agree after any history");
    runtime.block_on(overlap::measure(&backend));
}
