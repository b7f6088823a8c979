//! Events as JSON lines.
//!
//! `tracing-subscriber` has a JSON format of its own, but it nests the span's fields, drops the sources of an error,
//! and parses each span again for each event. This one writes straight into the line.

use std::{
    error::Error,
    fmt::{self, Debug, Write},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use crate::Chain;

/// `{"timestamp":"…","level":"INFO","message":"…",<fields of the event>,<fields of its spans>,"target":"…"}`: UTC in
/// RFC 3339 with microseconds. An event must not repeat a field of its span: the line would have it twice.
pub(crate) struct JsonLine;

/// The fields of a span, as members of an object, each with a comma before it.
pub(crate) struct JsonMembers;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        line.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut line)?;
        write!(line, "\",\"level\":\"{}\"", event.metadata().level())?;
        context.format_fields(line.by_ref(), event)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(members) = span.extensions().get::<FormattedFields<N>>() {
                line.write_str(members)?;
            }
        }
        line.write_str(",\"target\":\"")?;
        Escaped(&mut line).write_str(event.metadata().target())?;
        line.write_str("\"}\n")
    }
}

impl<'writer> FormatFields<'writer> for JsonMembers {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members { writer, result: Ok(()) };
        fields.record(&mut members);
        members.result
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

struct Members<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl Members<'_> {
    fn member(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Names are written in the program: letters, digits, dots and underscores.
        let Self { writer, result } = self;
        *result = result.and_then(|()| write!(writer, ",\"{}\":{value}", field.name()));
    }

    fn text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        let Self { writer, result } = self;
        *result = result.and_then(|()| {
            write!(writer, ",\"{}\":\"", field.name())?;
            Escaped(writer).write_fmt(text)?;
            writer.write_char('"')
        });
    }
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no NaN and no infinity.
        if value.is_finite() {
            self.member(field, format_args!("{value}"));
        } else {
            self.member(field, format_args!("null"));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, format_args!("{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, format_args!("{}", Chain(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format_args!("{value:?}"));
    }
}

/// Escapes what is written as the inside of a JSON string (RFC 8259, section 7).
struct Escaped<'a, W>(&'a mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
            let (plain, special) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut chars = special.chars();
            match chars.next() {
                Some('\n') => self.0.write_str("\\n")?,
                Some(quoted @ ('"' | '\\')) => write!(self.0, "\\{quoted}")?,
                Some(control) => write!(self.0, "\\u{:04x}", u32::from(control))?,
                None => {}
            }
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tracing::{field::Empty, info_span};

    use super::*;
    use crate::setup;

    /// What `log` writes, line by line.
    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = Shared(Arc::clone(&written));
        let events = "warn,platform_telemetry::json=info".parse().unwrap();
        tracing::subscriber::with_default(setup::subscriber(events, move || writer.clone()), log);
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[derive(Clone)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn fields_of_event_and_spans_are_at_the_top_level() {
        let lines = lines(|| {
            let _outer = info_span!("outer", coupon.id = "c-1", known = true, later = Empty).entered();
            let inner = info_span!("inner", part = 2).entered();
            inner.record("later", 1);
            tracing::Span::current().record("part", 3);
            tracing::info!(count = 7_u64, below = -1, share = 0.5, none = f64::NAN, text = ?"a\n\"b\"", "done {}", 1);
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "UTC: {line}");
        let mut line = line.clone();
        line.as_object_mut().unwrap().remove("timestamp");
        assert_eq!(
            line,
            json!({
                "level": "INFO", "message": "done 1", "target": "platform_telemetry::json::tests",
                "count": 7, "below": -1, "share": 0.5, "none": null, "text": "\"a\\n\\\"b\\\"\"",
                "coupon.id": "c-1", "known": true, "part": 3,
            })
        );
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let lines = lines(|| tracing::info!(text = "a\r\nb\u{1}\u{2028}", "two\nlines"));
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (&lines[0]["text"], &lines[0]["message"]),
            (&json!("a\r\nb\u{1}\u{2028}"), &json!("two\nlines"))
        );
    }

    #[test]
    fn an_error_is_logged_with_its_sources() {
        #[derive(Debug, thiserror::Error)]
        #[error("the store failed")]
        struct StoreFailed(#[source] std::num::ParseIntError);

        let error = StoreFailed("x".parse::<u8>().unwrap_err());
        let lines = lines(|| {
            tracing::error!(error = %Chain(&error), "flattened");
            tracing::error!(error = &error as &(dyn Error + 'static), "as it is");
        });
        for line in &lines {
            assert_eq!(line["error"], "the store failed: invalid digit found in string");
        }
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn events_below_the_level_are_not_logged() {
        let lines = lines(|| {
            tracing::debug!("unseen");
            tracing::info!(target: "elsewhere", "unseen");
            tracing::warn!(target: "elsewhere", "seen");
        });
        assert_eq!(lines.len(), 1);
    }

    proptest! {
        #[test]
        fn every_text_survives_as_a_json_string(text: String, parts in proptest::collection::vec("[\\x00-\\x7f]{0,9}", 0..4)) {
            let mut json = String::from("\"");
            for part in parts.iter().chain([&text]) {
                Escaped(&mut json).write_str(part).unwrap();
            }
            json.push('"');
            prop_assert!(!json.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), parts.concat() + &text);
        }
    }
}
