use std::io;

use domain_homestay::IndexError;
use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError};

/// A cause in words of our own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error("another schema or analysis wrote it: rebuild the index")]
    OtherSchema,
    #[error("files do not have the checksums that were written: {0}")]
    Damaged(String),
    #[error("somebody else has written for longer than this waits")]
    Locked,
    #[error("the state file cannot be read")]
    State(#[source] serde_json::Error),
    #[error("a stored document cannot be read: rebuild the index")]
    Document(#[source] serde_json::Error),
    #[error("a stored document is missing")]
    NoDocument,
    #[error("an id that was stored is none")]
    Id,
    #[error("the folder of a snapshot is not empty")]
    NotEmpty,
}

pub(crate) fn corrupt(cause: Cause) -> IndexError {
    IndexError::Corrupt(Box::new(cause))
}

/// What the file system says: wrong content is for a rebuild to mend, the rest may pass.
pub(crate) fn file(error: io::Error) -> IndexError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => IndexError::Corrupt(Box::new(error)),
        _ => IndexError::Unavailable(Box::new(error)),
    }
}

pub(crate) fn engine(error: TantivyError) -> IndexError {
    match &error {
        TantivyError::LockFailure(LockError::LockBusy, _) => IndexError::Busy(Box::new(error)),
        TantivyError::IoError(cause) if is_content(cause) => IndexError::Corrupt(Box::new(error)),
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. }) if is_content(io_error) => {
            IndexError::Corrupt(Box::new(error))
        }
        TantivyError::OpenDirectoryError(OpenDirectoryError::DoesNotExist(_)) => IndexError::Missing,
        TantivyError::LockFailure(..)
        | TantivyError::IoError(_)
        | TantivyError::OpenDirectoryError(_)
        | TantivyError::OpenReadError(OpenReadError::IoError { .. })
        | TantivyError::OpenWriteError(_)
        | TantivyError::ErrorInThread(_)
        | TantivyError::Poisoned
        | TantivyError::SystemError(_) => IndexError::Unavailable(Box::new(error)),
        // A file that the index names and that is not there, even when asked again; and all that is no matter of
        // input and output: what is on disk is not what this code writes.
        _ => IndexError::Corrupt(Box::new(error)),
    }
}

fn is_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput
    )
}
