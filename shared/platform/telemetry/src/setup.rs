use std::{io, sync::OnceLock};

use metrics_cloudwatch_embedded::{Builder, Collector};
use platform_config::{ConfigError, Env};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Registry,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

use crate::{
    json::{JsonLine, JsonMembers},
    panics,
};

/// The namespace of the metrics where `METRICS_NAMESPACE` is not set.
const DEFAULT_NAMESPACE: &str = "Flashsale";

static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();

/// A function cannot tell about itself, and must not start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logs or metrics were set up before.
    #[error("telemetry was set up before")]
    Again,
}

/// Sets up logs, panics and metrics of this process, once, first thing in `main`.
///
/// - `RUST_LOG`: which events are logged, by target: `info` (the default) or `warn,claim_coupon=debug`. Spans and
///   regular expressions are not supported: they would double the size of this crate and slow each cold start.
/// - `METRICS_NAMESPACE`: the namespace of the metrics, `Flashsale` by default. `service` is their dimension.
pub fn init(service: &'static str, env: &Env) -> Result<(), InitError> {
    let events = env.or("RUST_LOG", Targets::new().with_default(LevelFilter::INFO))?;
    let namespace: String = env.or("METRICS_NAMESPACE", DEFAULT_NAMESPACE.to_owned())?;
    tracing::subscriber::set_global_default(subscriber(events, io::stdout)).map_err(|_| InitError::Again)?;
    panics::log();
    let collector = Builder::new()
        .cloudwatch_namespace(namespace)
        .with_dimension("service", service)
        .init()
        .map_err(|_| InitError::Again)?;
    COLLECTOR.set(collector).map_err(|_| InitError::Again)
}

pub(crate) fn subscriber<W>(events: Targets, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Whatever is logged at all, is logged with the fields of its invocation; the runtime's own span repeats them.
    let events = events
        .with_target(env!("CARGO_CRATE_NAME"), LevelFilter::INFO)
        .with_target("lambda_runtime", LevelFilter::WARN);
    let lines =
        fmt::layer().event_format(JsonLine).fmt_fields(JsonMembers).with_ansi(false).with_writer(writer);
    Registry::default().with(events).with(lines)
}

/// Writes what was measured since the last time, if anything. Before [`init`] there is nothing to write.
pub(crate) fn flush_metrics() {
    if let Some(collector) = COLLECTOR.get()
        && let Err(error) = collector.flush(io::stdout().lock())
    {
        tracing::warn!(error = %error, "metrics were lost");
    }
}
