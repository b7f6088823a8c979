use std::{collections::BTreeMap, fmt, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_sns::{
    Client,
    config::{Builder, Region},
    types::MessageAttributeValue,
};
use domain_ids::ProviderName;
use domain_notification::{
    Accepted, Address, Device, Failure, MAX_CODE_CHARS, MAX_DEVICES, Outgoing, Provider, Verdict,
};
use futures_util::future::{BoxFuture, join_all};
use platform_aws::once;
use platform_http_client::{InvalidSettings, Settings};

use crate::{
    error::{failure, is_dead_device},
    payload,
    settings::{PUSH_SETTINGS, SMS_SETTINGS, SmsSettings, region},
};

/// Characters of a text message: what one `Publish` takes.
pub const MAX_SMS_CHARS: usize = 1_600;

/// A client for sending: one attempt, which ends within `timeout`.
///
/// The SDK would repeat a request whose answer was lost, and SNS would send the message again.
pub fn client(config: &SdkConfig, timeout: Duration) -> Client {
    Client::from_conf(sending_once(Builder::from(config), timeout).build())
}

fn sending_once(config: Builder, timeout: Duration) -> Builder {
    let (retries, timeouts) = once(timeout);
    config.retry_config(retries).timeout_config(timeouts)
}

/// The client as the settings want it.
fn tuned(
    client: &Client,
    endpoint: Option<&str>,
    settings: &Settings<'_>,
    timeout: Duration,
) -> Result<Client, InvalidSettings> {
    let mut config = sending_once(client.config().to_builder(), timeout);
    if endpoint.is_some() {
        config = config.endpoint_url(settings.endpoint("")?);
    }
    if let Some(region) = region(settings)? {
        config = config.region(Region::new(region));
    }
    Ok(Client::from_conf(config.build()))
}

fn attribute(value: &str) -> Result<MessageAttributeValue, Failure> {
    let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
    value.map_err(|_| Failure::new(Verdict::FailOver, "not-built"))
}

fn reference(id: Option<&str>) -> Option<String> {
    id.map(|id| id.chars().take(MAX_CODE_CHARS).collect())
}

/// Text messages by an account at SNS.
#[derive(Clone)]
pub struct SnsSms {
    name: ProviderName,
    client: Client,
    settings: SmsSettings,
}

impl SnsSms {
    /// The account that `client` signs for, as the settings say; `secret` is not used. The client's retries and time-outs are
    /// replaced.
    pub fn from_settings(
        name: &ProviderName,
        endpoint: Option<&str>,
        settings: &BTreeMap<String, String>,
        secret: &serde_json::Value,
        timeout: Duration,
        client: &Client,
    ) -> Result<Self, InvalidSettings> {
        let raw = Settings::new(endpoint, settings, secret, &SMS_SETTINGS)?;
        let settings = SmsSettings::parse(&raw)?;
        Ok(Self { name: name.clone(), client: tuned(client, endpoint, &raw, timeout)?, settings })
    }

    async fn send_sms(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let Address::Phone(phone) = &outgoing.address else {
            return Err(Failure::new(Verdict::Skip, "wrong-channel"));
        };
        if outgoing.rendered.content.chars().count() > MAX_SMS_CHARS {
            return Err(Failure::new(Verdict::GiveUp, "too-long"));
        }
        let mut publish = self
            .client
            .publish()
            .phone_number(phone.as_str())
            .message(&outgoing.rendered.content)
            .message_attributes("AWS.SNS.SMS.SMSType", attribute(self.settings.sms_type)?);
        if let Some(sender) = &self.settings.sender_id {
            publish = publish.message_attributes("AWS.SNS.SMS.SenderID", attribute(sender)?);
        }
        let sent = publish.send().await.map_err(|error| failure(&error))?;
        Ok(Accepted { reference: reference(sent.message_id()), dead: Vec::new() })
    }
}

impl fmt::Debug for SnsSms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnsSms").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Provider for SnsSms {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(self.send_sms(outgoing))
    }
}

/// Push by the platform applications of an account at SNS.
#[derive(Clone)]
pub struct SnsPush {
    name: ProviderName,
    client: Client,
}

/// What came of one device.
enum OfDevice {
    Taken(Option<String>),
    Dead(String),
    Failed(Failure),
}

impl SnsPush {
    /// The account that `client` signs for, as the settings say; `secret` is not used. The client's retries and time-outs are
    /// replaced.
    pub fn from_settings(
        name: &ProviderName,
        endpoint: Option<&str>,
        settings: &BTreeMap<String, String>,
        secret: &serde_json::Value,
        timeout: Duration,
        client: &Client,
    ) -> Result<Self, InvalidSettings> {
        let settings = Settings::new(endpoint, settings, secret, &PUSH_SETTINGS)?;
        Ok(Self { name: name.clone(), client: tuned(client, endpoint, &settings, timeout)? })
    }

    async fn send_push(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let Address::Devices(devices) = &outgoing.address else {
            return Err(Failure::new(Verdict::Skip, "wrong-channel"));
        };
        let message = payload::message(outgoing.id, &outgoing.rendered);
        let id = outgoing.id.to_string();
        // All at once, because each may take the whole time-out; there are few.
        let calls = devices.iter().take(MAX_DEVICES).map(|device| self.send_to(device, &message, &id));
        verdict(join_all(calls).await)
    }

    async fn send_to(&self, device: &Device, message: &str, id: &str) -> OfDevice {
        let publish = || {
            Ok(self
                .client
                .publish()
                .target_arn(device.as_str())
                .message_structure("json")
                .message(message)
                .message_attributes("AWS.SNS.MOBILE.APNS.COLLAPSE_ID", attribute(id)?)
                .message_attributes("AWS.SNS.MOBILE.APNS.PUSH_TYPE", attribute("alert")?)
                .message_attributes("AWS.SNS.MOBILE.APNS.PRIORITY", attribute("10")?))
        };
        let publish = match publish() {
            Ok(publish) => publish,
            Err(failure) => return OfDevice::Failed(failure),
        };
        match publish.send().await {
            Ok(sent) => OfDevice::Taken(reference(sent.message_id())),
            Err(error) if is_dead_device(&error) => OfDevice::Dead(device.as_str().to_owned()),
            Err(error) => OfDevice::Failed(failure(&error)),
        }
    }
}

/// Taken if one device took it. Otherwise what is worst for a repeat decides: a device that may have it, then one that may
/// yet get it.
fn verdict(devices: Vec<OfDevice>) -> Result<Accepted, Failure> {
    let (mut is_taken, mut accepted, mut worst) = (false, Accepted::default(), None::<Failure>);
    for device in devices {
        match device {
            OfDevice::Taken(reference) => {
                is_taken = true;
                accepted.reference = accepted.reference.or(reference);
            }
            OfDevice::Dead(device) => accepted.dead.push(device),
            OfDevice::Failed(failure) => {
                let is_worse = worst.as_ref().is_none_or(|worst| rank(&failure) > rank(worst));
                if is_worse {
                    worst = Some(failure);
                }
            }
        }
    }
    match worst {
        _ if is_taken => Ok(accepted),
        Some(failure) => Err(failure),
        None => Err(Failure::new(Verdict::Suppress, "endpoint-disabled")),
    }
}

fn rank(failure: &Failure) -> u8 {
    match failure.verdict {
        Verdict::Suppress => 0,
        Verdict::GiveUp => 1,
        Verdict::Skip => 2,
        Verdict::FailOver => 3,
        Verdict::Retry => 4,
        Verdict::Unknown => 5,
    }
}

impl fmt::Debug for SnsPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnsPush").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Provider for SnsPush {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(self.send_push(outgoing))
    }
}
