//! Events of SES, as SNS puts them into the mail event queue.

use std::convert::Infallible;

use domain_ids::ProviderName;
use domain_notification::{
    DeliveryReport, Fate, Guests, MessageStore, Recorded, References, Reported, record,
};
use notification_ses::{UnreadableReports, delivery_reports};
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};
use serde::Deserialize;

/// What the channels call SES. An event changes nothing about a message that a provider of another name has.
pub const PROVIDER: &str = "ses";

/// Events worked on at once: some three calls of the store each.
const CONCURRENCY: usize = 10;

/// What SES publishes once, when its configuration set is told of the topic. It is no event, and no JSON.
const GREETING: &str = "Successfully validated SNS topic for Amazon SES event publishing.";

/// Records what each event tells, or reports the event to be delivered again: what is recorded then changes nothing more.
pub async fn handle(
    store: &(impl MessageStore + Guests + References),
    provider: &ProviderName,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible> {
    let record = |message: sqs::Message<Vec<DeliveryReport>>| async move {
        record_all(store, provider, &message.body).await
    };
    Ok(sqs::each(event, CONCURRENCY, |body| reports(provider, body), record).await)
}

fn reports(provider: &ProviderName, body: &str) -> Result<Vec<DeliveryReport>, UnreadableReports> {
    match delivery_reports(provider, body.as_bytes()) {
        Err(_) if is_greeting(body) => Ok(Vec::new()),
        read => read,
    }
}

fn is_greeting(body: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Notification {
        message: String,
    }

    serde_json::from_str::<Notification>(body).is_ok_and(|it| it.message == GREETING)
}

/// Our mails have one receiver, and their events one report.
async fn record_all(
    store: &(impl MessageStore + Guests + References),
    provider: &ProviderName,
    reports: &[DeliveryReport],
) -> Result<(), Failure> {
    for report in reports {
        // Every mail of ours has our id as a tag, so that SES's is noted nowhere: this is somebody else's mail.
        if matches!(report.of, Reported::Reference { .. }) {
            tracing::info!(provider = provider.as_str(), "an event of a mail that is not ours");
            continue;
        }
        let recorded = record(store, provider, report).await.map_err(|error| {
            if error.is_retryable() { Failure::again(error) } else { Failure::never(error) }
        })?;
        let fate = fate_name(&report.fate);
        metrics::counter!("DeliveryReports", "provider" => provider.to_string(), "fate" => fate).increment(1);
        tracing::info!(
            provider = provider.as_str(),
            report.fate = fate,
            message.changed = recorded == Recorded::Changed,
            "recorded a mail event"
        );
    }
    Ok(())
}

/// As metrics spell it.
fn fate_name(fate: &Fate) -> &'static str {
    match fate {
        Fate::Delivered => "delivered",
        Fate::Failed(_) => "failed",
        Fate::Bounced(_) => "bounced",
        Fate::Complained => "complained",
    }
}
