use std::{fs, path::PathBuf, time::SystemTime};

use jiff::SignedDuration;

use crate::source::{FetchError, Fetched, MAX_DOCUMENT_BYTES};

/// How often the file is looked at.
const POLL_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

/// A file, on a developer's machine: small and local, so that reading it may block.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    /// Time and length of what was read last.
    seen: Option<(SystemTime, u64)>,
}

impl File {
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    pub fn fetch(&mut self) -> Result<Fetched, FetchError> {
        let metadata = fs::metadata(&self.path)?;
        let found = Some((metadata.modified()?, metadata.len()));
        if self.seen == found {
            return Ok(Fetched { document: None, poll_after: POLL_INTERVAL });
        }
        if metadata.len() > MAX_DOCUMENT_BYTES as u64 {
            return Err(FetchError::Invalid("it is too large".into()));
        }
        let document = fs::read(&self.path)?;
        self.seen = found;
        Ok(Fetched { document: Some(document), poll_after: POLL_INTERVAL })
    }
}
