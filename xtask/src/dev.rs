//! `dev`, `down`, `status`, `token`: the developer's own stack.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{
    Endpoints, Identity, Options, Stack, aws, guide, seed_homestays,
    service::Lifetime,
    stack::{State, endpoints_file},
    step::Progress,
    workspace,
};

/// Starts the stack, unless it runs. Attached, returns when it is interrupted.
pub(crate) async fn up(port: Option<u16>, is_detached: bool) -> Result<()> {
    let state_dir = workspace::local();
    if State::running(&state_dir).is_some() {
        println!("Already running; `cargo xtask down` stops it.\n");
        return guide::print(&Endpoints::read(&endpoints_file(&state_dir))?).await;
    }
    // What is left of one that was killed half-way.
    State::stop(&state_dir);

    let lifetime = if is_detached { Lifetime::Detached } else { Lifetime::Scoped };
    let options = Options { state_dir: state_dir.clone(), port, fault_proxy: false };
    let progress = Progress::default();
    let mut stack = tokio::select! {
        stack = Stack::start_for(options, lifetime, &progress) => stack?,
        interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
    };
    let has_listings = seed_homestays::start_listings(stack.endpoints(), &progress)
        .await
        .context("cannot import the real listings; without their file the stack starts as well")?;
    guide::print(stack.endpoints()).await?;
    if has_listings {
        println!("\nThe real listings are being imported and can be found within a minute.");
    }
    if is_detached {
        stack.detach();
        println!("\nRunning in the background: `cargo xtask status`, `cargo xtask down`.");
        return Ok(());
    }
    println!("\nRunning; Ctrl-C stops it.");
    let ended = tokio::select! {
        ended = stack.ended() => ended,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    // `down` has removed the state before the service is seen to end.
    let is_wanted = ended.is_ok() || !State::exists(&state_dir);
    drop(stack);
    State::stop(&state_dir);
    println!("\nStopped.");
    if is_wanted { Ok(()) } else { ended }
}

/// Stops the stack.
pub(crate) fn down() {
    let was_there = State::stop(&workspace::local());
    println!("{}", if was_there { "Stopped." } else { "Nothing is running." });
}

/// Says whether the stack runs, and where; an error if it does not.
pub(crate) fn status() -> Result<()> {
    let state_dir = workspace::local();
    let Some(state) = State::running(&state_dir) else {
        bail!("nothing is running: start it with `make dev` or `cargo xtask dev --detach`");
    };
    let endpoints = Endpoints::read(&endpoints_file(&state_dir))?;
    println!("Running since {:.0}.\n", state.started_at);
    println!("API         {}", endpoints.api_url);
    for service in &state.services {
        let log = workspace::display(&service.log);
        println!(
            "{:<11} http://127.0.0.1:{}, process {}, log {log}",
            service.name, service.port, service.pid
        );
    }
    println!("addresses   {}", workspace::display(&endpoints_file(&state_dir)));
    Ok(())
}

/// Prints what a function finds in its environment on the running stack, as shell commands.
pub(crate) fn environment() -> Result<()> {
    let endpoints = read_endpoints(None)?;
    let variables = [
        ("COUPON_TABLE", endpoints.coupon_table.as_str()),
        ("AWS_ENDPOINT_URL", endpoints.aws_endpoint.as_deref().unwrap_or_default()),
        ("AWS_REGION", &endpoints.region),
        ("AWS_ACCESS_KEY_ID", aws::LOCAL_KEY),
        ("AWS_SECRET_ACCESS_KEY", aws::LOCAL_KEY),
    ];
    for (name, value) in variables {
        println!("export {name}='{value}'");
    }
    Ok(())
}

/// Prints a fresh access token.
pub(crate) async fn token(user: &str, endpoints: Option<PathBuf>) -> Result<()> {
    let endpoints = read_endpoints(endpoints)?;
    let user = endpoints.user(user)?;
    let token = Identity::new(&endpoints).await.token(&user.name, &user.password).await?;
    println!("{}", token.access_token);
    Ok(())
}

/// Those of the developer's stack, unless a file is given.
pub(crate) fn read_endpoints(file: Option<PathBuf>) -> Result<Endpoints> {
    Endpoints::read(&file.unwrap_or_else(|| endpoints_file(&workspace::local())))
}
