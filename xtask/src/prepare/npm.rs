//! Packages of npm, exactly those of a `package-lock.json`.

use std::path::Path;

use anyhow::Result;
use tokio::process::Command;

use super::stamp::Ingredients;
use crate::{command, step::Progress};

/// Installs the packages of `folder`, for which the step is called `title` and the log `name`.
pub(crate) async fn install(
    progress: &Progress,
    log: &Path,
    folder: &Path,
    title: &'static str,
) -> Result<()> {
    let stamp = Ingredients::default()
        .content(&folder.join("package-lock.json"))?
        .stamp(&folder.join("node_modules"));
    if stamp.is_current() {
        return Ok(());
    }
    let step = progress.step(title);
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(["ci", "--no-audit", "--no-fund"]);
    command::run(npm, log, &step).await?;
    stamp.write()?;
    step.done();
    Ok(())
}
