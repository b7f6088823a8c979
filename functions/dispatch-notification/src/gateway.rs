//! The providers that the channels' document names, set up as it says.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain_coupon::StoreError;
use domain_ids::ProviderName;
use domain_notification::{Gateway, Provider, ProviderConfig, ProviderKind};
use jiff::Timestamp;
use notification_aliyun::Aliyun;
use notification_dynamodb::{InboxProvider, NotificationTable, Permits};
use notification_sendgrid::SendGrid;
use notification_ses::SesMail;
use notification_smtp::SmtpMail;
use notification_sns::{SnsPush, SnsSms};
use notification_tencent::Tencent;
use notification_wechat::{Time, Wechat};
use platform_http_client::InvalidSettings;
use platform_secrets::CachedSecret;
use serde_json::Value;

use crate::measured::Measured;

/// What the providers need of the world.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// The time.
    pub now: fn() -> Timestamp,
    /// A text that was never used before.
    pub nonce: fn() -> String,
}

/// The providers, each set up once, and again when its settings or its secret change.
pub struct Providers {
    /// Retries off: see `notification-ses`.
    ses: aws_sdk_sesv2::Client,
    /// Retries off: see `notification-sns`.
    sns: aws_sdk_sns::Client,
    table: NotificationTable,
    /// By provider name.
    secrets: CachedSecret,
    world: World,
    permits: Permits,
    set_up: Mutex<HashMap<ProviderName, SetUp>>,
}

/// A provider as it was set up: none where that could not be done.
struct SetUp {
    config: ProviderConfig,
    secret: Value,
    provider: Option<Arc<dyn Provider>>,
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Providers")
    }
}

impl Providers {
    /// None is set up yet. `secrets` is an object by provider name.
    pub fn new(
        ses: aws_sdk_sesv2::Client,
        sns: aws_sdk_sns::Client,
        table: NotificationTable,
        secrets: CachedSecret,
        world: World,
    ) -> Self {
        let (permits, set_up) = (Permits::default(), Mutex::default());
        Self { ses, sns, table, secrets, world, permits, set_up }
    }

    fn set_up(&self) -> MutexGuard<'_, HashMap<ProviderName, SetUp>> {
        self.set_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider's own secret; null where it needs none, or where there is none.
    async fn secret(&self, config: &ProviderConfig) -> Value {
        match config.kind {
            ProviderKind::Ses | ProviderKind::SnsSms | ProviderKind::SnsPush | ProviderKind::Inbox => {
                Value::Null
            }
            ProviderKind::Aliyun
            | ProviderKind::Tencent
            | ProviderKind::Smtp
            | ProviderKind::Sendgrid
            | ProviderKind::WechatOfficial
            | ProviderKind::WechatMini => {
                let secrets = self.secrets.current((self.world.now)()).await;
                secrets.get(config.name.as_str()).cloned().unwrap_or_default()
            }
        }
    }

    fn build(&self, config: &ProviderConfig, secret: &Value) -> Result<Arc<dyn Provider>, InvalidSettings> {
        let World { now, nonce } = self.world;
        let ProviderConfig { name, settings, timeout, .. } = config;
        let endpoint = config.endpoint.as_deref();
        let own = || name.clone();
        Ok(match config.kind {
            ProviderKind::Aliyun => {
                Arc::new(Aliyun::from_settings(own(), endpoint, settings, secret, *timeout, now, nonce)?)
            }
            ProviderKind::Tencent => {
                Arc::new(Tencent::from_settings(own(), endpoint, settings, secret, *timeout, now)?)
            }
            ProviderKind::SnsSms => {
                Arc::new(SnsSms::from_settings(name, endpoint, settings, secret, *timeout, &self.sns)?)
            }
            ProviderKind::Ses => {
                Arc::new(SesMail::from_settings(name, endpoint, settings, secret, *timeout, &self.ses)?)
            }
            ProviderKind::Smtp => {
                Arc::new(SmtpMail::from_settings(name, endpoint, settings, secret, *timeout)?)
            }
            ProviderKind::Sendgrid => {
                Arc::new(SendGrid::from_settings(name, endpoint, settings, secret, *timeout)?)
            }
            ProviderKind::WechatOfficial => {
                let (tokens, time) = (self.table.clone(), self.time());
                Arc::new(Wechat::official(own(), endpoint, settings, secret, *timeout, tokens, time)?)
            }
            ProviderKind::WechatMini => {
                let (tokens, time) = (self.table.clone(), self.time());
                Arc::new(Wechat::mini(own(), endpoint, settings, secret, *timeout, tokens, time)?)
            }
            ProviderKind::SnsPush => {
                Arc::new(SnsPush::from_settings(name, endpoint, settings, secret, *timeout, &self.sns)?)
            }
            ProviderKind::Inbox => Arc::new(InboxProvider::new(self.table.clone(), now)),
        })
    }

    fn time(&self) -> Time {
        Time::new(self.world.now, tokio::time::sleep)
    }
}

impl Gateway for Providers {
    async fn provider(&self, config: &ProviderConfig) -> Option<Arc<dyn Provider>> {
        let secret = self.secret(config).await;
        let mut set_up = self.set_up();
        if let Some(known) = set_up.get(&config.name)
            && known.config == *config
            && known.secret == secret
        {
            return known.provider.clone();
        }
        let provider = match self.build(config, &secret) {
            Ok(provider) => {
                let name = config.name.clone();
                Some(Arc::new(Measured { name, provider }) as Arc<dyn Provider>)
            }
            Err(error) => {
                tracing::error!(provider = config.name.as_str(), error = %error, "not set up");
                None
            }
        };
        let known = SetUp { config: config.clone(), secret, provider: provider.clone() };
        set_up.insert(config.name.clone(), known);
        provider
    }

    async fn admit(&self, config: &ProviderConfig, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        match config.rate_per_second {
            None => Ok(None),
            Some(rate) => self.permits.take(&self.table, &config.name, rate, now).await,
        }
    }

    fn left_alone(&self, provider: &ProviderName) {
        metrics::counter!("ProviderLeftAlone", "provider" => provider.to_string()).increment(1);
        tracing::warn!(provider = provider.as_str(), "fails, and is left alone for now");
    }
}
