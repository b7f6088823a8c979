use std::{
    error::Error,
    fmt::{self, Write},
};

/// Bytes of a chain that are shown. AWS SDK errors of several levels have a few hundred.
pub const MAX_CHAIN_BYTES: usize = 2_048;

/// Errors of a chain that are followed: nobody wraps an error that often, but one may be its own source.
const MAX_LINKS: usize = 16;

/// An error with all its sources, `a: b: c`, cut at [`MAX_CHAIN_BYTES`]: `error = %Chain(&error)`.
///
/// `Display` of an error shows the outermost only, which for an SDK error is "service error".
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bounded = Bounded { out: f, left: MAX_CHAIN_BYTES, cut: false };
        let mut next = Some(self.0);
        for link in 0..MAX_LINKS {
            let Some(error) = next else { return Ok(()) };
            if link > 0 {
                bounded.write_str(": ")?;
            }
            write!(bounded, "{error}")?;
            next = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Passes on so many bytes, then an ellipsis, then nothing.
struct Bounded<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    left: usize,
    cut: bool,
}

impl Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.cut {
            return Ok(());
        }
        if text.len() <= self.left {
            self.left -= text.len();
            return self.out.write_str(text);
        }
        self.cut = true;
        let end = text.floor_char_boundary(self.left);
        self.out.write_str(text.get(..end).unwrap_or_default())?;
        self.out.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: String,
        source: Option<Box<Link>>,
    }

    fn chain(texts: &[&str]) -> Link {
        let (first, rest) = texts.split_first().unwrap();
        let source = (!rest.is_empty()).then(|| Box::new(chain(rest)));
        Link { text: (*first).to_owned(), source }
    }

    #[test]
    fn every_source_is_shown() {
        let error = chain(&["the store failed", "service error", "timeout"]);
        assert_eq!(Chain(&error).to_string(), "the store failed: service error: timeout");
        assert_eq!(Chain(&chain(&["alone"])).to_string(), "alone");
    }

    #[test]
    fn a_chain_without_end_ends() {
        #[derive(Debug)]
        struct Ouroboros;
        impl fmt::Display for Ouroboros {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("again")
            }
        }
        impl Error for Ouroboros {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&Self)
            }
        }
        assert_eq!(Chain(&Ouroboros).to_string().matches("again").count(), MAX_LINKS);
    }

    proptest! {
        #[test]
        fn a_chain_is_bounded(texts in proptest::collection::vec(".{0,600}", 1..8)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (whole, shown) = (texts.join(": "), Chain(&chain(&texts)).to_string());
            if whole.len() <= MAX_CHAIN_BYTES {
                prop_assert_eq!(shown, whole);
            } else {
                let kept = shown.strip_suffix('…').unwrap();
                prop_assert!(kept.len() <= MAX_CHAIN_BYTES && whole.starts_with(kept), "{}", shown);
            }
        }
    }
}
