//! The index of homestays, wherever it is: on a domain or in a folder. `SEARCH_INDEX` says where, and nothing else of a function
//! depends on it.
//!
//! | Variable | |
//! |---|---|
//! | `SEARCH_INDEX` | `file:/path`, a folder; `https://host`, an `OpenSearch` domain that wants signed requests; `http://host`, one that does not |
//! | `SEARCH_INDEX_NAME` | what the aliases on a domain begin with; `homestays` by default |
//! | `SEARCH_INDEX_SHARDS` | shards of a new generation on a domain; 1 by default, so that scores are the same everywhere |

mod location;

use std::{num::NonZeroU16, path::Path, sync::Arc};

use aws_config::SdkConfig;
use domain_homestay::{
    Applied, Change, Found, GenerationId, Generations, Held, IndexAdmin, IndexError, IndexQuery, IndexWriter,
    SearchIndex, TitleFound, Version,
};
use domain_ids::HomestayId;
use domain_text::{Analyzer, Prefix};
use homestay_opensearch::{OpenSearchIndex, Settings, Shards, Unusable};
use homestay_tantivy::TantivyIndex;
use platform_config::{ConfigError, Env};

pub use location::{InvalidLocation, Location};

/// The index, on one of the two technologies.
#[derive(Debug)]
pub enum Index {
    /// On a domain.
    Domain(Box<OpenSearchIndex>),
    /// In a folder.
    Folder(TantivyIndex),
}

/// The index cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A variable is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Requests to the domain of `SEARCH_INDEX` cannot be made or signed.
    #[error("the domain of SEARCH_INDEX cannot be asked")]
    Unusable(#[from] Unusable),
}

/// The index is no folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a domain takes its snapshots by itself")]
pub struct NoFolder;

impl Index {
    /// The one that the environment names. Nothing is asked or read yet. For `main`.
    #[expect(clippy::unused_async, reason = "an index that takes time to open changes no function")]
    pub async fn open(env: &Env, aws: &SdkConfig) -> Result<Self, OpenError> {
        let location: Location = env.required("SEARCH_INDEX")?;
        let name = env.or("SEARCH_INDEX_NAME", homestay_opensearch::IndexName::default())?;
        let shards = Shards(env.or("SEARCH_INDEX_SHARDS", NonZeroU16::MIN)?);
        let analyzer = Analyzer::new();
        Ok(match location {
            Location::Folder(folder) => Self::Folder(TantivyIndex::new(folder, analyzer)),
            Location::Domain(endpoint) => {
                let settings = Settings { name, shards, ..Settings::default() };
                let clock = Arc::new(platform_lambda::now);
                Self::Domain(Box::new(OpenSearchIndex::new(&endpoint, aws, settings, analyzer, clock)?))
            }
        })
    }

    /// Writes what `generation` holds to the folder `to`, which must not be there or be empty; [`NoFolder`] on a domain.
    pub async fn snapshot(
        &self,
        generation: &GenerationId,
        to: &Path,
    ) -> Result<Result<(), IndexError>, NoFolder> {
        match self {
            Self::Domain(_) => Err(NoFolder),
            Self::Folder(index) => Ok(index.snapshot(generation, to).await),
        }
    }
}

/// Passes a call on to whichever it is.
macro_rules! pass {
    ($self:ident . $call:ident ( $($argument:expr),* )) => {
        match $self {
            Index::Domain(index) => index.$call($($argument),*).await,
            Index::Folder(index) => index.$call($($argument),*).await,
        }
    };
}

impl SearchIndex for Index {
    async fn search(&self, query: &IndexQuery) -> Result<Found, IndexError> {
        pass!(self.search(query))
    }

    async fn titles(&self, typed: &Prefix, limit: usize) -> Result<Vec<TitleFound>, IndexError> {
        pass!(self.titles(typed, limit))
    }

    async fn words(&self, limit: usize) -> Result<Vec<(String, u32)>, IndexError> {
        pass!(self.words(limit))
    }
}

impl IndexWriter for Index {
    async fn apply(&self, changes: &[Change]) -> Result<Applied, IndexError> {
        pass!(self.apply(changes))
    }
}

impl IndexAdmin for Index {
    async fn generations(&self) -> Result<Generations, IndexError> {
        pass!(self.generations())
    }

    async fn prepare(&self, generation: &GenerationId) -> Result<(), IndexError> {
        pass!(self.prepare(generation))
    }

    async fn build(&self, generation: &GenerationId) -> Result<(), IndexError> {
        pass!(self.build(generation))
    }

    async fn apply_to(&self, generation: &GenerationId, changes: &[Change]) -> Result<Applied, IndexError> {
        pass!(self.apply_to(generation, changes))
    }

    async fn switch(&self, generation: &GenerationId) -> Result<(), IndexError> {
        pass!(self.switch(generation))
    }

    async fn roll_back(&self, to: &GenerationId) -> Result<(), IndexError> {
        pass!(self.roll_back(to))
    }

    async fn discard(&self, generation: &GenerationId) -> Result<(), IndexError> {
        pass!(self.discard(generation))
    }

    async fn held(
        &self,
        generation: &GenerationId,
        ids: &[HomestayId],
    ) -> Result<Vec<Option<Held>>, IndexError> {
        pass!(self.held(generation, ids))
    }

    async fn scan(
        &self,
        generation: &GenerationId,
        after: Option<&HomestayId>,
        limit: usize,
    ) -> Result<Vec<(HomestayId, Held)>, IndexError> {
        pass!(self.scan(generation, after, limit))
    }

    async fn forget(
        &self,
        generation: &GenerationId,
        gone: &[(HomestayId, Version)],
    ) -> Result<(), IndexError> {
        pass!(self.forget(generation, gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opened(pairs: &[(&str, &str)]) -> Result<Index, OpenError> {
        Index::open(&Env::from_pairs(pairs.iter().copied()), &SdkConfig::builder().build()).await
    }

    #[tokio::test]
    async fn an_index_in_a_folder_is_prepared_and_asked() {
        let folder = tempfile::tempdir().unwrap();
        let location = format!("file:{}", folder.path().join("search").display());
        let index = opened(&[("SEARCH_INDEX", &location)]).await.unwrap();
        index.prepare(&"g-1".parse().unwrap()).await.unwrap();
        assert_eq!(index.generations().await.unwrap().live, Some("g-1".parse().unwrap()));
        let to = folder.path().join("copy");
        index.snapshot(&"g-1".parse().unwrap(), &to).await.unwrap().unwrap();
        assert!(to.read_dir().unwrap().next().is_some());
    }

    #[tokio::test]
    async fn a_domain_without_encryption_needs_no_credentials() {
        let index =
            opened(&[("SEARCH_INDEX", "http://127.0.0.1:1"), ("SEARCH_INDEX_NAME", "stays")]).await.unwrap();
        let Index::Domain(domain) = &index else { panic!("{index:?}") };
        assert_eq!(domain.name(), &"stays".parse().unwrap());
        let refused = index.snapshot(&"g-1".parse().unwrap(), Path::new("/nowhere")).await;
        assert_eq!(refused.err(), Some(NoFolder));
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        for (pairs, named) in [
            (&[][..], "SEARCH_INDEX"),
            (&[("SEARCH_INDEX", "file:search")], "SEARCH_INDEX"),
            (&[("SEARCH_INDEX", "ftp://a")], "SEARCH_INDEX"),
            (&[("SEARCH_INDEX", "http://a"), ("SEARCH_INDEX_NAME", "A")], "SEARCH_INDEX_NAME"),
            (&[("SEARCH_INDEX", "http://a"), ("SEARCH_INDEX_SHARDS", "0")], "SEARCH_INDEX_SHARDS"),
            // Neither region nor credentials to sign with.
            (&[("SEARCH_INDEX", "https://a")], "SEARCH_INDEX"),
        ] {
            let error = opened(pairs).await.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
