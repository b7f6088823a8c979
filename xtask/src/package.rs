//! Release bundles for AWS.

use std::{ffi::OsString, fs, path::Path};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::{command, prepare, step::Progress, workspace};

/// Builds every function for arm64 into `target/lambda/<function>/bootstrap`, where the CDK app looks for it.
pub(crate) async fn all_functions() -> Result<()> {
    let logs = workspace::local().join("logs");
    fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
    let progress = Progress::default();
    let programs = prepare::cargo_lambda(&progress, &logs).await?;

    let step = progress.step("build the functions for arm64");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root()).env("PATH", in_front_of_path(&programs)?).args([
        "lambda",
        "build",
        "--release",
        "--arm64",
    ]);
    for name in workspace::functions()? {
        cargo.args(["--package", &name]);
    }
    command::run(cargo, &logs.join("package.log"), &step).await?;
    step.done_as("target/lambda");
    Ok(())
}

/// cargo finds its subcommands on the path, and cargo-lambda its linker.
#[expect(clippy::disallowed_methods, reason = "the path of this process, handed on")]
fn in_front_of_path(programs: &Path) -> Result<OsString> {
    let path = std::env::var("PATH").unwrap_or_default();
    std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&path)))
        .context("the path has a folder that cannot be in a path")
}
