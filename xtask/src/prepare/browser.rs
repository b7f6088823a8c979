//! The browser in which the pages are tested.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::{command, step::Progress};

/// What Chromium is called, by who packs it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

const REMEDY: &str =
    "no Chromium to test the pages in: install it (Debian: apt-get install chromium), or name it in CHROMIUM";

/// The browser in which pages are tested.
pub fn chromium() -> Result<PathBuf> {
    find().context(REMEDY)
}

/// Installs Debian's Chromium where there is none and this user may.
pub(crate) async fn install(progress: &Progress, logs: &Path) -> Result<()> {
    if find().is_some() {
        return Ok(());
    }
    if !may_install() {
        bail!(REMEDY);
    }
    let step = progress.step("install Chromium");
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", "chromium"][..]] {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet").args(arguments);
        command::run(apt, &logs.join("chromium.log"), &step).await?;
    }
    step.done();
    chromium().map(|_| ())
}

fn find() -> Option<PathBuf> {
    if let Some(named) = env_path("CHROMIUM") {
        return Some(named);
    }
    NAMES.into_iter().find_map(on_path)
}

fn may_install() -> bool {
    rustix::process::geteuid().is_root() && on_path("apt-get").is_some()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = env_path("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn env_path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_the_shell_finds_it() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("there-is-no-such-program"), None);
    }
}
