use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use tracing::{Instrument, field::Empty, info_span};

use crate::setup;

/// The first invocation of a process pays for its start.
static COLD: AtomicBool = AtomicBool::new(true);

/// What is known of an invocation before its work begins.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Lambda's id of the invocation.
    pub request_id: &'a str,
    /// What set it off.
    pub trigger: Trigger<'a>,
    /// The X-Ray trace it belongs to.
    pub xray_trace_id: Option<&'a str>,
}

/// What sets off an invocation, in the words of OpenTelemetry's `faas.trigger`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger<'a> {
    /// A request with this route key, such as `POST /v1/claims`. Not the path, which has ids in it.
    Http(&'a str),
    /// Messages of a queue.
    PubSub,
    /// Changes of a table.
    Datasource,
    /// A schedule.
    Timer,
}

impl<'a> Trigger<'a> {
    /// Requests need none: their route tells.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Http(_) => None,
            Self::PubSub => Some("pubsub"),
            Self::Datasource => Some("datasource"),
            Self::Timer => Some("timer"),
        }
    }

    /// Method and route; `$default` and the like have no method.
    fn http(self) -> (Option<&'a str>, Option<&'a str>) {
        match self {
            Self::Http(key) => match key.split_once(' ') {
                Some((method, route)) => (Some(method), Some(route)),
                None => (None, Some(key)),
            },
            Self::PubSub | Self::Datasource | Self::Timer => (None, None),
        }
    }
}

/// Does the work of one invocation in a span, then writes the metrics.
///
/// Every line that is logged on the way has `faas.invocation_id`, `faas.coldstart` (true for the first invocation of
/// the process), and `xray.trace_id`, `http.request.method` and `http.route`, or `faas.trigger`, where they apply.
/// `http.response.status_code` is declared and can be recorded on the current span.
pub async fn observe<F, T>(invocation: Invocation<'_>, work: F) -> T
where
    F: Future<Output = T>,
{
    let (method, route) = invocation.trigger.http();
    let span = info_span!(
        "invocation",
        faas.invocation_id = invocation.request_id,
        faas.coldstart = COLD.swap(false, Ordering::Relaxed),
        faas.trigger = invocation.trigger.name(),
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        xray.trace_id = invocation.xray_trace_id,
    );
    let done = work.instrument(span).await;
    setup::flush_metrics();
    done
}

/// How long something took, for logs and metrics. Time that decides anything is an argument instead.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "measures, decides nothing")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Whole milliseconds since the start.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
