use serde::{Deserialize, Serialize};

/// Something that a beginning of text can be completed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// What it is completed to.
    pub text: String,
    /// What it is.
    pub kind: CompletionKind,
    /// The greater, the sooner it is proposed.
    pub weight: u32,
}

/// What a completion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletionKind {
    /// A city, a district, a sight.
    Place,
    /// What many have searched for.
    Query,
    /// The title of a homestay.
    Title,
}

/// Knows completions by heart: places and popular queries, thousands, not millions.
#[derive(Debug, Clone, Default)]
pub struct Completer {}

impl Completer {
    /// Of `completions`.
    pub fn new(completions: Vec<Completion>) -> Self {
        let _ = completions;
        Self {}
    }

    /// The best `limit` of them for `prefix`.
    pub fn complete(&self, prefix: &Prefix, limit: usize) -> Vec<&Completion> {
        let _ = (prefix, limit);
        Vec::new()
    }
}

/// What was typed so far: hanzi, full pinyin, initials, or a mixture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefix {}

impl Prefix {
    /// Reads it. Never fails; of what cannot be pinyin nothing is completed but the same letters.
    pub fn parse(typed: &str) -> Self {
        let _ = typed;
        Self {}
    }

    /// The beginnings of [`completion_keys`] of texts that it may be completed to; few. Empty if nothing was typed.
    pub fn keys(&self) -> &[String] {
        &[]
    }

    /// Whether `text` really goes on from what was typed: keys leave out what this looks at.
    pub fn matches(&self, text: &str) -> bool {
        let _ = text;
        false
    }
}

/// What a text is found by while it is being typed: initials from the beginning of each of its first words on.
pub fn completion_keys(text: &str) -> Vec<String> {
    let _ = text;
    Vec::new()
}
