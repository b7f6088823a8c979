//! Wiring of `prepare-search-domain`.

use std::sync::Arc;

use domain_homestay::GenerationId;
use homestay_index::Index;
use lambda_http::{
    LambdaEvent,
    lambda_runtime::{self, Diagnostic},
    service_fn,
};
use platform_config::Env;
use platform_lambda::Error;
use platform_telemetry::{Chain, Invocation, Stopwatch, Trigger, observe};
use prepare_search_domain::{
    domains::Domains,
    event::{Answer, Event},
    handler::{self, PrepareError},
};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("prepare-search-domain", &env)?;
    let config = platform_aws::sdk_config().await;
    let domains = Arc::new(Domains::new(&(&config).into()));
    let index = Arc::new(Index::open(&env, &config).await?);
    let first: Arc<GenerationId> = Arc::new("g-0".parse()?);
    // Not by `platform_lambda`, which tells no caller why an invocation failed: whoever deploys must know.
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let (domains, index, first) = (Arc::clone(&domains), Arc::clone(&index), Arc::clone(&first));
        async move { Box::pin(invoke(&domains, &index, &first, event)).await }
    }))
    .await
}

async fn invoke(
    domains: &Domains,
    index: &Index,
    first: &GenerationId,
    LambdaEvent { payload, context }: LambdaEvent<Value>,
) -> Result<Answer, Reason> {
    let invocation = Invocation {
        request_id: &context.request_id,
        trigger: Trigger::PubSub,
        xray_trace_id: context.xray_trace_id.as_deref(),
    };
    observe(invocation, async {
        let watch = Stopwatch::start();
        let answer = match serde_json::from_value::<Event>(payload) {
            Ok(event) => handler::handle(domains, index, first, event).await,
            Err(error) => Err(PrepareError::Event(error)),
        };
        let duration_ms = watch.elapsed_ms();
        match answer {
            Ok(answer) => {
                tracing::info!(duration_ms, is_complete = answer.is_complete, "done");
                Ok(answer)
            }
            Err(error) => {
                tracing::error!(duration_ms, error = %Chain(&error), "failed");
                Err(Reason(error))
            }
        }
    })
    .await
}

/// Why a deployment fails: the text of the error, without its causes.
#[derive(Debug)]
struct Reason(PrepareError);

impl From<Reason> for Diagnostic {
    fn from(Reason(error): Reason) -> Self {
        Self { error_type: "NotPrepared".into(), error_message: error.to_string() }
    }
}
