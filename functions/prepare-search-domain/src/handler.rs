//! Domain, packages, first generation.

use domain_homestay::{GenerationId, IndexAdmin, IndexError};

use crate::{
    domains::{DomainError, Domains, Progress},
    event::{Answer, Event, InvalidProperties, Properties, RequestType},
};

/// What the resource is called. It is the same whatever its properties are: nothing is ever replaced.
const PHYSICAL_ID: &str = "search-index";

/// The index cannot be made ready. The text is what `CloudFormation` shows as the reason.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The event is none of `CloudFormation`.
    #[error("the event is none of a custom resource")]
    Event(#[from] serde_json::Error),
    /// The template says what cannot be.
    #[error("{0}")]
    Properties(#[from] InvalidProperties),
    /// The domain will not become ready.
    #[error("{0}")]
    Domain(#[from] DomainError),
    /// The index cannot be made.
    #[error("the index cannot be made: {0}")]
    Index(#[from] IndexError),
}

/// Does what can be done now. May be repeated, at any time and as often as one likes.
///
/// `first` is what the first generation is called, if there is none.
pub async fn handle(
    domains: &Domains,
    index: &impl IndexAdmin,
    first: &GenerationId,
    event: Event,
) -> Result<Answer, PrepareError> {
    let answer = |is_complete| Answer {
        physical_resource_id: event.physical_resource_id.clone().unwrap_or_else(|| PHYSICAL_ID.to_owned()),
        is_complete,
    };
    match event.request_type {
        // The domain or the folder goes with its own resource, or stays if that stays.
        RequestType::Delete => return Ok(answer(true)),
        RequestType::Create | RequestType::Update => {}
    }
    let Properties { domain, packages } = Properties::parse(&event.resource_properties)?;
    if let Some(domain) = &domain {
        let progress = domains.prepare(domain, &packages).await?;
        tracing::info!(?progress, "the domain was looked at");
        match progress {
            Progress::Ready => {}
            Progress::Changing | Progress::Associating => return Ok(answer(false)),
        }
    }
    match index.prepare(first).await {
        Ok(()) => Ok(answer(true)),
        // A domain that has just become active may not be reached yet; a folder is there or is not.
        Err(error) if domain.is_some() && error.is_retryable() => {
            tracing::warn!(error = %platform_telemetry::Chain(&error), "the domain cannot be reached yet");
            Ok(answer(false))
        }
        Err(error) => Err(error.into()),
    }
}
