//! What the stand-ins do for whoever runs them. What they check, the clients' tests show.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use provider_stubs::{
    Fault, MAX_KEPT, Received, Stubs, WECHAT_APP_SECRET, WECHAT_MINI_APP_ID, WECHAT_OFFICIAL_APP_ID,
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

async fn post(stubs: &Stubs, path: &str, body: &Value) -> Value {
    let url = format!("{}{path}", stubs.url());
    Client::new().post(url).json(body).send().await.unwrap().json().await.unwrap()
}

async fn messages(stubs: &Stubs) -> Value {
    reqwest::get(format!("{}/_stub/messages", stubs.url())).await.unwrap().json().await.unwrap()
}

async fn token(stubs: &Stubs, app: &str) -> String {
    let wanted = json!({"grant_type": "client_credential", "appid": app, "secret": WECHAT_APP_SECRET});
    let given = post(stubs, "/wechat/cgi-bin/stable_token", &wanted).await;
    given["access_token"].as_str().unwrap().to_owned()
}

/// Sends a template message of the official account.
async fn send(stubs: &Stubs, token: &str, id: &str) -> Value {
    let message = json!({
        "touser": "ann", "template_id": "t", "client_msg_id": id, "data": {"thing1": {"value": "<b>x</b>"}},
    });
    post(stubs, &format!("/wechat/cgi-bin/message/template/send?access_token={token}"), &message).await
}

#[tokio::test]
async fn what_was_received_is_told_and_forgotten() {
    let stubs = Stubs::start().await;
    let token = token(&stubs, WECHAT_OFFICIAL_APP_ID).await;
    assert_eq!(send(&stubs, &token, "m1").await["errcode"], 0);
    let told = messages(&stubs).await;
    assert_eq!(told["messages"][0]["provider"], "wechat-official");
    assert_eq!(told["messages"][0]["messageId"], "m1");
    assert_eq!(told["messages"][0]["params"], json!([["thing1", "<b>x</b>"]]));
    assert_eq!(told["calls"], json!({"wechat-official/send": 1, "wechat/token": 1}));
    let forgotten = Client::new().delete(format!("{}/_stub/messages", stubs.url())).send().await.unwrap();
    assert_eq!(forgotten.status(), StatusCode::NO_CONTENT);
    assert_eq!(messages(&stubs).await["messages"], json!([]));
    assert_eq!(send(&stubs, &token, "m2").await["errcode"], 0, "the token is still good");
}

#[tokio::test]
async fn a_script_is_used_up_request_by_request() {
    let stubs = Stubs::start().await;
    let token = token(&stubs, WECHAT_OFFICIAL_APP_ID).await;
    let script = json!({"provider": "wechat-official", "faults": ["throttle", "ok", "code:40037"]});
    let url = format!("{}/_stub/script", stubs.url());
    let scripted = Client::new().post(&url).json(&script).send().await.unwrap();
    assert_eq!(scripted.status(), StatusCode::NO_CONTENT);
    let mut codes = vec![];
    for id in ["m1", "m2", "m3", "m4"] {
        codes.push(send(&stubs, &token, id).await["errcode"].clone());
    }
    assert_eq!(codes, [45_009, 0, 40_037, 0]);
    let unknown = json!({"provider": "wechat-official", "faults": ["fire"]});
    let refused = Client::new().post(&url).json(&unknown).send().await.unwrap();
    assert!(refused.status().is_client_error());
}

#[tokio::test]
async fn a_message_that_is_received_twice_is_counted() {
    let stubs = Stubs::start().await;
    for provider in ["aliyun", "tencent"] {
        stubs.desk().keep(Received {
            provider: provider.into(),
            message_id: Some("m1".into()),
            ..Received::default()
        });
    }
    stubs.desk().keep(Received::default());
    stubs.desk().keep(Received::default());
    assert_eq!(stubs.duplicates(), 1, "messages without an id cannot be told apart");
}

#[tokio::test]
async fn only_the_newest_messages_are_kept() {
    let stubs = Stubs::start().await;
    for number in 0..=MAX_KEPT {
        stubs.desk().keep(Received { to: number.to_string(), ..Received::default() });
    }
    let received = stubs.received();
    assert_eq!((received.len(), received[0].to.as_str()), (MAX_KEPT, "1"));
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_not_kept() {
    let stubs = Stubs::start().await;
    let aliyun = post(&stubs, "/aliyun/?PhoneNumbers=13800138000", &json!({})).await;
    assert_eq!(aliyun["Code"], "Missingauthorization");
    let tencent = post(&stubs, "/tencent/", &json!({"PhoneNumberSet": ["+8613800138000"]})).await;
    assert_eq!(tencent["Response"]["Error"]["Code"], "MissingParameter");
    assert_eq!(send(&stubs, "made-up", "m1").await["errcode"], 40_001);
    let of_mini = token(&stubs, WECHAT_MINI_APP_ID).await;
    assert_eq!(send(&stubs, &of_mini, "m1").await["errcode"], 48_001);
    assert_eq!(stubs.received(), []);
}

#[tokio::test]
async fn a_repeated_template_message_is_taken_once() {
    let stubs = Stubs::start().await;
    let token = token(&stubs, WECHAT_OFFICIAL_APP_ID).await;
    let (first, second) = (send(&stubs, &token, "m1").await, send(&stubs, &token, "m1").await);
    assert_eq!(first, second);
    assert_eq!((stubs.received().len(), stubs.duplicates()), (1, 0));
}

#[tokio::test]
async fn the_reply_is_cut_and_the_message_taken() {
    let stubs = Stubs::start().await;
    let token = token(&stubs, WECHAT_OFFICIAL_APP_ID).await;
    stubs.script("wechat-official", [Fault::CutReplyAfterAccept]);
    let url = format!("{}/wechat/cgi-bin/message/template/send?access_token={token}", stubs.url());
    let message = json!({"touser": "ann", "template_id": "t", "data": {}});
    let cut = async { Client::new().post(url).json(&message).send().await?.bytes().await };
    assert!(cut.await.is_err());
    assert_eq!(stubs.received().len(), 1);
}

#[tokio::test]
async fn the_page_shows_what_was_received_as_text_alone() {
    let stubs = Stubs::start().await;
    let page = reqwest::get(stubs.url()).await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    let page = page.text().await.unwrap();
    let script = reqwest::get(format!("{}/_stub/page.js", stubs.url())).await.unwrap().text().await.unwrap();
    assert!(page.contains("/_stub/page.js") && script.contains("textContent"));
    for unsafe_way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!script.contains(unsafe_way), "{unsafe_way}");
    }
    assert!(script.contains(r#"setAttribute("sandbox", "")"#), "mails have no rights");
}
