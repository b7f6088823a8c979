use std::panic::{self, Location};

/// Logs a panic as an event, in place of the text that Rust writes to standard error. The runtime catches it and
/// answers for the invocation.
pub(crate) fn log() {
    panic::set_hook(Box::new(|panic| {
        tracing::error!(
            code.file.path = panic.location().map(Location::file),
            code.line.number = panic.location().map(Location::line),
            exception.message = panic.payload_as_str(),
            "panic"
        );
    }));
}
