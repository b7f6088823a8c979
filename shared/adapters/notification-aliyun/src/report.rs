use domain_ids::ProviderName;
use domain_notification::{Address, DeliveryReport, Fate, MAX_CODE_CHARS, PhoneNumber, Reported};
use jiff::{Timestamp, civil::DateTime};
use serde::Deserialize;

use crate::SHANGHAI;

/// Reports of one push that are read: Aliyun sends far fewer at once.
pub const MAX_REPORTS: usize = 1_000;

/// What was pushed is no list of reports, or none of them can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a list of reports")]
pub struct UnreadableReports;

/// `SmsReport`: <https://help.aliyun.com/zh/sms/developer-reference/smsreport-2>.
#[derive(Deserialize)]
struct Report {
    phone_number: Option<String>,
    #[serde(rename = "report_time")]
    at: String,
    success: bool,
    err_code: Option<String>,
    biz_id: Option<String>,
    out_id: Option<String>,
}

/// Reads what `SmsReport` pushes over HTTP to the account `provider`. Reports that cannot be read are left out, as
/// pushing them again would not help; if that is all of them, it is an error.
///
/// Aliyun does not sign what it pushes: whoever calls this must know by other means that Aliyun sends it.
pub fn delivery_reports(
    provider: &ProviderName,
    body: &[u8],
) -> Result<Vec<DeliveryReport>, UnreadableReports> {
    let pushed: Vec<serde_json::Value> = serde_json::from_slice(body).map_err(|_| UnreadableReports)?;
    let is_empty = pushed.is_empty();
    let reports: Vec<DeliveryReport> = pushed
        .into_iter()
        .take(MAX_REPORTS)
        .filter_map(|report| read(provider, serde_json::from_value(report).ok()?))
        .collect();
    if reports.is_empty() && !is_empty { Err(UnreadableReports) } else { Ok(reports) }
}

fn read(provider: &ProviderName, report: Report) -> Option<DeliveryReport> {
    let by_us = report.out_id.as_deref().and_then(|id| id.parse().ok()).map(Reported::Message);
    let of = by_us.or_else(|| {
        let reference: String = report.biz_id?.chars().take(MAX_CODE_CHARS).collect();
        Some(Reported::Reference { provider: provider.clone(), reference })
    })?;
    let address = report.phone_number.as_deref().and_then(phone).map(Address::Phone);
    let fate = if report.success { Fate::Delivered } else { fate(report.err_code.as_deref()) };
    Some(DeliveryReport { of, fate, at: time(&report.at)?, address })
}

/// What a message that did not arrive died of.
///
/// Aliyun has no code for a number that does not exist alone: `MOBILE_NOT_ON_SERVICE` and `INVALID_NUMBER` are also said
/// of a phone that is off or out of reach, and must not end in the suppression list.
fn fate(code: Option<&str>) -> Fate {
    let visible = code.unwrap_or("unknown").chars().filter(char::is_ascii_graphic);
    let code: String = visible.take(MAX_CODE_CHARS).collect();
    match code.as_str() {
        // "Take such receivers off the list", says the documentation: they have unsubscribed or are barred.
        "USER_REJECT" | "MOBILE_IN_BLACK" => Fate::Bounced(code),
        _ => Fate::Failed(code),
    }
}

fn phone(text: &str) -> Option<PhoneNumber> {
    let digits = text.trim_start_matches('+');
    let is_mainland = digits.len() == 11 && digits.starts_with('1');
    let e164 = if is_mainland { format!("+86{digits}") } else { format!("+{digits}") };
    e164.parse().ok()
}

fn time(text: &str) -> Option<Timestamp> {
    let local: DateTime = text.parse().ok()?;
    SHANGHAI.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn aliyun() -> ProviderName {
        "aliyun".parse().unwrap()
    }

    fn pushed(out_id: &str, success: bool, code: &str) -> String {
        format!(
            r#"{{"phone_number": "13800138000", "send_time": "2026-11-24 08:00:00",
            "report_time": "2026-11-24 08:00:02", "success": {success}, "err_code": "{code}", "err_msg": "…",
            "sms_size": "1", "biz_id": "932702304080415357^0", "out_id": "{out_id}"}}"#
        )
    }

    #[test]
    fn a_report_names_our_message() {
        let id = domain_ids::MessageId::from_parts(1, 2);
        let body = format!("[{}]", pushed(&id.to_string(), true, "DELIVERED"));
        let [report] = delivery_reports(&aliyun(), body.as_bytes()).unwrap().try_into().unwrap();
        assert_eq!(report.of, Reported::Message(id));
        assert_eq!(report.fate, Fate::Delivered);
        assert_eq!(report.at.to_string(), "2026-11-24T00:00:02Z");
        assert_eq!(report.address, Some(Address::Phone("+8613800138000".parse().unwrap())));
    }

    #[test]
    fn a_report_of_a_message_that_is_not_ours_names_aliyun_s() {
        let body = format!("[{}]", pushed("67890", true, "DELIVERED"));
        let [report] = delivery_reports(&aliyun(), body.as_bytes()).unwrap().try_into().unwrap();
        let reference = "932702304080415357^0".to_owned();
        assert_eq!(report.of, Reported::Reference { provider: aliyun(), reference });
    }

    #[test]
    fn only_a_receiver_who_wants_nothing_is_suppressed() {
        for (code, expected) in [
            ("USER_REJECT", Fate::Bounced("USER_REJECT".into())),
            ("MOBILE_IN_BLACK", Fate::Bounced("MOBILE_IN_BLACK".into())),
            ("MOBILE_NOT_ON_SERVICE", Fate::Failed("MOBILE_NOT_ON_SERVICE".into())),
            ("CONTENT_KEYWORD", Fate::Failed("CONTENT_KEYWORD".into())),
        ] {
            let body = format!("[{}]", pushed("x", false, code));
            assert_eq!(delivery_reports(&aliyun(), body.as_bytes()).unwrap()[0].fate, expected);
        }
    }

    #[test]
    fn one_bad_report_does_not_hide_the_others() {
        let body = format!(r#"[{{"out_id": 7}}, {}]"#, pushed("x", true, "DELIVERED"));
        assert_eq!(delivery_reports(&aliyun(), body.as_bytes()).unwrap().len(), 1);
        assert_eq!(delivery_reports(&aliyun(), b"[{}]"), Err(UnreadableReports));
        assert_eq!(delivery_reports(&aliyun(), b"{}"), Err(UnreadableReports));
        assert_eq!(delivery_reports(&aliyun(), b"[]"), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn no_push_panics(body: Vec<u8>, out_id in "[^\"\\\\]{0,30}", time in ".{0,30}", number in "[+0-9*]{0,20}") {
            let _ = delivery_reports(&aliyun(), &body);
            let report = serde_json::json!([{
                "phone_number": number, "report_time": time, "success": false, "out_id": out_id, "biz_id": "b",
            }]);
            let _ = delivery_reports(&aliyun(), report.to_string().as_bytes());
        }
    }
}
