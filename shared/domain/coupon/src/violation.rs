/// One thing that is wrong with what a caller sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// The field, as the caller spelled it; nested fields joined by `/`.
    pub field: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl Violation {
    /// `field` must be as `must` says.
    pub const fn new(field: &'static str, must: &'static str) -> Self {
        Self { field, must }
    }
}

/// Everything that is wrong with what a caller sent: at least one thing when it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{} field(s) are not valid", .0.len())]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Adds `otherwise` unless it `holds`.
    pub fn check(&mut self, holds: bool, otherwise: Violation) {
        if !holds {
            self.0.push(otherwise);
        }
    }

    /// An error if anything is wrong.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Each of them, in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }
}
