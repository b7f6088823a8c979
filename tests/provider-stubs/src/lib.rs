//! Stand-ins for the providers of notifications: they check what they are sent, keep it, and fail on demand.
//!
//! Each provider is written from its documentation, not from our client of it: a client that misreads the
//! documentation is refused here as it would be there.
//!
//! - [`Stubs::start`] for tests in the same process, the program `provider-stubs` for everything else;
//! - `GET /` shows a person what was received; `GET /_stub/messages` tells a program;
//! - `DELETE /_stub/messages` forgets it; `POST /_stub/script` takes `{"provider": "aliyun", "faults": ["throttle"]}`,
//!   of which each request to that provider uses up one: see [`Fault`].
//!
//! It listens on loopback alone, and its credentials are constants of this crate: nothing here is a secret.
#![expect(clippy::missing_panics_doc, reason = "a stub that cannot start has failed the test")]

mod aliyun;
mod check;
mod desk;
mod fault;
mod page;
mod sendgrid;
mod smtp;
mod tencent;
mod wechat;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

pub use aliyun::{ALIYUN_ACCESS_KEY_ID, ALIYUN_ACCESS_KEY_SECRET, ALIYUN_SIGN_NAME, DEAD_NUMBER};
pub use desk::{Clock, Desk, MAX_KEPT, Received};
pub use fault::{Fault, MAX_FAULTS, Refusal, UnknownFault, play};
pub use sendgrid::{SENDGRID_API_KEY, SENDGRID_FROM};
pub use smtp::{SMTP_PASSWORD, SMTP_USERNAME};
pub use tencent::{TENCENT_APP_ID, TENCENT_SECRET_ID, TENCENT_SECRET_KEY, TENCENT_SIGN_NAME};
pub use wechat::{
    WECHAT_APP_SECRET, WECHAT_MINI_APP_ID, WECHAT_OFFICIAL_APP_ID, WECHAT_PUSH_TOKEN, WECHAT_TOKEN_SECONDS,
};

/// The running stubs; they end with this value.
pub struct Stubs {
    address: SocketAddr,
    mail_address: SocketAddr,
    desk: Arc<Desk>,
    tasks: Vec<JoinHandle<()>>,
}

impl Stubs {
    /// On a free port, with the clock on the wall.
    pub async fn start() -> Self {
        Self::start_with(Arc::new(wall_clock)).await
    }

    /// On a free port, with another clock: what is signed must be fresh by it.
    pub async fn start_with(clock: Clock) -> Self {
        #[expect(clippy::expect_used, reason = "a stub that cannot start has failed the test")]
        Self::start_on(0, clock).await.expect("a free port on loopback")
    }

    /// On `port`, mails on the next one; 0 takes free ports.
    ///
    /// # Errors
    /// A port is taken.
    pub async fn start_on(port: u16, clock: Clock) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::new(clock));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let app = router(&desk);
        let http = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("the stubs have stopped: {error}");
            }
        });
        let mail_port = if port == 0 { 0 } else { port.saturating_add(1) };
        let mails = TcpListener::bind((Ipv4Addr::LOCALHOST, mail_port)).await?;
        let mail_address = mails.local_addr()?;
        let smtp = tokio::spawn(smtp::serve(mails, Arc::clone(&desk)));
        Ok(Self { address, mail_address, desk, tasks: vec![http, smtp] })
    }

    /// Where they are, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the client of `provider` takes for the provider's own address.
    pub fn endpoint(&self, provider: &str) -> String {
        format!("{}/{provider}", self.url())
    }

    /// Where the mail server is, as `host:port`.
    pub fn mail_server(&self) -> String {
        self.mail_address.to_string()
    }

    /// What was received, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.desk.received()
    }

    /// Received messages whose id had been received before, by whichever provider.
    pub fn duplicates(&self) -> u64 {
        self.desk.duplicates()
    }

    /// How often something was asked for, for example `wechat/token`.
    pub fn calls(&self, what: &str) -> u64 {
        self.desk.calls(what)
    }

    /// What goes wrong with the next requests to `provider`, one after the other.
    pub fn script(&self, provider: &str, faults: impl IntoIterator<Item = Fault>) {
        self.desk.script(provider, faults);
    }

    /// Ends all access tokens that `WeChat` has given out.
    pub fn revoke_wechat_tokens(&self) {
        self.desk.revoke_tokens();
    }

    /// What the providers have in common.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }
}

impl Drop for Stubs {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The time on the wall.
#[expect(clippy::disallowed_methods, reason = "a server's clock; tests give another one")]
pub fn wall_clock() -> Timestamp {
    Timestamp::now()
}

fn router(desk: &Arc<Desk>) -> Router {
    let stub = Router::new()
        .route("/_stub/messages", get(messages).delete(forget))
        .route("/_stub/script", post(script))
        .with_state(Arc::clone(desk));
    page::router()
        .merge(stub)
        .merge(aliyun::router(desk))
        .merge(sendgrid::router(desk))
        .merge(tencent::router(desk))
        .merge(wechat::router(desk))
}

async fn messages(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(json!({
        "messages": desk.received(),
        "duplicates": desk.duplicates(),
        "calls": desk.all_calls(),
    }))
}

async fn forget(State(desk): State<Arc<Desk>>) -> StatusCode {
    desk.forget();
    StatusCode::NO_CONTENT
}

/// The body of `POST /_stub/script`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    provider: String,
    faults: Vec<Fault>,
}

async fn script(State(desk): State<Arc<Desk>>, Json(script): Json<Script>) -> StatusCode {
    desk.script(&script.provider, script.faults);
    StatusCode::NO_CONTENT
}
