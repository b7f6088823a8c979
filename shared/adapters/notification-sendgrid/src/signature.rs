//! The signature of the Event Webhook
//! (<https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features>):
//! ECDSA on P-256 with SHA-256, over the timestamp and the body as they came.

use std::str::FromStr;

use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};
use p256::{
    ecdsa::{Signature, VerifyingKey, signature::Verifier},
    pkcs8::DecodePublicKey,
};

/// The header with the signature: DER in base64.
pub const SIGNATURE_HEADER: &str = "x-twilio-email-event-webhook-signature";

/// The header with the time of signing: seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "x-twilio-email-event-webhook-timestamp";

/// How far the time of signing may be from now: enough for a slow network and clocks that differ; what is older is a
/// replay. `SendGrid` signs anew when it repeats.
pub const MAX_AGE: SignedDuration = SignedDuration::from_mins(10);

/// Characters of a signature in base64: DER of P-256 has at most 72 bytes.
const MAX_SIGNATURE_CHARS: usize = 128;

/// The text is no public key of the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a public key of P-256 as `SendGrid` shows it: SPKI in base64")]
pub struct UnusableKey;

/// The request is not signed by the key, or was too long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// A header is missing, or not readable.
    #[error("the signature is missing or not readable")]
    Unreadable,
    /// It was signed too long ago, or in the future.
    #[error("the signature is not of now")]
    Stale,
    /// It is of other content, or by another key.
    #[error("the signature does not fit")]
    Wrong,
}

/// The public key that the webhook signs with.
#[derive(Debug, Clone)]
pub struct WebhookKey(VerifyingKey);

impl FromStr for WebhookKey {
    type Err = UnusableKey;

    fn from_str(text: &str) -> Result<Self, UnusableKey> {
        let der = BASE64.decode(text.trim().as_bytes()).map_err(|_| UnusableKey)?;
        VerifyingKey::from_public_key_der(&der).map(Self).map_err(|_| UnusableKey)
    }
}

impl WebhookKey {
    /// Whether the headers `signature` and `timestamp` vouch for `body` at `now`. The body must be the bytes that came, its
    /// last line break among them.
    pub fn verify(
        &self,
        signature: Option<&str>,
        timestamp: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), InvalidSignature> {
        let (signature, timestamp) = signature.zip(timestamp).ok_or(InvalidSignature::Unreadable)?;
        let signed_at = timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let signed_at = signed_at.ok_or(InvalidSignature::Unreadable)?;
        if now.duration_since(signed_at).abs() > MAX_AGE {
            return Err(InvalidSignature::Stale);
        }
        let signature = Some(signature)
            .filter(|text| text.len() <= MAX_SIGNATURE_CHARS)
            .and_then(|text| BASE64.decode(text.as_bytes()).ok())
            .and_then(|der| Signature::from_der(&der).ok())
            .ok_or(InvalidSignature::Unreadable)?;
        let signed = [timestamp.as_bytes(), body].concat();
        self.0.verify(&signed, &signature).map_err(|_| InvalidSignature::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // The published fixture of SendGrid's own libraries (sendgrid-python, test/unit/test_eventwebhook.py, and others).
    const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
    const OTHER_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R1NGe1OPzpA==";
    const SIGNATURE: &str =
        "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=";
    const OTHER_SIGNATURE: &str =
        "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0=";
    const TIMESTAMP: &str = "1600112502";
    const BODY: &str = concat!(
        r#"[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","#,
        r#""sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","#,
        r#""sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","#,
        r#""smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]"#,
        "\r\n"
    );

    fn now(seconds_later: i64) -> Timestamp {
        Timestamp::from_second(1_600_112_502 + seconds_later).unwrap()
    }

    fn verify(key: &str, signature: &str, timestamp: &str, body: &str) -> Result<(), InvalidSignature> {
        let key: WebhookKey = key.parse().unwrap();
        key.verify(Some(signature), Some(timestamp), body.as_bytes(), now(0))
    }

    #[test]
    fn the_published_fixture_is_accepted_and_nothing_else_in_its_place() {
        assert_eq!(verify(KEY, SIGNATURE, TIMESTAMP, BODY), Ok(()));
        for (key, signature, timestamp, body) in [
            (OTHER_KEY, SIGNATURE, TIMESTAMP, BODY),
            (KEY, OTHER_SIGNATURE, TIMESTAMP, BODY),
            (KEY, SIGNATURE, "1600112503", BODY),
            (KEY, SIGNATURE, TIMESTAMP, BODY.trim_end()),
            (KEY, SIGNATURE, TIMESTAMP, ""),
        ] {
            assert_eq!(verify(key, signature, timestamp, body), Err(InvalidSignature::Wrong));
        }
    }

    #[test]
    fn a_signature_is_good_for_ten_minutes() {
        let key: WebhookKey = KEY.parse().unwrap();
        let at = |seconds| key.verify(Some(SIGNATURE), Some(TIMESTAMP), BODY.as_bytes(), now(seconds));
        assert_eq!([at(-600), at(600)], [Ok(()); 2]);
        assert_eq!([at(-601), at(601)], [Err(InvalidSignature::Stale); 2]);
    }

    #[test]
    fn what_is_missing_or_no_signature_is_unreadable() {
        let key: WebhookKey = KEY.parse().unwrap();
        for (signature, timestamp) in [
            (None, Some(TIMESTAMP)),
            (Some(SIGNATURE), None),
            (Some(SIGNATURE), Some("")),
            (Some(SIGNATURE), Some("99999999999999999999")),
            (Some(""), Some(TIMESTAMP)),
            (Some("MEUC"), Some(TIMESTAMP)),
            (Some("not base64"), Some(TIMESTAMP)),
        ] {
            let verified = key.verify(signature, timestamp, BODY.as_bytes(), now(0));
            assert_eq!(verified, Err(InvalidSignature::Unreadable), "{signature:?} {timestamp:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "MFkw", "hunter2", SIGNATURE] {
            assert_eq!(text.parse::<WebhookKey>().err(), Some(UnusableKey), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_headers_panic(signature in ".{0,140}", timestamp in "-?[0-9]{0,20}") {
            let key: WebhookKey = KEY.parse().unwrap();
            prop_assert!(key.verify(Some(&signature), Some(&timestamp), b"", now(0)).is_err());
        }
    }
}
