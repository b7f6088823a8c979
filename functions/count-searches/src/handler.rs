//! Messages of the queue of search events.

use std::convert::Infallible;

use contracts::SearchEvent as Message;
use domain_coupon::StoreError;
use domain_search::{
    Chance, ClickPosition, Clicked, Client, FactStore, KeepError, Keyword, NotCounted, Salts, SearchEvent,
    Searched, keep,
};
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent, Unreadable},
};

/// Keeps what each message tells, or reports it to be delivered again: what is kept then is the same.
pub async fn handle(
    store: &impl FactStore,
    salts: &Salts,
    chance: Chance,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible> {
    let (messages, mut response) = sqs::messages(event, parse);
    let (ids, events): (Vec<String>, Vec<SearchEvent>) =
        messages.into_iter().map(|message| (message.id, message.body)).unzip();
    let outcomes = keep(store, salts, &events, chance).await;
    let (mut kept, mut ignored) = (0_u64, 0_u64);
    for (id, outcome) in ids.iter().zip(outcomes) {
        match outcome {
            Ok(()) => kept += 1,
            // Whoever knows the route of clicks can send any number of these: they are no reason to wake anybody.
            Err(KeepError::NotCounted(reason)) => {
                metrics::counter!("SearchEventsIgnored", "reason" => reason_name(reason)).increment(1);
                ignored += 1;
            }
            Err(error @ KeepError::Store(_)) => response.fail(id, &to_failure(error)),
        }
    }
    metrics::counter!("SearchEventsKept").increment(kept);
    tracing::info!(events.kept = kept, events.ignored = ignored, "kept search events");
    Ok(response)
}

fn to_failure(error: KeepError) -> Failure {
    match &error {
        KeepError::Store(store) => match **store {
            StoreError::Unavailable(_) | StoreError::Throttled(_) => Failure::again(error),
            StoreError::Corrupt(_) => Failure::never(error),
        },
        KeepError::NotCounted(_) => Failure::never(error),
    }
}

/// As metrics spell it.
fn reason_name(reason: NotCounted) -> &'static str {
    match reason {
        NotCounted::TooLate => "too_late",
        NotCounted::TooEarly => "too_early",
        NotCounted::Astray => "astray",
    }
}

/// Why a message is none of ours. It repeats nothing of it.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("a place that no result has")]
    Position,
}

fn parse(body: &str) -> Result<SearchEvent, Unusable> {
    match sqs::json::<Message>(body)? {
        Message::Searched { search_id, at, keyword, total, client } => Ok(SearchEvent::Searched(Searched {
            search: search_id,
            at,
            keyword: Keyword::fold(&keyword),
            total,
            client: Client::at(&client),
        })),
        Message::Clicked { search_id, at, keyword, homestay_id, position, client } => {
            Ok(SearchEvent::Clicked(Clicked {
                search: search_id,
                at,
                keyword: Keyword::fold(&keyword),
                homestay: homestay_id,
                position: ClickPosition::new(position).ok_or(Unusable::Position)?,
                client: Client::at(&client),
            }))
        }
    }
}
