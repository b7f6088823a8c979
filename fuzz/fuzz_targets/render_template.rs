//! No template and no parameters panic; what comes out is bounded, a title has one line, and no parameter becomes HTML.
//!
//! An input is title, content, HTML and parameters (JSON), each after a line of `---`.
#![no_main]

use std::sync::LazyLock;

use domain_notification::{MAX_TITLE_CHARS, Params, Renderer, TemplateText, TemplateVersion};
use libfuzzer_sys::fuzz_target;
use notification_minijinja::{MAX_RENDERED_BYTES, Templates};
use serde_json::json;

/// One variable of each kind, named by it.
static VERSION: LazyLock<TemplateVersion> = LazyLock::new(|| {
    let variable = |(name, example): (&str, serde_json::Value)| {
        let is_optional = name != "text";
        json!({ "name": name, "kind": name, "optional": is_optional, "example": example })
    };
    let variables = [
        ("text", json!("Ann")),
        ("integer", json!(2)),
        ("money_fen", json!(58_800)),
        ("date_time", json!("2026-11-24T18:30:00+08:00")),
        ("date", json!("2026-11-24")),
        ("url", json!("https://example.com/a?b=c")),
        ("flag", json!(true)),
        ("list", json!(["a", "b"])),
    ]
    .map(variable);
    let version = json!({
        "code": "fuzzed", "version": 1, "channel": "email", "category": "order", "variables": variables,
        "texts": { "zh-CN": { "content": "x" } }, "defaultLanguage": "zh-CN", "publishedAt": "2026-11-24T10:00:00Z",
    });
    serde_json::from_value(version).expect("a version")
});

fuzz_target!(|input: &str| {
    let mut parts = input.splitn(4, "\n---\n");
    let mut part = || parts.next().unwrap_or_default().to_owned();
    let (title, content, html, params) = (part(), part(), part(), part());
    let mut version = VERSION.clone();
    let has_markup = html.contains(['<', '>']);
    let text = TemplateText { title: Some(title), content, html: Some(html) };
    version.texts.insert(version.default_language.clone(), text);
    let templates = Templates::without_memory();
    let faults = templates.check(&version);
    assert!(faults.iter().all(|fault| fault.field.starts_with("texts/zh-CN/")), "{faults:?}");

    let Ok(params) = serde_json::from_str::<Params>(&params) else { return };
    if let Ok(rendered) = templates.render(&version, None, &params) {
        let (title, html) = (rendered.title.unwrap_or_default(), rendered.html.unwrap_or_default());
        assert!(title.chars().count() <= MAX_TITLE_CHARS && !title.contains(char::is_control));
        assert!(rendered.content.len() <= MAX_RENDERED_BYTES && html.len() <= MAX_RENDERED_BYTES);
        assert!(has_markup || !html.contains(['<', '>']), "a parameter became HTML");
    }
});
