//! Locks among processes: `flock` on a file that is never removed, so that everybody locks the same one.
//!
//! The kernel releases it when the process dies; over NFS (EFS) the server does when the lease of a machine that is gone
//! or frozen ends (90 s). A lock is therefore held within one call only.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use domain_homestay::IndexError;

use crate::error::{self, Cause};

/// How often a lock is asked for, and how long is waited in between: 10 s in all, more than any batch takes.
const TRIES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(25);

/// Whoever has it writes.
#[derive(Debug)]
pub(crate) struct FileLock {
    /// Closing it releases the lock.
    _file: File,
}

impl FileLock {
    /// Waits for the lock on `path`; [`IndexError::Busy`] if somebody has it for too long.
    pub async fn acquire(path: &Path) -> Result<Self, IndexError> {
        Self::acquire_within(path, TRIES).await
    }

    pub async fn acquire_within(path: &Path, tries: u32) -> Result<Self, IndexError> {
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(error::file)?;
        for last in (0..tries.max(1)).rev() {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if last > 0 => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(error::file(error)),
            }
        }
        Err(IndexError::Busy(Box::new(Cause::Locked)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lock_is_waited_for_and_then_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::acquire(&path).await.unwrap();
        assert!(matches!(FileLock::acquire(&path).await, Err(IndexError::Busy(_))));
        drop(held);
        FileLock::acquire(&path).await.unwrap();
    }
}
