use std::{path::PathBuf, str::FromStr};

use homestay_opensearch::Endpoint;

/// Where an index is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `file:/path`.
    Folder(PathBuf),
    /// `https://host` or `http://host`.
    Domain(Endpoint),
}

/// Not where an index can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an index is at file:/absolute/path, https://host or http://host")]
pub struct InvalidLocation;

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        match text.strip_prefix("file:") {
            Some(path) => {
                let path = PathBuf::from(path);
                // `file://host/path` has no place here, and the root of a disk neither.
                let usable = path.is_absolute() && !text.starts_with("file://") && path.file_name().is_some();
                if usable { Ok(Self::Folder(path)) } else { Err(InvalidLocation) }
            }
            None => text.parse().map(Self::Domain).map_err(|_| InvalidLocation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_an_absolute_path_and_a_domain_a_scheme() {
        assert_eq!("file:/mnt/search".parse(), Ok(Location::Folder("/mnt/search".into())));
        assert!(matches!("https://search.example.com".parse(), Ok(Location::Domain(_))));
        for text in [
            "",
            "file:",
            "file:search",
            "file:/",
            "file://host/path",
            "/mnt/search",
            "s3://bucket",
            "https://",
        ] {
            assert_eq!(text.parse::<Location>(), Err(InvalidLocation), "{text}");
        }
    }
}
