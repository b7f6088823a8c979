//! What templates say, and what they cannot be made to say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::path::Path;

use domain_notification::{
    Fault, Language, MAX_TEXT_CHARS, MAX_TITLE_CHARS, ParamValue, Params, Rendered, Renderer, TemplateVersion,
};
use notification_minijinja::{MAX_COMPILED, MAX_RENDERED_BYTES, Templates};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A mail about an order, with `members` in place of its own.
fn version(members: &Value) -> TemplateVersion {
    let mut version = json!({
        "code": "order_confirmed", "version": 1, "channel": "email", "category": "order",
        "variables": [
            { "name": "guest", "kind": "text", "example": "Ann" },
            { "name": "amount", "kind": "money_fen", "example": 58_800 },
            { "name": "nights", "kind": "integer", "optional": true, "example": 2 },
            { "name": "extras", "kind": "list", "optional": true, "example": ["早餐", "接机"] },
        ],
        "texts": { "zh-CN": {
            "title": "订单确认 {{ guest }}",
            "content": "{{ guest }}：{{ amount }} 元{% if nights %}，{{ nights }} 晚{% endif %}\
                {% for extra in extras %} +{{ extra }}{% endfor %}",
            "html": "<b>{{ guest }}</b>",
        } },
        "defaultLanguage": "zh-CN",
        "providerTemplates": { "aliyun": {
            "id": "SMS_1", "params": [{ "name": "amount", "value": "{{ amount }}元" }, { "name": "guest", "value": "{{ guest }}" }],
        } },
        "publishedAt": "2026-11-24T10:00:00Z",
    });
    version.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    serde_json::from_value(version).unwrap()
}

/// One that says `content`, and has the variables of the mail about an order.
fn saying(content: &str) -> TemplateVersion {
    version(&json!({ "texts": { "zh-CN": { "title": "x", "content": content } }, "providerTemplates": {} }))
}

fn params(value: &Value) -> Params {
    serde_json::from_value(value.clone()).unwrap()
}

fn render(version: &TemplateVersion, value: &Value) -> Result<Rendered, Vec<(String, String)>> {
    let rendered = Templates::default().render(version, None, &params(value));
    rendered.map_err(|faults| faults.into_iter().map(|Fault { field, must }| (field, must)).collect())
}

/// What a content becomes for Ann.
fn content(source: &str, extras: &[&str]) -> String {
    let version = saying(source);
    assert_eq!(Templates::default().check(&version), [], "{source}");
    render(&version, &json!({ "guest": "Ann", "amount": 5, "extras": extras })).unwrap().content
}

fn fields(faults: &[(String, String)]) -> Vec<&str> {
    faults.iter().map(|(field, _)| field.as_str()).collect()
}

#[test]
fn a_message_is_filled_in() {
    let given = json!({ "guest": "安", "amount": "12800", "nights": 2, "extras": ["早餐"] });
    let rendered = render(&version(&json!({})), &given).unwrap();
    assert_eq!(rendered.title.as_deref(), Some("订单确认 安"));
    assert_eq!(rendered.content, "安：128.00 元，2 晚 +早餐");
    assert_eq!(rendered.html.as_deref(), Some("<b>安</b>"));
    assert_eq!(rendered.language, Language::default());
    let filled = &rendered.provider_templates[&"aliyun".parse().unwrap()];
    assert_eq!(filled.id, "SMS_1");
    assert_eq!(filled.params, [("amount".into(), "128.00元".into()), ("guest".into(), "安".into())]);
}

#[test]
fn what_may_be_left_out_is_empty() {
    let rendered = render(&version(&json!({})), &json!({ "guest": "Ann", "amount": 0 })).unwrap();
    assert_eq!(rendered.content, "Ann：0.00 元");
}

#[test]
fn everything_wrong_with_the_parameters_is_told_at_once_and_no_value_is_repeated() {
    let given = json!({ "guest": "s3cret\u{0}", "amount": -1, "nights": "s3cret", "extras": "s3cret", "other": "s3cret" });
    let faults = render(&version(&json!({})), &given).unwrap_err();
    let expected = ["params/guest", "params/amount", "params/nights", "params/extras", "params/other"];
    assert_eq!(fields(&faults), expected);
    assert!(!format!("{faults:?}").contains("s3cret"));
    let faults = render(&version(&json!({})), &json!({})).unwrap_err();
    let must = "must be present".to_owned();
    assert_eq!(faults, [("params/guest".into(), must.clone()), ("params/amount".into(), must)]);
}

#[test]
fn a_receiver_gets_the_language_wanted_or_one_akin_or_the_default() {
    let texts =
        json!({ "zh-CN": { "title": "x", "content": "你好" }, "en": { "title": "x", "content": "hello" } });
    let version = version(&json!({ "texts": texts }));
    let templates = Templates::default();
    for (wanted, expected) in
        [(None, "你好"), (Some("en-GB"), "hello"), (Some("fr"), "你好"), (Some("en"), "hello")]
    {
        let wanted: Option<Language> = wanted.map(|text| text.parse().unwrap());
        let given = params(&json!({ "guest": "a", "amount": 1 }));
        assert_eq!(templates.render(&version, wanted.as_ref(), &given).unwrap().content, expected);
    }
}

#[test]
fn a_title_never_has_a_second_line() {
    let titles = json!({ "zh-CN": { "title": "{{ guest }}", "content": "x" } });
    let version = version(&json!({ "texts": titles }));
    for evil in ["a\r\nBcc: b@example.com", "a\nb", "\r\n", "a\u{2028}b", "a\u{85}b"] {
        match render(&version, &json!({ "guest": evil, "amount": 1 })) {
            Ok(rendered) => {
                let title = rendered.title.unwrap();
                assert!(!title.contains(['\r', '\n', '\u{2028}', '\u{85}']), "{title:?}");
            }
            Err(faults) => assert_eq!(fields(&faults), ["params/guest"], "{evil:?}"),
        }
    }
    let rendered = render(&version, &json!({ "guest": "a\r\nBcc: b", "amount": 1 })).unwrap();
    assert_eq!(rendered.title.as_deref(), Some("a Bcc: b"));
    let written = version.texts[&Language::default()].clone();
    let literal = TemplateVersion {
        texts: [(
            Language::default(),
            domain_notification::TemplateText { title: Some(r#"a{{ "\r\nb" }}"#.into()), ..written },
        )]
        .into(),
        ..version
    };
    let rendered = render(&literal, &json!({ "guest": "a", "amount": 1 })).unwrap();
    assert_eq!(rendered.title.as_deref(), Some("a b"));
}

#[test]
fn html_is_escaped_and_text_is_not() {
    let given = json!({ "guest": "<script>alert('&\"')</script>", "amount": 1 });
    let rendered = render(&version(&json!({})), &given).unwrap();
    let escaped = "<b>&lt;script&gt;alert(&#x27;&amp;&quot;&#x27;)&lt;&#x2f;script&gt;</b>";
    assert_eq!(rendered.html.as_deref(), Some(escaped));
    assert!(rendered.content.starts_with("<script>alert('&\"')</script>"));
}

#[test]
fn a_message_longer_than_may_be_is_refused_when_it_is_taken() {
    let long = "券".repeat(MAX_TEXT_CHARS);
    let faults = render(&version(&json!({})), &json!({ "guest": long, "amount": 1 })).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].1.contains("texts/zh-CN/title is more than 200 characters"), "{faults:?}");
    let many = saying("{% for extra in extras %}{{ extra }}{% endfor %}");
    let given = json!({ "guest": "a", "amount": 1, "extras": vec!["券".repeat(MAX_TEXT_CHARS); 100] });
    assert_eq!(fields(&render(&many, &given).unwrap_err()), ["params"]);
}

#[test]
fn the_filters_there_are() {
    for (source, expected) in [
        ("{{ guest | upper }}{{ guest | lower }}", "ANNann"),
        ("{{ extras | join('、') }} {{ extras | length }}", "早餐、接机 2"),
        ("{{ extras | first }}{{ extras | last | trim }}", "早餐接机"),
        ("{{ guest | default('您') }}", "Ann"),
        ("{{ '' | default('您') }}", "您"),
        ("{% if guest == 'Ann' and not nights %}a{% else %}b{% endif %}", "a"),
        ("{{ 'a' ~ guest }}", "aAnn"),
    ] {
        if source.contains("first") {
            // An empty list has no first entry: an operator has to ask.
            let faults = Templates::default().check(&saying(source));
            assert_eq!(faults.len(), 1, "{faults:?}");
            let guarded = format!("{{% if extras %}}{source}{{% endif %}}");
            assert_eq!(content(&guarded, &["早餐", "接机"]), expected);
        } else {
            assert_eq!(content(source, &["早餐", "接机"]), expected, "{source}");
        }
    }
}

#[test]
fn what_is_no_template_is_refused_by_its_field() {
    let texts = |members: Value| {
        let mut text = json!({ "title": "x", "content": "x" });
        text.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        json!({ "texts": { "zh-CN": text } })
    };
    let long = "x".repeat(40 * 1_024);
    for (members, field, must) in [
        (texts(json!({ "content": "{{ guest" })), "texts/zh-CN/content", "must be a template"),
        (texts(json!({ "content": "{% if guest %}" })), "texts/zh-CN/content", "must be a template"),
        (texts(json!({ "content": "{{ stranger }}" })), "texts/zh-CN/content", "unlike stranger"),
        (texts(json!({ "title": "{{ guest | shout }}" })), "texts/zh-CN/title", "unknown filter"),
        (texts(json!({ "html": "{{ guest | safe }}" })), "texts/zh-CN/html", "unknown filter"),
        (
            texts(json!({ "html": "{% autoescape false %}{{ guest }}{% endautoescape %}" })),
            "texts/zh-CN/html",
            "autoescape",
        ),
        (
            texts(json!({ "html": "{%-autoescape false %}{% endautoescape %}" })),
            "texts/zh-CN/html",
            "autoescape",
        ),
        (texts(json!({ "content": "{% include 'html' %}" })), "texts/zh-CN/content", "must be a template"),
        (texts(json!({ "content": "{% extends 'html' %}" })), "texts/zh-CN/content", "must be a template"),
        (
            texts(json!({ "content": "{% macro a() %}{% endmacro %}" })),
            "texts/zh-CN/content",
            "must be a template",
        ),
        (texts(json!({ "content": "{{ range(9) }}" })), "texts/zh-CN/content", "unlike range"),
        (texts(json!({ "content": "{{ guest.__class__.x }}" })), "texts/zh-CN/content", "undefined value"),
        (texts(json!({ "content": "{{ 1 / nights }}" })), "texts/zh-CN/content", "must render"),
        (texts(json!({ "content": "{{ 'x' * 9000000000 }}" })), "texts/zh-CN/content", "fuel"),
        (
            texts(
                json!({ "content": "{% for a in 'x' * 3000 %}{% for b in 'x' * 3000 %}{% endfor %}{% endfor %}" }),
            ),
            "texts/zh-CN/content",
            "fuel",
        ),
        (texts(json!({ "content": "{{ 'x' * 200000 }}" })), "texts/zh-CN/content", "at most 131072 bytes"),
        (texts(json!({ "title": "{{ 'x' * 201 }}" })), "texts/zh-CN/title", "at most 200 characters"),
        (texts(json!({ "content": long })), "texts/zh-CN/content", "32768 bytes"),
        (json!({ "defaultLanguage": "en" }), "defaultLanguage", "one of those"),
        (
            json!({ "providerTemplates": { "aliyun": { "id": "S", "params": [{ "name": "a", "value": "{{ x }}" }] } } }),
            "providerTemplates/aliyun/params/0/value",
            "unlike x",
        ),
        (
            json!({ "variables": [
                { "name": "guest", "kind": "date", "example": "tomorrow" },
                { "name": "amount", "kind": "integer", "example": 1 },
                { "name": "nights", "kind": "integer", "example": 1 },
                { "name": "extras", "kind": "list", "example": [] },
            ] }),
            "variables/0/example",
            "must be a day",
        ),
    ] {
        let faults = Templates::default().check(&version(&members));
        assert_eq!(faults.len(), 1, "{members:.200}: {faults:?}");
        assert_eq!(faults[0].field, field, "{members:.200}: {faults:?}");
        assert!(faults[0].must.contains(must), "{members:.200}: {faults:?}");
    }
}

#[test]
fn a_draft_is_not_taken_for_the_version_it_becomes() {
    let given = json!({ "guest": "a", "amount": 1 });
    let (drafts, published) = (Templates::without_memory(), Templates::default());
    for (text, remembered) in [("one", "one"), ("two", "one")] {
        let of =
            |templates: &Templates| templates.render(&saying(text), None, &params(&given)).unwrap().content;
        assert_eq!((of(&drafts).as_str(), of(&published).as_str()), (text, remembered));
    }
}

#[test]
fn the_memory_is_bounded() {
    let templates = Templates::default();
    let given = params(&json!({ "guest": "a", "amount": 1 }));
    for number in 1..=u32::try_from(MAX_COMPILED * 2 + 1).unwrap() {
        let version = TemplateVersion { version: number, ..saying(&number.to_string()) };
        assert_eq!(templates.render(&version, None, &given).unwrap().content, number.to_string());
    }
    assert!(templates.compiled_versions() <= MAX_COMPILED);
}

#[test]
fn every_default_template_is_in_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../xtask/src/notification_templates.json");
    let requests: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut channels = Vec::new();
    for mut request in requests {
        // As the API spells it.
        request["channel"] = request["type"].take();
        request["version"] = json!(1);
        request["publishedAt"] = json!("2026-11-24T10:00:00Z");
        let version: TemplateVersion = serde_json::from_value(request.clone()).unwrap();
        assert_eq!(Templates::default().check(&version), [], "{}", version.code);
        channels.push(version.channel);
    }
    channels.sort_unstable();
    channels.dedup();
    assert_eq!(channels, domain_channel::Channel::ALL);
}

/// Something like a template: pieces of the language in any order.
fn like_a_template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => r"\{\{ ?(guest|amount|nights|extras|x)( ?[|~+*/.-] ?(upper|default|join|first|last|length|[0-9]{1,9}|guest|'<'|extras))?( ?\(['0-9a-z<]{0,5}\))? ?\}\}",
        2 => r"\{%-? ?(if|elif|for|set|with|filter|raw|do|autoescape)( (guest|nights|x|extras|a in extras|x = x ~ x|upper|not nights))? ?-?%\}",
        2 => r"\{% ?(else|endif|endfor|endset|endwith|endfilter|endraw) ?%\}",
        1 => r"[{}%#|~'\[\]()*<>&a\n ]{0,8}",
        1 => r".{0,8}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn any_params() -> impl Strategy<Value = Params> {
    let value = prop_oneof![
        ".{0,40}|<[a-z/\"'=]{0,20}>|https://[a-z/?<\"]{0,20}|-?[0-9]{1,12}".prop_map(ParamValue::Text),
        any::<i64>().prop_map(ParamValue::Integer),
        any::<bool>().prop_map(ParamValue::Flag),
        prop::collection::vec(".{0,20}|<a>", 0..5).prop_map(ParamValue::List),
    ];
    let name = prop_oneof![6 => "guest|amount|nights|extras", 1 => ".{0,8}"];
    prop::collection::btree_map(name, value, 0..6).prop_map(Params)
}

/// Parameters that fit the mail about an order.
fn fitting_params() -> impl Strategy<Value = Params> {
    let lists = prop::collection::vec("[<>&\"'/a-z;]{0,20}", 0..4);
    ("[<>&\"'/a-z;]{0,40}", 0..i64::MAX, any::<i64>(), lists).prop_map(|(guest, amount, nights, extras)| {
        let values = [
            ("guest", ParamValue::Text(guest)),
            ("amount", ParamValue::Integer(amount)),
            ("nights", ParamValue::Integer(nights)),
            ("extras", ParamValue::List(extras)),
        ];
        Params(values.map(|(name, value)| (name.to_owned(), value)).into())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_template_and_no_parameters_panic_and_what_comes_out_is_bounded(
        title in like_a_template(), content in like_a_template(), html in like_a_template(), params in any_params(),
    ) {
        let texts = json!({ "zh-CN": { "title": title, "content": content, "html": html } });
        let version = version(&json!({ "texts": texts }));
        let templates = Templates::default();
        let _ = templates.check(&version);
        if let Ok(rendered) = templates.render(&version, None, &params) {
            prop_assert!(rendered.content.len() <= MAX_RENDERED_BYTES);
            prop_assert!(rendered.html.unwrap().len() <= MAX_RENDERED_BYTES);
            let title = rendered.title.unwrap();
            prop_assert!(title.chars().count() <= MAX_TITLE_CHARS && !title.contains(['\r', '\n']));
        }
    }

    #[test]
    fn no_parameter_becomes_html(html in like_a_template(), params in fitting_params()) {
        // Without markup of the template's own, whatever there is was a parameter's.
        let html = html.replace(['<', '>'], "");
        let texts = json!({ "zh-CN": { "title": "x", "content": "x", "html": html } });
        if let Ok(rendered) = Templates::default().render(&version(&json!({ "texts": texts })), None, &params) {
            prop_assert!(!rendered.html.unwrap().contains(['<', '>']));
        }
    }

    #[test]
    fn what_was_checked_renders_with_everything_that_fits(content in like_a_template(), params in fitting_params()) {
        let version = saying(&content);
        let templates = Templates::default();
        if templates.check(&version).is_empty() && let Err(faults) = templates.render(&version, None, &params) {
            // Only what depends on the very values: a division by zero, a text too long.
            prop_assert!(faults.iter().all(|fault| fault.field == "params"), "{faults:?}");
        }
    }
}
