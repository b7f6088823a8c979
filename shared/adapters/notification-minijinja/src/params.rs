//! What fills in a template, written out by the kind of each variable.

use std::collections::BTreeMap;

use domain_notification::{
    Fault, MAX_LIST_ENTRIES, MAX_TEXT_CHARS, ParamValue, Params, Variable, VariableKind,
};
use jiff::{
    Timestamp,
    civil::Date,
    tz::{self, Offset, TimeZone},
};
use minijinja::Value;

/// Asia/Shanghai, which has had no summer time since 1991.
const SHANGHAI: Offset = tz::offset(8);

/// Which variables a sample leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    Optional,
}

/// The variables as a template sees them, or all that is wrong with `params`.
pub(crate) fn values(variables: &[Variable], params: &Params) -> Result<Value, Vec<Fault>> {
    let fault = |name: &str, must: &str| Fault::new(format!("params/{name}"), must);
    let mut faults = Vec::new();
    let mut values = BTreeMap::new();
    for variable in variables {
        let value = match params.0.get(&variable.name) {
            Some(param) => value(variable.kind, param),
            None if variable.optional => Ok(absent(variable.kind)),
            None => Err("must be present"),
        };
        match value {
            Ok(value) => drop(values.insert(variable.name.as_str(), value)),
            Err(must) => faults.push(fault(&variable.name, must)),
        }
    }
    let is_known = |name: &str| variables.iter().any(|variable| variable.name == name);
    for name in params.0.keys().filter(|name| !is_known(name)) {
        faults.push(fault(name, "must not be sent: the template has no such variable"));
    }
    if faults.is_empty() { Ok(Value::from(values)) } else { Err(faults) }
}

/// Examples that are none.
pub(crate) fn example_faults(variables: &[Variable]) -> impl Iterator<Item = Fault> {
    variables.iter().enumerate().filter_map(|(place, variable)| {
        let must = value(variable.kind, &variable.example).err()?;
        Some(Fault::new(format!("variables/{place}/example"), must))
    })
}

fn absent(kind: VariableKind) -> Value {
    match kind {
        VariableKind::Text
        | VariableKind::MoneyFen
        | VariableKind::DateTime
        | VariableKind::Date
        | VariableKind::Url => Value::from(""),
        VariableKind::Integer => Value::from(0),
        VariableKind::Flag => Value::from(false),
        VariableKind::List => Value::from(Vec::<Value>::new()),
    }
}

/// The value as its kind is written, or what it must be. Numbers and flags may come as text, as queues carry them.
fn value(kind: VariableKind, param: &ParamValue) -> Result<Value, &'static str> {
    match kind {
        VariableKind::Text => text(param).map(Value::from).ok_or(TEXT),
        VariableKind::Integer => integer(param).map(Value::from).ok_or("must be an integer"),
        VariableKind::MoneyFen => integer(param)
            .filter(|fen| *fen >= 0)
            .map(|fen| Value::from(format!("{}.{:02}", fen / 100, fen % 100)))
            .ok_or("must be an integer number of fen, at least 0"),
        VariableKind::DateTime => text(param)
            .and_then(instant)
            .map(|time| Value::from(time.strftime("%Y-%m-%d %H:%M").to_string()))
            .ok_or("must be an RFC 3339 date and time"),
        VariableKind::Date => text(param)
            .and_then(day)
            .map(|day| Value::from(day.strftime("%Y-%m-%d").to_string()))
            .ok_or("must be a day such as 2026-11-24, or an RFC 3339 date and time"),
        VariableKind::Url => text(param)
            .filter(|text| is_https(text))
            .map(Value::from)
            .ok_or("must be an https address of at most 1000 characters"),
        VariableKind::Flag => flag(param).map(Value::from).ok_or("must be true or false"),
        VariableKind::List => match param {
            ParamValue::List(entries) if entries.len() <= MAX_LIST_ENTRIES => {
                let entries = entries.iter().map(|entry| is_text(entry).then(|| Value::from(entry.as_str())));
                entries.collect::<Option<Vec<Value>>>().map(Value::from).ok_or(LIST)
            }
            ParamValue::List(_) | ParamValue::Flag(_) | ParamValue::Integer(_) | ParamValue::Text(_) => {
                Err(LIST)
            }
        },
    }
}

const TEXT: &str = "must be a text of at most 1000 characters without control characters";
const LIST: &str = "must be at most 100 texts of at most 1000 characters without control characters";

fn text(param: &ParamValue) -> Option<&str> {
    match param {
        ParamValue::Text(text) => Some(text.as_str()).filter(|text| is_text(text)),
        ParamValue::Flag(_) | ParamValue::Integer(_) | ParamValue::List(_) => None,
    }
}

/// Not every way of sending takes control characters; one that does not would refuse the message when it is too late.
fn is_text(text: &str) -> bool {
    text.chars().count() <= MAX_TEXT_CHARS
        && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn integer(param: &ParamValue) -> Option<i64> {
    match param {
        ParamValue::Integer(number) => Some(*number),
        // One spelling only: `+1` and `01` also parse as a number.
        ParamValue::Text(text) => text.parse().ok().filter(|number: &i64| number.to_string() == *text),
        ParamValue::Flag(_) | ParamValue::List(_) => None,
    }
}

fn flag(param: &ParamValue) -> Option<bool> {
    match param {
        ParamValue::Flag(flag) => Some(*flag),
        ParamValue::Text(text) => text.parse().ok(),
        ParamValue::Integer(_) | ParamValue::List(_) => None,
    }
}

fn instant(text: &str) -> Option<jiff::Zoned> {
    let time: Timestamp = text.parse().ok()?;
    // Four digits of a year, as RFC 3339 has them.
    let time = time.to_zoned(TimeZone::fixed(SHANGHAI));
    (0..=9_999).contains(&time.year()).then_some(time)
}

fn day(text: &str) -> Option<Date> {
    let plain = || if text.len() == "2026-11-24".len() { text.parse().ok() } else { None };
    plain().or_else(|| instant(text).map(|time| time.date()))
}

/// `https`, a host, and characters that a URI has (RFC 3986): none of them ends an attribute of HTML or a line of text.
fn is_https(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A user before the host is how one address passes for another.
    !host.is_empty()
        && !host.contains('@')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(kind: VariableKind, param: &ParamValue) -> Option<String> {
        value(kind, param).ok().map(|value| value.to_string())
    }

    fn text_of(kind: VariableKind, text: &str) -> Option<String> {
        written(kind, &ParamValue::Text(text.into()))
    }

    #[test]
    fn a_value_is_written_by_its_kind() {
        use VariableKind::{Date, DateTime, Flag, Integer, MoneyFen, Text, Url};
        for (kind, given, expected) in [
            (Text, "满减 <b>", Some("满减 <b>")),
            (Text, "a\nb", Some("a\nb")),
            (Text, "a\u{0}b", None),
            (Integer, "-7", Some("-7")),
            (Integer, "+7", None),
            (Integer, "07", None),
            (Integer, "7.0", None),
            (MoneyFen, "12800", Some("128.00")),
            (MoneyFen, "5", Some("0.05")),
            (MoneyFen, "0", Some("0.00")),
            (MoneyFen, "-1", None),
            (DateTime, "2026-11-24T10:30:00Z", Some("2026-11-24 18:30")),
            (DateTime, "2026-11-24T18:30:00+08:00", Some("2026-11-24 18:30")),
            (DateTime, "2026-11-24", None),
            (DateTime, "2026-11-24T18:30:00", None),
            (Date, "2026-11-24", Some("2026-11-24")),
            (Date, "2026-11-24T16:00:00Z", Some("2026-11-25")),
            (Date, "2026-02-29", None),
            (Date, "tomorrow", None),
            (Url, "https://example.com/a?b=c#d", Some("https://example.com/a?b=c#d")),
            (Url, "http://example.com", None),
            (Url, "https://", None),
            (Url, "https://a@example.com", None),
            (Url, "https://example.com/\"><script>", None),
            (Url, "javascript:alert(1)", None),
            (Flag, "true", Some("True")),
            (Flag, "yes", None),
        ] {
            assert_eq!(text_of(kind, given).as_deref(), expected, "{kind:?} {given:?}");
        }
        let integer = written(MoneyFen, &ParamValue::Integer(i64::MAX));
        assert_eq!(integer.as_deref(), Some("92233720368547758.07"));
        assert_eq!(written(Text, &ParamValue::Integer(7)), None);
        assert_eq!(written(Flag, &ParamValue::Integer(1)), None);
    }

    #[test]
    fn texts_and_lists_have_a_limit() {
        let texts = |count: usize, length: usize| ParamValue::List(vec!["券".repeat(length); count]);
        assert!(value(VariableKind::List, &texts(MAX_LIST_ENTRIES, MAX_TEXT_CHARS)).is_ok());
        assert!(value(VariableKind::List, &texts(MAX_LIST_ENTRIES + 1, 1)).is_err());
        assert!(value(VariableKind::List, &texts(1, MAX_TEXT_CHARS + 1)).is_err());
        assert!(text_of(VariableKind::Text, &"券".repeat(MAX_TEXT_CHARS)).is_some());
        assert!(text_of(VariableKind::Text, &"券".repeat(MAX_TEXT_CHARS + 1)).is_none());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}|[0-9T:+Z-]{0,30}|https://.{0,30}") {
            use VariableKind::{Date, DateTime, Flag, Integer, List, MoneyFen, Text, Url};
            for kind in [Text, Integer, MoneyFen, DateTime, Date, Url, Flag, List] {
                let _ = text_of(kind, &text);
            }
        }
    }
}
