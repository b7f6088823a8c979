//! The command line.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{
    dev, import, notify, openapi, package, prepare, sale, scaffold, step::Progress, synth, workspace,
};

/// Developer commands of flashsale.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build, start the local AWS, deploy, seed; print how to use it
    #[command(
        after_help = "Examples:\n  cargo xtask dev\n  cargo xtask dev --detach\n  FLASHSALE_PORT=4600 cargo xtask dev"
    )]
    Dev {
        /// Come back once it runs, instead of staying until Ctrl-C
        #[arg(long)]
        detach: bool,
        /// The port of the local AWS [default: 4566 if free, else any]
        #[arg(long, env = "FLASHSALE_PORT")]
        port: Option<u16>,
    },
    /// Stop what `dev` started
    Down,
    /// Say whether the stack runs, and where
    Status,
    /// Print an access token
    #[command(
        after_help = "Example:\n  curl -H \"Authorization: Bearer $(cargo xtask token --user guest)\" …"
    )]
    Token {
        /// A user of `.local/endpoints.json`: admin, guest, guest-2
        #[arg(long, default_value = "guest")]
        user: String,
        /// Another deployment than the one `dev` started
        #[arg(long, value_name = "FILE")]
        endpoints: Option<PathBuf>,
    },
    /// Print the environment in which a function finds the running stack, for a shell to evaluate
    #[command(after_help = "Example:\n  eval \"$(cargo xtask env)\" && cargo lambda watch")]
    Env,
    /// Sell out a coupon to thousands of guests, and check that exactly the stock was issued
    #[command(
        after_help = "Examples:\n  cargo xtask sale\n  cargo xtask sale --stock 3 --guests 200 --expected-claims-per-second 10000\n  cargo xtask sale --stock 5000 --guests 5000 --json sale.json\n  cargo xtask sale --mode queued --stock 500 --guests 2000\n\nExit status 1 if an invariant does not hold."
    )]
    Sale(sale::Arguments),
    /// Send a sample of each type of message to a guest, and say what became of it
    #[command(
        after_help = "Examples:\n  cargo xtask notify\n  cargo xtask notify sms email --priority urgent\n  cargo xtask notify sms --template sign_in_code --param code=4711 --to tel:+8613800138001\n\nExit status 1 if one was not sent."
    )]
    Notify(notify::Arguments),
    /// Import homestays from a file, and show how far it is and which rows were refused
    #[command(
        after_help = "Examples:\n  cargo xtask import-homestays homestays.jsonl --source partner1\n  cargo xtask import-homestays listings.csv --city 北京\n  cargo xtask import-homestays homestays.csv --dry-run\n\nExit status 1 if the import fails; refused rows are no failure."
    )]
    ImportHomestays(import::Arguments),
    /// Install the pinned Python and npm packages inside the repository; other commands do so when they need them
    Setup,
    /// Synthesize the CDK app for every stage; check the templates with cfn-lint and cdk-nag
    Synth,
    /// Write docs/openapi.json from the functions' annotations
    Openapi,
    /// Build the functions for deployment (arm64, release) into target/lambda, with cargo-lambda
    Package,
    /// Measure: `cargo run --release -p load -- …`
    #[command(after_help = "Example:\n  cargo xtask bench claim")]
    Bench {
        /// What to measure, and how
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
    /// Simulate: `cargo run --release -p simulation -- …`
    #[command(
        after_help = "Example:\n  cargo xtask simulate claim --report docs/performance/simulation.md --charts docs/figures"
    )]
    Simulate {
        /// What to simulate, and how
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
    /// Lay out a new Lambda function
    #[command(after_help = "Example:\n  cargo xtask new-function redeem-coupon")]
    NewFunction {
        /// verb-noun, as in `claim-coupon`
        name: String,
    },
}

/// Runs the command given on the command line.
pub async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Dev { detach, port } => dev::up(port, detach).await?,
        Command::Down => dev::down(),
        Command::Status => dev::status()?,
        Command::Token { user, endpoints } => dev::token(&user, endpoints).await?,
        Command::Env => dev::environment()?,
        Command::Sale(arguments) => return sale::command(arguments).await,
        Command::Notify(arguments) => return notify::command(arguments).await,
        Command::ImportHomestays(arguments) => return import::command(arguments).await,
        Command::Setup => prepare::tools(&Progress::default(), &workspace::local().join("logs")).await?,
        Command::Synth => synth::all_stages().await?,
        Command::Openapi => openapi::write()?,
        Command::Package => package::all_functions().await?,
        Command::Bench { arguments } => return pass_on("load", &arguments).await,
        Command::Simulate { arguments } => return pass_on("simulation", &arguments).await,
        Command::NewFunction { name } => scaffold::new_function(&name)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs another tool of the workspace, optimised: its figures are the point.
async fn pass_on(package: &str, arguments: &[String]) -> Result<ExitCode> {
    let status = tokio::process::Command::new("cargo")
        .current_dir(workspace::root())
        .args(["run", "--quiet", "--release", "--package", package, "--"])
        .args(arguments)
        .status()
        .await?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_for_another_tool_pass_as_they_are() {
        let cli = Cli::parse_from(["cargo xtask", "bench", "claim", "--seconds", "5", "--help"]);
        let Command::Bench { arguments } = cli.command else { panic!("not bench") };
        assert_eq!(arguments, ["claim", "--seconds", "5", "--help"]);
    }
}
