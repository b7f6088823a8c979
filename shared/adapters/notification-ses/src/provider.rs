use std::{collections::BTreeMap, fmt, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_sesv2::{
    Client,
    config::{Builder, Region},
    types::{Body, Content, Destination, EmailContent, Message, MessageTag},
};
use domain_ids::ProviderName;
use domain_notification::{
    Accepted, Address, Failure, MAX_CODE_CHARS, Outgoing, Provider, Rendered, Verdict,
};
use futures_util::future::BoxFuture;
use platform_aws::once;
use platform_http_client::{InvalidSettings, Settings};

use crate::{
    error::failure,
    settings::{KNOWN, MailSettings},
};

/// The tag that carries our message id: events repeat the tags of their mail.
pub const MESSAGE_TAG: &str = "message_id";

/// The charset of subject and bodies.
const CHARSET: &str = "UTF-8";

/// A client for sending: one attempt, which ends within `timeout`.
///
/// The SDK would repeat a request whose answer was lost, and SES would send the mail again.
pub fn client(config: &SdkConfig, timeout: Duration) -> Client {
    Client::from_conf(sending_once(Builder::from(config), timeout).build())
}

fn sending_once(config: Builder, timeout: Duration) -> Builder {
    let (retries, timeouts) = once(timeout);
    config.retry_config(retries).timeout_config(timeouts)
}

/// An account at SES.
#[derive(Clone)]
pub struct SesMail {
    name: ProviderName,
    client: Client,
    settings: MailSettings,
}

impl SesMail {
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
        let raw = Settings::new(endpoint, settings, secret, &KNOWN)?;
        let settings = MailSettings::parse(&raw)?;
        let mut config = sending_once(client.config().to_builder(), timeout);
        if endpoint.is_some() {
            config = config.endpoint_url(raw.endpoint("")?);
        }
        if let Some(region) = settings.region.clone() {
            config = config.region(Region::new(region));
        }
        Ok(Self { name: name.clone(), client: Client::from_conf(config.build()), settings })
    }

    async fn send_mail(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let Address::Mail(to) = &outgoing.address else {
            return Err(Failure::new(Verdict::Skip, "wrong-channel"));
        };
        let unusable = |_| Failure::new(Verdict::GiveUp, "not-built");
        let tag = MessageTag::builder().name(MESSAGE_TAG).value(outgoing.id.to_string());
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.settings.from)
            .destination(Destination::builder().to_addresses(to.as_str()).build())
            .content(content(&outgoing.rendered)?)
            .email_tags(tag.build().map_err(unusable)?)
            .set_configuration_set_name(self.settings.configuration_set.clone())
            .send()
            .await
            .map_err(|error| failure(&error))?;
        let reference = sent.message_id().map(|id| id.chars().take(MAX_CODE_CHARS).collect());
        Ok(Accepted { reference, dead: Vec::new() })
    }
}

fn content(rendered: &Rendered) -> Result<EmailContent, Failure> {
    let text = |text: &str| {
        Content::builder()
            .data(text)
            .charset(CHARSET)
            .build()
            .map_err(|_| Failure::new(Verdict::GiveUp, "not-built"))
    };
    let title = rendered.title.as_deref().filter(|title| !title.is_empty());
    let title = title.ok_or_else(|| Failure::new(Verdict::GiveUp, "no-title"))?;
    // A subject is one line: a line break in it would begin another header.
    let subject: String = title.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    let html = rendered.html.as_deref().map(text).transpose()?;
    let body = Body::builder().text(text(&rendered.content)?).set_html(html).build();
    Ok(EmailContent::builder().simple(Message::builder().subject(text(&subject)?).body(body).build()).build())
}

impl fmt::Debug for SesMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SesMail").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Provider for SesMail {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(self.send_mail(outgoing))
    }
}
