use data_encoding::HEXLOWER;
use domain_ids::ProviderName;
use domain_notification::{Address, DeliveryReport, Fate, MAX_CODE_CHARS, OpenId, Reported};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// Bytes of one push that are read: events have a few hundred.
pub const MAX_PUSH_BYTES: usize = 64 * 1_024;

/// Reports of one push that are read: `WeChat` sends one, or a few.
pub const MAX_REPORTS: usize = 100;

/// What was pushed is no message of `WeChat`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message of WeChat")]
pub struct UnreadableReports;

/// Whether `WeChat` has signed a push, whose address has `signature`, `timestamp` and `nonce`, with our `token`. The
/// body is not covered: <https://developers.weixin.qq.com/doc/service/guide/dev/push/>.
pub fn is_signed(token: &str, timestamp: &str, nonce: &str, signature: &str) -> bool {
    let mut parts = [token, timestamp, nonce];
    parts.sort_unstable();
    let expected = HEXLOWER.encode(&Sha1::digest(parts.concat()));
    expected.as_bytes().ct_eq(signature.as_bytes()).into()
}

/// What is answered to the `GET` by which `WeChat` finds out whether the address is ours: `echostr`, if it is signed.
pub fn echo<'a>(
    token: &str,
    timestamp: &str,
    nonce: &str,
    signature: &str,
    echostr: &'a str,
) -> Option<&'a str> {
    is_signed(token, timestamp, nonce, signature).then_some(echostr)
}

/// One push, of which there are two spellings.
#[derive(Deserialize)]
struct Push {
    #[serde(rename = "FromUserName")]
    from: Option<String>,
    #[serde(rename = "CreateTime")]
    created: String,
    #[serde(rename = "Event")]
    event: Option<String>,
    #[serde(rename = "MsgID")]
    id: Option<String>,
    #[serde(rename = "Status")]
    status: Option<String>,
    #[serde(rename = "SubscribeMsgSentEvent")]
    sent: Option<SentList>,
}

#[derive(Deserialize)]
struct SentList {
    #[serde(rename = "List", default)]
    list: Vec<SentOne>,
}

#[derive(Deserialize)]
struct SentOne {
    #[serde(rename = "MsgID")]
    id: String,
    #[serde(rename = "ErrorCode")]
    code: String,
}

/// Reads what `WeChat` pushes of the app that is the provider `provider`, as XML or JSON, not encrypted:
/// `TEMPLATESENDJOBFINISH` of the official account, `subscribe_msg_sent_event` of the mini program. All else that is
/// pushed there has no reports.
pub fn delivery_reports(
    provider: &ProviderName,
    body: &[u8],
) -> Result<Vec<DeliveryReport>, UnreadableReports> {
    if body.len() > MAX_PUSH_BYTES {
        return Err(UnreadableReports);
    }
    let text = std::str::from_utf8(body).map_err(|_| UnreadableReports)?;
    let push = if text.trim_start().starts_with('{') {
        from_json(&serde_json::from_str(text).map_err(|_| UnreadableReports)?).ok_or(UnreadableReports)?
    } else {
        quick_xml::de::from_str::<Push>(text).map_err(|_| UnreadableReports)?
    };
    let seconds: i64 = push.created.trim().parse().map_err(|_| UnreadableReports)?;
    let at = Timestamp::from_second(seconds).map_err(|_| UnreadableReports)?;
    let user: Option<OpenId> = push.from.as_deref().and_then(|id| id.trim().parse().ok());
    let of = |id: &str| Reported::Reference {
        provider: provider.clone(),
        reference: id.trim().chars().take(MAX_CODE_CHARS).collect(),
    };
    match push.event.as_deref().map(str::trim) {
        Some("TEMPLATESENDJOBFINISH") => {
            let (Some(id), Some(status)) = (push.id, push.status) else { return Err(UnreadableReports) };
            let address = user.map(|user| Address::Wechat { official: Some(user), mini: None });
            Ok(vec![DeliveryReport { of: of(&id), fate: template_fate(&status), at, address }])
        }
        Some("subscribe_msg_sent_event") => {
            let sent = push.sent.ok_or(UnreadableReports)?.list;
            let address = user.map(|user| Address::Wechat { official: None, mini: Some(user) });
            let report = |one: SentOne| DeliveryReport {
                of: of(&one.id),
                fate: subscribe_fate(&one.code),
                at,
                address: address.clone(),
            };
            Ok(sent.into_iter().take(MAX_REPORTS).map(report).collect())
        }
        Some(_) | None => Ok(vec![]),
    }
}

/// `success`, `failed:user block`, `failed: system failed`.
fn template_fate(status: &str) -> Fate {
    let status = status.trim().to_ascii_lowercase();
    match status.strip_prefix("failed") {
        None if status == "success" => Fate::Delivered,
        Some(why) if why.contains("user block") => Fate::Bounced("user-block".to_owned()),
        Some(why) if why.contains("system failed") => Fate::Failed("system-failed".to_owned()),
        Some(_) | None => Fate::Failed("failed".to_owned()),
    }
}

fn subscribe_fate(code: &str) -> Fate {
    match code.trim() {
        "0" => Fate::Delivered,
        // The user has taken the permission back.
        "43101" => Fate::Bounced("43101".to_owned()),
        code => Fate::Failed(code.chars().filter(char::is_ascii_graphic).take(MAX_CODE_CHARS).collect()),
    }
}

fn from_json(push: &Value) -> Option<Push> {
    let text = |value: &Value, name: &str| match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let id = |value: &Value| text(value, "MsgID").or_else(|| text(value, "MsgId"));
    let one = |value: &Value| Some(SentOne { id: id(value)?, code: text(value, "ErrorCode")? });
    // The documentation has the list at the top, and one message instead of a list.
    let list = push.get("SubscribeMsgSentEvent").unwrap_or(push).get("List");
    let sent = list.map(|list| match list {
        Value::Array(list) => list.iter().filter_map(one).collect(),
        single => one(single).into_iter().collect(),
    });
    Some(Push {
        from: text(push, "FromUserName"),
        created: text(push, "CreateTime")?,
        event: text(push, "Event"),
        id: id(push),
        status: text(push, "Status"),
        sent: sent.map(|list| SentList { list }),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wechat() -> ProviderName {
        "wechat".parse().unwrap()
    }

    fn finished(status: &str) -> String {
        format!(
            "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>
            <FromUserName><![CDATA[oia2TjuEGTNoeX76QEjQNrcURxG8]]></FromUserName>
            <CreateTime>1395658984</CreateTime>
            <MsgType><![CDATA[event]]></MsgType>
            <Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>
            <MsgID>200163840</MsgID>
            <Status><![CDATA[{status}]]></Status></xml>"
        )
    }

    fn one(body: &str) -> DeliveryReport {
        let [report] = delivery_reports(&wechat(), body.as_bytes()).unwrap().try_into().unwrap();
        report
    }

    #[test]
    fn only_what_wechat_has_signed_is_believed() {
        // sha1 of "1409735669", "263014780" and "QDG6eK" in the order of their bytes.
        let signature = HEXLOWER.encode(&Sha1::digest("1409735669263014780QDG6eK"));
        let (token, timestamp, nonce) = ("QDG6eK", "1409735669", "263014780");
        assert!(is_signed(token, timestamp, nonce, &signature));
        assert_eq!(
            echo(token, timestamp, nonce, &signature, "4375120948345356249"),
            Some("4375120948345356249")
        );
        for (token, timestamp, nonce, signature) in [
            ("other", timestamp, nonce, signature.as_str()),
            (token, "1409735670", nonce, signature.as_str()),
            (token, timestamp, "", signature.as_str()),
            (token, timestamp, nonce, ""),
            (token, timestamp, nonce, &signature[1..]),
        ] {
            assert!(!is_signed(token, timestamp, nonce, signature));
            assert_eq!(echo(token, timestamp, nonce, signature, "4375120948345356249"), None);
        }
    }

    #[test]
    fn a_template_message_has_arrived_or_not() {
        for (status, fate) in [
            ("success", Fate::Delivered),
            ("failed:user block", Fate::Bounced("user-block".into())),
            ("failed: system failed", Fate::Failed("system-failed".into())),
            ("failed:something new", Fate::Failed("failed".into())),
            ("", Fate::Failed("failed".into())),
        ] {
            let report = one(&finished(status));
            assert_eq!(report.fate, fate);
            let reference = "200163840".to_owned();
            assert_eq!(report.of, Reported::Reference { provider: wechat(), reference });
            assert_eq!(report.at.as_second(), 1_395_658_984);
            let official = Some("oia2TjuEGTNoeX76QEjQNrcURxG8".parse().unwrap());
            assert_eq!(report.address, Some(Address::Wechat { official, mini: None }));
        }
    }

    #[test]
    fn a_subscribe_message_is_told_of_in_two_spellings() {
        let xml = "<xml>
            <ToUserName><![CDATA[gh_123456789abc]]></ToUserName>
            <FromUserName><![CDATA[otFpruAK8D-E6EfStSYonYSBZ8_4]]></FromUserName>
            <CreateTime>1610969468</CreateTime>
            <MsgType><![CDATA[event]]></MsgType>
            <Event><![CDATA[subscribe_msg_sent_event]]></Event>
            <SubscribeMsgSentEvent><List>
                <TemplateId><![CDATA[VRR0UEO9VJOLs0MHlU0OilqX6MVFDwH3_3gz3Oc0NIc]]></TemplateId>
                <MsgID>1700827132819554304</MsgID>
                <ErrorCode>0</ErrorCode>
                <ErrorStatus><![CDATA[success]]></ErrorStatus>
            </List></SubscribeMsgSentEvent></xml>";
        let json = r#"{"ToUserName": "gh_123456789abc", "FromUserName": "otFpruAK8D-E6EfStSYonYSBZ8_4",
            "CreateTime": "1610969468", "MsgType": "event", "Event": "subscribe_msg_sent_event",
            "List": {"TemplateId": "BEwX0BO-T3MqK3Uc5oTU3CGBqzjpndk2jzUf7VfExd8",
                "MsgID": "1700827132819554304", "ErrorCode": "0", "ErrorStatus": "success"}}"#;
        let report = one(xml);
        assert_eq!(report, one(json));
        assert_eq!(report.fate, Fate::Delivered);
        let reference = "1700827132819554304".to_owned();
        assert_eq!(report.of, Reported::Reference { provider: wechat(), reference });
        let mini = Some("otFpruAK8D-E6EfStSYonYSBZ8_4".parse().unwrap());
        assert_eq!(report.address, Some(Address::Wechat { official: None, mini }));
        let refused = one(&json.replace(r#""ErrorCode": "0""#, r#""ErrorCode": 43101"#));
        assert_eq!(refused.fate, Fate::Bounced("43101".into()));
    }

    #[test]
    fn whatever_else_is_pushed_has_no_reports() {
        for event in ["subscribe", "unsubscribe", "SCAN"] {
            let body = finished("success").replace("TEMPLATESENDJOBFINISH", event);
            assert_eq!(delivery_reports(&wechat(), body.as_bytes()), Ok(vec![]));
        }
        let text = "<xml><FromUserName>o1</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType>
            <Content>hello</Content><MsgId>1234567890123456</MsgId></xml>";
        assert_eq!(delivery_reports(&wechat(), text.as_bytes()), Ok(vec![]));
    }

    #[test]
    fn depth_ends_in_an_error() {
        for open in ["<xml>", "<xml><CreateTime>1</CreateTime><SubscribeMsgSentEvent>", "{\"List\":", "["] {
            let nested = open.repeat(MAX_PUSH_BYTES / open.len());
            assert_eq!(delivery_reports(&wechat(), nested.as_bytes()), Err(UnreadableReports));
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let entity = "<!DOCTYPE x [<!ENTITY a \"1\">]><xml><CreateTime>&a;</CreateTime></xml>";
        let large = format!("<xml><CreateTime>1</CreateTime><a>{}</a></xml>", "x".repeat(MAX_PUSH_BYTES));
        for body in ["", "{", "{}", "<xml>", "<xml><CreateTime>x</CreateTime></xml>", entity, &large] {
            assert_eq!(delivery_reports(&wechat(), body.as_bytes()), Err(UnreadableReports), "{body:.60}");
        }
        assert_eq!(delivery_reports(&wechat(), &[0xff, 0xfe]), Err(UnreadableReports));
    }

    proptest! {
        #[test]
        fn no_push_panics(
            body: Vec<u8>,
            text in "[<>/a-z!\\[\\]&; ]{0,200}",
            status in "[^<>\\]]{0,60}",
            code in "[^\"\\\\]{0,20}",
        ) {
            let sent = serde_json::json!({
                "CreateTime": status, "Event": "subscribe_msg_sent_event",
                "List": [{"MsgID": code, "ErrorCode": code}, {}],
            });
            for body in [&body, text.as_bytes(), finished(&status).as_bytes(), sent.to_string().as_bytes()] {
                let _ = delivery_reports(&wechat(), body);
            }
            let _ = is_signed(&text, &status, &code, &text);
        }
    }
}
