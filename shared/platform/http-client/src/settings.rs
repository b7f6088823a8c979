use std::{collections::BTreeMap, fmt, str::FromStr};

use serde_json::Value;

/// How another server is to be called is not said, or not as it must be. Shows no value: settings have secrets beside
/// them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting `{setting}` must be {must}")]
pub struct InvalidSettings {
    /// Which setting: `endpoint`, one by its name, or one of the secret as `secret/<name>`.
    pub setting: String,
    /// What it must be.
    pub must: &'static str,
}

impl InvalidSettings {
    /// `setting` must be `must`.
    pub fn new(setting: impl Into<String>, must: &'static str) -> Self {
        Self { setting: setting.into(), must }
    }
}

/// How another server is to be called, as operators write it: settings, and a JSON object of secrets.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    endpoint: Option<&'a str>,
    values: &'a BTreeMap<String, String>,
    secret: &'a Value,
}

impl fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl<'a> Settings<'a> {
    /// Of which none but `known` may be there: a misspelled setting is not overlooked.
    pub fn new(
        endpoint: Option<&'a str>,
        values: &'a BTreeMap<String, String>,
        secret: &'a Value,
        known: &[&str],
    ) -> Result<Self, InvalidSettings> {
        match values.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self { endpoint, values, secret }),
            Some(unknown) => Err(InvalidSettings::new(unknown, "left out: it is not known here")),
        }
    }

    /// The address without a slash at the end, or `default`. It is `https`, but for stand-ins on this machine.
    pub fn endpoint(&self, default: &str) -> Result<String, InvalidSettings> {
        let endpoint = self.endpoint.unwrap_or(default).trim_end_matches('/');
        let invalid = || InvalidSettings::new("endpoint", "an https address without query");
        let url = reqwest::Url::parse(endpoint).map_err(|_| invalid())?;
        let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_local);
        let is_bare = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if is_safe && is_bare { Ok(endpoint.to_owned()) } else { Err(invalid()) }
    }

    /// A setting, if it is there.
    pub fn optional(&self, name: &str) -> Option<&'a str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A setting that must be there.
    pub fn required(&self, name: &str) -> Result<&'a str, InvalidSettings> {
        self.optional(name).ok_or_else(|| InvalidSettings::new(name, "there"))
    }

    /// A setting that is read as something, or `default` where it is not there.
    pub fn parsed<T: FromStr>(
        &self,
        name: &str,
        default: T,
        must: &'static str,
    ) -> Result<T, InvalidSettings> {
        match self.optional(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| InvalidSettings::new(name, must)),
        }
    }

    /// A member of the secret, which must be there and not empty.
    pub fn secret(&self, name: &str) -> Result<&'a str, InvalidSettings> {
        let text = self.secret.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or_else(|| InvalidSettings::new(format!("secret/{name}"), "there, as a text"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_wrong_is_named_and_never_shown() {
        let (settings, secret) = (map(&[("signName", ""), ("retries", "hunter2")]), json!({"key": 4711}));
        let read = Settings::new(None, &settings, &secret, &["signName", "retries"]).unwrap();
        for (error, setting) in [
            (read.required("signName").unwrap_err(), "signName"),
            (read.required("region").unwrap_err(), "region"),
            (read.parsed("retries", 1_u8, "a number").unwrap_err(), "retries"),
            (read.secret("key").unwrap_err(), "secret/key"),
            (Settings::new(None, &settings, &secret, &["signName"]).unwrap_err(), "retries"),
        ] {
            assert_eq!(error.setting, setting);
            let shown = format!("{error} {error:?} {read:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("4711"), "{shown}");
        }
    }

    #[test]
    fn an_endpoint_is_https_but_for_this_machine() {
        let (none, secret) = (map(&[]), json!({}));
        let endpoint = |text: Option<&str>| {
            Settings::new(text, &none, &secret, &[]).unwrap().endpoint("https://api.example.com")
        };
        assert_eq!(endpoint(None).unwrap(), "https://api.example.com");
        assert_eq!(endpoint(Some("http://127.0.0.1:4600/aliyun/")).unwrap(), "http://127.0.0.1:4600/aliyun");
        for text in [
            "http://api.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "https://user:pass@example.com",
            "https://example.com?a=b",
            "https://example.com#a",
            "example.com",
            "",
        ] {
            assert_eq!(endpoint(Some(text)).unwrap_err().setting, "endpoint", "{text:?}");
        }
    }
}
