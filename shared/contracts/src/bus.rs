use domain_ids::{GuestId, OrderId};
use domain_money::Fen;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What happens to guests, as others tell it over the bus, for `grant-coupons-on-event`.
///
/// Read from a whole event of `EventBridge`: its `detail-type` and `detail`. Its `id` is not read: who sends an event
/// again sends it under another, so that the guest with the year or the order is what names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "detail-type", content = "detail")]
pub enum GuestEvent {
    /// Somebody has become a guest.
    #[serde(rename = "guest.signed_up", rename_all = "camelCase")]
    SignedUp {
        /// Who.
        guest_id: GuestId,
        /// When.
        at: Timestamp,
    },
    /// A guest has a birthday: told once a year, at its beginning in the guest's time zone.
    #[serde(rename = "guest.birthday", rename_all = "camelCase")]
    Birthday {
        /// Whose.
        guest_id: GuestId,
        /// The year in which, for example 2026.
        year: i16,
    },
    /// An order is paid.
    #[serde(rename = "order.paid", rename_all = "camelCase")]
    OrderPaid {
        /// Who has ordered.
        guest_id: GuestId,
        /// What.
        order_id: OrderId,
        /// What was paid, after all discounts.
        amount_fen: Fen,
        /// Whether it is the first that this guest has paid.
        first_order: bool,
        /// When it was paid.
        at: Timestamp,
    },
}

impl GuestEvent {
    /// Whom it is about.
    pub fn guest(&self) -> &GuestId {
        match self {
            Self::SignedUp { guest_id, .. }
            | Self::Birthday { guest_id, .. }
            | Self::OrderPaid { guest_id, .. } => guest_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::samples;

    fn assert_is(name: &str, event: &GuestEvent) {
        let sample: Value = serde_json::from_str(&samples::text(name)).unwrap();
        assert_eq!(&serde_json::from_value::<GuestEvent>(sample.clone()).unwrap(), event, "{name}");
        let written = json!(event);
        assert_eq!(written["detail-type"], sample["detail-type"], "{name}");
        assert_eq!(written["detail"], sample["detail"], "{name}");
        assert_eq!(event.guest().as_str(), "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34");
    }

    #[test]
    fn the_samples_are_read_and_written() {
        let guest_id: GuestId = "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34".parse().unwrap();
        let at = "2026-11-10T16:00:00Z".parse().unwrap();
        let signed_up = GuestEvent::SignedUp { guest_id: guest_id.clone(), at };
        assert_is("guest-signed-up.json", &signed_up);
        assert_is("guest-birthday.json", &GuestEvent::Birthday { guest_id: guest_id.clone(), year: 2026 });
        let order_id = "O-20261111-000042".parse().unwrap();
        let paid =
            GuestEvent::OrderPaid { guest_id, order_id, amount_fen: Fen::new(58_800), first_order: true, at };
        assert_is("order-paid.json", &paid);
    }

    #[test]
    fn the_order_of_the_members_does_not_matter_and_new_ones_are_ignored() {
        let detail = r#"{"later": [1], "guestId": "ann", "year": 2026}"#;
        for text in [
            format!(r#"{{"detail": {detail}, "later": 1, "detail-type": "guest.birthday"}}"#),
            format!(r#"{{"detail-type": "guest.birthday", "later": {{}}, "detail": {detail}}}"#),
        ] {
            let event: GuestEvent = serde_json::from_str(&text).unwrap();
            assert!(matches!(event, GuestEvent::Birthday { year: 2026, .. }));
        }
    }

    #[test]
    fn what_nobody_tells_is_refused() {
        for text in [
            r#"{"detail-type": "guest.left", "detail": {"guestId": "ann"}}"#,
            r#"{"detail-type": "guest.birthday", "detail": {"guestId": "a#b", "year": 2026}}"#,
            r#"{"detail-type": "guest.birthday", "detail": {"guestId": "ann"}}"#,
            r#"{"detail": {"guestId": "ann", "year": 2026}}"#,
            r#"{"detail-type": "order.paid", "detail": {"guestId": "ann", "orderId": "1", "amountFen": -1, "firstOrder": true, "at": "2026-11-10T16:00:00Z"}}"#,
        ] {
            assert!(serde_json::from_str::<GuestEvent>(text).is_err(), "{text}");
        }
    }
}
