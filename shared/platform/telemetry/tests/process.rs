//! What a whole process writes to standard output: set-up, logs, panics and metrics are global to it, so that each
//! test runs itself again as a child.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    panic,
    process::{Command, Stdio},
};

use platform_config::Env;
use platform_telemetry::{InitError, Invocation, Trigger, init, observe};
use serde_json::{Value, json};

/// The JSON lines that `child`, a test of this file, writes.
fn lines_of(child: &str) -> Vec<Value> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([child, "--exact", "--ignored", "--nocapture"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    // The test harness writes lines of its own.
    text.lines()
        .filter_map(|line| Some(serde_json::from_str(line.get(line.find('{')?..)?).unwrap()))
        .collect()
}

async fn work(name: &str) {
    metrics::counter!("claims", "outcome" => "issued").increment(1);
    tokio::task::yield_now().await;
    tracing::info!(step = name, "done");
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "a child"]
async fn two_invocations() {
    init("claim-coupon", &Env::from_pairs([("METRICS_NAMESPACE", "Test")])).unwrap();
    tracing::info!("starting");
    let of = |request_id, trigger, xray_trace_id| Invocation { request_id, trigger, xray_trace_id };
    let request = Trigger::Http("POST /v1/things/{id}");
    observe(of("r-1", request, Some("Root=1-x")), work("first")).await;
    observe(of("r-2", Trigger::PubSub, None), work("second")).await;
    observe(of("r-3", Trigger::PubSub, None), async {}).await;
}

#[test]
fn each_line_tells_which_invocation_it_belongs_to() {
    let lines = lines_of("two_invocations");
    let logs: Vec<&Value> = lines.iter().filter(|line| line.get("message").is_some()).collect();
    let [starting, first, second] = logs.as_slice() else { panic!("{lines:?}") };
    assert_eq!(starting.get("faas.invocation_id"), None);
    assert_eq!((&first["step"], &first["faas.invocation_id"]), (&json!("first"), &json!("r-1")));
    assert_eq!(first["http.request.method"], "POST");
    assert_eq!(first["http.route"], "/v1/things/{id}");
    assert_eq!(first["xray.trace_id"], "Root=1-x");
    assert_eq!(first.get("faas.trigger"), None);
    assert_eq!((&second["step"], &second["faas.invocation_id"]), (&json!("second"), &json!("r-2")));
    assert_eq!(second["faas.trigger"], "pubsub");
    assert_eq!(second.get("http.request.method"), None);
    assert_eq!(second.get("http.route"), None);
    assert_eq!(second.get("xray.trace_id"), None);
}

#[test]
fn only_the_first_invocation_of_a_process_is_a_cold_start() {
    let cold: Vec<Value> =
        lines_of("two_invocations").iter().filter_map(|line| line.get("faas.coldstart").cloned()).collect();
    assert_eq!(cold, [true, false]);
}

#[test]
fn metrics_are_written_once_per_invocation_after_its_work() {
    let lines = lines_of("two_invocations");
    assert_eq!(lines.len(), 5, "an invocation that measures nothing writes nothing: {lines:?}");
    for (log, metrics) in [(1, 2), (3, 4)] {
        assert_eq!(lines[log]["message"], "done");
        let metrics = &lines[metrics];
        assert_eq!(metrics["claims"], 1, "what was measured since the last time");
        assert_eq!((&metrics["service"], &metrics["outcome"]), (&json!("claim-coupon"), &json!("issued")));
        let directive = &metrics["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Test");
        assert_eq!(directive["Dimensions"], json!([["service", "outcome"]]));
    }
}

#[test]
#[ignore = "a child"]
fn panicking() {
    init("claim-coupon", &Env::from_pairs([("RUST_LOG", "warn")])).unwrap();
    let caught = panic::catch_unwind(|| panic!("out of {}", "luck"));
    assert!(caught.is_err());
}

#[test]
fn a_panic_is_a_line_like_any_other() {
    let lines = lines_of("panicking");
    let [panic] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&panic["level"], &panic["message"]), (&json!("ERROR"), &json!("panic")));
    assert_eq!(panic["exception.message"], "out of luck");
    assert!(panic["code.file.path"].as_str().unwrap().ends_with("process.rs"));
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "a child"]
async fn quiet() {
    init("claim-coupon", &Env::from_pairs([("RUST_LOG", "error")])).unwrap();
    let trigger = Trigger::Http("POST /v1/things");
    let invocation = Invocation { request_id: "r-1", trigger, xray_trace_id: None };
    observe(invocation, async {
        tracing::info!("unseen");
        tracing::error!("seen");
    })
    .await;
}

#[test]
fn a_line_has_its_invocation_at_every_level() {
    let lines = lines_of("quiet");
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&line["message"], &line["faas.invocation_id"]), (&json!("seen"), &json!("r-1")));
}

#[test]
#[ignore = "a child"]
fn wrong() {
    let error = init("claim-coupon", &Env::from_pairs([("RUST_LOG", "a=b=c")])).unwrap_err();
    println!("{}", json!({ "error": error.to_string() }));
    init("claim-coupon", &Env::from_pairs::<&str, &str>([])).unwrap();
    let again = init("claim-coupon", &Env::from_pairs::<&str, &str>([]));
    assert!(matches!(again, Err(InitError::Again)));
}

#[test]
fn a_wrong_setting_is_named() {
    let lines = lines_of("wrong");
    assert!(lines[0]["error"].as_str().unwrap().contains("RUST_LOG"), "{lines:?}");
}
