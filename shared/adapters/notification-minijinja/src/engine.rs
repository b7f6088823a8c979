//! The template engine, and what it may do.

use std::{collections::BTreeSet, fmt, io};

use domain_ids::ProviderName;
use domain_notification::{
    Fault, Language, MAX_CONTENT_BYTES, MAX_TEXT_CHARS, MAX_TITLE_CHARS, TemplateVersion, Variable,
};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value,
    filters::{first, join, last, length, lower, trim, upper},
};

/// What one text may use of the engine: one instruction, or 64 bytes made on the way, cost 1. So many are some 3 MB, and
/// pass in a few milliseconds; a text that goes through the longest list uses less than a tenth.
pub const FUEL: u64 = 50_000;

/// Bytes of a content once it is filled in, of text and of HTML each: a bundle of 100 lines fits, and so does what is rendered
/// into an item of a table, of at most 400 KB.
pub const MAX_RENDERED_BYTES: usize = 128 * 1_024;

/// The template whose values are escaped.
const HTML: &str = "html";

/// Characters of the engine's own words that are told.
const MAX_DETAIL_CHARS: usize = 100;

/// Bytes that a character takes at most.
const BYTES_PER_CHAR: usize = 4;

/// What a text becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Title,
    Content,
    Blank,
}

impl Kind {
    /// Bytes at which rendering stops.
    fn most_bytes(self) -> usize {
        match self {
            Self::Title => MAX_TITLE_CHARS * BYTES_PER_CHAR,
            Self::Content => MAX_RENDERED_BYTES,
            Self::Blank => MAX_TEXT_CHARS * BYTES_PER_CHAR,
        }
    }

    fn is_short_enough(self, text: &str) -> bool {
        match self {
            Self::Title => text.chars().count() <= MAX_TITLE_CHARS,
            Self::Content => text.len() <= MAX_RENDERED_BYTES,
            Self::Blank => text.chars().count() <= MAX_TEXT_CHARS,
        }
    }

    fn limit(self) -> &'static str {
        match self {
            Self::Title => "200 characters",
            Self::Content => "131072 bytes",
            Self::Blank => "1000 characters",
        }
    }
}

/// One template of a version, not compiled.
pub(crate) struct Part<'a> {
    slot: Slot,
    source: &'a str,
}

/// One compiled template: what the engine and what the API calls it.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    name: String,
    field: String,
    kind: Kind,
}

impl<'a> Part<'a> {
    /// Title, content and HTML of a language, those that there are.
    pub(crate) fn of_text(version: &'a TemplateVersion, language: &Language) -> Vec<Self> {
        let Some(text) = version.texts.get(language) else { return Vec::new() };
        let part = |name: &str, kind, source| {
            let field = format!("texts/{}/{name}", language.as_str());
            Self { slot: Slot { name: name.to_owned(), field, kind }, source }
        };
        let title = text.title.as_deref().map(|title| part("title", Kind::Title, title));
        let html = text.html.as_deref().map(|html| part(HTML, Kind::Content, html));
        let content = part("content", Kind::Content, &*text.content);
        title.into_iter().chain([content]).chain(html).collect()
    }

    /// What fills in the providers' templates.
    pub(crate) fn of_providers(version: &'a TemplateVersion) -> Vec<Self> {
        let providers = version.provider_templates.iter();
        let blanks = providers.flat_map(|(provider, template)| {
            template.params.iter().enumerate().map(move |(place, param)| {
                let field = format!("providerTemplates/{provider}/params/{place}/value");
                Self { slot: Slot { name: field.clone(), field, kind: Kind::Blank }, source: &param.value }
            })
        });
        blanks.collect()
    }

    /// What is wrong with it: it does not compile, uses what is not declared, or does not render with a sample.
    pub(crate) fn check(&self, declared: &[Variable], samples: &[Value]) -> Option<Fault> {
        let Slot { field, kind, .. } = &self.slot;
        if self.source.len() > MAX_CONTENT_BYTES {
            // Told already, and not worth the work.
            return None;
        }
        let mut env = environment();
        if let Err(fault) = self.add_to(&mut env) {
            return Some(fault);
        }
        let declared: BTreeSet<&str> = declared.iter().map(|variable| variable.name.as_str()).collect();
        let used = env.get_template(&self.slot.name).map(|it| it.undeclared_variables(false));
        let mut unknown: Vec<String> =
            used.into_iter().flatten().filter(|name| !declared.contains(name.as_str())).collect();
        unknown.sort_unstable();
        if let Some(first) = unknown.first() {
            let first = shortened(first);
            return Some(Fault::new(field, format!("must use declared variables only, unlike {first}")));
        }
        let failed = samples.iter().find_map(|sample| fill(&env, &self.slot, sample).err())?;
        Some(Fault::new(
            field,
            match failed {
                Failed::TooLong => {
                    format!("must be at most {} once filled in with the examples", kind.limit())
                }
                Failed::Engine(error) => {
                    let line = error.line().unwrap_or_default();
                    let detail = error.detail().map(|detail| format!(" ({})", shortened(detail)));
                    let detail = detail.unwrap_or_default();
                    format!("must render with the examples: {}{detail} in line {line}", error.kind())
                }
            },
        ))
    }

    fn add_to(&self, env: &mut Environment<'static>) -> Result<(), Fault> {
        let fault = |must: String| Fault::new(&self.slot.field, must);
        if turns_off_escaping(self.source) {
            return Err(fault(
                "must not have autoescape: values are escaped in HTML, and in nothing else".into(),
            ));
        }
        env.add_template_owned(self.slot.name.clone(), self.source.to_owned()).map_err(|error| {
            let line = error.line().unwrap_or_default();
            let detail = error.detail().map_or_else(|| error.kind().to_string(), shortened);
            fault(format!("must be a template: {detail} in line {line}"))
        })
    }
}

/// The engine's word for it is a block that no other feature of the engine can stand for. A text that merely quotes it is
/// refused as well, which nobody misses.
fn turns_off_escaping(source: &str) -> bool {
    source
        .split("{%")
        .skip(1)
        .any(|block| block.trim_start_matches(['-', '+']).trim_start().starts_with("autoescape"))
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_DETAIL_CHARS).collect()
}

/// An engine without templates: nothing that this does not add can be called.
fn environment() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|name| if name == HTML { AutoEscape::Html } else { AutoEscape::None });
    env.set_fuel(Some(FUEL));
    env.add_filter("default", or_else);
    env.add_filter("first", first);
    env.add_filter("join", join);
    env.add_filter("last", last);
    env.add_filter("length", length);
    env.add_filter("lower", lower);
    env.add_filter("trim", trim);
    env.add_filter("upper", upper);
    env
}

/// Variables are always defined: what has a default here is what was left out, and so is empty.
fn or_else(value: &Value, other: Value) -> Value {
    let is_empty = value.is_undefined() || value.len() == Some(0);
    if is_empty { other } else { value.clone() }
}

/// A version in one language, ready to be filled in.
pub(crate) struct Compiled {
    env: Environment<'static>,
    pub(crate) title: Option<Slot>,
    pub(crate) content: Slot,
    pub(crate) html: Option<Slot>,
    pub(crate) providers: Vec<Provider>,
}

/// A provider, its id of the template, and its blanks by name.
type Provider = (ProviderName, String, Vec<(String, Slot)>);

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").finish_non_exhaustive()
    }
}

impl Compiled {
    /// Compiles what `version` says in `language`, or tells what is wrong with it: nothing, for a version that was published.
    pub(crate) fn new(version: &TemplateVersion, language: &Language) -> Result<Self, Vec<Fault>> {
        let mut env = environment();
        let (mut title, mut content, mut html) = (None, None, None);
        let mut blanks = Vec::new();
        let mut faults = Vec::new();
        for part in Part::of_text(version, language).into_iter().chain(Part::of_providers(version)) {
            faults.extend(part.add_to(&mut env).err());
            let slot = part.slot;
            match slot.kind {
                Kind::Title => title = Some(slot),
                Kind::Content if slot.name == HTML => html = Some(slot),
                Kind::Content => content = Some(slot),
                Kind::Blank => blanks.push(slot),
            }
        }
        let Some(content) = content.filter(|_| faults.is_empty()) else {
            faults.push(Fault::new("texts", "must have the default language"));
            return Err(faults);
        };
        let mut blanks = blanks.into_iter();
        let providers = version.provider_templates.iter().map(|(provider, template)| {
            let names = template.params.iter().map(|param| param.name.clone());
            (provider.clone(), template.id.clone(), names.zip(blanks.by_ref()).collect())
        });
        let providers = providers.collect();
        Ok(Self { env, title, content, html, providers })
    }

    /// The text with its variables filled in. What goes wrong is due to these.
    pub(crate) fn fill(&self, slot: &Slot, values: &Value) -> Result<String, Fault> {
        fill(&self.env, slot, values).map_err(|failed| {
            let Slot { field, kind, .. } = slot;
            Fault::new(
                "params",
                match failed {
                    Failed::TooLong => format!("must be shorter: {field} is more than {}", kind.limit()),
                    // The detail may repeat a value.
                    Failed::Engine(error) => format!("must be such that {field} renders: {}", error.kind()),
                },
            )
        })
    }
}

/// Why a text was not rendered.
enum Failed {
    TooLong,
    Engine(Error),
}

fn fill(env: &Environment<'_>, slot: &Slot, values: &Value) -> Result<String, Failed> {
    let mut output = Bounded { text: Vec::new(), left: slot.kind.most_bytes() };
    let template = env.get_template(&slot.name).map_err(Failed::Engine)?;
    let rendered = template.render_captured_to(values.clone(), &mut output).map(drop);
    rendered.map_err(|error| match error.kind() {
        ErrorKind::WriteFailure => Failed::TooLong,
        _ => Failed::Engine(error),
    })?;
    let text = String::from_utf8(output.text).unwrap_or_default();
    let text = if slot.kind == Kind::Title { in_one_line(&text) } else { text };
    if slot.kind.is_short_enough(&text) { Ok(text) } else { Err(Failed::TooLong) }
}

/// Whatever ends a line becomes a space: a title is a header of a mail, and what follows its line would be the next header.
fn in_one_line(title: &str) -> String {
    let ends_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let parts: Vec<&str> = title.split(ends_line).filter(|part| !part.is_empty()).collect();
    parts.join(" ").trim().to_owned()
}

/// Takes so many bytes and no more.
struct Bounded {
    text: Vec<u8>,
    left: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
