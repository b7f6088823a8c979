use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use domain_notification::MailAddress;
use lettre::{
    message::Mailbox,
    transport::smtp::{
        SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT, authentication::Credentials, client::TlsParameters,
    },
};
use platform_http_client::{InvalidSettings, Settings};
use serde_json::Value;

/// Every setting there is.
const KNOWN: [&str; 3] = ["from", "fromName", "tls"];

/// Characters of the sender's name.
const MAX_NAME_CHARS: usize = 100;

/// The settings, parsed.
pub(crate) struct Account {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub credentials: Option<Credentials>,
    pub from: Mailbox,
}

/// How the connection is protected.
pub(crate) enum Tls {
    /// By STARTTLS, which the server must offer.
    Required(TlsParameters),
    /// From the first byte.
    Wrapper(TlsParameters),
    /// Not at all: it does not leave this machine.
    None,
}

impl Account {
    pub fn parse(
        endpoint: Option<&str>,
        settings: &BTreeMap<String, String>,
        secret: &Value,
    ) -> Result<Self, InvalidSettings> {
        let settings = Settings::new(endpoint, settings, secret, &KNOWN)?;
        let invalid = |setting: &str, must| InvalidSettings::new(setting, must);
        let (host, port) = endpoint
            .and_then(host_and_port)
            .ok_or_else(|| invalid("endpoint", "a server as `host` or `host:port`"))?;
        let parameters = || {
            TlsParameters::new(host.clone())
                .map_err(|_| invalid("endpoint", "a host that a certificate can name"))
        };
        let (tls, usual_port) = match settings.optional("tls") {
            None | Some("required") => (Tls::Required(parameters()?), SUBMISSION_PORT),
            Some("wrapper") => (Tls::Wrapper(parameters()?), SUBMISSIONS_PORT),
            Some("none") if is_loopback(&host) => (Tls::None, SMTP_PORT),
            Some("none") => return Err(invalid("tls", "`none` for a loopback host only")),
            Some(_) => return Err(invalid("tls", "`required`, `wrapper` or `none`")),
        };

        let is_name =
            |name: &str| name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control);
        let name = match settings.optional("fromName") {
            Some(name) if !is_name(name) => {
                return Err(invalid("fromName", "at most 100 characters, none of them a control character"));
            }
            name => name.map(str::to_owned),
        };
        let from = Some(settings.required("from")?)
            .filter(|from| MailAddress::from_str(from).is_ok())
            .and_then(|from| from.parse().ok())
            .ok_or_else(|| invalid("from", "a mail address"))?;

        let credentials = if secret.is_null() {
            None
        } else {
            let (username, password) = (settings.secret("username")?, settings.secret("password")?);
            Some(Credentials::new(username.to_owned(), password.to_owned()))
        };
        Ok(Self { host, port: port.unwrap_or(usual_port), tls, credentials, from: Mailbox::new(name, from) })
    }
}

/// `host`, `host:port`, or an IPv6 address in brackets with or without a port.
fn host_and_port(endpoint: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match endpoint.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<IpAddr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => endpoint.split_once(':').map_or((endpoint, None), |(host, port)| (host, Some(port))),
    };
    let is_name = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    let is_host = (1..=253).contains(&host.len()) && (host.parse::<IpAddr>().is_ok() || is_name(host));
    let port = port.map(str::parse::<u16>).transpose().ok()?;
    (is_host && port != Some(0)).then(|| (host.to_owned(), port))
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const FROM: (&str, &str) = ("from", "noreply@example.com");

    fn parse(
        endpoint: Option<&str>,
        settings: &[(&str, &str)],
        secret: &Value,
    ) -> Result<Account, InvalidSettings> {
        let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Account::parse(endpoint, &settings, secret)
    }

    #[test]
    fn the_port_is_that_of_the_mode_unless_it_is_named() {
        for (endpoint, tls, host, port) in [
            ("mail.example.com", "required", "mail.example.com", 587),
            ("mail.example.com", "wrapper", "mail.example.com", 465),
            ("mail.example.com:2525", "required", "mail.example.com", 2525),
            ("localhost", "none", "localhost", 25),
            ("127.0.0.1:1025", "none", "127.0.0.1", 1025),
            ("[::1]:1025", "none", "::1", 1025),
            ("[::1]", "none", "::1", 25),
        ] {
            let settings = parse(Some(endpoint), &[FROM, ("tls", tls)], &Value::Null).ok().unwrap();
            assert_eq!((settings.host.as_str(), settings.port), (host, port), "{endpoint}");
            let is_plain = matches!(settings.tls, Tls::None);
            assert_eq!(is_plain, tls == "none", "{endpoint}");
        }
    }

    #[test]
    fn without_a_mode_tls_is_required() {
        let settings = parse(Some("mail.example.com"), &[FROM], &Value::Null).ok().unwrap();
        assert!(matches!(settings.tls, Tls::Required(_)) && settings.credentials.is_none());
    }

    #[test]
    fn the_setting_at_fault_is_named_without_its_value() {
        let host = Some("mail.example.com");
        let good = json!({ "username": "u", "password": "p" });
        let long = "x".repeat(101);
        for (endpoint, settings, secret, at_fault) in [
            (None, vec![FROM], &good, "endpoint"),
            (Some("hunter2/x"), vec![FROM], &good, "endpoint"),
            (Some("mail.example.com:hunter2"), vec![FROM], &good, "endpoint"),
            (Some("[hunter2]:25"), vec![FROM], &good, "endpoint"),
            (host, vec![], &good, "from"),
            (host, vec![("from", "hunter2")], &good, "from"),
            (host, vec![FROM, ("fromName", "hunter2\r\nBcc: x")], &good, "fromName"),
            (host, vec![FROM, ("fromName", &long)], &good, "fromName"),
            (host, vec![FROM, ("tls", "hunter2")], &good, "tls"),
            (host, vec![FROM, ("tls", "none")], &good, "tls"),
            (host, vec![FROM, ("TLS", "none")], &good, "TLS"),
            (host, vec![FROM], &json!({ "username": "hunter2" }), "secret/password"),
            (host, vec![FROM], &json!("hunter2"), "secret/username"),
        ] {
            let error = parse(endpoint, &settings, secret).err().unwrap();
            assert_eq!(error.setting, at_fault);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_endpoint_panics(endpoint in "[a-z0-9.:\\[\\]]{0,20}") {
            let _ = host_and_port(&endpoint);
        }
    }
}
