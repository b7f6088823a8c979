use std::fmt;

use domain_campaign::CampaignPosition;
use jiff::Timestamp;
use platform_http::{Problem, Request, cursor};

/// The text form of a [`CampaignPosition`], before it is made opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CampaignCursor(pub CampaignPosition);

impl fmt::Display for CampaignCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.ends_at.as_millisecond(), self.0.id)
    }
}

impl CampaignCursor {
    /// Where the page begins that the caller asks for, or 400 `invalid-cursor`.
    pub fn from_query(request: &Request) -> Result<Option<CampaignPosition>, Problem> {
        match cursor::from_query(request)? {
            Some(text) => parse(&text).map(Some).ok_or_else(cursor::invalid),
            None => Ok(None),
        }
    }

    /// As a caller gets it.
    pub fn encode(self) -> String {
        cursor::encode(&self.to_string())
    }
}

fn parse(text: &str) -> Option<CampaignPosition> {
    let (ends_at, id) = text.split_once('.')?;
    let ends_at = Timestamp::from_millisecond(ends_at.parse().ok()?).ok()?;
    let id = id.parse().ok()?;
    (ends_at >= Timestamp::UNIX_EPOCH).then_some(CampaignPosition { ends_at, id })
}

#[cfg(test)]
mod tests {
    use domain_ids::CampaignId;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_reads_back(ms in 0_i64..253_402_207_200_000, id: u128) {
            let ends_at = Timestamp::from_millisecond(ms).unwrap();
            let position = CampaignPosition { ends_at, id: CampaignId::from_parts(1, id) };
            prop_assert_eq!(parse(&CampaignCursor(position).to_string()), Some(position));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
