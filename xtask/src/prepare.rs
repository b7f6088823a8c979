//! What a stack is started from: the functions' binaries, the Python tools, the synthesized CDK app. Each is made
//! anew only when what it is made from has changed.

mod browser;
mod cdk;
mod functions;
mod npm;
mod python;
mod stamp;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use cdk::Bundles;

use crate::{prerequisites, step::Progress, workspace};

pub use browser::chromium;
pub(crate) use cdk::{LOCAL, synth};
pub(crate) use python::{cargo_lambda, venv_program, venv_python};

/// The app synthesized for one stage.
pub(crate) struct Assembly {
    pub(crate) folder: PathBuf,
}

/// What has to be there before the app can be synthesized; nobody else changes it meanwhile.
pub(crate) struct Prepared {
    pub(crate) bundles: Bundles,
    /// The program that stands in for the providers of notifications.
    pub(crate) stubs: PathBuf,
    _only_one: File,
}

/// Makes all of it at once.
pub(crate) async fn everything(progress: &Progress, logs: &Path) -> Result<Prepared> {
    let tools = prerequisites::check().await?;
    let only_one = exclusively()?;
    let ((bundles, stubs), (), ()) = tokio::try_join!(
        functions::build(progress, logs),
        python::install(progress, logs, tools.python),
        infrastructure(progress, logs),
    )?;
    Ok(Prepared { bundles, stubs, _only_one: only_one })
}

/// Installs the tools alone, those that only tests need included.
pub(crate) async fn tools(progress: &Progress, logs: &Path) -> Result<()> {
    let tools = prerequisites::check().await?;
    let _only_one = exclusively()?;
    let web = workspace::root().join("web");
    let web_log = logs.join("npm-web.log");
    tokio::try_join!(
        python::install(progress, logs, tools.python),
        infrastructure(progress, logs),
        npm::install(progress, &web_log, &web, "install the tools of the pages"),
        browser::install(progress, logs),
    )?;
    Ok(())
}

async fn infrastructure(progress: &Progress, logs: &Path) -> Result<()> {
    npm::install(progress, &logs.join("npm.log"), &workspace::cdk(), "install the CDK").await
}

/// Waits until no other run does the same; ends when the file is closed.
fn exclusively() -> Result<File> {
    let folder = workspace::tools();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join("prepare.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}
