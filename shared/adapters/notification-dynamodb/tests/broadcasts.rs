//! Broadcasts on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use domain_channel::{Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::BroadcastId;
use domain_notification::{
    Audience, Broadcast, BroadcastAdded, BroadcastFailure, BroadcastFigures, BroadcastKey, BroadcastShelf,
    BroadcastStatus, Broadcasts, ParamValue, Params,
};
use notification_dynamodb::NotificationTable;
use testing::{EmbeddedDynamoDb, Fault, NOTIFICATION_TABLE, NOW};

async fn table() -> NotificationTable {
    let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
    NotificationTable::new(db.client(), name)
}

fn broadcast(n: u128) -> Broadcast {
    Broadcast {
        id: BroadcastId::from_parts(n.try_into().unwrap(), n),
        audience: Audience::All,
        channel: Channel::Internal,
        priority: Priority::Low,
        template: "double_eleven".parse().unwrap(),
        params: Params::default(),
        scheduled_at: None,
        expires_at: None,
        transaction: None,
        fingerprint: u64::MAX,
        created_at: NOW,
        updated_at: NOW,
        status: BroadcastStatus::Running,
        pages: 0,
        figures: BroadcastFigures::default(),
        next: None,
        restarted: false,
        revision: 1,
    }
}

fn key(text: &str) -> BroadcastKey {
    BroadcastKey::new("admin:eve", text)
}

#[tokio::test]
async fn a_broadcast_in_every_status_is_read_as_it_was_written() {
    let table = table().await;
    let failures = BroadcastFailure::ALL.map(BroadcastStatus::Failed);
    let statuses = [BroadcastStatus::Running, BroadcastStatus::Done, BroadcastStatus::Cancelled];
    for (n, status) in (1_u128..).zip(statuses.into_iter().chain(failures)) {
        let full = Broadcast {
            audience: Audience::Group("vip 会员".replace(' ', "").parse().unwrap()),
            params: Params([("n".into(), ParamValue::Integer(-7))].into()),
            scheduled_at: Some(NOW),
            expires_at: Some(NOW),
            transaction: Some("t:1".parse().unwrap()),
            pages: 7,
            figures: BroadcastFigures { accepted: 1, repeated: 2, refused: u64::MAX },
            next: Some("token".into()),
            restarted: true,
            status,
            ..broadcast(n)
        };
        let added = table.create(&full, &key(&n.to_string())).await.unwrap();
        assert_eq!(added, BroadcastAdded::New);
        assert_eq!(table.broadcast(full.id).await.unwrap(), Some(full));
    }
    assert_eq!(table.broadcast(broadcast(99).id).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_has_one_broadcast_as_it_stands_now() {
    let table = table().await;
    let first = broadcast(1);
    assert_eq!(table.create(&first, &key("k")).await.unwrap(), BroadcastAdded::New);
    let next = Broadcast { pages: 1, revision: 2, ..first.clone() };
    assert!(table.update(&next).await.unwrap());
    let known = table.create(&broadcast(2), &key("k")).await.unwrap();
    assert_eq!(known, BroadcastAdded::Known(Box::new(next)));
    assert_eq!(table.broadcast(broadcast(2).id).await.unwrap(), None, "nothing of it was written");
    assert_eq!(table.newest(None, 10).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn of_two_changes_of_one_revision_one_is_made() {
    let table = table().await;
    table.create(&broadcast(1), &key("k")).await.unwrap();
    let [one, other] = [1, 2].map(|pages| Broadcast { pages, revision: 2, ..broadcast(1) });
    assert!(table.update(&one).await.unwrap());
    assert!(!table.update(&other).await.unwrap());
    assert_eq!(table.broadcast(one.id).await.unwrap(), Some(one));
    assert!(!table.update(&Broadcast { revision: 2, ..broadcast(9) }).await.unwrap(), "there is none");
}

#[tokio::test]
async fn broadcasts_are_listed_the_newest_first_page_by_page() {
    let table = table().await;
    for n in 1..=5 {
        table.create(&broadcast(n), &key(&n.to_string())).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = table.newest(after, 2).await.unwrap();
        seen.extend(page.items.iter().map(|it| it.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1].map(|n| broadcast(n).id));
}

#[tokio::test]
async fn an_outage_is_told_apart_from_throttling() {
    for (fault, throttled) in [(Fault::Broken, false), (Fault::Unreachable, false), (Fault::Throttling, true)]
    {
        let table = NotificationTable::new(fault.client(), NOTIFICATION_TABLE.into());
        let failed = [
            table.create(&broadcast(1), &key("k")).await.map(|_| ()),
            table.broadcast(broadcast(1).id).await.map(|_| ()),
            table.update(&broadcast(1)).await.map(|_| ()),
            table.newest(None, 1).await.map(|_| ()),
        ];
        for failed in failed {
            assert_eq!(matches!(failed, Err(StoreError::Throttled(_))), throttled, "{failed:?}");
            assert!(failed.is_err());
        }
    }
}
