use std::error::Error;

/// A store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached, timed out or failed. Whether a write happened is not known.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It refuses more work for now. Nothing was written.
    #[error("the store is throttling")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// What it holds cannot be understood: a defect, or an item written by other hands.
    #[error("a stored item is not readable")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Throttled(_) => true,
            Self::Corrupt(_) => false,
        }
    }
}

/// A file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It is not the one asked for.
    #[error("the file has been replaced")]
    Changed,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}
