use domain_ids::MessageId;
use domain_notification::{Accepted, Failure, MAX_CODE_CHARS, Verdict};
use http::StatusCode;
use serde::Deserialize;

use crate::verdict;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    code: String,
    biz_id: Option<String>,
}

/// Reads the answer to `SendSms`: a `Code` where it has one, else the status.
pub fn read_sent(status: StatusCode, body: &[u8]) -> Result<Accepted, Failure> {
    match serde_json::from_slice::<Answer>(body) {
        Ok(answer) if answer.code == "OK" => {
            let reference = answer.biz_id.map(|id| id.chars().take(MAX_CODE_CHARS).collect());
            Ok(Accepted { reference, dead: vec![] })
        }
        Ok(answer) => Err(Failure::new(verdict(&answer.code), &answer.code)),
        Err(_) => {
            let verdict = match status.as_u16() {
                // Said by whatever is in front of the API, which did not let the request through.
                429 | 503 => Verdict::Retry,
                300..=499 => Verdict::FailOver,
                _ => Verdict::Unknown,
            };
            Err(Failure::new(verdict, format!("http-{}", status.as_u16())))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    code: String,
    #[serde(rename = "SmsSendDetailDTOs")]
    sent: Option<Sent>,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "SmsSendDetailDTO", default)]
    messages: Vec<Detail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Detail {
    out_id: Option<String>,
}

/// What a page of `QuerySendDetails` says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// It is there: Aliyun took it. Whether it arrived, a report tells.
    Found,
    /// It is not there, and there are more pages.
    More,
    /// It is not there, and this is the last page.
    Last,
}

/// Reads a page of `QuerySendDetails` of `size` messages; nothing if it is none.
pub fn read_details(body: &[u8], id: MessageId, size: usize) -> Option<Page> {
    let details: Details = serde_json::from_slice(body).ok()?;
    if details.code != "OK" {
        return None;
    }
    let messages = details.sent.map(|sent| sent.messages).unwrap_or_default();
    let id = id.to_string();
    Some(if messages.iter().any(|message| message.out_id.as_ref() == Some(&id)) {
        Page::Found
    } else if messages.len() < size {
        Page::Last
    } else {
        Page::More
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_that_cannot_be_read_is_judged_by_its_status() {
        for (status, expected) in [
            (200, Verdict::Unknown),
            (302, Verdict::FailOver),
            (403, Verdict::FailOver),
            (429, Verdict::Retry),
            (500, Verdict::Unknown),
            (502, Verdict::Unknown),
            (503, Verdict::Retry),
            (504, Verdict::Unknown),
        ] {
            let failure = read_sent(StatusCode::from_u16(status).unwrap(), b"<html>").unwrap_err();
            assert_eq!((failure.verdict, failure.code), (expected, format!("http-{status}")));
        }
    }

    #[test]
    fn the_published_answers_are_read() {
        let sent = br#"{"Code": "OK", "Message": "OK", "BizId": "9006197469364984^0",
            "RequestId": "F655A8D5-B967-440B-8683-DAD6FF8DE990"}"#;
        assert_eq!(read_sent(StatusCode::OK, sent).unwrap().reference.as_deref(), Some("9006197469364984^0"));
        let id = MessageId::from_parts(1, 2);
        let details = |out_id: &str| {
            format!(
                r#"{{"TotalCount": "1", "Message": "OK", "RequestId": "819BE656", "Code": "OK",
                "SmsSendDetailDTOs": {{"SmsSendDetailDTO": [{{"ErrCode": "DELIVERED",
                "TemplateCode": "SMS_122310183", "OutId": "{out_id}", "ReceiveDate": "2019-01-08 16:44:13",
                "SendDate": "2019-01-08 16:44:10", "PhoneNum": "15200000000", "SendStatus": 3,
                "Content": "【阿里云】验证码为：123"}}]}}}}"#
            )
        };
        assert_eq!(read_details(details(&id.to_string()).as_bytes(), id, 50), Some(Page::Found));
        assert_eq!(read_details(details("123").as_bytes(), id, 50), Some(Page::Last));
        assert_eq!(read_details(details("123").as_bytes(), id, 1), Some(Page::More));
        assert_eq!(read_details(br#"{"Code": "isv.INVALID_PARAMETERS"}"#, id, 50), None);
    }

    proptest! {
        #[test]
        fn no_answer_panics(body: Vec<u8>, text in ".{0,200}", status in 100..600_u16) {
            let status = StatusCode::from_u16(status).unwrap();
            for body in [body.as_slice(), text.as_bytes()] {
                let _ = read_sent(status, body);
                let _ = read_details(body, MessageId::from_parts(1, 2), 50);
            }
        }
    }
}
