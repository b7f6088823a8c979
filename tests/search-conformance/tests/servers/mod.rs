//! Servers that speak `OpenSearch`, started for a test, and indices on them.
#![allow(dead_code, reason = "not every test uses everything")]

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_config::SdkConfig;
use homestay_opensearch::{Endpoint, IndexName, OpenSearchIndex, Policy, Settings};
use search_conformance::{Backend, Gap, NOW};

/// A process that ends with its standard input, and so with the test, whichever way that ends.
pub struct Server {
    child: Child,
    pub endpoint: Endpoint,
}

impl Server {
    /// Starts it and waits for the line that says where it listens.
    pub fn start(command: &mut Command, endpoint: impl Fn(&str) -> Option<String>) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let found = lines.find_map(|line| endpoint(&line));
        let found = found.unwrap_or_else(|| panic!("{command:?} ended without saying where it listens"));
        // Whatever it says later must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, endpoint: found.parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Indices on a server, each of a name of its own.
pub struct OnServer {
    pub server: Server,
    pub gaps: &'static [Gap],
    made: AtomicU32,
}

impl OnServer {
    pub fn new(server: Server, gaps: &'static [Gap]) -> Self {
        Self { server, gaps, made: AtomicU32::new(0) }
    }

    pub fn open(&self, name: IndexName) -> OpenSearchIndex {
        // Two cores are shared with whatever else is tested: be patient.
        let policy = Policy {
            ask_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_mins(1),
            ..Policy::default()
        };
        let settings = Settings { name, policy, ..Settings::default() };
        let aws = SdkConfig::builder().build();
        let analyzer = search_conformance::analyzer();
        OpenSearchIndex::new(&self.server.endpoint, &aws, settings, analyzer, Arc::new(|| NOW)).unwrap()
    }
}

impl Backend for OnServer {
    type Index = OpenSearchIndex;

    async fn fresh(&self) -> OpenSearchIndex {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.open(format!("stays-{number}").parse().unwrap())
    }

    async fn reopen(&self, index: OpenSearchIndex) -> OpenSearchIndex {
        self.open(index.name().clone())
    }

    async fn refresh(&self, index: &OpenSearchIndex) {
        index.refresh().await.unwrap();
    }

    fn gaps(&self) -> &[Gap] {
        self.gaps
    }
}

/// A tool of the checkout, where `cargo xtask setup` or `make test-opensearch` puts it.
pub fn tools() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.tools")
}
