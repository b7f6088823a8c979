//! What is known of guests, in one partition each, so that one query reads all that a dispatch needs; and the addresses to
//! which nothing is sent.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use coupon_dynamodb::{condition_held, corrupt, store_error};
use data_encoding::HEXLOWER;
use domain_channel::{Category, Channel};
use domain_coupon::StoreError;
use domain_ids::GuestId;
use domain_notification::{
    Address, Contacts, Device, DigestHour, GuestProfile, Guests, Language, MAX_DEVICES, Preferences,
    QuietHours,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    NotificationTable,
    keys::{Key, key},
};

const CONTACTS: &str = "CONTACTS";
const DEVICES: &str = "DEVICES";
const PREFERENCES: &str = "PREFERENCES";

/// How long nothing is sent to an address that bounced or whose owner complained: numbers and mailboxes change hands.
pub const SUPPRESSED_FOR: SignedDuration = SignedDuration::from_hours(24 * 365);

/// How long it is remembered whose an endpoint is: apps register anew each time they start.
const OWNER_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 365);

/// Tries to change a guest's devices, while others change them too.
const TRIES: usize = 4;

/// A guest's contacts as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredContacts {
    /// Where to reach the guest; with the devices.
    pub contacts: Contacts,
    /// Changes with every change of all but the devices, from 1; 0 where nothing was ever told.
    pub revision: u32,
}

/// The sort key of an item, and what is read by it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContactsItem {
    #[serde(flatten)]
    contacts: Contacts,
    revision: u32,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DevicesItem {
    /// The newest first.
    #[serde(default)]
    devices: Vec<DeviceItem>,
    #[serde(default)]
    revision: u64,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceItem {
    id: String,
    endpoint: Device,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreferencesItem {
    #[serde(default)]
    opted_out: Vec<(Channel, Category)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quiet_hours: Option<QuietHours>,
    #[serde(default)]
    daily_caps: Vec<(Category, u16)>,
    #[serde(default)]
    digests: Vec<(Category, DigestHour)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    revision: u32,
}

impl From<&Preferences> for PreferencesItem {
    fn from(preferences: &Preferences) -> Self {
        Self {
            opted_out: preferences.opted_out.iter().copied().collect(),
            quiet_hours: preferences.quiet_hours,
            daily_caps: preferences.daily_caps.iter().map(|(&category, &cap)| (category, cap)).collect(),
            digests: preferences.digests.iter().map(|(&category, &hour)| (category, hour)).collect(),
            language: preferences.language.clone(),
            revision: preferences.revision,
        }
    }
}

impl From<PreferencesItem> for Preferences {
    fn from(item: PreferencesItem) -> Self {
        Self {
            opted_out: item.opted_out.into_iter().collect(),
            quiet_hours: item.quiet_hours,
            daily_caps: item.daily_caps.into_iter().collect(),
            digests: item.digests.into_iter().collect(),
            language: item.language,
            revision: item.revision,
        }
    }
}

fn of_guest(guest: &GuestId, sk: &str) -> Key {
    key(format!("GUEST#{guest}"), sk.into())
}

/// Whose an endpoint is. The ARN is hashed for its length alone.
fn endpoint(device: &Device) -> Key {
    let digest = HEXLOWER.encode(&Sha256::digest(device.as_str()));
    key(format!("ENDPOINT#{digest}"), "ENDPOINT".into())
}

/// The key of an address that can be suppressed. The digest keeps addresses out of keys, and with that out of logs and
/// metrics; who has the table can still try every phone number there is.
fn suppressed(address: &Address) -> Option<Key> {
    let text = match address {
        Address::Phone(phone) => format!("tel:{}", phone.as_str()),
        // No mail server of today tells local parts apart by case, and reports come in either.
        Address::Mail(mail) => format!("mailto:{}", mail.as_str().to_ascii_lowercase()),
        Address::Wechat { .. } | Address::Devices(_) | Address::Inbox(_) => return None,
    };
    let digest = HEXLOWER.encode(&Sha256::digest(text));
    Some(key(format!("SUPPRESSED#{digest}"), "SUPPRESSED".into()))
}

fn parsed<T: DeserializeOwned>(item: Key) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(corrupt)
}

fn with_devices(contacts: Option<ContactsItem>, devices: Option<DevicesItem>) -> StoredContacts {
    let (contacts, revision) = contacts.map(|item| (item.contacts, item.revision)).unwrap_or_default();
    let devices = devices.unwrap_or_default().devices.into_iter().map(|device| device.endpoint).collect();
    StoredContacts { contacts: Contacts { devices, ..contacts }, revision }
}

impl Guests for NotificationTable {
    async fn profile(&self, guest: &GuestId) -> Result<GuestProfile, StoreError> {
        let mut items = self.items_of(guest, false).await?;
        let (contacts, devices) = (items.take(CONTACTS)?, items.take(DEVICES)?);
        let preferences: Option<PreferencesItem> = items.take(PREFERENCES)?;
        Ok(GuestProfile {
            contacts: with_devices(contacts, devices).contacts,
            preferences: preferences.map(Into::into).unwrap_or_default(),
        })
    }

    async fn is_suppressed(&self, address: &Address) -> Result<bool, StoreError> {
        let Some(key) = suppressed(address) else { return Ok(false) };
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let get = get.projection_expression("pk").return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = get.send().await.map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        Ok(output.item.is_some())
    }

    async fn suppress(&self, address: &Address, reason: &str, at: Timestamp) -> Result<(), StoreError> {
        let Some(key) = suppressed(address) else { return Ok(()) };
        let ttl = at.checked_add(SUPPRESSED_FOR).unwrap_or(Timestamp::MAX).as_second();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(key))
            .item("reason", AttributeValue::S(reason.into()))
            .item("at", AttributeValue::N(at.as_millisecond().to_string()))
            .item("ttl", AttributeValue::N(ttl.to_string()));
        put.send().await.map_err(store_error)?;
        Ok(())
    }

    async fn forget_devices(&self, guest: &GuestId, dead: &[String]) -> Result<(), StoreError> {
        let is_dead = |device: &DeviceItem| dead.iter().any(|arn| arn == device.endpoint.as_str());
        self.change_devices(guest, |devices| devices.retain(|device| !is_dead(device))).await
    }
}

impl NotificationTable {
    /// A guest's preferences as they are now (not an older copy).
    pub async fn preferences(&self, guest: &GuestId) -> Result<Preferences, StoreError> {
        let item: Option<PreferencesItem> = self.item_of(guest, PREFERENCES).await?;
        Ok(item.map(Into::into).unwrap_or_default())
    }

    /// Writes a guest's preferences, if those there have one revision less (0: if there are none); says whether they were
    /// written.
    pub async fn put_preferences(&self, guest: &GuestId, next: &Preferences) -> Result<bool, StoreError> {
        let before = u64::from(next.revision).saturating_sub(1);
        self.put_of(guest, PREFERENCES, &PreferencesItem::from(next), before).await
    }

    /// Where a guest is reached, as it is now (not an older copy).
    pub async fn contacts(&self, guest: &GuestId) -> Result<StoredContacts, StoreError> {
        let mut items = self.items_of(guest, true).await?;
        Ok(with_devices(items.take(CONTACTS)?, items.take(DEVICES)?))
    }

    /// Writes where a guest is reached, but for the devices, which stay as they are, if what is there has one revision less
    /// (0: if nothing is there); says whether it was written.
    pub async fn put_contacts(&self, guest: &GuestId, next: &StoredContacts) -> Result<bool, StoreError> {
        let contacts = Contacts { devices: Vec::new(), ..next.contacts.clone() };
        let item = ContactsItem { contacts, revision: next.revision };
        self.put_of(guest, CONTACTS, &item, u64::from(next.revision).saturating_sub(1)).await
    }

    /// Notes that a guest is reached by this device, as the newest of at most [`MAX_DEVICES`], and that no other guest is:
    /// who signed in on it before shall not have messages there.
    pub async fn add_device(
        &self,
        guest: &GuestId,
        id: &str,
        device: &Device,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(endpoint(device)));
        let owner = get.consistent_read(true).send().await.map_err(store_error)?.item;
        let owner = owner.and_then(|item| item.get("guest")?.as_s().ok()?.parse::<GuestId>().ok());
        // The owner is noted last, so that a repeat of what was cut off does all of it.
        if let Some(owner) = owner.filter(|owner| owner != guest) {
            self.forget_devices(&owner, &[device.as_str().to_owned()]).await?;
        }
        self.change_devices(guest, |devices| {
            devices.retain(|it| it.id != id && it.endpoint != *device);
            devices.insert(0, DeviceItem { id: id.to_owned(), endpoint: device.clone() });
            devices.truncate(MAX_DEVICES);
        })
        .await?;
        let ttl = now.checked_add(OWNER_KEPT_FOR).unwrap_or(Timestamp::MAX).as_second();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(endpoint(device)))
            .item("guest", AttributeValue::S(guest.to_string()))
            .item("ttl", AttributeValue::N(ttl.to_string()));
        put.send().await.map_err(store_error)?;
        Ok(())
    }

    /// Forgets a device by the name that the app has given it.
    pub async fn remove_device(&self, guest: &GuestId, id: &str) -> Result<(), StoreError> {
        self.change_devices(guest, |devices| devices.retain(|device| device.id != id)).await
    }

    async fn change_devices(
        &self,
        guest: &GuestId,
        change: impl Fn(&mut Vec<DeviceItem>),
    ) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let item: DevicesItem = self.item_of(guest, DEVICES).await?.unwrap_or_default();
            let before = item.revision;
            let mut next = DevicesItem { devices: Vec::new(), revision: before.saturating_add(1) };
            let known = item.devices.iter().map(|device| (&device.id, &device.endpoint));
            next.devices.extend(
                known.map(|(id, endpoint)| DeviceItem { id: id.clone(), endpoint: endpoint.clone() }),
            );
            change(&mut next.devices);
            if next.devices == item.devices || self.put_of(guest, DEVICES, &next, before).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("others have changed the devices each time".into()))
    }

    async fn item_of<T: DeserializeOwned>(&self, guest: &GuestId, sk: &str) -> Result<Option<T>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(of_guest(guest, sk)));
        let output = get.consistent_read(true).send().await.map_err(store_error)?;
        output.item.map(parsed).transpose()
    }

    async fn put_of(
        &self,
        guest: &GuestId,
        sk: &str,
        item: &impl Serialize,
        before: u64,
    ) -> Result<bool, StoreError> {
        let mut item: Key = serde_dynamo::to_item(item).map_err(corrupt)?;
        item.extend(of_guest(guest, sk));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = if before == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("revision = :before")
                .expression_attribute_values(":before", AttributeValue::N(before.to_string()))
        };
        Ok(condition_held(put.send().await)?.is_some())
    }

    /// All items of a guest: three small ones, in one query.
    async fn items_of(&self, guest: &GuestId, consistent: bool) -> Result<Items, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(consistent)
            .key_condition_expression("pk = :guest")
            .expression_attribute_values(":guest", AttributeValue::S(format!("GUEST#{guest}")))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = query.send().await.map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        let items = output.items.unwrap_or_default();
        let by_key = items.into_iter().filter_map(|item| Some((item.get("sk")?.as_s().ok()?.clone(), item)));
        Ok(Items(by_key.collect()))
    }
}

/// The items of a partition by their sort key.
struct Items(BTreeMap<String, Key>);

impl Items {
    fn take<T: DeserializeOwned>(&mut self, sk: &str) -> Result<Option<T>, StoreError> {
        self.0.remove(sk).map(parsed).transpose()
    }
}
