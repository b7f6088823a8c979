use domain_ids::MessageId;
use domain_notification::{Accepted, Failure, MAX_CODE_CHARS, Verdict};
use http::StatusCode;
use serde::Deserialize;

use crate::verdict;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<T> {
    response: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sent {
    error: Option<Refusal>,
    #[serde(default)]
    send_status_set: Vec<SendStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendStatus {
    code: String,
    serial_no: Option<String>,
}

/// Reads the answer to `SendSms` to one number: the code of the request, or of the number, where it has one, else the
/// status.
pub fn read_sent(status: StatusCode, body: &[u8]) -> Result<Accepted, Failure> {
    let sent = serde_json::from_slice::<Answer<Sent>>(body).ok().map(|answer| answer.response);
    let code = match sent {
        Some(Sent { error: Some(refusal), .. }) => refusal.code,
        Some(Sent { error: None, send_status_set }) => match send_status_set.into_iter().next() {
            Some(number) if number.code == "Ok" => {
                return Ok(Accepted {
                    reference: number.serial_no.as_deref().and_then(reference),
                    dead: vec![],
                });
            }
            Some(number) => number.code,
            None => return Err(Failure::new(Verdict::Unknown, "no-status")),
        },
        None => {
            let verdict = match status.as_u16() {
                // Said by whatever is in front of the API, which did not let the request through.
                429 | 503 => Verdict::Retry,
                300..=499 => Verdict::FailOver,
                _ => Verdict::Unknown,
            };
            return Err(Failure::new(verdict, format!("http-{}", status.as_u16())));
        }
    };
    Err(Failure::new(verdict(&code), code))
}

fn reference(serial: &str) -> Option<String> {
    (!serial.is_empty()).then(|| serial.chars().take(MAX_CODE_CHARS).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pulled {
    #[serde(default)]
    pull_sms_send_status_set: Vec<PulledStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PulledStatus {
    serial_no: Option<String>,
    session_context: Option<String>,
}

/// Reads the answer to `PullSmsSendStatusByPhoneNumber`: the message, if it is there.
pub fn read_statuses(body: &[u8], id: MessageId) -> Option<Accepted> {
    let pulled = serde_json::from_slice::<Answer<Pulled>>(body).ok()?.response.pull_sms_send_status_set;
    let id = id.to_string();
    let found = pulled.into_iter().find(|status| status.session_context.as_ref() == Some(&id))?;
    Some(Accepted { reference: found.serial_no.as_deref().and_then(reference), dead: vec![] })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_answers_are_read() {
        let sent = br#"{"Response": {"SendStatusSet": [{"SerialNo": "5000:1045710669157053657849499619",
            "PhoneNumber": "+8618511122233", "Fee": 1, "SessionContext": "test", "Code": "Ok",
            "Message": "send success", "IsoCode": "CN"}], "RequestId": "a0aabda6-cf91-4f3e-a81f-9198114a2279"}}"#;
        let accepted = read_sent(StatusCode::OK, sent).unwrap();
        assert_eq!(accepted.reference.as_deref(), Some("5000:1045710669157053657849499619"));
        let refused = br#"{"Response": {"Error": {"Code": "AuthFailure.SignatureFailure",
            "Message": "The provided credentials could not be validated."}, "RequestId": "ed93f3cb"}}"#;
        let failure = read_sent(StatusCode::OK, refused).unwrap_err();
        assert_eq!(failure, Failure::new(Verdict::FailOver, "AuthFailure.SignatureFailure"));
        let id = MessageId::from_parts(1, 2);
        let pulled = |context: &str| {
            format!(
                r#"{{"Response": {{"PullSmsSendStatusSet": [{{"UserReceiveTime": 1477710922,
                "CountryCode": "86", "SubscriberNumber": "13811112222", "PhoneNumber": "+8613811112222",
                "SerialNo": "2000:3211", "ReportStatus": "SUCCESS", "Description": "DELIVRD",
                "SessionContext": {context}}}], "RequestId": "a0aabda6"}}}}"#
            )
        };
        let found = read_statuses(pulled(&format!("\"{id}\"")).as_bytes(), id).unwrap();
        assert_eq!(found.reference.as_deref(), Some("2000:3211"));
        assert_eq!(read_statuses(pulled("null").as_bytes(), id), None);
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_judged_by_its_status() {
        for (status, body, expected, code) in [
            (200, "<html>", Verdict::Unknown, "http-200"),
            (403, "", Verdict::FailOver, "http-403"),
            (429, "", Verdict::Retry, "http-429"),
            (502, "", Verdict::Unknown, "http-502"),
            (503, "", Verdict::Retry, "http-503"),
            (200, r#"{"Response": {"SendStatusSet": []}}"#, Verdict::Unknown, "no-status"),
        ] {
            let failure = read_sent(StatusCode::from_u16(status).unwrap(), body.as_bytes()).unwrap_err();
            assert_eq!(failure, Failure::new(expected, code));
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(body: Vec<u8>, text in ".{0,200}", status in 100..600_u16) {
            let status = StatusCode::from_u16(status).unwrap();
            for body in [body.as_slice(), text.as_bytes()] {
                let _ = read_sent(status, body);
                let _ = read_statuses(body, MessageId::from_parts(1, 2));
            }
        }
    }
}
