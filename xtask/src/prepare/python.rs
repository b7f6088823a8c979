use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tokio::process::Command;

use super::stamp::Ingredients;
use crate::{command, step::Progress, workspace};

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
    let requirements = workspace::assets().join("requirements.txt");
    let venv = venv();
    let stamp = Ingredients::default().content(&requirements)?.stamp(&venv);
    if stamp.is_current() && venv_python().exists() {
        return Ok(());
    }
    let step = progress.step("install ministack and cfn-lint");
    if venv.exists() {
        fs::remove_dir_all(&venv).with_context(|| format!("cannot remove {}", venv.display()))?;
    }
    let log = logs.join("python.log");
    let mut create = Command::new(python);
    create.args(["-m", "venv"]).arg(&venv);
    command::run(create, &log, &step).await?;
    let mut pip = Command::new(venv_python());
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--require-hashes", "--requirement"]);
    pip.arg(&requirements);
    command::run(pip, &log, &step).await?;
    stamp.write()?;
    step.done();
    Ok(())
}
