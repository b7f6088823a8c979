//! A stand-in of the Lambda Runtime API (AWS Lambda Developer Guide, "Using the Lambda runtime API"): one function, one
//! invocation at a time.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::{Context, Result, bail};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, StatusCode},
    routing::{get, post},
};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    task::JoinHandle,
};

/// How long the function may take, as `infra/cdk` sets it.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(5);

/// The Runtime API for one process.
pub struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::Sender<String>,
    answers: mpsc::Receiver<Answer>,
    server: JoinHandle<()>,
}

/// What the function made of an invocation.
#[derive(Debug)]
pub struct Answer {
    /// When the event was handed out.
    pub delivered_at: Instant,
    /// When the answer was here.
    pub answered_at: Instant,
    /// The response, in JSON.
    pub body: Bytes,
    failed: bool,
}

struct Shared {
    events: Mutex<mpsc::Receiver<String>>,
    delivered: Mutex<Option<Instant>>,
    answers: mpsc::Sender<Answer>,
}

impl RuntimeApi {
    /// Waits for a function on a free port of this machine.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("a free port")?;
        let address = listener.local_addr()?;
        let (events, waiting) = mpsc::channel(1);
        let (answered, answers) = mpsc::channel(1);
        let shared = Shared { events: Mutex::new(waiting), delivered: Mutex::default(), answers: answered };
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(answer))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(Arc::new(shared));
        let server = tokio::spawn(async move {
            let _ended = axum::serve(listener, routes).await;
        });
        Ok(Self { address, events, answers, server })
    }

    /// Where the function finds it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has the event ready for when the function asks for one.
    pub async fn put(&self, event: String) -> Result<()> {
        self.events.send(event).await.context("the Runtime API has stopped")
    }

    /// The function's answer to the event, unless it says that it failed.
    pub async fn answer(&mut self) -> Result<Answer> {
        let answer = self.answers.recv().await.context("the Runtime API has stopped")?;
        if answer.failed {
            bail!("the function failed: {}", String::from_utf8_lossy(&answer.body));
        }
        Ok(answer)
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Result<([(HeaderName, String); 4], String), StatusCode> {
    let event = shared.events.lock().await.recv().await.ok_or(StatusCode::GONE)?;
    let deadline = Timestamp::now() + TIMEOUT;
    let header = HeaderName::from_static;
    let headers = [
        (header("lambda-runtime-aws-request-id"), testing::REQUEST_ID.to_owned()),
        (header("lambda-runtime-deadline-ms"), deadline.as_millisecond().to_string()),
        (
            header("lambda-runtime-invoked-function-arn"),
            "arn:aws:lambda:us-east-1:123456789012:function:claim-coupon".to_owned(),
        ),
        (
            header("lambda-runtime-trace-id"),
            "Root=1-6912345f-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0".to_owned(),
        ),
    ];
    *shared.delivered.lock().await = Some(Instant::now());
    Ok((headers, event))
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path((_id, outcome)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let answered_at = Instant::now();
    let Some(delivered_at) = shared.delivered.lock().await.take() else { return StatusCode::BAD_REQUEST };
    let answer = Answer { delivered_at, answered_at, body, failed: outcome != "response" };
    match shared.answers.send(answer).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}

async fn init_error(State(shared): State<Arc<Shared>>, _headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = Instant::now();
    let answer = Answer { delivered_at: now, answered_at: now, body, failed: true };
    let _listening = shared.answers.send(answer).await;
    StatusCode::ACCEPTED
}
