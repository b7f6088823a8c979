//! Aliyun Dysmsapi 2017-05-25, with signatures of version 3.
//!
//! <https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature>,
//! <https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms>

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::post,
};
use jiff::{SignedDuration, Timestamp, tz::Offset};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{
    Desk, Received, Refusal,
    check::{authorization_part, hmac_sha256_hex, is_same, sha256_hex},
    play,
};

/// The key that the stub knows.
pub const ALIYUN_ACCESS_KEY_ID: &str = "LTAI-stub";

/// Its secret.
pub const ALIYUN_ACCESS_KEY_SECRET: &str = "aliyun-stub-secret";

/// The signature that the stub has approved.
pub const ALIYUN_SIGN_NAME: &str = "闪购民宿";

/// A number that no provider of text messages here can reach.
pub const DEAD_NUMBER: &str = "+8613800000000";

const SCHEME: &str = "ACS3-HMAC-SHA256";

/// "Within 15 minutes before the request is sent."
const FRESH_FOR: SignedDuration = SignedDuration::from_mins(15);

/// RFC 3986: unreserved characters stay.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

const SHANGHAI: Offset = Offset::constant(8);

pub(crate) fn router(desk: &Arc<Desk>) -> Router {
    Router::new().route("/aliyun", post(call)).route("/aliyun/", post(call)).with_state(Arc::clone(desk))
}

struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({
            "RequestId": "stub", "HostId": "dysmsapi.stub", "Code": self.1,
            "Message": "The stub says so.",
        });
        (self.0, Json(body)).into_response()
    }
}

async fn call(
    State(desk): State<Arc<Desk>>,
    method: Method,
    uri: Uri,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = check(&desk, &method, uri.path(), &query, &headers, &body) {
        return refused.into_response();
    }
    let params: BTreeMap<String, String> = query.into_iter().collect();
    let action = headers.get("x-acs-action").and_then(|value| value.to_str().ok());
    match action {
        Some("SendSms") => {
            desk.count("aliyun/send");
            let fault = desk.next_fault("aliyun");
            play(fault, || send(&desk, &params), refuse).await
        }
        Some("QuerySendDetails") => {
            desk.count("aliyun/query");
            let fault = desk.next_fault("aliyun/query");
            play(fault, || details(&desk, &params), refuse).await
        }
        _ => Refused(StatusCode::NOT_FOUND, "InvalidAction.NotFound".into()).into_response(),
    }
}

/// What the gateway in front of the API checks.
fn check(
    desk: &Desk,
    method: &Method,
    path: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Refused> {
    let bad = |code: &str| Refused(StatusCode::BAD_REQUEST, code.to_owned());
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let required = |name: &'static str| header(name).ok_or_else(|| bad(&format!("Missing{name}")));
    let authorization = required("authorization")?;
    let part =
        |name| authorization_part(authorization, SCHEME, name).ok_or_else(|| bad("IncompleteSignature"));
    if part("Credential")? != ALIYUN_ACCESS_KEY_ID {
        return Err(Refused(StatusCode::NOT_FOUND, "InvalidAccessKeyId.NotFound".into()));
    }
    if required("x-acs-version")? != "2017-05-25" {
        return Err(bad("InvalidVersion"));
    }
    let date: Timestamp = required("x-acs-date")?.parse().map_err(|_| bad("InvalidTimeStamp.Format"))?;
    if desk.now().duration_since(date).abs() > FRESH_FOR {
        return Err(bad("InvalidTimeStamp.Expired"));
    }
    let hash = sha256_hex(body);
    if required("x-acs-content-sha256")? != hash {
        return Err(bad("InvalidContentSha256"));
    }
    let names: Vec<&str> = part("SignedHeaders")?.split(';').collect();
    // All x-acs-* headers, host and content-type must be signed where they are there.
    let must_be_signed = |name: &str| name.starts_with("x-acs-") || name == "host" || name == "content-type";
    let is_whole = headers.keys().map(axum::http::HeaderName::as_str).filter(|name| must_be_signed(name));
    if !is_whole.into_iter().all(|name| names.contains(&name)) || !names.is_sorted() {
        return Err(bad("IncompleteSignature"));
    }
    let mut encoded: Vec<(String, String)> = query
        .iter()
        .map(|(name, value)| {
            let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
            (encode(name), encode(value))
        })
        .collect();
    encoded.sort();
    let canonical_query: Vec<String> =
        encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut lines = vec![method.to_string(), path.to_owned(), canonical_query.join("&")];
    for name in &names {
        let value = header(name).ok_or_else(|| bad("IncompleteSignature"))?;
        lines.push(format!("{name}:{value}"));
    }
    lines.extend([String::new(), names.join(";"), hash]);
    let canonical = lines.join("\n");
    let to_sign = format!("{SCHEME}\n{}", sha256_hex(canonical.as_bytes()));
    let signature = hmac_sha256_hex(ALIYUN_ACCESS_KEY_SECRET.as_bytes(), to_sign.as_bytes());
    if !is_same(&signature, part("Signature")?) {
        return Err(bad("SignatureDoesNotMatch"));
    }
    if !desk.is_first_use(required("x-acs-signature-nonce")?) {
        return Err(bad("SignatureNonceUsed"));
    }
    Ok(())
}

fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Throttle => Refused(StatusCode::BAD_REQUEST, "Throttling.User".into()).into_response(),
        Refusal::InvalidNumber => answer("isv.MOBILE_NUMBER_ILLEGAL", &json!({})),
        Refusal::NoCredit => answer("isv.AMOUNT_NOT_ENOUGH", &json!({})),
        Refusal::Code(code) => answer(&code, &json!({})),
    }
}

/// An answer of the API behind the gateway: always 200, `Code` tells.
fn answer(code: &str, more: &Value) -> Response {
    let mut body = json!({"RequestId": "stub", "Code": code, "Message": "stub"});
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    Json(body).into_response()
}

/// The number in E.164: eleven digits are a number in China.
fn e164(number: &str) -> Option<String> {
    let is_digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    match number.len() {
        11 if is_digits && number.starts_with('1') => Some(format!("+86{number}")),
        8..=15 if is_digits => Some(format!("+{number}")),
        _ => None,
    }
}

fn send(desk: &Desk, params: &BTreeMap<String, String>) -> Response {
    let Some(number) = params.get("PhoneNumbers").and_then(|number| e164(number)) else {
        return answer("isv.MOBILE_NUMBER_ILLEGAL", &json!({}));
    };
    if params.get("SignName").map(String::as_str) != Some(ALIYUN_SIGN_NAME) {
        return answer("isv.SMS_SIGNATURE_ILLEGAL", &json!({}));
    }
    let Some(template) = params.get("TemplateCode").filter(|code| code.starts_with("SMS_")) else {
        return answer("isv.SMS_TEMPLATE_ILLEGAL", &json!({}));
    };
    let filled: Option<BTreeMap<String, String>> =
        serde_json::from_str(params.get("TemplateParam").map_or("{}", String::as_str)).ok();
    let Some(filled) = filled else { return answer("isv.INVALID_JSON_PARAM", &json!({})) };
    let reference = desk.keep(Received {
        provider: "aliyun".into(),
        to: number,
        template: Some(template.clone()),
        params: filled.into_iter().collect(),
        message_id: params.get("OutId").cloned(),
        ..Received::default()
    });
    answer("OK", &json!({"BizId": reference}))
}

fn details(desk: &Desk, params: &BTreeMap<String, String>) -> Response {
    let number = params.get("PhoneNumber").and_then(|number| e164(number));
    let page = |name: &str| params.get(name).and_then(|text| text.parse::<usize>().ok());
    let (Some(number), Some(day), Some(size @ 1..=50), Some(current @ 1..)) =
        (number, params.get("SendDate"), page("PageSize"), page("CurrentPage"))
    else {
        return answer("isv.INVALID_PARAMETERS", &json!({}));
    };
    let local = |at: Timestamp, format: &str| SHANGHAI.to_datetime(at).strftime(format).to_string();
    let all: Vec<Value> = desk
        .received()
        .into_iter()
        .rev()
        .filter(|it| it.provider == "aliyun" && it.to == number && local(it.at, "%Y%m%d") == *day)
        .map(|it| {
            let is_dead = it.to == DEAD_NUMBER;
            json!({
                "PhoneNum": number, "TemplateCode": it.template, "OutId": it.message_id,
                "SendDate": local(it.at, "%Y-%m-%d %H:%M:%S"), "Content": "【stub】",
                "SendStatus": if is_dead { 2 } else { 3 },
                "ErrCode": if is_dead { "MOBILE_NOT_ON_SERVICE" } else { "DELIVERED" },
            })
        })
        .collect();
    let total = all.len();
    let shown: Vec<Value> = all.into_iter().skip((current - 1) * size).take(size).collect();
    answer("OK", &json!({"TotalCount": total, "SmsSendDetailDTOs": {"SmsSendDetailDTO": shown}}))
}
