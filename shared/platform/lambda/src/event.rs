use std::error::Error as StdError;

use lambda_http::{
    Error, LambdaEvent,
    lambda_runtime::{self, Diagnostic},
    service_fn,
};
use platform_telemetry::{Chain, Invocation, Stopwatch, Trigger, observe};
use serde::{Serialize, de::DeserializeOwned, de::IgnoredAny};

/// Serves events until the execution environment ends: what `handler` returns is the answer to Lambda, such as the
/// failures of a batch.
///
/// An event that is no `E`, an error of the handler and its panic fail the invocation as a whole, and whoever sent
/// the event sends it again: all messages of a batch, too.
pub async fn run_event<E, R, X, F>(
    trigger: Trigger<'static>,
    handler: impl Fn(E) -> F + Send + Sync + Clone + 'static,
) -> Result<(), Error>
where
    E: DeserializeOwned,
    R: Serialize,
    X: StdError + 'static,
    F: Future<Output = Result<R, X>> + Send,
{
    // Boxed, as the runtime wraps it into a dozen layers: the compiler gives up on the size of a large handler's.
    let serve = move |event: LambdaEvent<E>| Box::pin(invoke(trigger, handler.clone(), event));
    lambda_runtime::run(service_fn(serve)).await
}

/// Serves a schedule until the execution environment ends. The event says nothing that the handler needs, and is not
/// read; an error fails the invocation, for the schedule to try again.
pub async fn run_schedule<X, F>(handler: impl Fn() -> F + Send + Sync + Clone + 'static) -> Result<(), Error>
where
    X: StdError + 'static,
    F: Future<Output = Result<(), X>> + Send,
{
    run_event(Trigger::Timer, move |_: IgnoredAny| handler()).await
}

async fn invoke<E, R, X, F>(
    trigger: Trigger<'static>,
    handler: impl Fn(E) -> F,
    event: LambdaEvent<E>,
) -> Result<R, Failed>
where
    X: StdError + 'static,
    F: Future<Output = Result<R, X>>,
{
    let LambdaEvent { payload, context } = event;
    let invocation = Invocation {
        request_id: &context.request_id,
        trigger,
        xray_trace_id: context.xray_trace_id.as_deref(),
    };
    observe(invocation, async {
        let watch = Stopwatch::start();
        let answer = handler(payload).await;
        let duration_ms = watch.elapsed_ms();
        match answer {
            Ok(answer) => {
                tracing::info!(duration_ms, "done");
                Ok(answer)
            }
            Err(error) => {
                tracing::error!(duration_ms, error = %Chain(&error), "failed");
                Err(Failed)
            }
        }
    })
    .await
}

/// What Lambda is told of a failure: the log has its cause.
#[derive(Debug, PartialEq, Eq)]
struct Failed;

impl From<Failed> for Diagnostic {
    fn from(_: Failed) -> Self {
        Self { error_type: "Failed".into(), error_message: "the log tells why".into() }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use lambda_http::Context;

    use super::*;

    fn event<E>(payload: E) -> LambdaEvent<E> {
        LambdaEvent::new(payload, Context::default())
    }

    #[tokio::test]
    async fn what_a_handler_returns_is_the_answer() {
        let twice = |number: u32| async move { Ok::<_, Infallible>(number * 2) };
        assert_eq!(invoke(Trigger::PubSub, twice, event(21)).await, Ok(42));
    }

    #[tokio::test]
    async fn lambda_is_not_told_the_cause_of_a_failure() {
        let fails = |text: &'static str| async move { text.parse::<u32>() };
        let failed = invoke(Trigger::Timer, fails, event("secret")).await.unwrap_err();
        assert!(!format!("{failed:?} {:?}", Diagnostic::from(Failed)).contains("invalid digit"));
    }
}
