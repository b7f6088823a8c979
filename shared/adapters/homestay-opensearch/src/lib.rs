//! The index of homestays on an `OpenSearch` domain, without plugins: text is taken apart by `domain-text` before it is indexed,
//! and the domain only splits it at spaces.
//!
//! # Generations
//!
//! | Name | |
//! |---|---|
//! | `<name>-<generation>` | an index: a generation |
//! | `<name>` | alias of the live one; searches go there |
//! | `<name>-sync` | alias of every one that takes changes |
//! | `<name>-building`, `<name>-previous` | aliases of the one that is being built, and of the one that was live before |
//! | `<name>-<generation>-writer` | alias of that one alone: writes name it and require an alias, since a write to an index that has just been dropped would make it anew, without its mapping |
//!
//! Switching and rolling back are one request that changes all aliases at once.
//!
//! # Versions
//!
//! A document is indexed under the version of its homestay (`version_type=external`): what is not newer is a conflict, which is
//! success. What is gone is a document that has its version and cannot be found, so that no memory of deletions is needed;
//! `index.gc_deletes` is 0 for the one deletion there is, [`IndexAdmin::forget`](domain_homestay::IndexAdmin::forget).
//!
//! # One shard
//!
//! A term's weight in BM25 comes from how many documents have it, and each shard counts its own: over several, equal documents get
//! different scores. One shard holds millions of homestays (it is good for 50 GB); [`Settings::shards`] is for more.

mod admin;
mod aliases;
mod answer;
mod breaker;
mod bulk;
mod client;
mod endpoint;
mod fields;
mod mark;
mod request;
mod search;
mod settings;

use std::sync::Arc;

use aws_config::SdkConfig;
use domain_text::Analyzer;
use jiff::Timestamp;

use crate::{client::Client, endpoint::Names};

pub use client::{Policy, Unusable};
pub use endpoint::{Endpoint, IndexName, InvalidEndpoint, InvalidIndexName};
pub use settings::{SETTINGS_VERSION, Settings, Shards};

/// The index of homestays on a domain.
#[derive(Debug)]
pub struct OpenSearchIndex {
    client: Client,
    names: Names,
    settings: Settings,
    analyzer: Analyzer,
}

/// Tells the time to what decides when a domain that fails is asked again.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl OpenSearchIndex {
    /// On `endpoint`; requests to an `https` one are signed with the credentials and for the region of `aws`.
    pub fn new(
        endpoint: &Endpoint,
        aws: &SdkConfig,
        settings: Settings,
        analyzer: Analyzer,
        clock: Clock,
    ) -> Result<Self, Unusable> {
        let client = Client::new(endpoint, aws, settings.policy, clock)?;
        Ok(Self { client, names: Names::new(&settings.name), settings, analyzer })
    }

    /// What its aliases begin with.
    pub fn name(&self) -> &IndexName {
        &self.settings.name
    }
}
