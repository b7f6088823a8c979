//! What messages say: templates with typed variables, languages and versions.

use std::{collections::BTreeMap, fmt, str::FromStr};

use domain_channel::{Category, Channel};
use domain_coupon::StoreError;
use domain_ids::{ProviderName, TemplateCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Variables of a template.
pub const MAX_VARIABLES: usize = 32;

/// Languages of a template.
pub const MAX_LANGUAGES: usize = 16;

/// Characters of a title.
pub const MAX_TITLE_CHARS: usize = 200;

/// Bytes of a content, of text and of HTML each: a version is one item of at most 400 KB.
pub const MAX_CONTENT_BYTES: usize = 32 * 1_024;

/// Characters of a text that fills in a variable.
pub const MAX_TEXT_CHARS: usize = 1_000;

/// Entries of a list that fills in a variable.
pub const MAX_LIST_ENTRIES: usize = 100;

/// A language, as in `zh-CN`: 2 to 16 characters of `A-Z a-z 0-9 -` (BCP 47).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(String);

/// The text is no language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a language tag such as zh-CN")]
pub struct InvalidLanguage;

impl Language {
    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Language {
    /// The platform's own language.
    fn default() -> Self {
        Self("zh-CN".into())
    }
}

impl FromStr for Language {
    type Err = InvalidLanguage;

    fn from_str(text: &str) -> Result<Self, InvalidLanguage> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for Language {
    type Error = InvalidLanguage;

    fn try_from(text: String) -> Result<Self, InvalidLanguage> {
        let valid = (2..=16).contains(&text.len())
            && text
                .split('-')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
            && text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
        if valid { Ok(Self(text)) } else { Err(InvalidLanguage) }
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.0
    }
}

/// What fills in a variable. Money is fen, times are RFC 3339 as text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A text, at most [`MAX_TEXT_CHARS`].
    Text(String),
    /// Several texts, at most [`MAX_LIST_ENTRIES`].
    List(Vec<String>),
}

/// What fills in a template. `Debug` shows the names alone: values are personal data.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Params(pub BTreeMap<String, ParamValue>);

impl fmt::Debug for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What may fill in a variable, and how it is written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// An integer number of fen, at least 0; written as yuan: `128.00`.
    MoneyFen,
    /// An instant in RFC 3339; written as `2026-11-24 18:30` in Asia/Shanghai.
    DateTime,
    /// A day (`2026-11-24`), or an instant, of which the day in Asia/Shanghai counts; written as `2026-11-24`.
    Date,
    /// An `https` address.
    Url,
    /// Yes or no.
    Flag,
    /// Several texts.
    List,
}

/// A variable of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// As the text calls it: `a-z A-Z 0-9 _`, not beginning with a digit, at most 64 characters.
    pub name: String,
    /// What may fill it in.
    pub kind: VariableKind,
    /// Whether a message may leave it out; it is then an empty text, 0, or no.
    #[serde(default)]
    pub optional: bool,
    /// What it is, for whoever sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it may be, for previews.
    pub example: ParamValue,
}

/// What a template says in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateText {
    /// The title: the subject of a mail, the first line of a push or inbox message. A template of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The content as plain text.
    pub content: String,
    /// The content as HTML, for mails; variables are escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// What a provider calls the template: text messages in China, and `WeChat`, send approved texts only, known by an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderTemplate {
    /// The provider's id of it.
    pub id: String,
    /// What the provider fills in, in its order: the provider's name of each blank, and a template for it, for example
    /// `{{ amount }}`.
    #[serde(default)]
    pub params: Vec<ProviderParam>,
}

/// A blank of a provider's template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderParam {
    /// The provider's name of it.
    pub name: String,
    /// A template for what fills it in.
    pub value: String,
}

/// What a template says, in its languages. It never changes: a change is a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateVersion {
    /// The template.
    pub code: TemplateCode,
    /// From 1.
    pub version: u32,
    /// On which way.
    pub channel: Channel,
    /// What it is about.
    pub category: Category,
    /// What fills it in.
    pub variables: Vec<Variable>,
    /// By language, the default language always among them.
    pub texts: BTreeMap<Language, TemplateText>,
    /// Which of them is used where the receiver's is missing.
    pub default_language: Language,
    /// What each provider calls it, by the provider's name in the configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub provider_templates: BTreeMap<ProviderName, ProviderTemplate>,
    /// When it was published.
    pub published_at: Timestamp,
}

impl TemplateVersion {
    /// The language to use for who wants `wanted`: that, one of the same tongue (`en` for `en-GB`), or the default.
    pub fn language(&self, wanted: Option<&Language>) -> &Language {
        let tongue = |language: &Language| language.as_str().split('-').next().map(str::to_ascii_lowercase);
        let same = wanted.and_then(|wanted| self.texts.get_key_value(wanted));
        let akin = || {
            let wanted = tongue(wanted?);
            self.texts.iter().find(|(language, _)| tongue(language) == wanted)
        };
        same.or_else(akin).map_or(&self.default_language, |(language, _)| language)
    }
}

/// A template: its present version, and whether it is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Names it.
    pub code: TemplateCode,
    /// What operators call it, at most 100 characters.
    pub name: String,
    /// On which way. It never changes.
    pub channel: Channel,
    /// What it is about. It never changes.
    pub category: Category,
    /// Whether messages are accepted with it.
    pub enabled: bool,
    /// The version that new messages get.
    pub version: u32,
    /// Changes with every change, from 1: the entity tag.
    pub revision: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Which text a message has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TemplateRef {
    /// The template.
    pub code: TemplateCode,
    /// Its version when the message was accepted.
    pub version: u32,
}

/// A message as it is sent. `Debug` shows none of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The title, if it has one.
    pub title: Option<String>,
    /// The content as plain text.
    pub content: String,
    /// The content as HTML, if it has one.
    pub html: Option<String>,
    /// In which language.
    pub language: Language,
    /// What each provider calls it, with what fills it in.
    pub provider_templates: BTreeMap<ProviderName, FilledTemplate>,
}

/// A provider's template, filled in.
#[derive(Clone, PartialEq, Eq)]
pub struct FilledTemplate {
    /// The provider's id of it.
    pub id: String,
    /// The provider's name of each blank and what fills it in, in the provider's order.
    pub params: Vec<(String, String)>,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("language", &self.language).finish_non_exhaustive()
    }
}

impl fmt::Debug for FilledTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilledTemplate").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One thing that is wrong with a template or with what fills it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: the field as the caller spelled it, nested ones joined by `/`.
    pub field: String,
    /// What it must be. Never repeats a value.
    pub must: String,
}

impl Fault {
    /// `field` must be as `must` says.
    pub fn new(field: impl Into<String>, must: impl Into<String>) -> Self {
        Self { field: field.into(), must: must.into() }
    }
}

/// What fills in templates.
pub trait Renderer: Sync {
    /// What is wrong with a version: texts that are no templates, name unknown variables, or do not render with the
    /// examples. Fields as in the API (`texts/zh-CN/content`).
    fn check(&self, version: &TemplateVersion) -> Vec<Fault>;

    /// The message in the language for `wanted`. What is wrong with `params` is told as fields `params/<name>`.
    fn render(
        &self,
        version: &TemplateVersion,
        wanted: Option<&Language>,
        params: &Params,
    ) -> Result<Rendered, Vec<Fault>>;
}

/// Where templates are read. Versions may be remembered for good; a template for a few seconds.
pub trait TemplateReader: Sync {
    /// The template as of at most some seconds ago.
    fn template(
        &self,
        code: &TemplateCode,
    ) -> impl Future<Output = Result<Option<Template>, StoreError>> + Send;

    /// The version of a template.
    fn version(
        &self,
        of: &TemplateRef,
    ) -> impl Future<Output = Result<Option<std::sync::Arc<TemplateVersion>>, StoreError>> + Send;
}
