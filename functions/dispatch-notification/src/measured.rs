use std::sync::Arc;

use domain_ids::ProviderName;
use domain_notification::{Accepted, Failure, Outcome, Outgoing, Provider, Verdict};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use platform_telemetry::Stopwatch;

/// A provider whose calls are counted and timed: metrics `ProviderCalls` by `provider` and `outcome`, and `ProviderMs` by
/// `provider`.
pub(crate) struct Measured {
    pub name: ProviderName,
    pub provider: Arc<dyn Provider>,
}

impl Provider for Measured {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(async move {
            let watch = Stopwatch::start();
            let sent = self.provider.send(outgoing).await;
            let name = self.name.to_string();
            #[expect(clippy::cast_precision_loss, reason = "a metric; calls take seconds")]
            metrics::histogram!("ProviderMs", "provider" => name.clone()).record(watch.elapsed_ms() as f64);
            let outcome = match &sent {
                Ok(_) => "accepted",
                Err(failure) => outcome_of(failure.verdict),
            };
            metrics::counter!("ProviderCalls", "provider" => name, "outcome" => outcome).increment(1);
            if let Err(failure) = &sent {
                tracing::warn!(
                    message.id = %outgoing.id, provider = self.name.as_str(), outcome, code = failure.code,
                    "not taken"
                );
            }
            sent
        })
    }

    fn outcome<'a>(&'a self, outgoing: &'a Outgoing, sent_at: Timestamp) -> BoxFuture<'a, Outcome> {
        self.provider.outcome(outgoing, sent_at)
    }

    fn recognises(&self, sent_at: Timestamp, now: Timestamp) -> bool {
        self.provider.recognises(sent_at, now)
    }
}

fn outcome_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Retry => "retry",
        Verdict::FailOver => "fail_over",
        Verdict::Skip => "skip",
        Verdict::GiveUp => "give_up",
        Verdict::Suppress => "suppress",
        Verdict::Unknown => "unknown",
    }
}
