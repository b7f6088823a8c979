use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tokio::process::Command;

use super::stamp::Ingredients;
use crate::{command, prerequisites, step::Progress, workspace};

/// The interpreter that has the pinned packages.
pub(crate) fn venv_python() -> PathBuf {
    venv_program("python")
}

/// A program of the pinned packages.
pub(crate) fn venv_program(name: &str) -> PathBuf {
    venv().join("bin").join(name)
}

fn venv() -> PathBuf {
    workspace::tools().join("venv")
}

/// Installs the packages of `requirements.txt`, exactly those, into an environment inside the repository.
pub(crate) async fn install(progress: &Progress, logs: &Path, python: &str) -> Result<()> {
    let requirements = Requirements { file: "requirements.txt", arguments: &["--require-hashes"] };
    requirements.install(progress, logs, python, &venv(), "install ministack and cfn-lint").await
}

/// Installs cargo-lambda into an environment of its own; returns the folder of its programs.
pub(crate) async fn cargo_lambda(progress: &Progress, logs: &Path) -> Result<PathBuf> {
    let python = prerequisites::check().await?.python;
    let venv = workspace::tools().join("cargo-lambda");
    let requirements = Requirements { file: "package-requirements.txt", arguments: &[] };
    requirements.install(progress, logs, python, &venv, "install cargo-lambda").await?;
    Ok(venv.join("bin"))
}

/// Pinned packages.
struct Requirements {
    file: &'static str,
    arguments: &'static [&'static str],
}

impl Requirements {
    async fn install(
        &self,
        progress: &Progress,
        logs: &Path,
        python: &str,
        venv: &Path,
        title: &'static str,
    ) -> Result<()> {
        let requirements = workspace::assets().join(self.file);
        let stamp = Ingredients::default().content(&requirements)?.stamp(venv);
        if stamp.is_current() && venv.join("bin/python").exists() {
            return Ok(());
        }
        let step = progress.step(title);
        if venv.exists() {
            fs::remove_dir_all(venv).with_context(|| format!("cannot remove {}", venv.display()))?;
        }
        let log = logs.join("python.log");
        let mut create = Command::new(python);
        create.args(["-m", "venv"]).arg(venv);
        command::run(create, &log, &step).await?;
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check"]).args(self.arguments);
        pip.arg("--requirement").arg(&requirements);
        command::run(pip, &log, &step).await?;
        stamp.write()?;
        step.done();
        Ok(())
    }
}
