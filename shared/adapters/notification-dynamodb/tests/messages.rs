//! Messages on an embedded DynamoDB: what is written, what it costs, who is first.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use coupon_dynamodb::Units;
use domain_channel::{Category, Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::{MessageId, ProviderName};
use domain_notification::{
    Accepted, Added, Caps, DUE_SHARDS, Digests, Due, DueMessages, Message, MessageShelf, MessageStore,
    ParamValue, Params, Receiver, References, SharedToken, State, Status, TemplateRef, due_shard, message_id,
};
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::{NotificationTable, Permits, message_from_item};
use proptest::prelude::*;
use testing::{EmbeddedDynamoDb, Fault, NOTIFICATION_TABLE};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_514_400 + seconds).unwrap()
}

fn provider() -> ProviderName {
    "aliyun".parse().unwrap()
}

fn message(key: &str) -> Message {
    let receiver: Receiver = "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34".parse().unwrap();
    let params = [
        ("orderId", ParamValue::Text("O-20261111-000042".into())),
        ("amount", ParamValue::Integer(58_800)),
        ("homestayName", ParamValue::Text("后海四合院·听雨轩".into())),
        ("vip", ParamValue::Flag(true)),
        ("items", ParamValue::List(vec!["早餐".into(), "接机".into()])),
    ];
    Message {
        id: message_id("test", key, &receiver),
        channel: Channel::Sms,
        priority: Priority::High,
        category: Category::Order,
        template: TemplateRef { code: "order_confirmed".parse().unwrap(), version: 3 },
        params: Params(params.map(|(name, value)| (name.to_owned(), value)).into()),
        receiver,
        accepted_at: at(0),
        scheduled_at: None,
        expires_at: Some(at(3_600)),
        transaction: Some("order:O-20261111-000042".parse().unwrap()),
        broadcast: None,
        fingerprint: u64::MAX,
        waits: false,
        is_digest: false,
        digest: None,
        attempts: 0,
        error: None,
        state: State::Pending,
        revision: 1,
    }
}

async fn table() -> (EmbeddedDynamoDb, NotificationTable) {
    let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
    let table = NotificationTable::new(db.client(), name);
    (db, table)
}

#[tokio::test]
async fn a_message_reads_back_in_every_state() {
    let (_db, table) = table().await;
    let accepted = Accepted { reference: Some("biz-1".into()), dead: Vec::new() };
    let leased = message("a").lease(&provider(), at(1)).unwrap();
    let sent = leased.sent(&provider(), &accepted, at(2)).unwrap();
    let states = [
        message("a"),
        leased.clone(),
        leased.again("isv.BUSINESS_LIMIT_CONTROL").unwrap(),
        sent.clone(),
        sent.delivered(at(3)).unwrap(),
        sent.bounced("UNKNOWN", at(3)).unwrap(),
        leased.failed("down", true, at(2)).unwrap(),
        message("a").cancelled(at(1)).unwrap(),
        message("a").deferred(at(7_200)).unwrap(),
        message("a").bundled(message("d").id).unwrap(),
        Message {
            is_digest: true,
            broadcast: Some("01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()),
            ..message("a")
        },
    ];
    for (n, state) in states.into_iter().enumerate() {
        let it = Message { id: message(&n.to_string()).id, ..state };
        assert_eq!(table.add(&it).await.unwrap(), Added::New);
        assert_eq!(table.message(it.id).await.unwrap(), Some(it));
    }
}

#[tokio::test]
async fn the_second_who_adds_a_message_finds_the_first() {
    let (_db, table) = table().await;
    let first = message("a");
    table.add(&first).await.unwrap();
    let sent = first.lease(&provider(), at(1)).unwrap();
    assert!(table.replace(&sent).await.unwrap());
    let again = Message { accepted_at: at(9), ..message("a") };
    assert_eq!(table.add(&again).await.unwrap(), Added::Known(Box::new(sent)));
}

#[tokio::test]
async fn of_several_transitions_one_happens() {
    let (_db, table) = table().await;
    let it = message("a");
    table.add(&it).await.unwrap();
    let leases = (0..20).map(|n| {
        let (next, table) = (it.lease(&provider(), at(n)).unwrap(), &table);
        async move { table.replace(&next).await.unwrap() }
    });
    let won = futures_util::future::join_all(leases).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    assert!(!table.replace(&it.cancelled(at(1)).unwrap()).await.unwrap());
    let gone = message("gone").lease(&provider(), at(1)).unwrap();
    assert!(!table.replace(&gone).await.unwrap(), "one that is not there is not made");
}

#[tokio::test]
async fn a_message_costs_four_write_units_from_request_to_record() {
    let (_db, table) = table().await;
    let it = message("a");
    table.add(&it).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(0, 2), "the message, and the index by receiver");
    let leased = it.lease(&provider(), at(1)).unwrap();
    table.replace(&leased).await.unwrap();
    table.replace(&leased.sent(&provider(), &Accepted::default(), at(2)).unwrap()).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(0, 2), "no index has changed");
    table.message(it.id).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, 0));
}

#[tokio::test]
async fn messages_are_listed_by_receiver_newest_first_and_page_by_page() {
    let (_db, table) = table().await;
    for n in 0..25 {
        let it = Message { accepted_at: at(n), ..message(&n.to_string()) };
        table.add(&it).await.unwrap();
    }
    let other = Message { receiver: "bob".parse().unwrap(), ..message("other") };
    table.add(&other).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = table.messages_to(&message("x").receiver, after, 10).await.unwrap();
        seen.extend(page.items.into_iter().map(|it| it.accepted_at));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<Timestamp> = (0..25).rev().map(at).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_waits_is_listed_by_its_time_until_it_is_queued() {
    let (_db, table) = table().await;
    let mut waiting = BTreeSet::new();
    for n in 0..200 {
        let it = Message { scheduled_at: Some(at(n)), waits: true, ..message(&n.to_string()) };
        table.add(&it).await.unwrap();
        if n < 100 {
            waiting.insert(it.id);
        }
    }
    let due = async |until: Timestamp| {
        let mut found = Vec::new();
        for shard in 0..DUE_SHARDS {
            let mut after: Option<Due> = None;
            loop {
                let page = table.due(shard, until, after, 2).await.unwrap();
                assert!(page.items.iter().all(|it| due_shard(it.id) == shard));
                assert!(page.items.is_sorted_by_key(|it| it.at));
                found.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        found
    };
    let found = due(at(100)).await;
    assert_eq!(found.iter().map(|it| it.id).collect::<BTreeSet<MessageId>>(), waiting);
    for it in &found {
        let message = table.message(it.id).await.unwrap().unwrap();
        assert_eq!(message.due_at(), it.at);
        assert!(table.replace(&message.queued().unwrap()).await.unwrap());
    }
    assert_eq!(due(at(100)).await, []);
    assert_eq!(due(at(200)).await.len(), 100);
}

#[tokio::test]
async fn a_digest_has_each_member_once() {
    let (_db, table) = table().await;
    let digest = message("digest").id;
    let members: BTreeSet<MessageId> = (0..30).map(|n| message(&n.to_string()).id).collect();
    for _ in 0..2 {
        for member in &members {
            table.join(digest, *member, at(0)).await.unwrap();
        }
    }
    let found = table.members(digest).await.unwrap();
    assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>()), (30, members));
    assert_eq!(table.members(message("other").id).await.unwrap(), []);
}

#[tokio::test]
async fn a_cap_is_of_a_day_in_shanghai() {
    let (_db, table) = table().await;
    let ann = "ann".parse().unwrap();
    let noon: Timestamp = "2026-11-24T12:00:00+08:00".parse().unwrap();
    let mut admitted = Vec::new();
    for _ in 0..3 {
        admitted.push(table.admit(&ann, "sms-marketing", 2, noon).await.unwrap());
    }
    assert_eq!(admitted, [true, true, false]);
    assert!(table.admit(&ann, "email-marketing", 2, noon).await.unwrap());
    assert!(table.admit(&"bob".parse().unwrap(), "sms-marketing", 2, noon).await.unwrap());
    let midnight: Timestamp = "2026-11-25T00:00:00+08:00".parse().unwrap();
    assert!(!table.admit(&ann, "sms-marketing", 2, midnight - SignedDuration::from_secs(1)).await.unwrap());
    assert!(table.admit(&ann, "sms-marketing", 2, midnight).await.unwrap());
}

#[tokio::test]
async fn no_more_permits_of_a_second_are_given_out_than_there_are() {
    let (_db, table) = table().await;
    let environments: Vec<Permits> = (0..7).map(|_| Permits::default()).collect();
    for (second, rate) in [(0, 55), (1, 9), (2, 1)] {
        let mut granted = 0;
        for n in 0..140 {
            let now = at(second) + SignedDuration::from_millis(n);
            match environments[usize::try_from(n).unwrap() % 7]
                .take(&table, &provider(), rate, now)
                .await
                .unwrap()
            {
                None => granted += 1,
                Some(wait) => {
                    let next = now + SignedDuration::try_from(wait).unwrap();
                    assert_eq!(next, at(second + 1), "until the next second");
                }
            }
        }
        assert_eq!(granted, rate, "and none is left over where all come often enough");
    }
}

#[tokio::test]
async fn a_block_of_permits_is_one_write() {
    let (db, table) = table().await;
    let permits = Permits::default();
    for _ in 0..10 {
        assert_eq!(permits.take(&table, &provider(), 1_000, at(0)).await.unwrap(), None);
    }
    let item = db.client().scan().table_name(NOTIFICATION_TABLE).send().await.unwrap().items()[0].clone();
    assert_eq!(item["admitted"], AttributeValue::N("10".into()));
}

#[tokio::test]
async fn a_shared_token_is_replaced_by_one_of_many() {
    use domain_notification::SharedTokens;

    let (_db, table) = table().await;
    assert_eq!(table.read("wechat").await.unwrap(), SharedToken::default());
    let next = |revision| SharedToken {
        token: Some("t".into()),
        expires_at: at(7_200),
        refreshing_until: at(10),
        revision,
    };
    assert!(SharedTokens::replace(&table, "wechat", &next(1)).await.unwrap());
    assert!(!SharedTokens::replace(&table, "wechat", &next(1)).await.unwrap());
    assert!(SharedTokens::replace(&table, "wechat", &next(2)).await.unwrap());
    assert!(!SharedTokens::replace(&table, "wechat", &next(2)).await.unwrap());
    assert_eq!(table.read("wechat").await.unwrap(), next(2));
}

#[tokio::test]
async fn a_message_is_found_by_what_its_provider_calls_it() {
    let (_db, table) = table().await;
    let id = message("a").id;
    assert_eq!(table.referred(&provider(), "42").await.unwrap(), None);
    table.refer(&provider(), "42", id, at(0)).await.unwrap();
    assert_eq!(table.referred(&provider(), "42").await.unwrap(), Some(id));
    assert_eq!(table.referred(&"tencent".parse().unwrap(), "42").await.unwrap(), None);
}

#[tokio::test]
async fn faults_are_told_apart_and_an_item_of_other_hands_is_no_panic() {
    let on = |fault: Fault| NotificationTable::new(fault.client(), "any".into());
    let throttled = on(Fault::Throttling).message(message("a").id).await.unwrap_err();
    assert!(matches!(throttled, StoreError::Throttled(_)), "{throttled:?}");
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled] {
        let error = on(fault).add(&message("a")).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    let (db, table) = table().await;
    table.add(&message("a")).await.unwrap();
    let item = db.client().scan().table_name(NOTIFICATION_TABLE).send().await.unwrap().items()[0].clone();
    for name in ["status", "receiver", "rev", "acceptedAt", "template"] {
        let mut broken = item.clone();
        broken.insert(name.into(), AttributeValue::Bool(true));
        assert!(message_from_item(broken).is_err(), "{name}");
    }
}

proptest! {
    #[test]
    fn every_parameter_reads_back(text in ".{0,60}", number: i64, flag: bool, list in proptest::collection::vec(".{0,9}", 0..4)) {
        let values = [
            ("text", ParamValue::Text(text)),
            ("number", ParamValue::Integer(number)),
            ("flag", ParamValue::Flag(flag)),
            ("list", ParamValue::List(list)),
        ];
        let params = Params(values.map(|(name, value)| (name.to_owned(), value)).into());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_db, table) = table().await;
            let it = Message { params, ..message("a") };
            table.add(&it).await.unwrap();
            prop_assert_eq!(table.message(it.id).await.unwrap().map(|it| it.params), Some(it.params.clone()));
            prop_assert_eq!(it.status(), Status::Pending);
            Ok(())
        })?;
    }
}
