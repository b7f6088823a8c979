use std::collections::BTreeMap;

use domain_channel::{Category, Channel};
use domain_notification::{
    Contacts, DigestHour, Fault, Language, MAX_PER_DAY, Preferences, QuietHours, may_opt_out,
};
use jiff::{Timestamp, civil::Time};
use platform_http::{Problem, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Characters of a device's token at its platform.
const MAX_TOKEN_CHARS: usize = 1_024;

/// How a guest wants to be told things. Whatever is not said is wanted, at once; what is left out of a change is said no
/// more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(example = json!({
    "optOuts": [{"channel": "sms", "category": "marketing"}], "quietHours": {"from": "22:00", "to": "08:00"},
    "dailyCaps": {"marketing": 2}, "digestHours": {"reminder": 9}, "language": "zh-CN"
}))]
pub struct NotificationPreferencesDocument {
    /// What the guest does not want. Not `account`, and not `order` on `internal`.
    opt_outs: Vec<OptOut>,
    /// When the phone must not ring (`sms`, `wechat` and `push`), but for what is urgent or about the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet_hours: Option<QuietHoursView>,
    /// Messages a day and channel, by category, 1 to 1000; where the platform allows fewer, that counts. Not of `account`.
    #[schema(value_type = BTreeMap<String, u16>)]
    daily_caps: BTreeMap<Category, u16>,
    /// Categories of which the guest wants one message a day, and at which hour in Asia/Shanghai, 0 to 23. Not of `account`.
    #[schema(value_type = BTreeMap<String, u8>)]
    digest_hours: BTreeMap<Category, u8>,
    /// In which language, as in `zh-CN` (BCP 47).
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
}

/// A category that a guest does not want on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OptOut {
    /// `sms`, `email`, `wechat`, `push` or `internal`.
    #[schema(value_type = String, example = "sms")]
    channel: Channel,
    /// `order`, `reminder` or `marketing`.
    #[schema(value_type = String, example = "marketing")]
    category: Category,
}

/// A daily time of rest in Asia/Shanghai, over midnight where `to` is earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuietHoursView {
    /// When it begins.
    #[schema(example = "22:00")]
    from: String,
    /// When it ends.
    #[schema(example = "08:00")]
    to: String,
}

impl NotificationPreferencesDocument {
    /// The preferences as the domain takes them, of this revision; or all that is wrong with them.
    pub fn parse(self, revision: u32) -> Result<Preferences, Vec<Fault>> {
        let mut faults = Vec::new();
        for (place, OptOut { channel, category }) in self.opt_outs.iter().enumerate() {
            if !may_opt_out(*channel, *category) {
                let must = "must be a category that guests can do without on this channel";
                faults.push(Fault::new(format!("optOuts/{place}"), must));
            }
        }
        let quiet_hours = self.quiet_hours.as_ref().and_then(|hours| {
            let from = time_of_day(&mut faults, "quietHours/from", &hours.from);
            let to = time_of_day(&mut faults, "quietHours/to", &hours.to);
            Some(QuietHours { from: from?, to: to? })
        });
        for (category, cap) in &self.daily_caps {
            let field = format!("dailyCaps/{category}");
            if *category == Category::Account {
                faults.push(Fault::new(field, "must not be sent: codes and security have no cap"));
            } else if !(1..=MAX_PER_DAY).contains(cap) {
                faults.push(Fault::new(field, "must be 1 to 1000"));
            }
        }
        let mut digests = BTreeMap::new();
        for (category, hour) in self.digest_hours {
            let field = format!("digestHours/{category}");
            match DigestHour::try_from(hour) {
                _ if category == Category::Account => {
                    faults.push(Fault::new(field, "must not be sent: codes and security do not wait"));
                }
                Ok(hour) => drop(digests.insert(category, hour)),
                Err(invalid) => faults.push(Fault::new(field, invalid.to_string())),
            }
        }
        let language = self.language.and_then(|tag| match tag.parse::<Language>() {
            Ok(language) => Some(language),
            Err(invalid) => {
                faults.push(Fault::new("language", invalid.to_string()));
                None
            }
        });
        if faults.is_empty() {
            Ok(Preferences {
                opted_out: self.opt_outs.iter().map(|it| (it.channel, it.category)).collect(),
                quiet_hours,
                daily_caps: self.daily_caps,
                digests,
                language,
                revision,
            })
        } else {
            Err(faults)
        }
    }
}

impl From<&Preferences> for NotificationPreferencesDocument {
    fn from(preferences: &Preferences) -> Self {
        let opt_outs = preferences.opted_out.iter().map(|&(channel, category)| OptOut { channel, category });
        let text = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        let digests = preferences.digests.iter().map(|(&category, &hour)| (category, hour.into()));
        Self {
            opt_outs: opt_outs.collect(),
            quiet_hours: preferences
                .quiet_hours
                .map(|hours| QuietHoursView { from: text(hours.from), to: text(hours.to) }),
            daily_caps: preferences.daily_caps.clone(),
            digest_hours: digests.collect(),
            language: preferences.language.as_ref().map(|language| language.as_str().to_owned()),
        }
    }
}

fn time_of_day(faults: &mut Vec<Fault>, field: &str, text: &str) -> Option<Time> {
    let time = Time::strptime("%H:%M", text).ok();
    // One spelling only: `8:00` also parses.
    let time = time.filter(|time| format!("{:02}:{:02}", time.hour(), time.minute()) == text);
    if time.is_none() {
        faults.push(Fault::new(field, "must be a time of day such as 22:00"));
    }
    time
}

/// Where push messages to a device go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PushPlatform {
    /// Apple Push Notification service.
    Apns,
    /// Firebase Cloud Messaging.
    Fcm,
}

/// A device on which the guest has signed in. `Debug` hides its token.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"platform": "fcm", "token": "fGx1…"}))]
pub struct RegisterDeviceRequest {
    /// Whose token it is.
    platform: PushPlatform,
    /// The device's token at the platform, 1 to 1,024 visible ASCII characters.
    token: String,
}

impl std::fmt::Debug for RegisterDeviceRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisterDeviceRequest").field("platform", &self.platform).finish_non_exhaustive()
    }
}

impl RegisterDeviceRequest {
    /// The platform and the token, or what is wrong with it.
    pub fn parse(self) -> Result<(PushPlatform, String), Vec<Fault>> {
        let is_token = (1..=MAX_TOKEN_CHARS).contains(&self.token.len())
            && self.token.bytes().all(|b| b.is_ascii_graphic());
        if is_token { Ok((self.platform, self.token)) } else { Err(vec![invalid_token()]) }
    }
}

/// The fault of a token that the platform does not know the form of.
pub fn invalid_token() -> Fault {
    Fault::new("token", "must be a device's token at the platform")
}

/// A device that push messages reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    /// What the app calls it.
    pub device_id: DeviceId,
    /// Where push messages to it go through.
    pub platform: PushPlatform,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub register_time: Timestamp,
}

/// What an app calls the device it runs on: 1 to 64 characters of `A-Z a-z 0-9 - _`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeviceId(String);

/// The text names no device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidDeviceId;

impl DeviceId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for DeviceId {
    type Err = InvalidDeviceId;

    fn from_str(text: &str) -> Result<Self, InvalidDeviceId> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let is_id = (1..=64).contains(&text.len()) && text.bytes().all(plain);
        if is_id { Ok(Self(text.to_owned())) } else { Err(InvalidDeviceId) }
    }
}

/// 404: no app may call a device that.
pub fn device_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "device-not-found", "There is no such device")
        .detail("A device's id has 1 to 64 characters of A-Z a-z 0-9 - _.")
}

/// 409: nobody has set up this platform.
pub fn push_not_available() -> Problem {
    Problem::new(StatusCode::CONFLICT, "push-not-available", "There is no push for this platform")
}

/// Where a guest is reached, as the user service knows it. `Debug` hides all of it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(example = json!({"phone": "+8613800138000", "email": "ann@example.com", "wechatMini": "oABC123"}))]
pub struct GuestContactsDocument {
    /// For text messages, as in E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// For mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// The openid for the official account.
    #[serde(skip_serializing_if = "Option::is_none")]
    wechat_official: Option<String>,
    /// The openid for the mini program.
    #[serde(skip_serializing_if = "Option::is_none")]
    wechat_mini: Option<String>,
}

impl std::fmt::Debug for GuestContactsDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuestContactsDocument").finish_non_exhaustive()
    }
}

impl GuestContactsDocument {
    /// The contacts as the domain takes them, without devices; or all that is wrong with them.
    pub fn parse(self) -> Result<Contacts, Vec<Fault>> {
        fn read<T: std::str::FromStr<Err: ToString>>(
            faults: &mut Vec<Fault>,
            field: &str,
            text: Option<String>,
        ) -> Option<T> {
            match text?.parse() {
                Ok(address) => Some(address),
                Err(invalid) => {
                    faults.push(Fault::new(field, invalid.to_string()));
                    None
                }
            }
        }
        let mut faults = Vec::new();
        let contacts = Contacts {
            phone: read(&mut faults, "phone", self.phone),
            email: read(&mut faults, "email", self.email),
            wechat_official: read(&mut faults, "wechatOfficial", self.wechat_official),
            wechat_mini: read(&mut faults, "wechatMini", self.wechat_mini),
            devices: Vec::new(),
        };
        if faults.is_empty() { Ok(contacts) } else { Err(faults) }
    }
}

impl From<&Contacts> for GuestContactsDocument {
    fn from(contacts: &Contacts) -> Self {
        Self {
            phone: contacts.phone.as_ref().map(|it| it.as_str().to_owned()),
            email: contacts.email.as_ref().map(|it| it.as_str().to_owned()),
            wechat_official: contacts.wechat_official.as_ref().map(|it| it.as_str().to_owned()),
            wechat_mini: contacts.wechat_mini.as_ref().map(|it| it.as_str().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn preferences(body: &Value) -> Result<Preferences, Vec<Fault>> {
        serde_json::from_value::<NotificationPreferencesDocument>(body.clone()).unwrap().parse(1)
    }

    #[test]
    fn preferences_read_back() {
        let body = json!({
            "optOuts": [{ "channel": "sms", "category": "marketing" }],
            "quietHours": { "from": "22:00", "to": "08:30" },
            "dailyCaps": { "marketing": 2 }, "digestHours": { "reminder": 9 }, "language": "en",
        });
        assert_eq!(json!(NotificationPreferencesDocument::from(&preferences(&body).unwrap())), body);
        let nothing = json!({ "optOuts": [], "dailyCaps": {}, "digestHours": {} });
        assert_eq!(json!(NotificationPreferencesDocument::from(&Preferences::default())), nothing);
        assert_eq!(preferences(&nothing), preferences(&json!({})));
    }

    #[test]
    fn what_guests_cannot_do_without_is_refused_by_its_place() {
        for &channel in Channel::ALL {
            for &category in Category::ALL {
                let known = json!({ "channel": "sms", "category": "order" });
                let body = json!({ "optOuts": [known, { "channel": channel, "category": category }] });
                let is_refused = preferences(&body).is_err_and(|faults| faults[0].field == "optOuts/1");
                assert_eq!(is_refused, !may_opt_out(channel, category), "{channel} {category}");
            }
        }
    }

    #[test]
    fn a_device_s_token_never_reaches_a_log() {
        let request = RegisterDeviceRequest { platform: PushPlatform::Apns, token: "abc\u{0}secret".into() };
        let shown = format!("{request:?} {:?}", request.clone().parse());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_contact_that_is_none_is_not_repeated() {
        let body =
            json!({ "phone": "13800138000", "email": "138@", "wechatMini": "o 138", "wechatOfficial": "" });
        let document: GuestContactsDocument = serde_json::from_value(body).unwrap();
        let faults = document.clone().parse().unwrap_err();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["phone", "email", "wechatOfficial", "wechatMini"]);
        assert!(!format!("{document:?}").contains("138"));
        let shown = format!("{:?}", faults.iter().filter(|fault| fault.field != "phone").collect::<Vec<_>>());
        assert!(!shown.contains("138"), "{shown}");
    }
}
