use domain_coupon::Source;
use domain_ids::{CouponId, OrderId};
use domain_money::Fen;
use domain_report::{Event, Fact, FactId};
use jiff::Timestamp;
use platform_batch::stream::Change;
use serde::Deserialize;
use serde_dynamo::{AttributeValue, Item};

/// What is read of a coupon's image.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CouponImage {
    id: CouponId,
    status: Status,
    rev: u32,
    changed_at: i64,
    source: Source,
    #[serde(default)]
    restock: bool,
    #[serde(default)]
    order_id: Option<OrderId>,
    #[serde(default)]
    saved_fen: Option<Fen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Unused,
    Locked,
    Used,
    Expired,
    Refunded,
}

/// A change of a coupon that nobody can account for.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableChange {
    /// An image is not one of a coupon.
    #[error("an image of a coupon is not readable")]
    Image(#[from] serde_dynamo::Error),
    /// The change's time is out of the calendar.
    #[error("the time of the change is not readable")]
    Time(#[from] jiff::Error),
    /// A used or refunded coupon does not say what was saved.
    #[error("savedFen is missing")]
    SavedFen,
    /// A coupon does not become what it became.
    #[error("no coupon goes that way")]
    Way,
}

/// The fact that a change of the table tells, if it is a coupon that has changed and something has happened to it: a
/// reminder, for example, is no fact, and keeps the revision.
pub fn fact(change: Change<Item>) -> Result<Option<Fact>, UnreadableChange> {
    let (old, new) = match change {
        Change::Insert(new) => (None, new),
        Change::Modify { old, new } => (Some(old), new),
        // Coupons are kept.
        Change::Remove(_) => return Ok(None),
    };
    if !is_coupon(&new) {
        return Ok(None);
    }
    let new: CouponImage = serde_dynamo::from_item(new)?;
    let event = match old {
        None => Some(Event::Issued(new.source)),
        Some(old) => event(&serde_dynamo::from_item(old)?, &new)?,
    };
    let Some(event) = event else { return Ok(None) };
    Ok(Some(Fact {
        id: FactId { coupon: new.id, revision: new.rev },
        event,
        at: Timestamp::from_millisecond(new.changed_at)?,
        restock: new.restock,
    }))
}

fn is_coupon(item: &Item) -> bool {
    matches!(item.inner().get("sk"), Some(AttributeValue::S(sk)) if sk.starts_with("COUPON#"))
}

fn event(old: &CouponImage, new: &CouponImage) -> Result<Option<Event>, UnreadableChange> {
    use Status::{Expired, Locked, Refunded, Unused, Used};

    if old.rev == new.rev {
        return Ok(None);
    }
    let saved = || new.saved_fen.ok_or(UnreadableChange::SavedFen);
    Ok(match (old.status, new.status) {
        (Unused, Locked) => Some(Event::Locked),
        // An order that changes its mind about the price keeps the coupon; another one takes it after the lock's end.
        (Locked, Locked) => (old.order_id != new.order_id).then_some(Event::Locked),
        (Locked, Unused) => Some(Event::Released),
        (Unused | Locked, Used) => Some(Event::Used { saved: saved()? }),
        (Unused | Locked, Expired) => Some(Event::Expired),
        (Used, Refunded) => Some(Event::Refunded { saved: saved()? }),
        (Unused, Unused | Refunded)
        | (Locked, Refunded)
        | (Used, Unused | Locked | Used | Expired)
        | (Expired | Refunded, Unused | Locked | Used | Expired | Refunded) => {
            return Err(UnreadableChange::Way);
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn image(change: Value) -> Item {
        let mut image = json!({
            "pk": { "S": "USER#ann" },
            "sk": { "S": "COUPON#01KA3Z5QJ8M4T2R7V9X1C6B0NG#001" },
            "id": { "S": "01KA3Z5QJ8M4T2R7V9X1C6B0NG-1-JRRFGR2VKZHEGU2V" },
            "guest": { "S": "ann" },
            "code": { "S": "0000000000000001" },
            "status": { "S": "unused" },
            "rev": { "N": "1" },
            "changedAt": { "N": "1794326400123" },
            "source": { "S": "queue" },
            "key": { "B": "AAECAwQFBgcICQoLDA0ODw==" },
            "terms": { "M": { "later": { "L": [{ "NULL": true }] } } },
        });
        let Value::Object(change) = change else { panic!("attributes") };
        for (name, value) in change {
            image[name] = value;
        }
        serde_json::from_value(image).unwrap()
    }

    fn at(status: &str, rev: u32) -> Value {
        json!({
            "status": { "S": status },
            "rev": { "N": rev.to_string() },
            "orderId": { "S": "order-1" },
            "savedFen": { "N": "2000" },
        })
    }

    /// What is told by a coupon going from one status to another.
    fn told(from: &str, to: &str) -> Option<Event> {
        let change = Change::Modify { old: image(at(from, 3)), new: image(at(to, 4)) };
        fact(change).ok().map(|fact| fact.unwrap().event)
    }

    #[test]
    fn a_new_coupon_is_issued() {
        let told = fact(Change::Insert(image(json!({ "restock": { "BOOL": true } })))).unwrap().unwrap();
        let expected = Fact {
            id: FactId {
                coupon: "01KA3Z5QJ8M4T2R7V9X1C6B0NG-1-JRRFGR2VKZHEGU2V".parse().unwrap(),
                revision: 1,
            },
            event: Event::Issued(Source::Queue),
            at: "2026-11-11T00:00:00.123+08:00".parse().unwrap(),
            restock: true,
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn a_transition_is_told_by_what_it_leads_to() {
        let saved = Fen::new(2_000);
        let table = [
            ("unused", "locked", Some(Event::Locked)),
            ("locked", "unused", Some(Event::Released)),
            ("locked", "used", Some(Event::Used { saved })),
            ("unused", "expired", Some(Event::Expired)),
            ("locked", "expired", Some(Event::Expired)),
            ("used", "refunded", Some(Event::Refunded { saved })),
            ("unused", "unused", None),
            ("used", "unused", None),
            ("expired", "used", None),
            ("refunded", "used", None),
            ("locked", "refunded", None),
        ];
        for (from, to, event) in table {
            assert_eq!(told(from, to), event, "{from} to {to}");
        }
    }

    #[test]
    fn a_lock_counts_once_for_an_order() {
        let lock = |order: &str, rev| {
            let mut lock = at("locked", rev);
            lock["orderId"]["S"] = order.into();
            image(lock)
        };
        let relocked = |order| fact(Change::Modify { old: lock("order-1", 2), new: lock(order, 3) }).unwrap();
        assert_eq!(relocked("order-1"), None);
        assert_eq!(relocked("order-2").unwrap().event, Event::Locked);
    }

    #[test]
    fn what_happens_to_no_coupon_is_no_fact() {
        let reminded =
            Change::Modify { old: image(json!({})), new: image(json!({ "reminded": { "N": "3" } })) };
        assert_eq!(fact(reminded).unwrap(), None);
        assert_eq!(fact(Change::Remove(image(json!({})))).unwrap(), None);
        for sk in ["TEMPLATE", "STOCK", "HOUR#2026-11-11T00#0", "1"] {
            let other = json!({ "pk": { "S": "x" }, "sk": { "S": sk } });
            assert_eq!(fact(Change::Insert(serde_json::from_value(other).unwrap())).unwrap(), None, "{sk}");
        }
    }

    #[test]
    fn what_nobody_can_account_for_is_an_error() {
        for change in [
            json!({ "id": { "S": "x" } }),
            json!({ "status": { "S": "lost" } }),
            json!({ "rev": { "N": "-1" } }),
            json!({ "rev": { "S": "1" } }),
            json!({ "changedAt": { "N": "999999999999999999" } }),
            json!({ "source": { "NULL": true } }),
        ] {
            assert!(fact(Change::Insert(image(change.clone()))).is_err(), "{change}");
        }
        let mut used = at("used", 3);
        used.as_object_mut().unwrap().remove("savedFen");
        let told = fact(Change::Modify { old: image(at("locked", 2)), new: image(used) });
        assert!(matches!(told, Err(UnreadableChange::SavedFen)));
    }
}
