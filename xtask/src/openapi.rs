//! `docs/openapi.json`.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// The document is written by a crate of its own, so that this one does not depend on every function.
pub(crate) fn write() -> Result<()> {
    let output = Command::new("cargo")
        .current_dir(workspace::root())
        .args(["run", "--quiet", "--package", "openapi"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "the document could not be made: see above");
    let path = workspace::root().join("docs/openapi.json");
    fs::write(&path, output.stdout).with_context(|| format!("cannot write {}", path.display()))?;
    println!("Wrote {}.", workspace::display(&path));
    Ok(())
}
