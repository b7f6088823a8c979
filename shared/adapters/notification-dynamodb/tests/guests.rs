//! What is known of guests, in the embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::types::AttributeValue;
use domain_channel::{Category, Channel};
use domain_ids::GuestId;
use domain_notification::{
    Address, Contacts, Device, GuestProfile, Guests, MAX_DEVICES, Preferences, QuietHours,
};
use futures_util::future::join_all;
use jiff::{Timestamp, civil};
use notification_dynamodb::{NotificationTable, SUPPRESSED_FOR, StoredContacts};
use testing::{EmbeddedDynamoDb, NOTIFICATION_TABLE};

struct House {
    db: EmbeddedDynamoDb,
    table: NotificationTable,
}

impl House {
    async fn new() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
        Self { table: NotificationTable::new(db.client(), name), db }
    }

    async fn devices(&self, guest: &GuestId) -> Vec<String> {
        let profile = self.table.profile(guest).await.unwrap();
        let names = profile.contacts.devices.iter().map(|device| device.as_str().rsplit_once('/').unwrap().1);
        names.map(str::to_owned).collect()
    }

    async fn add(&self, guest: &GuestId, id: &str, name: &str) {
        self.table.add_device(guest, id, &device(name), now()).await.unwrap();
    }
}

fn now() -> Timestamp {
    "2026-11-24T10:00:00Z".parse().unwrap()
}

fn guest(name: &str) -> GuestId {
    name.parse().unwrap()
}

fn device(name: &str) -> Device {
    format!("arn:aws:sns:us-east-1:123456789012:endpoint/GCM/app/{name}").parse().unwrap()
}

fn contacts() -> Contacts {
    Contacts {
        phone: Some("+8613800138000".parse().unwrap()),
        email: Some("ann@example.com".parse().unwrap()),
        wechat_official: None,
        wechat_mini: Some("o1".parse().unwrap()),
        devices: Vec::new(),
    }
}

fn preferences() -> Preferences {
    Preferences {
        opted_out: [(Channel::Sms, Category::Marketing), (Channel::Push, Category::Order)].into(),
        quiet_hours: Some(QuietHours { from: civil::time(22, 0, 0, 0), to: civil::time(8, 30, 0, 0) }),
        daily_caps: [(Category::Marketing, 2)].into(),
        digests: [(Category::Reminder, 9.try_into().unwrap())].into(),
        language: Some("en".parse().unwrap()),
        revision: 1,
    }
}

#[tokio::test]
async fn of_a_stranger_nothing_is_known() {
    let house = House::new().await;
    assert_eq!(house.table.profile(&guest("ann")).await.unwrap(), GuestProfile::default());
    assert_eq!(house.table.preferences(&guest("ann")).await.unwrap(), Preferences::default());
    assert_eq!(house.table.contacts(&guest("ann")).await.unwrap(), StoredContacts::default());
}

#[tokio::test]
async fn contacts_devices_and_preferences_are_one_profile() {
    let house = House::new().await;
    let ann = guest("ann");
    assert!(house.table.put_preferences(&ann, &preferences()).await.unwrap());
    house.add(&ann, "phone", "a").await;
    let stored = StoredContacts { contacts: contacts(), revision: 1 };
    assert!(house.table.put_contacts(&ann, &stored).await.unwrap());
    let expected = Contacts { devices: vec![device("a")], ..contacts() };
    let profile = house.table.profile(&ann).await.unwrap();
    assert_eq!(profile, GuestProfile { contacts: expected.clone(), preferences: preferences() });
    assert_eq!(house.table.preferences(&ann).await.unwrap(), preferences());
    assert_eq!(house.table.contacts(&ann).await.unwrap(), StoredContacts { contacts: expected, revision: 1 });
    assert_eq!(house.table.profile(&guest("bob")).await.unwrap(), GuestProfile::default());
}

#[tokio::test]
async fn of_two_changes_of_one_revision_one_is_written() {
    let house = House::new().await;
    let ann = guest("ann");
    for revision in 1..=2 {
        let next = Preferences { revision, ..preferences() };
        let written = join_all((0..5).map(|_| house.table.put_preferences(&ann, &next))).await;
        assert_eq!(written.into_iter().filter(|it| *it.as_ref().unwrap()).count(), 1);
        let next = StoredContacts { contacts: contacts(), revision };
        let written = join_all((0..5).map(|_| house.table.put_contacts(&ann, &next))).await;
        assert_eq!(written.into_iter().filter(|it| *it.as_ref().unwrap()).count(), 1);
    }
    let outdated = Preferences { revision: 4, ..preferences() };
    assert!(!house.table.put_preferences(&ann, &outdated).await.unwrap());
}

#[tokio::test]
async fn the_newest_devices_are_kept_and_each_once() {
    let house = House::new().await;
    let ann = guest("ann");
    for number in 0..MAX_DEVICES + 2 {
        house.add(&ann, &format!("d{number}"), &number.to_string()).await;
    }
    let expected: Vec<String> = (2..MAX_DEVICES + 2).rev().map(|number| number.to_string()).collect();
    assert_eq!(house.devices(&ann).await, expected);
    // The app has got another token, and then the phone another name.
    house.add(&ann, "d5", "new").await;
    house.add(&ann, "renamed", "new").await;
    let devices = house.devices(&ann).await;
    assert_eq!((devices[0].as_str(), devices.len()), ("new", MAX_DEVICES));
    assert!(!devices.contains(&"5".to_owned()));
    house.table.remove_device(&ann, "renamed").await.unwrap();
    house.table.remove_device(&ann, "nothing").await.unwrap();
    assert!(!house.devices(&ann).await.contains(&"new".to_owned()));
}

#[tokio::test]
async fn devices_that_are_gone_are_forgotten() {
    let house = House::new().await;
    let ann = guest("ann");
    for name in ["a", "b", "c"] {
        house.add(&ann, name, name).await;
    }
    let dead = [device("a"), device("c"), device("x")].map(|device| device.as_str().to_owned());
    house.table.forget_devices(&ann, &dead).await.unwrap();
    house.table.forget_devices(&ann, &dead).await.unwrap();
    house.table.forget_devices(&guest("bob"), &dead).await.unwrap();
    assert_eq!(house.devices(&ann).await, ["b"]);
}

#[tokio::test]
async fn who_signs_in_on_a_device_takes_it_over() {
    let house = House::new().await;
    let (ann, bob) = (guest("ann"), guest("bob"));
    house.add(&ann, "phone", "a").await;
    house.add(&bob, "phone", "a").await;
    assert!(house.devices(&ann).await.is_empty());
    assert_eq!(house.devices(&bob).await, ["a"]);
    house.add(&ann, "phone", "a").await;
    assert_eq!((house.devices(&ann).await.len(), house.devices(&bob).await.len()), (1, 0));
}

#[tokio::test]
async fn devices_that_are_added_at_once_are_all_kept() {
    let house = House::new().await;
    let ann = guest("ann");
    let adding = ["a", "b", "c"].map(|name| house.add(&ann, name, name));
    join_all(adding).await;
    let mut devices = house.devices(&ann).await;
    devices.sort();
    assert_eq!(devices, ["a", "b", "c"]);
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_suppressed_and_no_address_is_stored() {
    let house = House::new().await;
    let phone = Address::Phone("+8613800138000".parse().unwrap());
    let mail = Address::Mail("Ann@Example.com".parse().unwrap());
    let same = Address::Mail("ann@example.com".parse().unwrap());
    let inbox = Address::Inbox(guest("ann"));
    let devices = Address::Devices(vec![device("a")]);
    let wechat = Address::Wechat { official: Some("o1".parse().unwrap()), mini: None };
    for address in [&phone, &mail, &inbox, &devices, &wechat] {
        assert!(!house.table.is_suppressed(address).await.unwrap());
        house.table.suppress(address, "bounced", now()).await.unwrap();
    }
    for (address, suppressed) in
        [(&phone, true), (&mail, true), (&same, true), (&inbox, false), (&devices, false), (&wechat, false)]
    {
        assert_eq!(house.table.is_suppressed(address).await.unwrap(), suppressed, "{address:?}");
    }
    let other = Address::Phone("+8613800138001".parse().unwrap());
    assert!(!house.table.is_suppressed(&other).await.unwrap());
    let stored = house.db.client().scan().table_name(NOTIFICATION_TABLE).send().await.unwrap();
    assert_eq!(stored.count(), 2);
    for item in stored.items() {
        assert_eq!(item["reason"], AttributeValue::S("bounced".into()));
        let ttl = (now() + SUPPRESSED_FOR).as_second().to_string();
        assert_eq!(item["ttl"], AttributeValue::N(ttl));
        let text = format!("{item:?}").to_lowercase();
        assert!(!text.contains("1380013") && !text.contains("example"), "{text}");
    }
}
