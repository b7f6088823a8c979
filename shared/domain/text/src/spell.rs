/// Knows the words of an index, and which of them somebody probably meant.
#[derive(Debug, Clone, Default)]
pub struct Speller {}

impl Speller {
    /// Of the words of an index, each with the number of documents that have it.
    pub fn new(words: impl IntoIterator<Item = (String, u32)>) -> Self {
        let _ = words.into_iter();
        Self {}
    }

    /// What was probably meant by `keyword`; `None` if nothing better is known.
    pub fn correct(&self, keyword: &str) -> Option<String> {
        let _ = keyword;
        None
    }
}
