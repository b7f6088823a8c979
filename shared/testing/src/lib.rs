//! What tests share: values to begin with, requests as a function sees them, and an embedded `DynamoDB`.
//!
//! A dev-dependency only. Everything here panics where a test should stop.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that cannot be set up has failed"
)]

mod answer;
mod batches;
mod coupons;
mod dynamodb;
mod fault;
mod index;
mod listings;
mod paging;
mod requests;

pub use answer::Answer;
pub use batches::{ItemChange, sqs_event, stream_event};
pub use coupons::{NOW, at, coupon, draft, spent, stock, template, template_id};
pub use dynamodb::{COUPON_TABLE, EmbeddedDynamoDb, HOMESTAY_TABLE, NOTIFICATION_TABLE, SEARCH_TABLE};
pub use fault::{Fault, assert_faults_are_hidden};
pub use index::{IndexFault, MemoryIndex};
pub use listings::{Listing, listings, read_listings};
pub use paging::{assert_paging_is_checked, pages};
pub use requests::{ApiRequest, REQUEST_ID, event, request};
