//! What guests get for what happens to them, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicU8, Ordering};

use account_dynamodb::Accounts;
use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::{
    AutoRule, ClaimStore, Coupon, IssueType, NewTemplate, Source, Template, TemplateStatus, TemplateStore,
};
use domain_ids::{GuestId, TemplateId};
use domain_money::Fen;
use grant_coupons_on_event::handler::{self, Chance, Memory};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testing::{COUPON_TABLE, EmbeddedDynamoDb, Fault, NOW, template_id};

struct Desk {
    db: EmbeddedDynamoDb,
    memory: Memory,
    secrets: AtomicU8,
}

impl Desk {
    async fn with(templates: &[Template]) -> Self {
        let (db, _) = EmbeddedDynamoDb::with_coupon_table().await;
        let desk = Self { db, memory: Memory::default(), secrets: 0.into() };
        for template in templates {
            desk.table().insert(template).await.unwrap();
        }
        desk
    }

    fn table(&self) -> CouponTable {
        CouponTable::new(self.db.client(), COUPON_TABLE.into())
    }

    fn accounts(&self) -> Accounts {
        Accounts::new(self.db.client(), COUPON_TABLE.into())
    }

    /// Delivers an event; says whether it was dealt with.
    async fn deliver(&self, event: &Value) -> bool {
        self.deliver_at(self.db.client(), NOW, event).await
    }

    async fn deliver_at(&self, client: Client, at: Timestamp, event: &Value) -> bool {
        let accounts = Accounts::new(client.clone(), COUPON_TABLE.into());
        let table = CouponTable::new(client, COUPON_TABLE.into());
        let secret = || [self.secrets.fetch_add(1, Ordering::Relaxed); 16];
        let message = testing::sqs_event(&[event.to_string()]);
        let chance = Chance { at, secret };
        let response = handler::handle(&table, &accounts, &self.memory, chance, message).await.unwrap();
        response.failed().len() == 0
    }

    async fn held(&self, template: TemplateId) -> Vec<Coupon> {
        self.table().held(&ann(), template).await.unwrap()
    }

    async fn count(&self, template: u128) -> usize {
        self.held(template_id(template)).await.len()
    }
}

fn ann() -> GuestId {
    "ann".parse().unwrap()
}

fn with_rule(id: u128, rule: AutoRule) -> Template {
    let new =
        NewTemplate { issue_type: IssueType::Auto, auto: Some(rule), per_user_limit: 2, ..testing::draft() };
    new.publish(template_id(id), NOW).unwrap()
}

fn from_200_yuan() -> AutoRule {
    AutoRule::OrderAmount { from: Fen::new(20_000) }
}

fn event(kind: &str, detail: &Value) -> Value {
    json!({ "version": "0", "id": "e-1", "source": "test", "detail-type": kind, "detail": detail })
}

fn signed_up() -> Value {
    event("guest.signed_up", &json!({ "guestId": "ann", "at": "2026-11-10T16:00:00Z" }))
}

fn birthday(year: i16) -> Value {
    event("guest.birthday", &json!({ "guestId": "ann", "year": year }))
}

fn paid(order: &str, amount: u32, first: bool) -> Value {
    let at = "2026-11-10T16:00:00Z";
    let order =
        json!({ "guestId": "ann", "orderId": order, "amountFen": amount, "firstOrder": first, "at": at });
    event("order.paid", &order)
}

#[tokio::test]
async fn the_sample_events_earn_their_coupons() {
    let rules = [AutoRule::SignUp, AutoRule::FirstOrder, AutoRule::Birthday, from_200_yuan()];
    let templates: Vec<Template> = (1..).zip(rules).map(|(id, rule)| with_rule(id, rule)).collect();
    let desk = Desk::with(&templates).await;
    let guest: GuestId = "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34".parse().unwrap();
    for (sample, secret) in [("sign-up", 1), ("birthday", 2), ("order", 3)] {
        let event = testing::event(&format!("sqs/grant-coupons-on-event-{sample}.json"));
        let event = serde_json::from_value(event).unwrap();
        let chance = Chance { at: NOW, secret: || [secret; 16] };
        let response =
            handler::handle(&desk.table(), &desk.accounts(), &desk.memory, chance, event).await.unwrap();
        assert_eq!(response.failed().len(), 0, "{sample}");
    }
    for template in &templates {
        let held = desk.table().held(&guest, template.id).await.unwrap();
        assert_eq!(held.len(), 1, "{:?}", template.auto);
        assert_eq!(held[0].source, Source::Auto);
    }
}

#[tokio::test]
async fn an_event_that_comes_again_changes_nothing() {
    let rules = [AutoRule::SignUp, AutoRule::FirstOrder, AutoRule::Birthday, from_200_yuan()];
    let templates: Vec<Template> = (1..).zip(rules).map(|(id, rule)| with_rule(id, rule)).collect();
    let desk = Desk::with(&templates).await;
    let events = [signed_up(), birthday(2026), paid("o-1", 20_000, true)];
    for event in events.iter().chain(&events).chain(&events) {
        assert!(desk.deliver(event).await);
    }
    for id in 1..=4 {
        assert_eq!(desk.count(id).await, 1, "template {id}");
    }
    assert!(desk.deliver(&birthday(2027)).await);
    assert_eq!(desk.count(3).await, 2, "every year");
    assert!(desk.deliver(&paid("o-2", 30_000, false)).await);
    assert_eq!(desk.count(4).await, 2, "every order");
    assert!(desk.deliver(&paid("o-2", 30_000, true)).await);
    assert_eq!((desk.count(2).await, desk.count(4).await), (1, 2), "the first order is only once");
}

#[tokio::test]
async fn what_is_not_rewarded_is_left() {
    let hour = SignedDuration::from_hours(1);
    let rule = |id| with_rule(id, AutoRule::SignUp);
    let desk = Desk::with(&[
        Template { starts_at: NOW + hour, ..rule(1) },
        Template { starts_at: NOW - hour, ends_at: NOW, ..rule(2) },
        Template { status: TemplateStatus::Paused, ..rule(3) },
        with_rule(4, AutoRule::Birthday),
        Template { id: template_id(5), ..testing::template(5) },
    ])
    .await;
    assert!(desk.deliver(&signed_up()).await);
    assert!(desk.deliver(&paid("o-1", 19_999, false)).await);
    for id in 1..=5 {
        assert_eq!(desk.count(id).await, 0, "template {id}");
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_holds_up_no_other_template() {
    let mut sold_out = with_rule(1, AutoRule::SignUp);
    sold_out.stock = testing::stock(1, 1);
    let desk = Desk::with(&[sold_out, with_rule(2, AutoRule::SignUp)]).await;
    let mut bob = signed_up();
    bob["detail"]["guestId"] = json!("bob");
    assert!(desk.deliver(&bob).await);
    assert!(desk.deliver(&signed_up()).await);
    assert_eq!((desk.count(1).await, desk.count(2).await), (0, 1));
}

#[tokio::test]
async fn templates_are_remembered_for_half_a_minute() {
    let desk = Desk::with(&[]).await;
    assert!(desk.deliver(&signed_up()).await);
    desk.table().insert(&with_rule(1, AutoRule::SignUp)).await.unwrap();
    let after = async |ms| {
        let at = NOW + SignedDuration::from_millis(ms);
        assert!(desk.deliver_at(desk.db.client(), at, &signed_up()).await);
        desk.count(1).await
    };
    assert_eq!((after(29_999).await, after(30_000).await), (0, 1));
}

#[tokio::test]
async fn every_page_of_templates_is_looked_through() {
    let templates: Vec<Template> = (1..=130).map(|id| with_rule(id, AutoRule::Birthday)).collect();
    let desk = Desk::with(&templates).await;
    assert!(desk.deliver(&birthday(2026)).await);
    for id in 1..=130 {
        assert_eq!(desk.count(id).await, 1, "template {id}");
    }
}

#[tokio::test]
async fn a_store_outage_sends_the_event_again() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let desk = Desk::with(&[with_rule(1, AutoRule::SignUp)]).await;
        assert!(!desk.deliver_at(fault.client(), NOW, &signed_up()).await, "{fault:?}");
        // The templates are remembered, so that it is the claim that fails.
        assert!(desk.deliver(&birthday(2026)).await);
        assert!(!desk.deliver_at(fault.client(), NOW, &signed_up()).await, "{fault:?}");
        assert!(desk.deliver(&signed_up()).await);
        assert_eq!(desk.count(1).await, 1);
    }
}

#[tokio::test]
async fn a_guest_who_signs_up_has_an_account_since_then() {
    let desk = Desk::with(&[]).await;
    assert_eq!(desk.accounts().since(&ann()).await.unwrap(), None);
    assert!(desk.deliver(&signed_up()).await);
    assert_eq!(desk.accounts().since(&ann()).await.unwrap(), Some("2026-11-10T16:00:00Z".parse().unwrap()));
}

#[tokio::test]
async fn what_cannot_be_read_fails_alone() {
    let desk = Desk::with(&[with_rule(1, AutoRule::SignUp)]).await;
    let bodies = [
        String::new(),
        "{}".into(),
        signed_up().to_string(),
        event("guest.left", &json!({ "guestId": "ann" })).to_string(),
        event("guest.signed_up", &json!({ "guestId": "a#b", "at": "2026-11-10T16:00:00Z" })).to_string(),
        event("order.paid", &json!({ "guestId": "ann" })).to_string(),
    ];
    let chance = Chance { at: NOW, secret: || [1; 16] };
    let message = testing::sqs_event(&bodies);
    let response =
        handler::handle(&desk.table(), &desk.accounts(), &desk.memory, chance, message).await.unwrap();
    assert_eq!(response.failed().collect::<Vec<_>>(), ["m-0", "m-1", "m-3", "m-4", "m-5"]);
    assert_eq!(desk.count(1).await, 1);
}
