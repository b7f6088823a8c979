use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use anyhow::{Context, Result};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// What a thing was made from: a digest kept beside the thing itself, so that both vanish together.
pub(super) struct Stamp {
    path: PathBuf,
    digest: String,
}

/// Collects what a thing is made from.
#[derive(Default)]
pub(super) struct Ingredients(Sha256);

impl Stamp {
    /// Whether the thing is there and made from exactly this.
    pub(super) fn is_current(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|found| found == self.digest)
    }

    /// The thing is made.
    pub(super) fn write(&self) -> Result<()> {
        fs::write(&self.path, &self.digest).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

impl Ingredients {
    pub(super) fn text(mut self, text: &str) -> Self {
        self.add(text.as_bytes());
        self
    }

    /// A file, or a folder with all in it, by content.
    pub(super) fn content(mut self, path: &Path) -> Result<Self> {
        for file in files(path)? {
            let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            self.add(file.to_string_lossy().as_bytes());
            self.add(&bytes);
        }
        Ok(self)
    }

    /// A big file, by size and time: cargo leaves a binary alone that it need not make anew.
    pub(super) fn identity(mut self, path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH)?;
        self.add(path.to_string_lossy().as_bytes());
        self.add(&metadata.len().to_be_bytes());
        self.add(&modified.as_nanos().to_be_bytes());
        Ok(self)
    }

    /// The stamp of a thing in `folder` made from all this.
    pub(super) fn stamp(self, folder: &Path) -> Stamp {
        Stamp { path: folder.join(".made-from"), digest: HEXLOWER.encode(&self.0.finalize()) }
    }

    /// With its length, so that no two lists of ingredients read the same.
    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut children = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    children.sort();
    Ok(children.iter().map(|child| files(child)).collect::<Result<Vec<_>>>()?.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_current_until_something_changes() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("a"), "1").unwrap();
        let stamp = || Ingredients::default().content(&source).unwrap().stamp(folder.path());

        assert!(!stamp().is_current());
        stamp().write().unwrap();
        assert!(stamp().is_current());

        fs::write(source.join("a"), "2").unwrap();
        assert!(!stamp().is_current());
        fs::write(source.join("a"), "1").unwrap();
        fs::write(source.join("b"), "").unwrap();
        assert!(!stamp().is_current());
    }

    #[test]
    fn texts_do_not_run_into_each_other() {
        let folder = Path::new("");
        let one = Ingredients::default().text("ab").text("c").stamp(folder);
        let other = Ingredients::default().text("a").text("bc").stamp(folder);
        assert_ne!(one.digest, other.digest);
    }
}
