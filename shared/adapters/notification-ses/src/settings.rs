use std::str::FromStr;

use data_encoding::BASE64;
use domain_notification::MailAddress;
use platform_http_client::{InvalidSettings, Settings};

/// Every setting there is.
pub(crate) const KNOWN: [&str; 4] = ["from", "fromName", "configurationSet", "region"];

/// Bytes of the sender's name: what one encoded word of RFC 2047 takes in base64.
const MAX_NAME_BYTES: usize = 45;

/// The settings, parsed.
#[derive(Debug, Clone)]
pub(crate) struct MailSettings {
    /// The sender as a header has it.
    pub from: String,
    pub configuration_set: Option<String>,
    pub region: Option<String>,
}

impl MailSettings {
    pub fn parse(settings: &Settings<'_>) -> Result<Self, InvalidSettings> {
        let address = MailAddress::from_str(settings.required("from")?)
            .map_err(|_| InvalidSettings::new("from", "a mail address"))?;
        let from = match settings.optional("fromName") {
            None => address.as_str().to_owned(),
            Some(name) if name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control) => {
                // SES wants ASCII; an encoded word needs no rules for quoting.
                format!("=?UTF-8?B?{}?= <{}>", BASE64.encode(name.as_bytes()), address.as_str())
            }
            Some(_) => {
                return Err(InvalidSettings::new("fromName", "at most 45 bytes without control characters"));
            }
        };
        let plain = |name: &str, must| match settings.optional(name) {
            None => Ok(None),
            Some(value) if is_plain(value) => Ok(Some(value.to_owned())),
            Some(_) => Err(InvalidSettings::new(name, must)),
        };
        Ok(Self {
            from,
            configuration_set: plain("configurationSet", "1 to 64 characters of A-Z a-z 0-9 - _")?,
            region: plain("region", "the name of a region, for example ap-southeast-1")?,
        })
    }
}

fn is_plain(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    fn parse(settings: &[(&str, &str)]) -> Result<MailSettings, InvalidSettings> {
        let settings: BTreeMap<String, String> =
            settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        MailSettings::parse(&Settings::new(None, &settings, &Value::Null, &KNOWN)?)
    }

    #[test]
    fn a_name_is_encoded_so_that_it_needs_no_quoting() {
        let named = parse(&[("from", "noreply@example.com"), ("fromName", "\"民宿\" <x>")]).unwrap();
        assert_eq!(named.from, "=?UTF-8?B?IuawkeWuvyIgPHg+?= <noreply@example.com>");
        assert_eq!(parse(&[("from", "noreply@example.com")]).unwrap().from, "noreply@example.com");
    }

    #[test]
    fn the_setting_at_fault_is_named_without_its_value() {
        let from = ("from", "noreply@example.com");
        let long = "x".repeat(46);
        for (settings, at_fault) in [
            (vec![], "from"),
            (vec![("from", "hunter2")], "from"),
            (vec![from, ("fromName", "hunter2\r\nBcc: x")], "fromName"),
            (vec![from, ("fromName", long.as_str())], "fromName"),
            (vec![from, ("configurationSet", "hunter2!")], "configurationSet"),
            (vec![from, ("region", "hunter2!")], "region"),
            (vec![from, ("form", "hunter2")], "form"),
        ] {
            let error = parse(&settings).unwrap_err();
            assert_eq!(error.setting, at_fault);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
