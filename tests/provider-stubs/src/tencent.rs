//! Tencent Cloud SMS 2021-01-11, with signatures of version 3.
//!
//! <https://cloud.tencent.com/document/api/382/52072>, <https://cloud.tencent.com/document/api/382/55981>

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method},
    response::{IntoResponse, Response},
    routing::post,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    DEAD_NUMBER, Desk, Received, Refusal,
    check::{authorization_part, hmac_sha256, hmac_sha256_hex, is_same, sha256_hex},
    play,
};

/// The id that the stub knows.
pub const TENCENT_SECRET_ID: &str = "AKID-stub";

/// Its secret.
pub const TENCENT_SECRET_KEY: &str = "tencent-stub-secret";

/// The app that the stub knows.
pub const TENCENT_APP_ID: &str = "1400006666";

/// The signature that the stub has approved.
pub const TENCENT_SIGN_NAME: &str = "闪购民宿";

const SCHEME: &str = "TC3-HMAC-SHA256";

/// "Five minutes from the server's time."
const FRESH_FOR_SECONDS: i64 = 300;

pub(crate) fn router(desk: &Arc<Desk>) -> Router {
    Router::new().route("/tencent", post(call)).route("/tencent/", post(call)).with_state(Arc::clone(desk))
}

/// An answer of the API: always 200.
fn answer(response: &Value) -> Response {
    Json(json!({ "Response": response })).into_response()
}

/// A refusal of the request as a whole.
fn error(code: &str) -> Response {
    answer(&json!({"Error": {"Code": code, "Message": "The stub says so."}, "RequestId": "stub"}))
}

async fn call(State(desk): State<Arc<Desk>>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(code) = check(&desk, &method, &headers, &body) {
        return error(code);
    }
    match headers.get("x-tc-action").and_then(|value| value.to_str().ok()) {
        Some("SendSms") => {
            desk.count("tencent/send");
            play(desk.next_fault("tencent"), || send(&desk, &body), |refusal| refuse(refusal, &body)).await
        }
        Some("PullSmsSendStatusByPhoneNumber") => {
            desk.count("tencent/query");
            let fault = desk.next_fault("tencent/query");
            play(fault, || statuses(&desk, &body), |refusal| refuse(refusal, &body)).await
        }
        _ => error("InvalidAction"),
    }
}

fn check(desk: &Desk, method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let authorization = header("authorization").ok_or("MissingParameter")?;
    let part =
        |name| authorization_part(authorization, SCHEME, name).ok_or("AuthFailure.InvalidAuthorization");
    let stamp = header("x-tc-timestamp").ok_or("MissingParameter")?;
    let seconds: i64 = stamp.parse().map_err(|_| "InvalidParameter")?;
    if (desk.now().as_second() - seconds).abs() > FRESH_FOR_SECONDS {
        return Err("AuthFailure.SignatureExpire");
    }
    let day =
        Timestamp::from_second(seconds).map_err(|_| "InvalidParameter")?.strftime("%Y-%m-%d").to_string();
    let scope = format!("{day}/sms/tc3_request");
    let credential = part("Credential")?;
    let (id, of) = credential.split_once('/').ok_or("AuthFailure.InvalidAuthorization")?;
    if id != TENCENT_SECRET_ID {
        return Err("AuthFailure.SecretIdNotFound");
    }
    if of != scope {
        return Err("AuthFailure.SignatureFailure");
    }
    if header("x-tc-version") != Some("2021-01-11") {
        return Err("InvalidParameter");
    }
    if header("x-tc-region").is_none() {
        return Err("MissingParameter");
    }
    if header("content-type") != Some("application/json; charset=utf-8") {
        return Err("UnsupportedProtocol");
    }
    let names: Vec<&str> = part("SignedHeaders")?.split(';').collect();
    if !["content-type", "host"].iter().all(|name| names.contains(name)) || !names.is_sorted() {
        return Err("AuthFailure.InvalidAuthorization");
    }
    let mut lines = vec![method.to_string(), "/".to_owned(), String::new()];
    for name in &names {
        // Names and values in lower case, without blanks around them.
        let value = header(name).ok_or("AuthFailure.InvalidAuthorization")?.to_lowercase();
        lines.push(format!("{name}:{value}"));
    }
    lines.extend([String::new(), names.join(";"), sha256_hex(body)]);
    let canonical = lines.join("\n");
    let to_sign = format!("{SCHEME}\n{stamp}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
    let key = hmac_sha256(format!("TC3{TENCENT_SECRET_KEY}").as_bytes(), day.as_bytes());
    let key = hmac_sha256(&hmac_sha256(&key, b"sms"), b"tc3_request");
    if !is_same(&hmac_sha256_hex(&key, to_sign.as_bytes()), part("Signature")?) {
        return Err("AuthFailure.SignatureFailure");
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendSms {
    phone_number_set: Vec<String>,
    sms_sdk_app_id: String,
    sign_name: Option<String>,
    template_id: String,
    #[serde(default)]
    template_param_set: Vec<String>,
    session_context: Option<String>,
}

fn status(number: &str, code: &str, serial: &str, context: Option<&str>) -> Response {
    answer(&json!({"RequestId": "stub", "SendStatusSet": [{
        "SerialNo": serial, "PhoneNumber": number, "Fee": u8::from(code == "Ok"),
        "SessionContext": context.unwrap_or_default(), "Code": code, "Message": "stub", "IsoCode": "CN",
    }]}))
}

fn refuse(refusal: Refusal, body: &[u8]) -> Response {
    let number =
        serde_json::from_slice::<SendSms>(body).ok().and_then(|sms| sms.phone_number_set.first().cloned());
    let of_number = |code: &str| status(number.as_deref().unwrap_or_default(), code, "", None);
    match refusal {
        Refusal::Throttle => error("RequestLimitExceeded"),
        Refusal::InvalidNumber => of_number("InvalidParameterValue.IncorrectPhoneNumber"),
        Refusal::NoCredit => of_number("FailedOperation.InsufficientBalanceInSmsPackage"),
        Refusal::Code(code) if code.starts_with("AuthFailure") => error(&code),
        Refusal::Code(code) => of_number(&code),
    }
}

fn is_e164(number: &str) -> bool {
    number
        .strip_prefix('+')
        .is_some_and(|digits| (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn send(desk: &Desk, body: &[u8]) -> Response {
    let Ok(sms) = serde_json::from_slice::<SendSms>(body) else { return error("InvalidParameter") };
    let [number] = sms.phone_number_set.as_slice() else {
        return error("LimitExceeded.PhoneNumberCountLimit");
    };
    let context = sms.session_context.as_deref();
    let of_number = |code: &str| status(number, code, "", context);
    if sms.sms_sdk_app_id != TENCENT_APP_ID {
        return error("UnauthorizedOperation.SmsSdkAppIdVerifyFail");
    }
    if !is_e164(number) {
        return of_number("InvalidParameterValue.IncorrectPhoneNumber");
    }
    if number.starts_with("+86") && sms.sign_name.as_deref() != Some(TENCENT_SIGN_NAME) {
        return of_number("FailedOperation.SignatureIncorrectOrUnapproved");
    }
    if sms.template_id.is_empty() || !sms.template_id.bytes().all(|b| b.is_ascii_digit()) {
        return of_number("FailedOperation.TemplateIncorrectOrUnapproved");
    }
    let params =
        sms.template_param_set.iter().zip(1_u32..).map(|(text, place)| (place.to_string(), text.clone()));
    let reference = desk.keep(Received {
        provider: "tencent".into(),
        to: number.clone(),
        template: Some(sms.template_id.clone()),
        params: params.collect(),
        message_id: sms.session_context.clone(),
        ..Received::default()
    });
    status(number, "Ok", &reference, context)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PullStatuses {
    begin_time: i64,
    end_time: Option<i64>,
    offset: u32,
    limit: usize,
    phone_number: String,
    sms_sdk_app_id: String,
}

fn statuses(desk: &Desk, body: &[u8]) -> Response {
    let Ok(asked) = serde_json::from_slice::<PullStatuses>(body) else { return error("InvalidParameter") };
    if asked.offset != 0 || asked.limit > 100 || asked.sms_sdk_app_id != TENCENT_APP_ID {
        return error("InvalidParameterValue");
    }
    let is_within = |at: Timestamp| {
        at.as_second() >= asked.begin_time && asked.end_time.is_none_or(|end| at.as_second() <= end)
    };
    let found: Vec<Value> = desk
        .received()
        .into_iter()
        .filter(|it| it.provider == "tencent" && it.to == asked.phone_number && is_within(it.at))
        .take(asked.limit)
        .map(|it| {
            let is_dead = it.to == DEAD_NUMBER;
            json!({
                "UserReceiveTime": it.at.as_second(), "CountryCode": "86", "SubscriberNumber": "stub",
                "PhoneNumber": it.to, "SerialNo": it.reference, "SessionContext": it.message_id,
                "ReportStatus": if is_dead { "FAIL" } else { "SUCCESS" },
                "Description": if is_dead { "UNDELIV" } else { "DELIVRD" },
            })
        })
        .collect();
    answer(&json!({"RequestId": "stub", "PullSmsSendStatusSet": found}))
}
