//! Where devices are registered for push messages.

use aws_sdk_sns::Client;
use domain_ids::GuestId;
use domain_notification::Device;
use notification_http::PushPlatform;
use notification_sns::{RegisterError, register_device};

/// Where a device's token becomes an endpoint.
pub trait PushRegistry: Sync {
    /// The endpoint of the device that has `token` at `platform`, now of `guest`. As often as it is called.
    fn register(
        &self,
        platform: PushPlatform,
        token: &str,
        guest: &GuestId,
    ) -> impl Future<Output = Result<Device, PushError>> + Send;
}

/// The device was not registered. The text never shows the token.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// Nobody has set up this platform.
    #[error("there is no application for this platform")]
    NotSetUp,
    /// The registry refused it, or failed.
    #[error("the registry did not take the device")]
    Registry(#[from] RegisterError),
}

/// Devices at SNS, by the platform application of each platform.
#[derive(Debug, Clone)]
pub struct SnsRegistry {
    client: Client,
    apns_application: Option<String>,
    fcm_application: Option<String>,
}

impl SnsRegistry {
    /// Registers through `client` at the platform applications with these ARNs.
    pub fn new(client: Client, apns_application: Option<String>, fcm_application: Option<String>) -> Self {
        Self { client, apns_application, fcm_application }
    }
}

impl PushRegistry for SnsRegistry {
    async fn register(
        &self,
        platform: PushPlatform,
        token: &str,
        guest: &GuestId,
    ) -> Result<Device, PushError> {
        let application = match platform {
            PushPlatform::Apns => &self.apns_application,
            PushPlatform::Fcm => &self.fcm_application,
        };
        let application = application.as_ref().ok_or(PushError::NotSetUp)?;
        Ok(register_device(&self.client, application, token, guest).await?)
    }
}
