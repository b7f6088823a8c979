//! Runs a handler as a Lambda function: each invocation in its span, one closing log line with its duration, metrics
//! flushed.
//!
//! - [`run`]: behind an HTTP API;
//! - [`run_event`]: for the messages of a queue or the changes of a table (`platform-batch`);
//! - [`run_schedule`]: by the clock.

mod event;
mod world;

use std::convert::Infallible;

use lambda_http::{RequestExt, service_fn};
use platform_http::{Body, Request, Response, route_key};
use platform_telemetry::{Invocation, Stopwatch, observe};

pub use event::{run_event, run_schedule};
pub use lambda_http::Error;
pub use platform_telemetry::Trigger;
pub use world::{now, random};

/// Serves requests until the execution environment ends.
///
/// A panic of the handler fails its invocation alone: the runtime catches it, and API Gateway answers 500.
pub async fn run<F>(handler: impl Fn(Request) -> F + Send + Sync + Clone + 'static) -> Result<(), Error>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Send,
{
    lambda_http::run(service_fn(move |request: Request| invoke(handler.clone(), request))).await
}

async fn invoke<F>(handler: impl Fn(Request) -> F, request: Request) -> Result<Response<Body>, Infallible>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    let context = request.lambda_context_ref();
    let request_id = context.map(|context| context.request_id.clone()).unwrap_or_default();
    let trace_id = context.and_then(|context| context.xray_trace_id.clone());
    let route = route_key(&request).to_owned();
    let invocation = Invocation {
        request_id: &request_id,
        trigger: Trigger::Http(&route),
        xray_trace_id: trace_id.as_deref(),
    };
    observe(invocation, async {
        let watch = Stopwatch::start();
        let response = handler(request).await?;
        let status = response.status().as_u16();
        tracing::info!(http.response.status_code = status, duration_ms = watch.elapsed_ms(), "done");
        Ok(response)
    })
    .await
}
