//! What operators do with templates: a version is checked before it is published, and never changes after.

use std::collections::{BTreeMap, BTreeSet};

use domain_channel::{Category, Channel};
use domain_coupon::{Page, StoreError};
use domain_ids::{ProviderName, TemplateCode};
use jiff::Timestamp;

use crate::{
    Fault, Language, MAX_CONTENT_BYTES, MAX_LANGUAGES, MAX_TEXT_CHARS, MAX_TITLE_CHARS, MAX_VARIABLES,
    ProviderTemplate, Renderer, Template, TemplateRef, TemplateText, TemplateVersion, Variable,
};

/// Characters of a template's name.
pub const MAX_TEMPLATE_NAME_CHARS: usize = 100;

/// Characters of a variable's name.
pub const MAX_VARIABLE_NAME_CHARS: usize = 64;

/// Characters of a variable's description.
pub const MAX_DESCRIPTION_CHARS: usize = 200;

/// Providers that know a template by an id of their own.
pub const MAX_PROVIDER_TEMPLATES: usize = 16;

/// Characters of a provider's id of a template; those of `WeChat` have 43.
pub const MAX_PROVIDER_ID_CHARS: usize = 128;

/// What a template is to say: all of a version but its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateDraft {
    /// See [`TemplateVersion::variables`].
    pub variables: Vec<Variable>,
    /// See [`TemplateVersion::texts`].
    pub texts: BTreeMap<Language, TemplateText>,
    /// See [`TemplateVersion::default_language`].
    pub default_language: Language,
    /// See [`TemplateVersion::provider_templates`].
    pub provider_templates: BTreeMap<ProviderName, ProviderTemplate>,
}

/// A new template with its first version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTemplate {
    /// See [`Template::code`].
    pub code: TemplateCode,
    /// See [`Template::name`].
    pub name: String,
    /// See [`Template::channel`].
    pub channel: Channel,
    /// See [`Template::category`].
    pub category: Category,
    /// See [`Template::enabled`].
    pub enabled: bool,
    /// What it says.
    pub draft: TemplateDraft,
}

/// What an operator changes. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateChange {
    /// A new name.
    pub name: Option<String>,
    /// Whether messages are accepted with it.
    pub enabled: Option<bool>,
}

/// Where templates are kept.
pub trait TemplateShelf: Sync {
    /// The template as it is now (not an older copy).
    fn template(
        &self,
        code: &TemplateCode,
    ) -> impl Future<Output = Result<Option<Template>, StoreError>> + Send;

    /// The version of a template.
    fn version(
        &self,
        of: &TemplateRef,
    ) -> impl Future<Output = Result<Option<TemplateVersion>, StoreError>> + Send;

    /// Up to `limit` templates in the order of their codes, from behind `after` on.
    fn templates(
        &self,
        after: Option<TemplateCode>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Template, TemplateCode>, StoreError>> + Send;

    /// Adds a template and its first version at once, unless there is one with its code; says whether it did.
    fn insert(
        &self,
        template: &Template,
        first: &TemplateVersion,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Adds a version and makes it the template's at once, if the stored template still has revision `expected`; says
    /// whether it did.
    fn publish(
        &self,
        template: &Template,
        next: &TemplateVersion,
        expected: u32,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Writes `template` if the stored one still has revision `expected`; says whether it did.
    fn replace(
        &self,
        template: &Template,
        expected: u32,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Why a template was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateTemplateError {
    /// There is a template with this code.
    #[error("the code is taken")]
    Taken,
    /// What the operator sent is not a sensible template.
    #[error("{} field(s) are not valid", .0.len())]
    Invalid(Vec<Fault>),
    /// The store failed. The template may be there; reading it tells.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Why a template was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeTemplateError {
    /// There is no such template.
    #[error("no such template")]
    NotFound,
    /// Somebody else has changed it since the operator read it.
    #[error("changed by somebody else")]
    Outdated,
    /// What the operator sent is not a sensible change.
    #[error("{} field(s) are not valid", .0.len())]
    Invalid(Vec<Fault>),
    /// The store failed. The change may have been made; reading the template tells.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Creates a template with its first version.
pub async fn create_template(
    store: &impl TemplateShelf,
    renderer: &impl Renderer,
    new: NewTemplate,
    now: Timestamp,
) -> Result<Template, CreateTemplateError> {
    let template = Template {
        code: new.code,
        name: new.name,
        channel: new.channel,
        category: new.category,
        enabled: new.enabled,
        version: 1,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let first = new.draft.version_of(&template, now);
    let mut faults = name_faults(&template.name);
    faults.extend(renderer.check(&first));
    if !faults.is_empty() {
        return Err(CreateTemplateError::Invalid(faults));
    }
    if store.insert(&template, &first).await? { Ok(template) } else { Err(CreateTemplateError::Taken) }
}

/// Publishes a new version of a template that still has revision `expected`. Messages taken from now on have it; those taken
/// before keep theirs.
pub async fn publish_version(
    store: &impl TemplateShelf,
    renderer: &impl Renderer,
    code: &TemplateCode,
    expected: u64,
    draft: TemplateDraft,
    now: Timestamp,
) -> Result<(Template, TemplateVersion), ChangeTemplateError> {
    let (mut template, expected) = read(store, code, expected).await?;
    template.version = template.version.saturating_add(1);
    template.touch(now);
    let next = draft.version_of(&template, now);
    let faults = renderer.check(&next);
    if !faults.is_empty() {
        return Err(ChangeTemplateError::Invalid(faults));
    }
    let is_published = store.publish(&template, &next, expected).await?;
    if is_published { Ok((template, next)) } else { Err(ChangeTemplateError::Outdated) }
}

/// Renames, enables or disables a template that still has revision `expected`.
pub async fn change_template(
    store: &impl TemplateShelf,
    code: &TemplateCode,
    expected: u64,
    change: TemplateChange,
    now: Timestamp,
) -> Result<Template, ChangeTemplateError> {
    let (mut template, expected) = read(store, code, expected).await?;
    if let Some(name) = change.name {
        let faults = name_faults(&name);
        if !faults.is_empty() {
            return Err(ChangeTemplateError::Invalid(faults));
        }
        template.name = name;
    }
    template.enabled = change.enabled.unwrap_or(template.enabled);
    template.touch(now);
    if store.replace(&template, expected).await? { Ok(template) } else { Err(ChangeTemplateError::Outdated) }
}

async fn read(
    store: &impl TemplateShelf,
    code: &TemplateCode,
    expected: u64,
) -> Result<(Template, u32), ChangeTemplateError> {
    let template = store.template(code).await?.ok_or(ChangeTemplateError::NotFound)?;
    let revision = template.revision;
    if u64::from(revision) == expected {
        Ok((template, revision))
    } else {
        Err(ChangeTemplateError::Outdated)
    }
}

impl Template {
    fn touch(&mut self, now: Timestamp) {
        self.revision = self.revision.saturating_add(1);
        self.updated_at = now;
    }
}

impl TemplateDraft {
    /// The draft as the present version of `template`.
    pub fn version_of(self, template: &Template, now: Timestamp) -> TemplateVersion {
        TemplateVersion {
            code: template.code.clone(),
            version: template.version,
            channel: template.channel,
            category: template.category,
            variables: self.variables,
            texts: self.texts,
            default_language: self.default_language,
            provider_templates: self.provider_templates,
            published_at: now,
        }
    }
}

fn name_faults(name: &str) -> Vec<Fault> {
    if is_line(name, MAX_TEMPLATE_NAME_CHARS) {
        Vec::new()
    } else {
        vec![Fault::new("name", "must be 1 to 100 characters, without control characters or space around it")]
    }
}

/// 1 to `most` characters in one line, without space around them.
fn is_line(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control) && text.trim() == text
}

impl TemplateVersion {
    /// What is wrong with a version apart from what only a [`Renderer`] can tell: names, limits, what belongs to the channel.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.check_variables(&mut faults);
        self.check_texts(&mut faults);
        self.check_provider_templates(&mut faults);
        faults
    }

    fn check_variables(&self, faults: &mut Vec<Fault>) {
        check(faults, self.variables.len() <= MAX_VARIABLES, "variables", "must be at most 32");
        let mut names = BTreeSet::new();
        for (place, variable) in self.variables.iter().enumerate() {
            let field = format!("variables/{place}/name");
            check(
                faults,
                is_variable_name(&variable.name),
                &field,
                "must be 1 to 64 of a-z A-Z 0-9 _, not begin with a digit, and be no word of the template language",
            );
            check(faults, names.insert(&variable.name), &field, "must be another one than those before");
            let described = variable.description.as_ref();
            check(
                faults,
                described.is_none_or(|text| is_line(text, MAX_DESCRIPTION_CHARS)),
                &format!("variables/{place}/description"),
                "must be 1 to 200 characters, without control characters or space around it",
            );
        }
    }

    fn check_texts(&self, faults: &mut Vec<Fault>) {
        let languages = self.texts.len();
        check(faults, (1..=MAX_LANGUAGES).contains(&languages), "texts", "must be in 1 to 16 languages");
        check(
            faults,
            self.texts.contains_key(&self.default_language),
            "defaultLanguage",
            "must be one of those of texts",
        );
        for (language, text) in &self.texts {
            let field = |name: &str| format!("texts/{}/{name}", language.as_str());
            let is_mail = self.channel == Channel::Email;
            let title = text.title.as_ref();
            check(
                faults,
                title.is_some() || !is_mail,
                &field("title"),
                "must be present: mails have a subject",
            );
            check(
                faults,
                title.is_none_or(|title| is_line(title, MAX_TITLE_CHARS)),
                &field("title"),
                "must be 1 to 200 characters in one line, without space around them",
            );
            let content = 1..=MAX_CONTENT_BYTES;
            check(
                faults,
                content.contains(&text.content.len()),
                &field("content"),
                "must be 1 to 32768 bytes",
            );
            let html = text.html.as_ref();
            check(faults, html.is_none() || is_mail, &field("html"), "must be left out: only mails have it");
            check(
                faults,
                html.is_none_or(|html| content.contains(&html.len())),
                &field("html"),
                "must be 1 to 32768 bytes",
            );
        }
    }

    fn check_provider_templates(&self, faults: &mut Vec<Fault>) {
        let known = self.provider_templates.len();
        check(faults, known <= MAX_PROVIDER_TEMPLATES, "providerTemplates", "must be at most 16");
        for (provider, template) in &self.provider_templates {
            let field = |name: &str| format!("providerTemplates/{provider}/{name}");
            let id = &template.id;
            check(
                faults,
                (1..=MAX_PROVIDER_ID_CHARS).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()),
                &field("id"),
                "must be 1 to 128 visible ASCII characters",
            );
            let params = &template.params;
            check(faults, params.len() <= MAX_VARIABLES, &field("params"), "must be at most 32");
            let mut names = BTreeSet::new();
            for (place, param) in params.iter().enumerate() {
                let field = |name: &str| field(&format!("params/{place}/{name}"));
                let name = param.name.as_bytes();
                check(
                    faults,
                    (1..=MAX_VARIABLE_NAME_CHARS).contains(&name.len())
                        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_'),
                    &field("name"),
                    "must be 1 to 64 of a-z A-Z 0-9 _",
                );
                check(faults, names.insert(name), &field("name"), "must be another one than those before");
                check(
                    faults,
                    param.value.chars().count() <= MAX_TEXT_CHARS,
                    &field("value"),
                    "must be at most 1000 characters",
                );
            }
        }
    }
}

fn check(faults: &mut Vec<Fault>, holds: bool, field: &str, must: &str) {
    if !holds {
        faults.push(Fault::new(field, must));
    }
}

/// Words that mean something else where a variable is expected.
const RESERVED: [&str; 12] =
    ["and", "else", "false", "False", "if", "in", "is", "loop", "none", "not", "or", "true"];

fn is_variable_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=MAX_VARIABLE_NAME_CHARS).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !RESERVED.contains(&name)
        && !["None", "True"].contains(&name)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{ParamValue, Params, ProviderParam, Rendered, VariableKind};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_514_400 + seconds).unwrap()
    }

    /// Finds fault with what contains `{{ unknown }}`.
    struct Checker;

    impl Renderer for Checker {
        fn check(&self, version: &TemplateVersion) -> Vec<Fault> {
            let mut faults = version.faults();
            let texts = version.texts.values();
            check(
                &mut faults,
                !texts.map(|text| &text.content).any(|content| content.contains("unknown")),
                "texts",
                "must know its variables",
            );
            faults
        }

        fn render(
            &self,
            _: &TemplateVersion,
            _: Option<&Language>,
            _: &Params,
        ) -> Result<Rendered, Vec<Fault>> {
            Ok(Rendered::default())
        }
    }

    /// Templates and versions in memory.
    #[derive(Default)]
    struct Shelf(Mutex<(BTreeMap<TemplateCode, Template>, BTreeMap<TemplateRef, TemplateVersion>)>);

    impl Shelf {
        fn write(
            &self,
            template: &Template,
            version: Option<&TemplateVersion>,
            expected: Option<u32>,
        ) -> bool {
            let (templates, versions) = &mut *self.0.lock().unwrap();
            let holds = templates.get(&template.code).map(|stored| stored.revision) == expected;
            if holds {
                templates.insert(template.code.clone(), template.clone());
                if let Some(version) = version {
                    let of = TemplateRef { code: version.code.clone(), version: version.version };
                    assert!(versions.insert(of, version.clone()).is_none(), "a version changed");
                }
            }
            holds
        }
    }

    impl TemplateShelf for Shelf {
        async fn template(&self, code: &TemplateCode) -> Result<Option<Template>, StoreError> {
            Ok(self.0.lock().unwrap().0.get(code).cloned())
        }

        async fn version(&self, of: &TemplateRef) -> Result<Option<TemplateVersion>, StoreError> {
            Ok(self.0.lock().unwrap().1.get(of).cloned())
        }

        async fn templates(
            &self,
            _: Option<TemplateCode>,
            _: u16,
        ) -> Result<Page<Template, TemplateCode>, StoreError> {
            Ok(Page { items: Vec::new(), next: None })
        }

        async fn insert(&self, template: &Template, first: &TemplateVersion) -> Result<bool, StoreError> {
            Ok(self.write(template, Some(first), None))
        }

        async fn publish(
            &self,
            template: &Template,
            next: &TemplateVersion,
            expected: u32,
        ) -> Result<bool, StoreError> {
            Ok(self.write(template, Some(next), Some(expected)))
        }

        async fn replace(&self, template: &Template, expected: u32) -> Result<bool, StoreError> {
            Ok(self.write(template, None, Some(expected)))
        }
    }

    fn draft(content: &str) -> TemplateDraft {
        let text = TemplateText { title: None, content: content.into(), html: None };
        TemplateDraft {
            variables: vec![Variable {
                name: "order_id".into(),
                kind: VariableKind::Text,
                optional: false,
                description: None,
                example: ParamValue::Text("O-1".into()),
            }],
            texts: [(Language::default(), text)].into(),
            default_language: Language::default(),
            provider_templates: BTreeMap::new(),
        }
    }

    fn new(code: &str) -> NewTemplate {
        NewTemplate {
            code: code.parse().unwrap(),
            name: "订单确认".into(),
            channel: Channel::Sms,
            category: Category::Order,
            enabled: true,
            draft: draft("订单 {{ order_id }} 已确认"),
        }
    }

    fn version() -> TemplateVersion {
        let template = Template {
            code: "a".parse().unwrap(),
            name: "a".into(),
            channel: Channel::Sms,
            category: Category::Order,
            enabled: true,
            version: 1,
            revision: 1,
            created_at: at(0),
            updated_at: at(0),
        };
        draft("x").version_of(&template, at(0))
    }

    fn fields(faults: &[Fault]) -> Vec<&str> {
        faults.iter().map(|fault| fault.field.as_str()).collect()
    }

    #[tokio::test]
    async fn a_code_names_one_template() {
        let shelf = Shelf::default();
        let created = create_template(&shelf, &Checker, new("a"), at(0)).await.unwrap();
        assert_eq!((created.version, created.revision, created.enabled), (1, 1, true));
        let again = create_template(&shelf, &Checker, new("a"), at(1)).await;
        assert!(matches!(again, Err(CreateTemplateError::Taken)), "{again:?}");
    }

    #[tokio::test]
    async fn a_published_version_never_changes_and_messages_get_the_newest() {
        let shelf = Shelf::default();
        let first = create_template(&shelf, &Checker, new("a"), at(0)).await.unwrap();
        let (second, version) =
            publish_version(&shelf, &Checker, &first.code, 1, draft("new"), at(5)).await.unwrap();
        assert_eq!((second.version, second.revision, second.updated_at), (2, 2, at(5)));
        assert_eq!((version.version, version.channel, version.published_at), (2, Channel::Sms, at(5)));
        for n in [1, 2] {
            let of = TemplateRef { code: first.code.clone(), version: n };
            assert!(shelf.version(&of).await.unwrap().is_some());
        }
        let late = publish_version(&shelf, &Checker, &first.code, 1, draft("late"), at(6)).await;
        assert!(matches!(late, Err(ChangeTemplateError::Outdated)), "{late:?}");
    }

    #[tokio::test]
    async fn what_is_not_in_order_is_not_published() {
        let shelf = Shelf::default();
        let mut bad = new("a");
        bad.name = " ".into();
        bad.draft = draft("{{ unknown }}");
        let refused = create_template(&shelf, &Checker, bad, at(0)).await;
        let Err(CreateTemplateError::Invalid(faults)) = refused else { panic!("{refused:?}") };
        assert_eq!(fields(&faults), ["name", "texts"]);

        let template = create_template(&shelf, &Checker, new("a"), at(0)).await.unwrap();
        let refused = publish_version(&shelf, &Checker, &template.code, 1, draft(""), at(0)).await;
        let Err(ChangeTemplateError::Invalid(faults)) = refused else { panic!("{refused:?}") };
        assert_eq!(fields(&faults), ["texts/zh-CN/content"]);
        assert_eq!(shelf.template(&template.code).await.unwrap().unwrap(), template);
    }

    #[tokio::test]
    async fn a_template_is_renamed_and_switched_by_who_read_it_last() {
        let shelf = Shelf::default();
        let code = create_template(&shelf, &Checker, new("a"), at(0)).await.unwrap().code;
        let off = TemplateChange { name: None, enabled: Some(false) };
        let changed = change_template(&shelf, &code, 1, off.clone(), at(1)).await.unwrap();
        assert_eq!((changed.enabled, changed.revision, changed.version), (false, 2, 1));
        let late = change_template(&shelf, &code, 1, off.clone(), at(1)).await;
        assert!(matches!(late, Err(ChangeTemplateError::Outdated)), "{late:?}");
        let named = TemplateChange { name: Some("a\nb".into()), enabled: None };
        let refused = change_template(&shelf, &code, 2, named, at(1)).await;
        assert!(matches!(refused, Err(ChangeTemplateError::Invalid(_))), "{refused:?}");
        let nobody = change_template(&shelf, &"b".parse().unwrap(), 1, off, at(1)).await;
        assert!(matches!(nobody, Err(ChangeTemplateError::NotFound)), "{nobody:?}");
    }

    #[test]
    fn every_limit_is_told_by_its_field() {
        type Change = fn(&mut TemplateVersion);
        fn first(version: &mut TemplateVersion) -> &mut TemplateText {
            version.texts.get_mut(&Language::default()).unwrap()
        }
        fn provider(version: &mut TemplateVersion, id: &str, params: &[(&str, &str)]) {
            let params = params
                .iter()
                .map(|(name, value)| ProviderParam { name: (*name).into(), value: (*value).into() });
            let template = ProviderTemplate { id: id.into(), params: params.collect() };
            version.provider_templates.insert("aliyun".parse().unwrap(), template);
        }
        let table: [(Change, &[&str]); 18] = [
            (|_| (), &[]),
            (|it| it.variables[0].name = "9a".into(), &["variables/0/name"]),
            (|it| it.variables[0].name = "in".into(), &["variables/0/name"]),
            (|it| it.variables[0].name = "a-b".into(), &["variables/0/name"]),
            (|it| it.variables.push(it.variables[0].clone()), &["variables/1/name"]),
            (|it| it.variables[0].description = Some("a\nb".into()), &["variables/0/description"]),
            (|it| it.default_language = "en".parse().unwrap(), &["defaultLanguage"]),
            (|it| it.texts.clear(), &["texts", "defaultLanguage"]),
            (|it| first(it).content = String::new(), &["texts/zh-CN/content"]),
            (|it| first(it).content = "x".repeat(MAX_CONTENT_BYTES + 1), &["texts/zh-CN/content"]),
            (|it| first(it).title = Some("a\r\nBcc: b".into()), &["texts/zh-CN/title"]),
            (|it| first(it).title = Some("券".repeat(201)), &["texts/zh-CN/title"]),
            (|it| first(it).html = Some("<p>".into()), &["texts/zh-CN/html"]),
            (|it| it.channel = Channel::Email, &["texts/zh-CN/title"]),
            (|it| provider(it, "SMS_1", &[("code", "{{ order_id }}"), ("1", "")]), &[]),
            (|it| provider(it, "", &[]), &["providerTemplates/aliyun/id"]),
            (
                |it| provider(it, "SMS_1", &[("a", ""), ("a", "")]),
                &["providerTemplates/aliyun/params/1/name"],
            ),
            (
                |it| provider(it, "SMS_1", &[("a b", &"x".repeat(1_001))]),
                &["providerTemplates/aliyun/params/0/name", "providerTemplates/aliyun/params/0/value"],
            ),
        ];
        for (number, (change, expected)) in table.into_iter().enumerate() {
            let mut version = version();
            change(&mut version);
            assert_eq!(fields(&version.faults()), expected, "{number}");
        }
        let mut crowded = version();
        for n in 0..MAX_VARIABLES {
            crowded.variables.push(Variable { name: format!("v{n}"), ..crowded.variables[0].clone() });
        }
        for n in 0..MAX_LANGUAGES {
            let text = crowded.texts[&Language::default()].clone();
            crowded.texts.insert(format!("x{n}").parse().unwrap(), text);
        }
        assert_eq!(fields(&crowded.faults()), ["variables", "texts"]);
    }
}
