use std::str::FromStr;

use domain_ids::{GuestId, RequestId, TemplateId};
use jiff::Timestamp;

/// A claim that API Gateway has put into the claim queue by itself, for `claim-coupon-batch`.
///
/// Its text is `<request id> <ms since 1970> <guest> <template> <idempotency key>`. It is no JSON: API Gateway pastes
/// values and escapes nothing, so that a quote in a header would break or forge a JSON body. The first three are from
/// the gateway and have no space in them; the last two are as the caller wrote them, and can only change what the
/// caller claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedClaim {
    /// Names the request: the outcome is found under `/v1/claims/<request id>`.
    pub request: RequestId,
    /// When API Gateway took it, in whole milliseconds: it is that moment that must lie within the sale.
    pub accepted_at: Timestamp,
    /// Who claims: the `sub` of the access token.
    pub guest: GuestId,
    /// From which template, if the caller has named one.
    pub template: Option<TemplateId>,
    /// The header `Idempotency-Key` as it was sent, not checked; empty where there was none.
    pub key: String,
}

/// The text is nothing that API Gateway puts into the claim queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no queued claim: {field} is missing or invalid")]
pub struct InvalidQueuedClaim {
    /// The first part at fault.
    pub field: &'static str,
}

impl FromStr for QueuedClaim {
    type Err = InvalidQueuedClaim;

    fn from_str(body: &str) -> Result<Self, InvalidQueuedClaim> {
        let mut parts = body.splitn(5, ' ');
        let request = parse(parts.next()).ok_or(InvalidQueuedClaim { field: "the request id" })?;
        let accepted_at = parse(parts.next())
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .ok_or(InvalidQueuedClaim { field: "the time" })?;
        let guest = parse(parts.next()).ok_or(InvalidQueuedClaim { field: "the guest" })?;
        let template = parse(parts.next());
        let key = parts.next().unwrap_or_default().to_owned();
        Ok(Self { request, accepted_at, guest, template, key })
    }
}

fn parse<T: FromStr>(part: Option<&str>) -> Option<T> {
    part?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    #[test]
    fn the_sample_is_read() {
        let claim = QueuedClaim {
            request: "L8-YDjtGoAMEVTw=".parse().unwrap(),
            accepted_at: "2026-11-11T00:00:00.123+08:00".parse().unwrap(),
            guest: "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34".parse().unwrap(),
            template: Some("01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()),
            key: "5f0c7a52-claim-1".into(),
        };
        assert_eq!(samples::text("queued-claim.txt").parse(), Ok(claim));
    }

    #[test]
    fn what_the_caller_wrote_wrongly_is_still_a_claim() {
        let template = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";
        for (rest, named, key) in [
            (String::new(), false, ""),
            (" ".into(), false, ""),
            (" x".into(), false, ""),
            (" x  ".into(), false, " "),
            (format!(" {template}"), true, ""),
            (format!(" {template} "), true, ""),
            (format!(" {template} a b\"}}"), true, "a b\"}"),
        ] {
            let claim: QueuedClaim = format!("r 1 ann{rest}").parse().unwrap();
            assert_eq!((claim.template.is_some(), claim.key.as_str()), (named, key), "{rest:?}");
        }
    }

    #[test]
    fn what_is_not_of_the_gateway_is_refused() {
        for (body, field) in [
            ("", "the request id"),
            ("# 1 ann x", "the request id"),
            ("r", "the time"),
            ("r 1.5 ann x", "the time"),
            ("r 999999999999999999 ann x", "the time"),
            ("r 1", "the guest"),
            ("r 1  ann x", "the guest"),
            ("r 1 a#b x", "the guest"),
            ("{\"guest\":\"ann\"}", "the request id"),
        ] {
            assert_eq!(body.parse::<QueuedClaim>(), Err(InvalidQueuedClaim { field }), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn a_caller_changes_only_template_and_key(template in "[^ ]{0,40}", key in ".{0,300}") {
            let claim: QueuedClaim = format!("r-1 1794326400123 ann {template} {key}").parse().unwrap();
            prop_assert_eq!(claim.guest.as_str(), "ann");
            prop_assert_eq!(claim.request.as_str(), "r-1");
            prop_assert_eq!(claim.accepted_at.as_millisecond(), 1_794_326_400_123);
            prop_assert_eq!(claim.template, template.parse().ok());
            prop_assert_eq!(claim.key, key);
        }

        #[test]
        fn no_text_panics(body in ".{0,200}") {
            let _ = body.parse::<QueuedClaim>();
        }
    }
}
