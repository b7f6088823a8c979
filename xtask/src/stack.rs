use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::{
    Endpoints, aws, command,
    launcher::{Launcher, search_folder},
    page, ports,
    prepare::{self, Assembly},
    seed, seed_homestays,
    service::{Lifetime, Record, Service},
    step::Progress,
    workspace,
};

/// How to start a stack.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it keeps its state and logs; one stack a folder.
    pub state_dir: PathBuf,
    /// The port of the local AWS; any free one if not given.
    pub port: Option<u16>,
    /// Put microburst between the functions and AWS, to inject faults.
    pub fault_proxy: bool,
}

/// A local deployment of the whole app: runs until it is dropped, and never longer than this process.
#[derive(Debug)]
pub struct Stack {
    endpoints: Endpoints,
    fault_proxy: Option<String>,
    services: Vec<Service>,
    _only_one: File,
}

/// What is running, for another process to find.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) started_at: Timestamp,
    pub(crate) services: Vec<Record>,
}

impl Stack {
    /// Builds what has changed, starts the services, deploys, seeds.
    pub async fn start(options: Options) -> Result<Self> {
        Self::start_for(options, Lifetime::Scoped, &Progress::default()).await
    }

    pub(crate) async fn start_for(options: Options, lifetime: Lifetime, progress: &Progress) -> Result<Self> {
        let state_dir = &options.state_dir;
        let only_one = lock(state_dir)?;
        let logs = empty_folder(state_dir.join("logs"))?;
        empty_folder(state_dir.join("tmp"))?;
        empty_folder(search_folder(state_dir))?;
        // Now, not after minutes of building.
        ports::choose(options.port)?;
        let launcher = Launcher::new(state_dir, lifetime);

        let prepared = prepare::everything(progress, &logs).await?;
        let assembly = prepare::synth(progress, &logs, prepare::LOCAL, &prepared.bundles).await?;
        let port = ports::choose(options.port)?;
        let aws_endpoint = url(port);
        let (fault_proxy, mut services) =
            start_services(&launcher, port, options.fault_proxy, progress).await?;
        let stubs_port = ports::pair()?;
        services.push(launcher.provider_stubs(&prepared.stubs, stubs_port).await?);
        State::write(state_dir, &services)?;

        let mut endpoints = deploy(&assembly, &aws_endpoint, stubs_port, state_dir, progress).await?;
        drop(prepared);
        let (web, page_url) = page::serve(&launcher, &endpoints.api_url, state_dir).await?;
        endpoints.page_url = page_url;
        services.push(web);
        State::write(state_dir, &services)?;
        let step = progress.step("seed users and templates");
        seed::seed(&endpoints, Timestamp::now()).await?;
        step.done();
        seed_homestays::seed(&endpoints, progress).await.context("cannot seed the homestays")?;
        endpoints.write(&endpoints_file(state_dir))?;
        Ok(Self { endpoints, fault_proxy, services, _only_one: only_one })
    }

    /// Where it is found.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The URL of microburst, where one was asked for: rules go to `/_microburst/rules`.
    pub fn fault_proxy(&self) -> Option<&str> {
        self.fault_proxy.as_deref()
    }

    /// Lets it run on when this process ends.
    pub(crate) fn detach(self) {
        self.services.into_iter().for_each(Service::detach);
    }

    /// Waits until a service ends that should not, or someone stops it.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        loop {
            for service in &mut self.services {
                if let Some(status) = service.ended()? {
                    let Record { name, log, .. } = service.record();
                    bail!("{name} ended ({status}): see {}", workspace::display(log));
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    }
}

/// Where a stack's addresses are written.
pub(crate) fn endpoints_file(state_dir: &Path) -> PathBuf {
    state_dir.join("endpoints.json")
}

impl State {
    /// Whether something was started with `state_dir` and not stopped.
    pub(crate) fn exists(state_dir: &Path) -> bool {
        Self::file(state_dir).exists()
    }

    /// What was started with `state_dir` and still runs; nothing unless all of it does.
    pub(crate) fn running(state_dir: &Path) -> Option<Self> {
        let state = Self::read(state_dir)?;
        let all = state.services.iter().all(|service| service.is_running(state_dir));
        all.then_some(state)
    }

    /// Stops what still runs of it; whether there was anything.
    pub(crate) fn stop(state_dir: &Path) -> bool {
        let Some(state) = Self::read(state_dir) else { return false };
        for service in &state.services {
            service.stop(state_dir);
        }
        // What remains says where something was; the next start writes it anew.
        let _ = fs::remove_file(Self::file(state_dir));
        let _ = fs::remove_file(endpoints_file(state_dir));
        true
    }

    fn read(state_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::file(state_dir)).ok()?).ok()
    }

    fn write(state_dir: &Path, services: &[Service]) -> Result<()> {
        let services = services.iter().map(|service| service.record().clone()).collect();
        let state = Self { started_at: Timestamp::now(), services };
        fs::write(Self::file(state_dir), serde_json::to_vec_pretty(&state)?)
            .with_context(|| format!("cannot write to {}", state_dir.display()))
    }

    fn file(state_dir: &Path) -> PathBuf {
        state_dir.join("state.json")
    }
}

/// What an earlier stack left there would be mistaken for this one's.
fn empty_folder(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

fn lock(state_dir: &Path) -> Result<File> {
    fs::create_dir_all(state_dir).with_context(|| format!("cannot create {}", state_dir.display()))?;
    let path = state_dir.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another stack is being started in {}: wait for it", workspace::display(state_dir))
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// The proxy's URL, where one was asked for, and all that was started.
async fn start_services(
    launcher: &Launcher,
    port: u16,
    fault_proxy: bool,
    progress: &Progress,
) -> Result<(Option<String>, Vec<Service>)> {
    let step = progress.step("start the local AWS");
    let aws_endpoint = url(port);
    if !fault_proxy {
        let ministack = launcher.ministack(port, &aws_endpoint).await?;
        step.done_as(&aws_endpoint);
        return Ok((None, vec![ministack]));
    }
    let proxy_port = ports::any()?;
    let proxy = url(proxy_port);
    let (ministack, microburst) =
        tokio::try_join!(launcher.ministack(port, &proxy), launcher.microburst(proxy_port, &aws_endpoint))?;
    // microburst reads its model of DynamoDB at the first call, for longer than a function waits.
    let client = aws_sdk_dynamodb::Client::new(&aws::local_config(&proxy).await);
    client.list_tables().send().await.context("microburst does not pass calls on")?;
    step.done_as(&format!("{aws_endpoint}, seen by the functions through {proxy}"));
    Ok((Some(proxy), vec![ministack, microburst]))
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Uploads the bundles and creates the stacks.
async fn deploy(
    assembly: &Assembly,
    aws_endpoint: &str,
    stubs_port: u16,
    state_dir: &Path,
    progress: &Progress,
) -> Result<Endpoints> {
    let step = progress.step("deploy");
    let outputs = state_dir.join("outputs.json");
    let mut node = Command::new("node");
    command::without_aws(&mut node)
        .current_dir(workspace::cdk())
        .args(["--import", "tsx", "local/deploy.ts", "--endpoint", aws_endpoint, "--assembly"])
        .arg(&assembly.folder)
        .arg("--outputs")
        .arg(&outputs);
    command::run(node, &state_dir.join("logs/deploy.log"), &step).await?;
    let outputs = Outputs::read(&outputs)?;
    prepare_index(aws_endpoint, &outputs.get("PrepareSearchDomainFunctionName")?).await?;
    let endpoints = Endpoints {
        // By path, not by host: few clients but curl and browsers resolve names under `localhost`.
        api_url: format!("{aws_endpoint}/_aws/execute-api/{}", outputs.get("ApiId")?),
        aws_endpoint: Some(aws_endpoint.to_owned()),
        region: aws::LOCAL_REGION.to_owned(),
        user_pool_id: outputs.get("UserPoolId")?,
        user_pool_client_id: outputs.get("UserPoolClientId")?,
        coupon_table: outputs.get("CouponTableName")?,
        notification_table: outputs.get("NotificationTableName")?,
        notification_channels: outputs.get("NotificationChannelsLocation")?,
        homestay_table: outputs.get("HomestayTableName")?,
        search_table: outputs.get("SearchTableName")?,
        page_url: String::new(),
        provider_stubs: Some(url(stubs_port)),
        event_bus: outputs.get("BusName")?,
        users: seed::users(),
    };
    step.done();
    Ok(endpoints)
}

/// Has the index made: in AWS a custom resource does that while the stack is deployed.
async fn prepare_index(aws_endpoint: &str, function: &str) -> Result<()> {
    let url = format!("{aws_endpoint}/2015-03-31/functions/{function}/invocations");
    let http = reqwest::Client::builder().no_proxy().build()?;
    let event = serde_json::json!({ "RequestType": "Create", "ResourceProperties": {} });
    let answer = http.post(url).body(event.to_string()).send().await?;
    let failed = answer.headers().contains_key("x-amz-function-error") || !answer.status().is_success();
    ensure!(!failed, "the index cannot be made: {}", answer.text().await?);
    Ok(())
}

/// The outputs of every stack, by the stack's name.
#[derive(Deserialize)]
#[serde(transparent)]
struct Outputs(HashMap<String, HashMap<String, String>>);

impl Outputs {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not what it should be", path.display()))
    }

    fn get(&self, name: &str) -> Result<String> {
        self.0
            .values()
            .find_map(|outputs| outputs.get(name).cloned())
            .with_context(|| format!("no stack has an output {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_found_in_whichever_stack_has_it() {
        let outputs: Outputs =
            serde_json::from_str(r#"{"A": {"ApiId": "1"}, "B": {"UserPoolId": "2"}}"#).unwrap();
        assert_eq!(outputs.get("UserPoolId").unwrap(), "2");
        assert_eq!(outputs.get("Nothing").unwrap_err().to_string(), "no stack has an output Nothing");
    }

    #[test]
    fn two_stacks_cannot_start_in_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let _first = lock(folder.path()).unwrap();
        assert!(lock(folder.path()).unwrap_err().to_string().contains("another stack is being started"));
    }

    #[test]
    fn nothing_runs_where_nothing_was_started() {
        let folder = tempfile::tempdir().unwrap();
        assert!(State::running(folder.path()).is_none());
        assert!(!State::stop(folder.path()));
    }
}
