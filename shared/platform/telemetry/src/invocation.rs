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
    /// What set it off: an HTTP route key such as `POST /v1/claims`, or the name of a queue, stream or schedule. Not
    /// the path, which has ids in it.
    pub route: &'a str,
    /// The X-Ray trace it belongs to.
    pub xray_trace_id: Option<&'a str>,
}

/// Does the work of one invocation in a span, then writes the metrics.
///
/// Every line that is logged on the way has `faas.invocation_id`, `faas.coldstart` (true for the first invocation of
/// the process), and `xray.trace_id`, `http.request.method` and `http.route` where they apply.
/// `http.response.status_code` is declared and can be recorded on the current span.
pub async fn observe<F, T>(invocation: Invocation<'_>, work: F) -> T
where
    F: Future<Output = T>,
{
    let (method, route) = match invocation.route.split_once(' ') {
        Some((method, route)) => (Some(method), route),
        None => (None, invocation.route),
    };
    let span = info_span!(
        "invocation",
        faas.invocation_id = invocation.request_id,
        faas.coldstart = COLD.swap(false, Ordering::Relaxed),
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
