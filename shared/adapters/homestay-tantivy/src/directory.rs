use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    DirectoryLock, FileHandle, Lock, META_LOCK, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
};

use crate::trash::Trash;

/// A folder of an index, read through memory maps, whose removed files go to the [`Trash`].
#[derive(Debug, Clone)]
pub(crate) struct KeepingDirectory {
    inner: MmapDirectory,
    root: PathBuf,
    trash: Trash,
    /// Made for the first file that is removed: most batches remove none.
    bag: Arc<Mutex<Option<PathBuf>>>,
}

impl KeepingDirectory {
    pub fn open(root: &Path, trash: Trash) -> Result<Self, OpenDirectoryError> {
        Ok(Self { inner: MmapDirectory::open(root)?, root: root.to_owned(), trash, bag: Arc::default() })
    }

    fn throw_away(&self, path: &Path) -> io::Result<()> {
        let mut bag = self.bag.lock().unwrap_or_else(PoisonError::into_inner);
        let bag = match &*bag {
            Some(bag) => bag,
            None => bag.insert(self.trash.bag()?),
        };
        Trash::put(bag, &self.root.join(path))
    }
}

impl Directory for KeepingDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.inner.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.throw_away(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DeleteError::FileDoesNotExist(path.to_owned()),
            _ => DeleteError::IoError { io_error: Arc::new(error), filepath: path.to_owned() },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.inner.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.inner.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.inner.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.inner.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.inner.sync_directory()
    }

    /// Readers write nothing, not even a lock, so that a searcher may mount the file system read-only: whoever finds a
    /// file gone between reading the list of segments and opening them reads the list again.
    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        if lock.filepath == META_LOCK.filepath {
            return Ok(DirectoryLock::from(Box::new(())));
        }
        self.inner.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.inner.watch(callback)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use tantivy::directory::{INDEX_WRITER_LOCK, TerminatingWrite as _};

    use super::*;

    fn directory(root: &Path) -> KeepingDirectory {
        let folder = root.join("index");
        std::fs::create_dir_all(&folder).unwrap();
        let trash = Trash::keeping(root.join("trash"), Duration::from_mins(1));
        KeepingDirectory::open(&folder, trash).unwrap()
    }

    #[test]
    fn a_removed_file_is_read_on_under_another_name() {
        let root = tempfile::tempdir().unwrap();
        let directory = directory(root.path());
        let path = Path::new("segment");
        let mut file = directory.open_write(path).unwrap();
        file.write_all(b"content").unwrap();
        file.terminate().unwrap();
        let opened = directory.open_read(path).unwrap();

        directory.delete(path).unwrap();
        assert!(!directory.exists(path).unwrap());
        assert_eq!(opened.read_bytes().unwrap().as_slice(), b"content");
        let bags: Vec<_> = std::fs::read_dir(root.path().join("trash")).unwrap().flatten().collect();
        assert_eq!(std::fs::read(bags[0].path().join("segment")).unwrap(), b"content");
        assert!(matches!(directory.delete(path), Err(DeleteError::FileDoesNotExist(_))));
    }

    #[test]
    fn two_writers_exclude_each_other_and_readers_lock_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (one, other) = (directory(root.path()), directory(root.path()));
        let held = one.acquire_lock(&INDEX_WRITER_LOCK).unwrap();
        assert!(matches!(other.acquire_lock(&INDEX_WRITER_LOCK), Err(LockError::LockBusy)));
        drop(held);
        // The file is still there, as after a crash: it is the lock on it that counts, and that went with its holder.
        assert!(one.exists(&INDEX_WRITER_LOCK.filepath).unwrap());
        other.acquire_lock(&INDEX_WRITER_LOCK).unwrap();
        let _reading = one.acquire_lock(&META_LOCK).unwrap();
        other.acquire_lock(&META_LOCK).unwrap();
        assert!(!one.exists(&META_LOCK.filepath).unwrap());
    }
}
