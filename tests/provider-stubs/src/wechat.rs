//! `WeChat`: access tokens, template messages of the official account, subscribe messages of the mini program.
//!
//! <https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken.html>,
//! <https://developers.weixin.qq.com/doc/service/api/notify/template/api_sendtemplatemessage.html>,
//! <https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-message-management/subscribe-message/sendMessage.html>

use std::{collections::BTreeMap, collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    response::{IntoResponse, Response},
    routing::post,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Desk, Received, Refusal, play};

/// The official account that the stub knows.
pub const WECHAT_OFFICIAL_APP_ID: &str = "wx-official-stub";

/// The mini program that the stub knows.
pub const WECHAT_MINI_APP_ID: &str = "wx-mini-stub";

/// The secret of both.
pub const WECHAT_APP_SECRET: &str = "wechat-stub-secret";

/// What pushed messages are signed with.
pub const WECHAT_PUSH_TOKEN: &str = "wechat-stub-push-token";

/// For how long an access token is good.
pub const WECHAT_TOKEN_SECONDS: i64 = 7_200;

/// Both tokens are good for so long when a new one is given out, which is when so little is left of the old one.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// For so long a `client_msg_id` is recognised.
const RECOGNISED_FOR: SignedDuration = SignedDuration::from_mins(10);

/// The access tokens given out.
#[derive(Default)]
pub(crate) struct Tokens {
    made: u64,
    /// By app: the newest.
    newest: HashMap<String, (String, Timestamp)>,
    /// Until when each is good, and whose it is.
    good: HashMap<String, (String, Timestamp)>,
}

impl Tokens {
    fn give(&mut self, app: &str, is_forced: bool, now: Timestamp) -> (String, i64) {
        if let Some((token, expires_at)) = self.newest.get(app)
            && !is_forced
            && expires_at.duration_since(now) > OVERLAP
        {
            return (token.clone(), expires_at.duration_since(now).as_secs());
        }
        if is_forced {
            self.good.retain(|_, (whose, _)| whose != app);
        }
        self.made = self.made.saturating_add(1);
        let token = format!("stub-token-{}", self.made);
        let expires_at = now.saturating_add(SignedDuration::from_secs(WECHAT_TOKEN_SECONDS)).unwrap_or(now);
        self.newest.insert(app.to_owned(), (token.clone(), expires_at));
        self.good.insert(token.clone(), (app.to_owned(), expires_at));
        (token, WECHAT_TOKEN_SECONDS)
    }

    fn check(&self, token: &str, now: Timestamp) -> Result<&str, i64> {
        match self.good.get(token) {
            None => Err(40_001),
            Some((_, expires_at)) if *expires_at <= now => Err(42_001),
            Some((app, _)) => Ok(app),
        }
    }

    pub(crate) fn revoke(&mut self) {
        self.newest.clear();
        self.good.clear();
    }
}

pub(crate) fn router(desk: &Arc<Desk>) -> Router {
    Router::new()
        .route("/wechat/cgi-bin/stable_token", post(token))
        .route("/wechat/cgi-bin/message/template/send", post(send_template))
        .route("/wechat/cgi-bin/message/subscribe/send", post(send_subscribe))
        .with_state(Arc::clone(desk))
}

fn error(code: i64) -> Response {
    Json(json!({"errcode": code, "errmsg": "the stub says so rid: 0-0-0"})).into_response()
}

fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Throttle => error(45_009),
        Refusal::InvalidNumber => error(40_003),
        Refusal::NoCredit => error(48_001),
        Refusal::Code(code) => error(code.parse().unwrap_or(-1)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenWanted {
    grant_type: String,
    appid: String,
    secret: String,
    #[serde(default)]
    force_refresh: bool,
}

async fn token(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    desk.count("wechat/token");
    let accept = || {
        let Ok(wanted) = serde_json::from_slice::<TokenWanted>(&body) else { return error(47_001) };
        if wanted.grant_type != "client_credential" {
            return error(40_002);
        }
        if ![WECHAT_OFFICIAL_APP_ID, WECHAT_MINI_APP_ID].contains(&wanted.appid.as_str()) {
            return error(40_013);
        }
        if wanted.secret != WECHAT_APP_SECRET {
            return error(40_125);
        }
        let (token, seconds) =
            desk.with_tokens(|tokens, now| tokens.give(&wanted.appid, wanted.force_refresh, now));
        Json(json!({"access_token": token, "expires_in": seconds})).into_response()
    };
    play(desk.next_fault("wechat/token"), accept, refuse).await
}

#[derive(Deserialize)]
struct Access {
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Blank {
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    touser: String,
    template_id: String,
    data: BTreeMap<String, Blank>,
    client_msg_id: Option<String>,
    url: Option<String>,
    miniprogram: Option<Value>,
    page: Option<String>,
    miniprogram_state: Option<String>,
    lang: Option<String>,
}

async fn send_template(State(desk): State<Arc<Desk>>, Query(access): Query<Access>, body: Bytes) -> Response {
    desk.count("wechat-official/send");
    let accept = || send(&desk, &access, &body, WECHAT_OFFICIAL_APP_ID, "wechat-official");
    play(desk.next_fault("wechat-official"), accept, refuse).await
}

async fn send_subscribe(
    State(desk): State<Arc<Desk>>,
    Query(access): Query<Access>,
    body: Bytes,
) -> Response {
    desk.count("wechat-mini/send");
    let accept = || send(&desk, &access, &body, WECHAT_MINI_APP_ID, "wechat-mini");
    play(desk.next_fault("wechat-mini"), accept, refuse).await
}

fn send(desk: &Desk, access: &Access, body: &[u8], app: &str, provider: &str) -> Response {
    let Some(token) = &access.access_token else { return error(41_001) };
    let whose = desk.with_tokens(|tokens, now| tokens.check(token, now).map(str::to_owned));
    match whose {
        Err(code) => return error(code),
        Ok(whose) if whose != app => return error(48_001),
        Ok(_) => {}
    }
    let Ok(message) = serde_json::from_slice::<Message>(body) else { return error(47_001) };
    let is_mini = app == WECHAT_MINI_APP_ID;
    let is_of_other_kind = if is_mini {
        message.client_msg_id.is_some() || message.url.is_some() || message.miniprogram.is_some()
    } else {
        message.page.is_some() || message.miniprogram_state.is_some() || message.lang.is_some()
    };
    if is_of_other_kind {
        return error(47_001);
    }
    if message.touser.is_empty() || message.touser.starts_with("dead") {
        return error(40_003);
    }
    if message.touser.starts_with("refuses") {
        return error(if is_mini { 43_101 } else { 43_004 });
    }
    if message.template_id.is_empty() {
        return error(40_037);
    }
    if message.data.values().any(|blank| blank.value.is_empty()) {
        return error(47_003);
    }
    let now = desk.now();
    let before = message.client_msg_id.as_ref().and_then(|id| {
        desk.find(|it| {
            it.provider == provider
                && it.to == message.touser
                && it.message_id.as_ref() == Some(id)
                && now.duration_since(it.at) < RECOGNISED_FOR
        })
    });
    let reference = match before {
        Some(before) => {
            desk.count("wechat-official/repeat");
            before.reference.unwrap_or_default()
        }
        None => desk.keep(Received {
            provider: provider.to_owned(),
            to: message.touser,
            template: Some(message.template_id),
            params: message.data.into_iter().map(|(name, blank)| (name, blank.value)).collect(),
            message_id: message.client_msg_id,
            ..Received::default()
        }),
    };
    let number: u64 = reference.parse().unwrap_or_default();
    Json(json!({"errcode": 0, "errmsg": "ok", "msgid": number})).into_response()
}
