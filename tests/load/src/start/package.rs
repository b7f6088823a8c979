//! The binary and the packages for Lambda: built and weighed.

use std::{
    fs,
    io::BufReader,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use cargo_metadata::{Message, MetadataCommand};

use crate::report::{Figure, Goal};

/// Whose package is weighed.
const FUNCTION: &str = "claim-coupon";

/// Builds a function as it is released, for this machine.
pub fn build_binary(name: &str) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo")
        .args(["build", "--release", "--message-format", "json-render-diagnostics", "--package", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let messages = BufReader::new(cargo.stdout.take().context("standard output is a pipe")?);
    let binary = Message::parse_stream(messages).filter_map(Result::ok).find_map(|message| match message {
        Message::CompilerArtifact(artifact) if artifact.target.name == name => artifact.executable,
        _ => None,
    });
    ensure!(cargo.wait()?.success(), "{name} does not build");
    Ok(binary.context("cargo names no binary")?.into())
}

/// Packages for both architectures. A few megabytes less are a few milliseconds less of each cold start.
pub fn weigh() -> Result<Vec<Figure>> {
    let arm = Figure::new("package, arm64", zip_megabytes("--arm64")?, "MB").must_be(Goal::AtMost(5.0));
    let x86 = Figure::new("package, x86-64", zip_megabytes("--x86-64")?, "MB");
    Ok(vec![arm, x86])
}

fn zip_megabytes(architecture: &str) -> Result<f64> {
    let built = Command::new("cargo")
        .args(["lambda", "build", "--release", architecture, "--output-format", "zip", "--package", FUNCTION])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .context("cannot start cargo")?;
    ensure!(built.success(), "no package: is cargo-lambda installed, and zig?");
    let target = MetadataCommand::new().no_deps().exec()?.target_directory;
    megabytes(target.join("lambda").join(FUNCTION).join("bootstrap.zip").as_std_path())
}

/// The size of a file.
pub fn megabytes(file: &Path) -> Result<f64> {
    let bytes = fs::metadata(file).with_context(|| format!("cannot find {}", file.display()))?.len();
    Ok(bytes as f64 / 1e6)
}
