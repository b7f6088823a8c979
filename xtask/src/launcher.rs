//! ministack, the local AWS; microburst, which injects faults between the functions and ministack; and stand-ins for the
//! providers of notifications that are not AWS.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    aws, command, prepare,
    service::{Lifetime, Service},
    workspace,
};

const STARTUP_DEADLINE: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How to start one stack's services.
pub(crate) struct Launcher {
    state_dir: PathBuf,
    lifetime: Lifetime,
}

impl Launcher {
    pub(crate) fn new(state_dir: &Path, lifetime: Lifetime) -> Self {
        Self { state_dir: state_dir.to_owned(), lifetime }
    }

    /// Starts ministack, with an index that is empty; the functions it runs will find AWS at `endpoint`.
    pub(crate) async fn ministack(&self, port: u16, endpoint: &str) -> Result<Service> {
        let mut command = self.command("ministack");
        command
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_REGION", aws::LOCAL_REGION)
            // It would listen on every interface.
            .env("IOT_MTLS_ENABLED", "0")
            .env("STATE_DIR", self.state_dir.join("ministack"))
            .env("S3_DATA_DIR", self.state_dir.join("ministack/s3"))
            .env("TMPDIR", self.state_dir.join("tmp"))
            .env("AWS_ENDPOINT_URL", endpoint)
            // Files go past a proxy: microburst passes them on under another name than the one that the address of an upload is
            // signed for, and does not tell how long they are.
            .env("AWS_ENDPOINT_URL_S3", format!("http://127.0.0.1:{port}"))
            // Each stack has an index of its own, though all are deployed from one template.
            .env("SEARCH_INDEX", format!("file:{}", search_folder(&self.state_dir).display()))
            .env("AWS_REGION", aws::LOCAL_REGION)
            .env("AWS_DEFAULT_REGION", aws::LOCAL_REGION)
            .env("AWS_ACCESS_KEY_ID", aws::LOCAL_KEY)
            .env("AWS_SECRET_ACCESS_KEY", aws::LOCAL_KEY)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "127.0.0.1,localhost");
        self.start("ministack", command, port, "_ministack/health").await
    }

    /// Starts microburst, which passes on to `upstream` what no rule of its own catches.
    pub(crate) async fn microburst(&self, port: u16, upstream: &str) -> Result<Service> {
        let mut command = self.command("microburst");
        command.args(["--upstream", upstream, "--port", &port.to_string()]);
        self.start("microburst", command, port, "_microburst/rules").await
    }

    /// Starts the stand-ins for providers on `port`, their mail server on the next one.
    pub(crate) async fn provider_stubs(&self, program: &Path, port: u16) -> Result<Service> {
        let mut command = self.command("provider-stubs");
        command.arg(program).args(["--port", &port.to_string()]);
        self.start("provider-stubs", command, port, "_stub/messages").await
    }

    /// Serves `folder`, the search page and where its API is.
    pub(crate) async fn web(&self, folder: &Path, port: u16) -> Result<Service> {
        let mut command = self.command("web");
        command.arg("--directory").arg(folder).args(["--bind", "127.0.0.1", &port.to_string()]);
        self.start("web", command, port, "config.json").await
    }

    fn command(&self, service: &str) -> Command {
        let mut command = Command::new(prepare::venv_python());
        for name in command::aws_variables() {
            command.env_remove(name);
        }
        command.arg(workspace::assets().join("local_aws.py")).arg("--state").arg(&self.state_dir);
        if self.lifetime == Lifetime::Scoped {
            command.arg("--ends-with-parent");
        }
        command.arg(service);
        command
    }

    async fn start(&self, name: &'static str, command: Command, port: u16, health: &str) -> Result<Service> {
        let log = self.state_dir.join("logs").join(format!("{name}.log"));
        let mut service = Service::start(name, command, port, &log, self.lifetime)?;
        let url = format!("http://127.0.0.1:{port}/{health}");
        let http = reqwest::Client::builder().no_proxy().build()?;
        let deadline = Instant::now() + STARTUP_DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = service.ended()? {
                bail!("{name} ended at once ({status}): see {}", workspace::display(&log));
            }
            match http.get(&url).send().await {
                Ok(response) if response.status().is_success() => return Ok(service),
                _ => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
        bail!("{name} did not answer within {STARTUP_DEADLINE:?}: see {}", workspace::display(&log))
    }
}

/// Where a stack has its index of homestays.
pub(crate) fn search_folder(state_dir: &Path) -> PathBuf {
    state_dir.join("search")
}
