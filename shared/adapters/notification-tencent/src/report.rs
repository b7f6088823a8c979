use domain_ids::ProviderName;
use domain_notification::{Address, DeliveryReport, Fate, MAX_CODE_CHARS, Reported};
use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{Offset, offset},
};
use serde::Deserialize;

/// Reports of one push that are read: Tencent Cloud sends far fewer at once.
pub const MAX_REPORTS: usize = 1_000;

/// Times of reports are those of China, which has no summer time.
const SHANGHAI: Offset = offset(8);

/// What was pushed is no list of reports, or none of them can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a list of reports")]
pub struct UnreadableReports;

/// <https://www.tencentcloud.com/document/product/382/43547>. `ext` is our id, for accounts for which it is switched on.
#[derive(Deserialize)]
struct Report {
    user_receive_time: String,
    nationcode: Option<String>,
    mobile: Option<String>,
    #[serde(rename = "report_status")]
    status: String,
    errmsg: Option<String>,
    sid: Option<String>,
    ext: Option<String>,
}

/// Reads what Tencent Cloud pushes of the account `provider`. Reports that cannot be read are left out, as pushing them
/// again would not help; if that is all of them, it is an error.
///
/// Tencent Cloud does not sign what it pushes: whoever calls this must know by other means that it comes from there.
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
    let by_us = report.ext.as_deref().and_then(|id| id.parse().ok()).map(Reported::Message);
    let of = by_us.or_else(|| {
        let reference: String = report.sid?.chars().take(MAX_CODE_CHARS).collect();
        Some(Reported::Reference { provider: provider.clone(), reference })
    })?;
    let fate = match report.status.as_str() {
        "SUCCESS" => Fate::Delivered,
        "FAIL" => fate(report.errmsg.as_deref()),
        _ => return None,
    };
    let local: DateTime = report.user_receive_time.parse().ok()?;
    let at: Timestamp = SHANGHAI.to_timestamp(local).ok()?;
    let address = report
        .nationcode
        .zip(report.mobile)
        .and_then(|(nation, number)| format!("+{nation}{number}").parse().ok().map(Address::Phone));
    Some(DeliveryReport { of, fate, at, address })
}

/// What a message that did not arrive died of.
///
/// Tencent Cloud hands on what carriers say, and nearly every code is said of phones that are off, too (`UNDELIV`,
/// `MK:0001`): those must not end in the suppression list.
fn fate(code: Option<&str>) -> Fate {
    let visible = code.unwrap_or("unknown").chars().filter(char::is_ascii_graphic);
    let code: String = visible.take(MAX_CODE_CHARS).collect();
    match code.as_str() {
        // China Mobile: no such number, no such user, wrong number.
        "CB:0001" | "CB:0053" | "DB:0101" => Fate::Bounced(code),
        _ => Fate::Failed(code),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tencent() -> ProviderName {
        "tencent".parse().unwrap()
    }

    fn pushed(status: &str, code: &str, ext: &str) -> String {
        format!(
            r#"{{"user_receive_time": "2015-10-17 08:03:04", "nationcode": "86", "mobile": "13800138000",
            "report_status": "{status}", "errmsg": "{code}", "description": "…", "sid": "2000:3211"{ext}}}"#
        )
    }

    fn one(body: &str) -> DeliveryReport {
        delivery_reports(&tencent(), format!("[{body}]").as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn a_report_names_tencent_s_message_or_ours() {
        let report = one(&pushed("SUCCESS", "DELIVRD", ""));
        let reference = "2000:3211".to_owned();
        assert_eq!(report.of, Reported::Reference { provider: tencent(), reference });
        assert_eq!(report.fate, Fate::Delivered);
        assert_eq!(report.at.to_string(), "2015-10-17T00:03:04Z");
        assert_eq!(report.address, Some(Address::Phone("+8613800138000".parse().unwrap())));
        let id = domain_ids::MessageId::from_parts(1, 2);
        let ours = one(&pushed("SUCCESS", "DELIVRD", &format!(r#", "ext": "{id}""#)));
        assert_eq!(ours.of, Reported::Message(id));
    }

    #[test]
    fn only_a_number_that_does_not_exist_is_suppressed() {
        for (code, expected) in [
            ("CB:0001", Fate::Bounced("CB:0001".into())),
            ("UNDELIV", Fate::Failed("UNDELIV".into())),
            ("MK:0001", Fate::Failed("MK:0001".into())),
        ] {
            assert_eq!(one(&pushed("FAIL", code, "")).fate, expected);
        }
    }

    #[test]
    fn one_bad_report_does_not_hide_the_others() {
        let body = format!(r#"[{{"sid": 7}}, {}]"#, pushed("SUCCESS", "DELIVRD", ""));
        assert_eq!(delivery_reports(&tencent(), body.as_bytes()).unwrap().len(), 1);
        for body in ["[{}]", "{}", ""] {
            assert_eq!(delivery_reports(&tencent(), body.as_bytes()), Err(UnreadableReports));
        }
        assert_eq!(delivery_reports(&tencent(), b"[]"), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn no_push_panics(body: Vec<u8>, ext in ".{0,30}", time in ".{0,30}", number in "[+0-9*]{0,20}") {
            let _ = delivery_reports(&tencent(), &body);
            let report = serde_json::json!([{
                "mobile": number, "nationcode": "86", "user_receive_time": time, "report_status": "FAIL", "ext": ext,
            }]);
            let _ = delivery_reports(&tencent(), report.to_string().as_bytes());
        }
    }
}
