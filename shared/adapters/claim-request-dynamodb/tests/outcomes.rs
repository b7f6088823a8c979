//! Outcomes on an embedded table, and what the SDK's errors become.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::{
    Client,
    operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput},
    types::AttributeValue,
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use claim_request_dynamodb::{ClaimRequests, KEPT_FOR, Outcome, Settled};
use domain_coupon::StoreError;
use domain_ids::RequestId;
use serde_json::json;
use testing::{COUPON_TABLE, EmbeddedDynamoDb, NOW};

async fn requests() -> (Client, ClaimRequests) {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    (db.client(), ClaimRequests::new(db.client(), name))
}

fn request(n: u32) -> RequestId {
    format!("L8-YDjtGoAMEVT{n:03}=").parse().unwrap()
}

fn issued(n: u32) -> Settled {
    let coupon = testing::coupon("ann", 1);
    Settled {
        request: request(n),
        guest: coupon.guest.clone(),
        template: Some(coupon.template()),
        outcome: Outcome::Issued(coupon.id),
        at: NOW,
    }
}

fn refused(n: u32) -> Settled {
    let problem = json!({
        "type": "urn:flashsale:problem:sale-ended", "title": "The sale has ended", "status": 409,
        "endTime": "2026-11-11T16:00:00Z", "couponIds": ["a", "b"],
    });
    Settled { template: None, outcome: Outcome::Refused(problem), ..issued(n) }
}

#[tokio::test]
async fn what_was_recorded_is_told() {
    let (_, requests) = requests().await;
    assert_eq!(requests.settled(&request(1)).await.unwrap(), None);
    let many: Vec<Settled> = (0..60).map(|n| if n % 3 == 0 { refused(n) } else { issued(n) }).collect();
    requests.record(&many).await.unwrap();
    for settled in many {
        assert_eq!(requests.settled(&settled.request).await.unwrap(), Some(settled));
    }
    requests.record(&[]).await.unwrap();
}

#[tokio::test]
async fn a_coupon_replaces_a_refusal_and_nothing_replaces_a_coupon() {
    let (_, requests) = requests().await;
    requests.record(&[refused(1)]).await.unwrap();
    requests.record(&[issued(1), issued(1)]).await.unwrap();
    requests.record(&[refused(1)]).await.unwrap();
    assert_eq!(requests.settled(&request(1)).await.unwrap(), Some(issued(1)));
}

#[tokio::test]
async fn an_outcome_is_gone_after_a_day() {
    let (client, requests) = requests().await;
    requests.record(&[issued(1)]).await.unwrap();
    let items = client.scan().table_name(COUPON_TABLE).send().await.unwrap().items.unwrap();
    let ttl = (NOW + KEPT_FOR).as_second().to_string();
    assert_eq!(items[0]["ttl"], AttributeValue::N(ttl));
}

#[tokio::test]
async fn what_was_taken_adds_up() {
    let (_, requests) = requests().await;
    assert_eq!(requests.taken().await.unwrap(), 0);
    for more in [100, 7] {
        requests.count_taken(more).await.unwrap();
    }
    assert_eq!(requests.taken().await.unwrap(), 107);
}

/// Answers that the first item of each batch stayed unprocessed.
fn leaves_one(input: &BatchWriteItemInput) -> BatchWriteItemOutput {
    let left = input.request_items().unwrap()[COUPON_TABLE][..1].to_vec();
    BatchWriteItemOutput::builder().unprocessed_items(COUPON_TABLE, left).build()
}

#[tokio::test(start_paused = true)]
async fn what_stays_unprocessed_is_written_again_and_in_the_end_an_error() {
    let busy = mock!(Client::batch_write_item).then_compute_output(leaves_one);
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, &[&busy]);
    let requests = ClaimRequests::new(client, COUPON_TABLE.into());
    let outcome = requests.record(&[issued(1), issued(2)]).await;
    assert!(matches!(outcome, Err(StoreError::Throttled(_))), "{outcome:?}");
    assert_eq!(busy.num_calls(), 6);
}

#[tokio::test]
async fn a_store_that_fails_is_an_error() {
    for settled in [issued(1), refused(1)] {
        let requests = ClaimRequests::new(testing::Fault::Broken.client(), COUPON_TABLE.into());
        assert!(matches!(requests.record(&[settled]).await, Err(StoreError::Unavailable(_))));
        let requests = ClaimRequests::new(testing::Fault::Throttling.client(), COUPON_TABLE.into());
        assert!(matches!(requests.settled(&request(1)).await, Err(StoreError::Throttled(_))));
    }
}
