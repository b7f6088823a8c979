//! How each channel is served, as operators write it: a JSON document that changes while functions run.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use domain_channel::{Category, Channel};
use domain_ids::{ProviderName, TemplateCode};
use serde::Deserialize;

/// Providers of a channel.
pub const MAX_PROVIDERS: usize = 8;

/// The highest weight within a tier.
pub const MAX_WEIGHT: u16 = 1_000;

/// The most calls a second that a limit may allow: what one counter takes.
pub const MAX_RATE_PER_SECOND: u32 = 10_000;

/// The longest time a provider may take to answer: a batch must end within its invocation.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(10);

/// What a provider is given where the document does not say.
const DEFAULT_TIMEOUT_MS: u64 = 5_000;

/// The most messages of a category that a cap may allow a guest in a day.
pub const MAX_PER_DAY: u16 = 1_000;

/// How every channel is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Channels {
    by_channel: BTreeMap<Channel, ChannelConfig>,
    /// Messages of a category that one guest gets in a day on one channel, where there is a limit.
    pub daily_caps: BTreeMap<Category, u16>,
    /// The template that bundles many messages of a channel into one; without one, messages of it go singly.
    pub digest_templates: BTreeMap<Channel, TemplateCode>,
}

/// How one channel is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfig {
    /// What happens to a message of which nobody knows whether a provider has it.
    pub delivery: Delivery,
    /// When a provider is left alone.
    pub breaker: BreakerConfig,
    /// In the order of the document.
    pub providers: Vec<ProviderConfig>,
}

/// What happens to a message of which nobody knows whether a provider has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is not sent again: rather none than two.
    AtMostOnce,
    /// It is sent again: rather two than none.
    AtLeastOnce,
}

/// When a provider is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// Failures in a row after which it is, 1 to 100.
    pub failures: u32,
    /// For how many seconds, 1 to 3,600; one message is tried then.
    pub open_seconds: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 5, open_seconds: 30 }
    }
}

/// A provider of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderConfig {
    /// Names it, here and in templates.
    pub name: ProviderName,
    /// What speaks with it.
    pub kind: ProviderKind,
    /// The lowest tier that works is used; the others stand by.
    pub tier: u8,
    /// Its share of the messages within its tier, 0 to [`MAX_WEIGHT`]; 0 is a stand-by within it.
    pub weight: u16,
    /// Calls a second, over all execution environments.
    pub rate_per_second: Option<u32>,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// Where it is, unless it is where its kind is.
    pub endpoint: Option<String>,
    /// What else its kind wants to know. No secrets.
    pub settings: BTreeMap<String, String>,
}

/// What speaks with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// Text messages by Aliyun.
    Aliyun,
    /// Text messages by Tencent Cloud.
    Tencent,
    /// Text messages by Amazon SNS.
    SnsSms,
    /// Mails by Amazon SES.
    Ses,
    /// Mails by any server.
    Smtp,
    /// Mails by `SendGrid`.
    Sendgrid,
    /// Template messages of the `WeChat` official account.
    WechatOfficial,
    /// Subscribe messages of the `WeChat` mini program.
    WechatMini,
    /// Push by Amazon SNS.
    SnsPush,
    /// The inbox within the app.
    Inbox,
}

impl ProviderKind {
    /// The channel it serves.
    pub fn channel(self) -> Channel {
        match self {
            Self::Aliyun | Self::Tencent | Self::SnsSms => Channel::Sms,
            Self::Ses | Self::Smtp | Self::Sendgrid => Channel::Email,
            Self::WechatOfficial | Self::WechatMini => Channel::Wechat,
            Self::SnsPush => Channel::Push,
            Self::Inbox => Channel::Internal,
        }
    }
}

impl Channels {
    /// How `channel` is served, if it is.
    pub fn channel(&self, channel: Channel) -> Option<&ChannelConfig> {
        self.by_channel.get(&channel)
    }

    /// Every provider of every channel.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderConfig> {
        self.by_channel.values().flat_map(|channel| &channel.providers)
    }
}

/// The document does not say how channels are served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the channels are not valid at `{field}`: {must}")]
pub struct InvalidChannels {
    /// The field at fault; nested fields joined by `/`.
    pub field: String,
    /// What it must be, or what is wrong with it.
    pub must: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    /// By the channel's name: as text, so that an error can name it.
    channels: BTreeMap<String, ChannelDocument>,
    #[serde(default)]
    daily_caps: BTreeMap<Category, u16>,
    #[serde(default)]
    digest_templates: BTreeMap<Channel, TemplateCode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChannelDocument {
    delivery: Delivery,
    #[serde(default)]
    breaker: BreakerConfig,
    providers: Vec<ProviderDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProviderDocument {
    name: ProviderName,
    kind: ProviderKind,
    #[serde(default = "first_tier")]
    tier: u8,
    #[serde(default = "even_weight")]
    weight: u16,
    rate_per_second: Option<u32>,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u64,
    endpoint: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    #[serde(default = "yes")]
    enabled: bool,
}

fn first_tier() -> u8 {
    1
}

fn even_weight() -> u16 {
    100
}

fn default_timeout_ms() -> u64 {
    DEFAULT_TIMEOUT_MS
}

fn yes() -> bool {
    true
}

impl FromStr for Channels {
    type Err = InvalidChannels;

    fn from_str(text: &str) -> Result<Self, InvalidChannels> {
        let mut json = serde_json::Deserializer::from_str(text);
        let document: Document = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let field = error.path().to_string().replace(['.', '['], "/").replace(']', "");
            InvalidChannels { field, must: error.into_inner().to_string() }
        })?;
        json.end().map_err(|error| InvalidChannels { field: String::new(), must: error.to_string() })?;
        document.try_into()
    }
}

impl TryFrom<Document> for Channels {
    type Error = InvalidChannels;

    fn try_from(document: Document) -> Result<Self, InvalidChannels> {
        let mut names = std::collections::BTreeSet::new();
        let mut channels = BTreeMap::new();
        for (name, it) in document.channels {
            let channel: Channel = name.parse().map_err(|unknown: domain_channel::UnknownName| {
                InvalidChannels { field: format!("channels/{name}"), must: unknown.to_string() }
            })?;
            let field = |rest: &str| format!("channels/{channel}/{rest}");
            let check = |holds: bool, rest: &str, must: &str| {
                if holds { Ok(()) } else { Err(InvalidChannels { field: field(rest), must: must.into() }) }
            };
            check(it.providers.len() <= MAX_PROVIDERS, "providers", "at most 8")?;
            check((1..=100).contains(&it.breaker.failures), "breaker/failures", "1 to 100")?;
            check((1..=3_600).contains(&it.breaker.open_seconds), "breaker/openSeconds", "1 to 3600")?;
            let mut providers = Vec::with_capacity(it.providers.len());
            for (place, of) in it.providers.into_iter().enumerate() {
                let at = |member: &str| format!("providers/{place}/{member}");
                let rate_fits =
                    of.rate_per_second.is_none_or(|rate| (1..=MAX_RATE_PER_SECOND).contains(&rate));
                let timeout = Duration::from_millis(of.timeout_ms);
                check(of.kind.channel() == channel, &at("kind"), "a kind that serves this channel")?;
                check(of.weight <= MAX_WEIGHT, &at("weight"), "0 to 1000")?;
                check(rate_fits, &at("ratePerSecond"), "1 to 10000")?;
                check(!timeout.is_zero() && timeout <= MAX_TIMEOUT, &at("timeoutMs"), "1 to 10000")?;
                check(names.insert(of.name.clone()), &at("name"), "a name that no other provider has")?;
                if of.enabled {
                    providers.push(ProviderConfig {
                        name: of.name,
                        kind: of.kind,
                        tier: of.tier,
                        weight: of.weight,
                        rate_per_second: of.rate_per_second,
                        timeout,
                        endpoint: of.endpoint,
                        settings: of.settings,
                    });
                }
            }
            channels.insert(channel, ChannelConfig { delivery: it.delivery, breaker: it.breaker, providers });
        }
        let caps_fit = document.daily_caps.values().all(|cap| (1..=MAX_PER_DAY).contains(cap));
        if !caps_fit {
            return Err(InvalidChannels { field: "dailyCaps".into(), must: "1 to 1000 each".into() });
        }
        Ok(Self {
            by_channel: channels,
            daily_caps: document.daily_caps,
            digest_templates: document.digest_templates,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(provider: &str) -> Result<Channels, InvalidChannels> {
        format!(
            r#"{{"channels": {{"sms": {{"delivery": "at_most_once", "providers": [{provider}]}}}},
                "dailyCaps": {{"marketing": 3}}, "digestTemplates": {{"email": "digest"}}}}"#
        )
        .parse()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let channels = parse(r#"{"name": "a", "kind": "aliyun"}"#).unwrap();
        let sms = channels.channel(Channel::Sms).unwrap();
        assert_eq!((sms.delivery, sms.breaker), (Delivery::AtMostOnce, BreakerConfig::default()));
        let [a] = sms.providers.as_slice() else { panic!("{sms:?}") };
        assert_eq!((a.tier, a.weight, a.rate_per_second, a.timeout.as_secs()), (1, 100, None, 5));
        assert_eq!(channels.daily_caps.get(&Category::Marketing), Some(&3));
        assert_eq!(channels.channel(Channel::Push), None);
    }

    #[test]
    fn a_provider_that_is_off_is_not_there() {
        let channels = parse(r#"{"name": "a", "kind": "aliyun", "enabled": false}"#).unwrap();
        assert_eq!(channels.providers().count(), 0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (provider, field) in [
            (r#"{"name": "a", "kind": "ses"}"#, "channels/sms/providers/0/kind"),
            (r#"{"name": "a", "kind": "fax"}"#, "channels/sms/providers/0/kind"),
            (r#"{"name": "a b", "kind": "aliyun"}"#, "channels/sms/providers/0/name"),
            (r#"{"name": "a", "kind": "aliyun", "weight": 1001}"#, "channels/sms/providers/0/weight"),
            (
                r#"{"name": "a", "kind": "aliyun", "ratePerSecond": 0}"#,
                "channels/sms/providers/0/ratePerSecond",
            ),
            (r#"{"name": "a", "kind": "aliyun", "timeoutMs": 10001}"#, "channels/sms/providers/0/timeoutMs"),
            (
                r#"{"name": "a", "kind": "aliyun"}, {"name": "a", "kind": "tencent"}"#,
                "channels/sms/providers/1/name",
            ),
            (r#"{"name": "a", "kind": "aliyun", "secret": "x"}"#, "channels/sms/providers/0/secret"),
        ] {
            assert_eq!(parse(provider).unwrap_err().field, field, "{provider}");
        }
        let fax = r#"{"channels": {"fax": {"delivery": "at_most_once", "providers": []}}}"#;
        assert_eq!(fax.parse::<Channels>().unwrap_err().field, "channels/fax");
        assert!("{}".parse::<Channels>().is_err());
        assert!(r#"{"channels": {}} x"#.parse::<Channels>().is_err());
    }
}
