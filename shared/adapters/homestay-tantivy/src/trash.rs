//! What is removed is kept for a while, since others may still read it.
//!
//! A merge writes one segment in place of several and removes those. On a local disk a process that has a removed file
//! mapped reads on; over NFS (EFS) the file is gone for the other machines at once: reading fails with `ESTALE`, and
//! touching the map of it kills the process (`SIGBUS`). So files move to the trash, where they keep their inode, and are
//! purged when no reader can have them: readers reload within a second of use, and a request takes a minute at most.
//!
//! Time is the file server's: a bag of trash (a folder) bears the time of the last thing that was put into it, and is old
//! compared with a bag that was just made. No machine's clock has a say.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fs, io};

/// How long trash is kept: as long as a Lambda can run, so that whatever was begun before is over.
pub(crate) const KEPT: Duration = Duration::from_mins(15);

#[derive(Debug, Clone)]
pub(crate) struct Trash {
    folder: PathBuf,
    kept: Duration,
}

impl Trash {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, kept: KEPT }
    }

    #[cfg(test)]
    pub fn keeping(folder: PathBuf, kept: Duration) -> Self {
        Self { folder, kept }
    }

    /// A new bag; older ones are purged. One that cannot be purged is left for the next time.
    pub fn bag(&self) -> io::Result<PathBuf> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        fs::create_dir_all(&self.folder)?;
        let bag = loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let bag = self.folder.join(format!("{}-{number}", std::process::id()));
            match fs::create_dir(&bag) {
                Ok(()) => break bag,
                // Another machine's process has the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let now = fs::metadata(&bag)?.modified()?;
        for other in fs::read_dir(&self.folder)?.flatten() {
            let modified = other.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > self.kept) && fs::remove_dir_all(other.path()).is_err() {
                tracing::debug!("old files of the index could not be purged");
            }
        }
        Ok(bag)
    }

    /// Puts `path`, a file or a folder, into `bag`.
    pub fn put(bag: &Path, path: &Path) -> io::Result<()> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        fs::rename(path, bag.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_thrown_away_is_kept_and_then_purged() {
        let root = tempfile::tempdir().unwrap();
        let (kept, folder) = (root.path().join("file"), root.path().join("trash"));
        fs::write(&kept, "x").unwrap();
        let trash = Trash::new(folder.clone());
        let bag = trash.bag().unwrap();
        Trash::put(&bag, &kept).unwrap();
        assert!(!kept.exists());
        trash.bag().unwrap();
        assert!(bag.join("file").exists());

        let file = fs::File::open(&bag).unwrap();
        file.set_modified(fs::metadata(&bag).unwrap().modified().unwrap() - KEPT - Duration::from_mins(1))
            .unwrap();
        let recent = trash.bag().unwrap();
        assert!(!bag.exists() && recent.exists());
    }
}
