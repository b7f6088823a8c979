use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::process::Command;

use super::cdk::Bundles;
use crate::{
    command,
    step::{Progress, Step},
    workspace,
};

/// Unoptimised: the one that tests build anyway, and minutes faster than `release`.
const PROFILE: &str = "dev";

/// The stand-ins for the providers of notifications.
const STUBS: &str = "provider-stubs";

/// Builds every function and lays each binary out as `<function>/bootstrap`, what Lambda starts; and, beside them, the
/// program that stands in for providers.
pub(crate) async fn build(progress: &Progress, logs: &Path) -> Result<(Bundles, PathBuf)> {
    let names = workspace::functions()?;
    let step = progress.step("build the functions");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root()).args(["build", "--message-format", "json-render-diagnostics"]);
    cargo.args(["--profile", PROFILE, "--package", STUBS]);
    for name in &names {
        cargo.args(["--package", name]);
    }
    let messages = command::capture(cargo, &logs.join("build-functions.log"), &step).await?;
    let mut executables = executables(&messages);
    let bundles = lay_out(&names, &executables)?;
    let stubs = executables.remove(STUBS).with_context(|| format!("cargo built no {STUBS}"))?;
    finish(step, &names);
    Ok((bundles, stubs))
}

fn finish(step: Step, names: &[String]) {
    step.done_as(&names.join(", "));
}

fn lay_out(names: &[String], executables: &BTreeMap<String, PathBuf>) -> Result<Bundles> {
    let mut bundles = Bundles::default();
    for name in names {
        let executable = executables
            .get(name)
            .with_context(|| format!("functions/{name} has no binary named {name}: add src/main.rs"))?;
        // target/<profile>/<name>
        let target = executable.ancestors().nth(2).context("cargo built a binary at the root")?;
        let folder = target.join("lambda-local").join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let bootstrap = folder.join("bootstrap");
        replace(executable, &bootstrap).with_context(|| format!("cannot write {}", bootstrap.display()))?;
        bundles.add(bootstrap);
    }
    Ok(bundles)
}

/// By a link, which keeps the time of the build; by a copy across file systems.
fn replace(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

/// One line of cargo's messages, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// The binaries among the artifacts, by name.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter_map(|message| {
            let target = message.target.filter(|target| target.kind.iter().any(|kind| kind == "bin"))?;
            Some((target.name, message.executable?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_found_among_the_messages_of_cargo() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"claim_coupon"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"claim-coupon"},"executable":"/t/debug/claim-coupon"}
{"reason":"compiler-artifact","target":{"kind":["custom-build"],"name":"build-script-build"},"executable":null}
warning: not JSON
{"reason":"build-finished","success":true}"#;
        let expected = BTreeMap::from([("claim-coupon".to_owned(), PathBuf::from("/t/debug/claim-coupon"))]);
        assert_eq!(executables(messages), expected);
    }

    #[test]
    fn a_binary_is_laid_out_for_lambda_and_replaced_when_it_is_new() {
        let target = tempfile::tempdir().unwrap();
        let built = target.path().join("debug/claim-coupon");
        fs::create_dir(target.path().join("debug")).unwrap();
        let names = ["claim-coupon".to_owned()];
        let executables = BTreeMap::from([("claim-coupon".to_owned(), built.clone())]);
        for content in ["old", "new"] {
            fs::write(&built, content).unwrap();
            lay_out(&names, &executables).unwrap();
            fs::remove_file(&built).unwrap();
            let bootstrap = target.path().join("lambda-local/claim-coupon/bootstrap");
            assert_eq!(fs::read_to_string(bootstrap).unwrap(), content);
        }
    }

    #[test]
    fn a_function_without_a_binary_is_named() {
        let error = lay_out(&["send-mail".to_owned()], &BTreeMap::new()).unwrap_err().to_string();
        assert_eq!(error, "functions/send-mail has no binary named send-mail: add src/main.rs");
    }
}
