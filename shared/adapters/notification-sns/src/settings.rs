use platform_http_client::{InvalidSettings, Settings};

/// Every setting of a provider of text messages.
pub(crate) const SMS_SETTINGS: [&str; 3] = ["smsType", "senderId", "region"];

/// Every setting of a provider of push.
pub(crate) const PUSH_SETTINGS: [&str; 1] = ["region"];

/// Characters of a sender id: as much as a phone shows of it.
const MAX_SENDER_CHARS: usize = 11;

/// How text messages are sent.
#[derive(Debug, Clone)]
pub(crate) struct SmsSettings {
    /// As SNS spells it.
    pub sms_type: &'static str,
    pub sender_id: Option<String>,
}

impl SmsSettings {
    pub fn parse(settings: &Settings<'_>) -> Result<Self, InvalidSettings> {
        let sms_type = match settings.optional("smsType") {
            None | Some("transactional") => "Transactional",
            Some("promotional") => "Promotional",
            Some(_) => return Err(InvalidSettings::new("smsType", "`transactional` or `promotional`")),
        };
        let is_sender = |id: &str| {
            id.len() <= MAX_SENDER_CHARS
                && id.bytes().all(|b| b.is_ascii_alphanumeric())
                && id.bytes().any(|b| b.is_ascii_alphabetic())
        };
        let sender_id = match settings.optional("senderId") {
            Some(id) if !is_sender(id) => {
                let must = "1 to 11 letters and digits with a letter among them";
                return Err(InvalidSettings::new("senderId", must));
            }
            id => id.map(str::to_owned),
        };
        Ok(Self { sms_type, sender_id })
    }
}

/// The region, if it is not the client's.
pub(crate) fn region(settings: &Settings<'_>) -> Result<Option<String>, InvalidSettings> {
    let is_region =
        |name: &str| name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match settings.optional("region") {
        Some(name) if !is_region(name) => {
            Err(InvalidSettings::new("region", "the name of a region, for example ap-southeast-1"))
        }
        name => Ok(name.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    fn error(known: &[&str], name: &str, value: &str) -> InvalidSettings {
        let settings = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let settings = Settings::new(None, &settings, &Value::Null, known);
        settings.and_then(|it| region(&it).and(SmsSettings::parse(&it))).unwrap_err()
    }

    #[test]
    fn the_setting_at_fault_is_named_without_its_value() {
        for (name, value) in [
            ("smsType", "hunter2"),
            ("senderId", "hunter2 x"),
            ("senderId", "123456"),
            ("senderId", "hunter2hunter2"),
            ("region", "hunter2!"),
            ("smstype", "hunter2"),
        ] {
            let error = error(&SMS_SETTINGS, name, value);
            assert_eq!(error.setting, name);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        assert_eq!(error(&PUSH_SETTINGS, "senderId", "x").setting, "senderId", "push has no sender");
    }
}
