//! `state.json`: which generations there are.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use domain_homestay::{Generations, IndexError};

use crate::error::{self, Cause};

/// What `folder` says; no generations if it says nothing yet.
pub(crate) fn read(folder: &Path) -> Result<Generations, IndexError> {
    match fs::read(folder.join("state.json")) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error::corrupt(Cause::State(error))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Generations::default()),
        Err(error) => Err(error::file(error)),
    }
}

/// Puts `generations` in place of what was there, durably; whoever reads meanwhile sees the one or the other.
pub(crate) fn write(folder: &Path, generations: &Generations) -> Result<(), IndexError> {
    let bytes = serde_json::to_vec(generations).map_err(|error| error::corrupt(Cause::State(error)))?;
    replace(&folder.join("state.json"), &bytes).map_err(error::file)
}

/// Replaces `path` atomically and durably. Only one writes at a time: the caller has a lock.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes durable that files in `folder` have these names.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), Generations::default());
        let state = Generations { live: Some("a".parse().unwrap()), ..Generations::default() };
        write(folder.path(), &state).unwrap();
        // As after a crash in the midst of the next write.
        fs::write(folder.path().join("state.new"), "{\"li").unwrap();
        assert_eq!(read(folder.path()).unwrap(), state);
        let next = Generations { building: Some("b".parse().unwrap()), ..state };
        write(folder.path(), &next).unwrap();
        assert_eq!(read(folder.path()).unwrap(), next);
    }

    #[test]
    fn a_state_that_cannot_be_read_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{\"live\":\"../x\"}", "[]x"] {
            fs::write(folder.path().join("state.json"), text).unwrap();
            assert!(matches!(read(folder.path()), Err(IndexError::Corrupt(_))), "{text}");
        }
    }
}
