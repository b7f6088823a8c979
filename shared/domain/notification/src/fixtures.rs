//! What the tests of this crate begin with.

use domain_channel::{Category, Channel, Priority};
use jiff::Timestamp;

use crate::{Message, Params, State, TemplateRef, message_id};

/// So many seconds after 2026-11-24T10:00:00Z, which is 18:00 in Shanghai.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_514_400 + seconds).unwrap()
}

/// A text message to ann, to be sent at once.
pub(crate) fn message() -> Message {
    let receiver = "ann".parse().unwrap();
    Message {
        id: message_id("test", "key", &receiver),
        channel: Channel::Sms,
        priority: Priority::Normal,
        category: Category::Order,
        template: TemplateRef { code: "order_confirmed".parse().unwrap(), version: 1 },
        params: Params::default(),
        receiver,
        accepted_at: at(0),
        scheduled_at: None,
        expires_at: None,
        transaction: None,
        broadcast: None,
        fingerprint: 7,
        waits: false,
        is_digest: false,
        digest: None,
        attempts: 0,
        error: None,
        state: State::Pending,
        revision: 1,
    }
}
