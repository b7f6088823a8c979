use std::{collections::BTreeMap, str::FromStr};

use domain_channel::Category;
use domain_notification::{InboxEntry, InboxPosition};
use jiff::Timestamp;
use platform_http::{Problem, Request, StatusCode, cursor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// 404: for an entry that is not in the guest's inbox, and for one that was deleted.
pub fn inbox_entry_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "inbox-entry-not-found", "There is no such entry in the inbox")
}

/// An entry's id in the API: `<ms since 1970>-<message id>`, which is its place in the inbox. Callers take it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxEntryId(pub InboxPosition);

/// The text is no id of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidInboxEntryId;

/// Milliseconds are at most of this many digits: thousands of years.
const MAX_MS_DIGITS: usize = 15;

impl FromStr for InboxEntryId {
    type Err = InvalidInboxEntryId;

    fn from_str(text: &str) -> Result<Self, InvalidInboxEntryId> {
        let parse = || {
            let (digits, id) = text.split_once('-')?;
            let ms: i64 = digits.parse().ok()?;
            // One spelling only: `+7` and `07` also parse as a number.
            let is_canonical = digits.len() <= MAX_MS_DIGITS && ms.to_string() == digits;
            let at = Timestamp::from_millisecond(ms).ok().filter(|_| is_canonical)?;
            Some(Self(InboxPosition { at, id: id.parse().ok()? }))
        };
        parse().ok_or(InvalidInboxEntryId)
    }
}

impl std::fmt::Display for InboxEntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0.at.as_millisecond(), self.0.id)
    }
}

/// The place of an entry in the list, before it is made opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxCursor(pub InboxPosition);

impl InboxCursor {
    /// Where the page begins that the caller asks for, or 400 `invalid-cursor`.
    pub fn from_query(request: &Request) -> Result<Option<InboxPosition>, Problem> {
        let Some(text) = cursor::from_query(request)? else { return Ok(None) };
        let id: InboxEntryId = text.parse().map_err(|_| cursor::invalid())?;
        Ok(Some(id.0))
    }

    /// As a caller gets it.
    pub fn encode(&self) -> String {
        cursor::encode(&InboxEntryId(self.0).to_string())
    }
}

/// What a guest was told within the app.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxEntryView {
    /// Names it, for as long as it is there.
    #[schema(example = "1794326400000-01KA3Z5QJ8M4T2R7V9X1C6B0NG")]
    pub id: String,
    /// What it is about: `account`, `order`, `reminder` or `marketing`.
    #[schema(value_type = String, example = "order")]
    pub category: Category,
    /// Its title, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it says, as plain text.
    pub content: String,
    /// Whether the guest has read it.
    pub read: bool,
    /// When it was to be sent.
    #[schema(value_type = String, format = DateTime)]
    pub send_time: Timestamp,
}

/// What guests are told is theirs.
impl std::fmt::Debug for InboxEntryView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboxEntryView").field("id", &self.id).finish_non_exhaustive()
    }
}

impl From<InboxEntry> for InboxEntryView {
    fn from(entry: InboxEntry) -> Self {
        Self {
            id: InboxEntryId(entry.position()).to_string(),
            category: entry.category,
            title: entry.title,
            content: entry.content,
            read: entry.is_read,
            send_time: entry.at,
        }
    }
}

/// Part of an inbox, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxList {
    /// The entries. A page may have fewer than asked for, even none, where others follow.
    pub items: Vec<InboxEntryView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// When the list was read: pass it as `until` to mark as read what was there by then.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}

/// How much is unread. 1000 means 1000 or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"total": 3, "byCategory": {"account": 0, "order": 1, "reminder": 2, "marketing": 0}}))]
pub struct UnreadView {
    /// In all, the sum of the categories.
    pub total: u32,
    /// By category, each at most 1000.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub by_category: BTreeMap<Category, u32>,
}

impl From<BTreeMap<Category, u32>> for UnreadView {
    fn from(by_category: BTreeMap<Category, u32>) -> Self {
        Self { total: by_category.values().sum(), by_category }
    }
}

/// What to mark as read: everything, unless it says less.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"category": "order", "until": "2026-11-24T10:00:00Z"}))]
pub struct ReadAllRequest {
    /// Of this category alone.
    #[schema(value_type = Option<String>)]
    pub category: Option<Category>,
    /// What had arrived by then: the `asOf` of the list that the guest has seen. Without it, or for a time to come, by now.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let text = "1794326400000-01KA3Z5QJ8M4T2R7V9X1C6B0NG";
        assert_eq!(text.parse::<InboxEntryId>().unwrap().to_string(), text);
        for text in [
            "",
            "-",
            "01794326400000-01KA3Z5QJ8M4T2R7V9X1C6B0NG",
            "+1794326400000-01KA3Z5QJ8M4T2R7V9X1C6B0NG",
            "-1-01KA3Z5QJ8M4T2R7V9X1C6B0NG",
            "1794326400000000-01KA3Z5QJ8M4T2R7V9X1C6B0NG",
            "1794326400000-01ka3z5qj8m4t2r7v9x1c6b0ng",
            "1794326400000-",
            "1794326400000#01KA3Z5QJ8M4T2R7V9X1C6B0NG",
        ] {
            assert!(text.parse::<InboxEntryId>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_id_reads_back(ms in 0..253_402_200_000_000_i64, random: u128) {
            let at = Timestamp::from_millisecond(ms).unwrap();
            let id = domain_ids::MessageId::from_parts(ms.unsigned_abs(), random);
            let id = InboxEntryId(InboxPosition { at, id });
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn no_text_panics(text in "[0-9+-]{0,20}.{0,40}") {
            let _ = text.parse::<InboxEntryId>();
        }
    }
}
