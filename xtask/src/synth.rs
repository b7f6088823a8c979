//! `synth`: every stage, checked by cdk-nag and cfn-lint.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::{
    command,
    prepare::{self, Assembly},
    step::Progress,
    workspace,
};

const STAGES: [&str; 4] = [prepare::LOCAL, "dev", "staging", "prod"];

/// Synthesizes every stage, which fails where a rule of cdk-nag is broken, and lints the templates.
pub(crate) async fn all_stages() -> Result<()> {
    let progress = Progress::default();
    let logs = workspace::local().join("logs");
    let prepared = prepare::everything(&progress, &logs).await?;
    let mut templates = Vec::new();
    for stage in STAGES {
        let assembly = prepare::synth(&progress, &logs, stage, &prepared.bundles).await?;
        templates.extend(templates_of(&assembly)?);
    }

    let step = progress.step("check the templates with cfn-lint");
    let mut cfn_lint = Command::new(prepare::venv_program("cfn-lint"));
    // The list of templates in `.cfnlintrc` is for those who run it by hand.
    cfn_lint.current_dir(workspace::cdk()).arg("--template").args(&templates);
    command::run(cfn_lint, &logs.join("cfn-lint.log"), &step).await?;
    step.done_as(&format!("{} templates", templates.len()));
    println!("Stages {}: cdk-nag and cfn-lint have nothing to say.", STAGES.join(", "));
    Ok(())
}

fn templates_of(assembly: &Assembly) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(&assembly.folder)
        .with_context(|| format!("cannot read {}", assembly.folder.display()))?;
    let mut templates = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    templates.retain(|path| path.to_string_lossy().ends_with(".template.json"));
    templates.sort();
    Ok(templates)
}
