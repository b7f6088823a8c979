use std::{fmt, str::FromStr};

use domain_homestay::GenerationId;
use http::Uri;

/// Where a domain is: `https://…`, or `http://…` for one that asks for no signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

/// Not the address of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address of a domain is https://host or http://host, with a port if need be and nothing else")]
pub struct InvalidEndpoint;

impl Endpoint {
    /// Whether requests are encrypted, and signed.
    pub fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = text.parse().map_err(|_| InvalidEndpoint)?;
        let authority = uri.authority().ok_or(InvalidEndpoint)?;
        let plain = matches!(uri.scheme_str(), Some("http" | "https"))
            && !authority.as_str().contains('@')
            && !authority.host().is_empty()
            && uri.path() == "/"
            && uri.query().is_none();
        if plain { Ok(Self(uri)) } else { Err(InvalidEndpoint) }
    }
}

/// What an index and its aliases begin with: 1 to 60 characters of `a-z 0-9 -`, the first a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexName(String);

/// Not the name of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an index is named by 1 to 60 characters of a-z, 0-9 and -, the first of them a letter")]
pub struct InvalidIndexName;

impl Default for IndexName {
    fn default() -> Self {
        Self("homestays".to_owned())
    }
}

impl FromStr for IndexName {
    type Err = InvalidIndexName;

    fn from_str(text: &str) -> Result<Self, InvalidIndexName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let well_formed = (1..=60).contains(&text.len())
            && text.bytes().all(plain)
            && text.starts_with(|first: char| first.is_ascii_lowercase());
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidIndexName) }
    }
}

/// The names of aliases and indices. None needs escaping in a path.
#[derive(Debug)]
pub(crate) struct Names {
    /// Alias of the live generation.
    pub(crate) live: String,
    /// Alias of every generation that takes changes.
    pub(crate) sync: String,
    /// Alias of the one that is being built.
    pub(crate) building: String,
    /// Alias of the one that was live before.
    pub(crate) previous: String,
}

/// Endings that would make an index of a generation look like an alias.
const RESERVED: [&str; 4] = ["sync", "building", "previous", "writer"];

/// The generation's name is taken by an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a generation cannot be called sync, building, previous or writer, or end in -writer")]
pub(crate) struct Reserved;

impl Names {
    pub(crate) fn new(name: &IndexName) -> Self {
        let live = &name.0;
        Self {
            live: live.clone(),
            sync: format!("{live}-sync"),
            building: format!("{live}-building"),
            previous: format!("{live}-previous"),
        }
    }

    /// The index of a generation.
    pub(crate) fn index(&self, generation: &GenerationId) -> Result<String, Reserved> {
        let name = generation.as_str();
        if RESERVED.contains(&name) || name.ends_with("-writer") {
            return Err(Reserved);
        }
        Ok(format!("{}-{name}", self.live))
    }

    /// The alias by which that index is written to.
    pub(crate) fn writer(&self, generation: &GenerationId) -> String {
        format!("{}-{generation}-writer", self.live)
    }

    /// The generation whose index has this name.
    pub(crate) fn generation(&self, index: &str) -> Option<GenerationId> {
        index.strip_prefix(self.live.as_str())?.strip_prefix('-')?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host_and_nothing_else() {
        for text in ["https://search.example.com", "http://127.0.0.1:9200/", "https://search.example.com:443"]
        {
            assert!(text.parse::<Endpoint>().is_ok(), "{text}");
        }
        for text in [
            "",
            "search.example.com",
            "ftp://a",
            "https://",
            "https://u:p@a",
            "https://a/b",
            "https://a?b",
            "/a",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(InvalidEndpoint), "{text}");
        }
    }

    #[test]
    fn a_name_needs_no_escaping() {
        assert!("homestays-2".parse::<IndexName>().is_ok());
        for text in ["", "2", "-a", "A", "a/b", "a,b", "a*", "_all", &"a".repeat(61)] {
            assert_eq!(text.parse::<IndexName>(), Err(InvalidIndexName), "{text}");
        }
    }

    #[test]
    fn a_generation_is_read_back_from_its_index_and_never_takes_an_alias() {
        let names = Names::new(&IndexName::default());
        let generation: GenerationId = "g-1".parse().unwrap();
        let index = names.index(&generation).unwrap();
        assert_eq!(index, "homestays-g-1");
        assert_eq!(names.generation(&index), Some(generation));
        assert_eq!(names.generation("others-g-1"), None);
        for taken in ["sync", "building", "previous", "writer", "g-1-writer"] {
            assert_eq!(names.index(&taken.parse().unwrap()), Err(Reserved), "{taken}");
        }
    }
}
