use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tokio::process::Command;

use super::{Assembly, stamp::Ingredients};
use crate::{command, seed_notifications::LOCAL_PUSH_APPLICATION, step::Progress, workspace};

/// What the app is synthesized from, beside the bundles.
const SOURCES: [&str; 5] = ["bin", "lib", "cdk.json", "package-lock.json", "tsconfig.json"];

/// What the app imports from outside its folder: `AppConfig` checks documents by the schemas that the domain does.
const SCHEMAS: [&str; 3] = [
    "shared/domain/homestay/rules.schema.json",
    "shared/domain/notification/channels.schema.json",
    "shared/domain/risk/policy.schema.json",
];

/// The page that the app puts into a bucket, but on this machine.
const PAGE: &str = "web/search";

/// The stage that is deployed on this machine.
pub(crate) const LOCAL: &str = "local";

/// Binaries laid out as `<function>/bootstrap` in one folder.
#[derive(Debug, Default)]
pub(crate) struct Bundles {
    bootstraps: Vec<PathBuf>,
}

impl Bundles {
    pub(super) fn add(&mut self, bootstrap: PathBuf) {
        self.bootstraps.push(bootstrap);
    }

    fn folder(&self) -> Result<&Path> {
        let first = self.bootstraps.first().context("functions/ holds no function")?;
        first.ancestors().nth(2).context("a bundle at the root")
    }
}

/// Synthesizes the app for `stage`; every rule of cdk-nag must hold.
pub(crate) async fn synth(
    progress: &Progress,
    logs: &Path,
    stage: &str,
    bundles: &Bundles,
) -> Result<Assembly> {
    let cdk = workspace::cdk();
    let folder = cdk.join(format!("cdk.out-{stage}"));
    let architecture = architecture(stage);
    let bundle_folder = bundles.folder()?;

    let mut ingredients = Ingredients::default().text(architecture);
    for source in SOURCES {
        ingredients = ingredients.content(&cdk.join(source))?;
    }
    for schema in SCHEMAS {
        ingredients = ingredients.content(&workspace::root().join(schema))?;
    }
    if stage != LOCAL {
        ingredients = ingredients.content(&workspace::root().join(PAGE))?;
    }
    for bootstrap in &bundles.bootstraps {
        ingredients = ingredients.identity(bootstrap)?;
    }
    let stamp = ingredients.stamp(&folder);
    if stamp.is_current() {
        return Ok(Assembly { folder });
    }

    let step = progress.step(format!("synthesize the CDK app for the stage {stage}"));
    // The CDK leaves the bundles of earlier builds there.
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let mut synth = Command::new(cdk.join("node_modules/.bin/cdk"));
    command::without_aws(&mut synth)
        .current_dir(&cdk)
        .env("CDK_DISABLE_CLI_TELEMETRY", "true")
        .args(["synth", "--quiet", "--context", &format!("stage={stage}")])
        .args(["--context", &format!("bundles={}", bundle_folder.display())])
        .args(["--context", &format!("architecture={architecture}")])
        .arg("--output")
        .arg(&folder);
    if stage == LOCAL {
        synth.args(["--context", &format!("fcmApplicationArn={LOCAL_PUSH_APPLICATION}")]);
    }
    command::run(synth, &logs.join(format!("synth-{stage}.log")), &step).await?;
    stamp.write()?;
    step.done();
    Ok(Assembly { folder })
}

/// What the binaries here were built for; elsewhere functions run on arm64, which costs a fifth less.
fn architecture(stage: &str) -> &'static str {
    if stage == LOCAL && std::env::consts::ARCH == "x86_64" { "x86_64" } else { "arm64" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_that_the_app_imports_is_an_ingredient() {
        let mut imported = Vec::new();
        for folder in ["bin", "lib", "lib/constructs", "lib/stacks"] {
            for entry in fs::read_dir(workspace::cdk().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|it| it == "ts") {
                    let text = fs::read_to_string(path).unwrap();
                    let is_schema = |it: &&str| {
                        it.starts_with("../") && Path::new(it).extension().is_some_and(|it| it == "json")
                    };
                    let quoted = text.split('\'').filter(is_schema);
                    imported.extend(quoted.map(|it| it.trim_start_matches("../").to_owned()));
                }
            }
        }
        imported.sort();
        assert_eq!(imported, SCHEMAS);
    }
}
