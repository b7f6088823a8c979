//! Where things are in this repository.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use anyhow::{Context, Result};

/// The root of the repository: where cargo runs this, or else where one stands. Not where it was compiled: a target
/// folder may be shared by several checkouts.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let start = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).or_else(|| env::current_dir().ok());
        let start = start.unwrap_or_default();
        start.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(&start).to_owned()
    });
    &ROOT
}

/// What the developer's stack leaves behind while it runs: state, logs, addresses. Ignored by git.
pub(crate) fn local() -> PathBuf {
    root().join(".local")
}

/// Installed tools, kept between runs. Ignored by git.
pub(crate) fn tools() -> PathBuf {
    root().join(".tools")
}

/// The CDK app.
pub(crate) fn cdk() -> PathBuf {
    root().join("infra/cdk")
}

/// Files that belong to these commands.
pub(crate) fn assets() -> PathBuf {
    root().join("xtask/assets")
}

/// The Lambda functions: each folder of `functions/` is one, and its package and binary bear the folder's name.
pub(crate) fn functions() -> Result<Vec<String>> {
    let folder = root().join("functions");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// `path` as one would type it at the root of the repository.
pub(crate) fn display(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
