//! Faults that strike between the functions and the local AWS.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use xtask::Stack;

const FAULTS: &str = "/_microburst/rules";
const FIRED: &str = "/_microburst/fired";

/// One test at a time makes the weather.
static TURN: Mutex<()> = Mutex::const_new(());

/// A way in which a call fails.
pub struct Fault(Value);

impl Fault {
    pub fn throttled() -> Self {
        Self(json!({"error": {"code": "ProvisionedThroughputExceededException"}}))
    }

    pub fn outage() -> Self {
        Self(json!({"error": {"code": "InternalServerError", "status": 500}}))
    }

    pub fn reset() -> Self {
        Self(json!({"reset": true}))
    }

    /// Of a transaction: something else is writing the second of its items.
    pub fn conflict() -> Self {
        Self(json!({"error": {"code": "TransactionCanceledException", "status": 400, "fields": {
            "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}]
        }}}))
    }

    /// Of a single write: a transaction is writing its item.
    pub fn conflict_with_a_transaction() -> Self {
        Self(json!({"error": {"code": "TransactionConflictException", "status": 400}}))
    }

    /// Longer than one attempt may take.
    pub fn too_late() -> Self {
        Self(json!({"latency": 1_500}))
    }

    /// The call is done, and nobody hears of it.
    pub fn answer_lost() -> Self {
        Self(json!({"response": {"abort_frac": 0.0}}))
    }

    /// One rule for each of the `operations` of DynamoDB: it strikes so many of them, 0 to 1.
    pub fn on(&self, operations: &[&str], probability: f64) -> Vec<Value> {
        self.strikes("dynamodb", operations, probability)
    }

    /// It strikes the first, the third, … of the writes of items whose keys begin so: what strikes a first attempt spares the
    /// second.
    pub fn on_every_other(&self, operation: &str, key: &str) -> Vec<Value> {
        let mut rules = self.on(&[operation], 1.0);
        for rule in &mut rules {
            rule["sequence"] = json!([1, 1]);
            rule["body"] = json!(format!("starts_with(not_null(Item, Key).pk.S, '{key}')"));
        }
        rules
    }

    /// It strikes so many of the messages that are put into queues.
    pub fn on_queues(&self, probability: f64) -> Vec<Value> {
        self.strikes("sqs", &["SendMessage"], probability)
    }

    fn strikes(&self, service: &str, operations: &[&str], probability: f64) -> Vec<Value> {
        let rule = |operation: &&str| {
            let mut rule = json!({"service": service, "operation": operation, "probability": probability});
            rule.as_object_mut().unwrap().extend(self.0.as_object().unwrap().clone());
            rule
        };
        operations.iter().map(rule).collect()
    }
}

/// Storms of each kind by itself, then all at once: at `calls`, and where only a write can be struck so at `writes`, by this
/// `conflict` and so often an `answer_lost`.
pub fn every_storm(
    (calls, writes): (&[&str], &[&str]),
    conflict: Vec<Value>,
    answer_lost: f64,
) -> Vec<(&'static str, Vec<Value>)> {
    let mut storms = vec![
        // Those of writes first: where several could strike, the first does.
        ("conflict", conflict),
        ("answer too late", Fault::too_late().on(writes, 0.15)),
        ("answer lost after the write", Fault::answer_lost().on(writes, answer_lost)),
        ("throttling", Fault::throttled().on(calls, 0.3)),
        ("outage", Fault::outage().on(calls, 0.3)),
        ("connection reset", Fault::reset().on(calls, 0.2)),
    ];
    let everything = storms.iter().flat_map(|(_, rules)| rules).cloned().collect();
    storms.push(("everything at once", everything));
    storms
}

/// The weather between functions and AWS: fair, until a storm is made.
pub struct Weather {
    proxy: String,
    http: Client,
    _turn: MutexGuard<'static, ()>,
}

impl Weather {
    /// Waits for its turn.
    pub async fn over(stack: &Stack) -> Self {
        let turn = TURN.lock().await;
        let http = Client::builder().no_proxy().build().unwrap();
        let weather = Self { proxy: stack.fault_proxy().unwrap().to_owned(), http, _turn: turn };
        // A test that failed may have left a storm.
        weather.send(Method::POST, FAULTS, Some(&json!([]))).await;
        weather
    }

    /// From now on these faults strike.
    pub async fn storm(&self, rules: &[Value]) {
        self.send(Method::DELETE, FIRED, None).await;
        self.send(Method::POST, FAULTS, Some(&json!(rules))).await;
    }

    /// Ends the storm, which must have struck.
    pub async fn clear(&self, name: &str) {
        self.send(Method::POST, FAULTS, Some(&json!([]))).await;
        let fired = self.send(Method::GET, FIRED, None).await;
        assert!(!fired.as_array().unwrap().is_empty(), "{name}: no fault struck");
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.proxy));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default()
    }
}
