use std::collections::BTreeMap;

use domain_channel::{Category, Channel};
use domain_ids::{ProviderName, TemplateCode};
use domain_notification::{
    Fault, Language, NewTemplate, ParamValue, Params, ProviderParam, ProviderTemplate, Rendered, Template,
    TemplateChange, TemplateDraft, TemplateText, TemplateVersion, Variable, VariableKind,
};
use jiff::Timestamp;
use platform_http::{Problem, Request, StatusCode, cursor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// 404.
pub fn notification_template_not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "notification-template-not-found",
        "There is no such template of notifications",
    )
}

/// 422: fields that are well-formed but not sensible.
pub fn faulty(faults: &[Fault]) -> Problem {
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", "The body is not valid");
    faults.iter().fold(problem, |problem, fault| problem.field(&fault.field, &fault.must))
}

/// The place of a template in the list of all, before it is made opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationTemplateCursor(pub TemplateCode);

impl NotificationTemplateCursor {
    /// No code begins with it: what another list made is no place in this one.
    const MARK: &str = "code:";

    /// Where the page begins that the caller asks for, or 400 `invalid-cursor`.
    pub fn from_query(request: &Request) -> Result<Option<TemplateCode>, Problem> {
        let Some(text) = cursor::from_query(request)? else { return Ok(None) };
        let code = text.strip_prefix(Self::MARK).and_then(|code| code.parse().ok());
        code.map(Some).ok_or_else(cursor::invalid)
    }

    /// As a caller gets it.
    pub fn encode(&self) -> String {
        cursor::encode(&format!("{}{}", Self::MARK, self.0))
    }
}

/// A new template of notifications with its first version.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "code": "order_confirmed", "name": "订单确认短信", "type": "sms", "category": "order",
    "variables": [
        {"name": "orderId", "kind": "text", "description": "订单号", "example": "O-20261111-000042"},
        {"name": "amount", "kind": "money_fen", "example": 58_800}
    ],
    "texts": {"zh-CN": {"content": "订单 {{ orderId }} 已确认，金额 {{ amount }} 元。"}},
    "providerTemplates": {"aliyun": {"id": "SMS_100000001", "params": [{"name": "orderId", "value": "{{ orderId }}"}]}}
}))]
pub struct CreateNotificationTemplateRequest {
    /// Names it for good: 1 to 64 of `A-Z a-z 0-9 - _ .`.
    code: String,
    /// What operators call it, 1 to 100 characters.
    name: String,
    /// On which way it is sent: `sms`, `email`, `wechat`, `push` or `internal`. It never changes.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "sms")]
    channel: Channel,
    /// What it is about: `account`, `order`, `reminder` or `marketing`. It never changes.
    #[schema(value_type = String, example = "order")]
    category: Category,
    /// Whether messages are accepted with it; they are, without it.
    #[serde(default = "enabled")]
    enabled: bool,
    /// What fills it in, at most 32.
    #[serde(default)]
    variables: Vec<NotificationVariable>,
    /// What it says by language, 1 to 16, the default language among them.
    texts: BTreeMap<String, NotificationText>,
    /// Which language is used where the receiver's is missing; `zh-CN` without it.
    default_language: Option<String>,
    /// What each provider calls it, by the provider's name in the configuration.
    #[serde(default)]
    provider_templates: BTreeMap<String, ProviderTemplateView>,
}

fn enabled() -> bool {
    true
}

/// What a template is to say.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "variables": [{"name": "orderId", "kind": "text", "example": "O-20261111-000042"}],
    "texts": {"zh-CN": {"content": "订单 {{ orderId }} 已确认。"}}
}))]
pub struct NotificationTemplateDraft {
    /// What fills it in, at most 32.
    #[serde(default)]
    variables: Vec<NotificationVariable>,
    /// What it says by language, 1 to 16, the default language among them.
    texts: BTreeMap<String, NotificationText>,
    /// Which language is used where the receiver's is missing; `zh-CN` without it.
    default_language: Option<String>,
    /// What each provider calls it, by the provider's name in the configuration.
    #[serde(default)]
    provider_templates: BTreeMap<String, ProviderTemplateView>,
}

/// A variable of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotificationVariable {
    /// As the texts call it: 1 to 64 of `a-z A-Z 0-9 _`, not beginning with a digit.
    name: String,
    /// What may fill it in: `text`, `integer`, `money_fen` (written as yuan), `date_time` and `date` (written in
    /// Asia/Shanghai), `url` (https), `flag` or `list`.
    #[schema(value_type = String, example = "money_fen")]
    kind: VariableKind,
    /// Whether a message may leave it out; it is then an empty text, 0, or no.
    #[serde(default)]
    optional: bool,
    /// What it is, for whoever sends; up to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// What it may be: checked against the kind, and used for previews.
    #[schema(value_type = NotificationParam)]
    example: Value,
}

/// What fills in a variable. Numbers and flags may be sent as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum NotificationParam {
    /// For `flag`.
    Flag(bool),
    /// For `integer` and `money_fen`.
    Integer(i64),
    /// For all others but `list`; at most 1,000 characters.
    Text(String),
    /// For `list`; at most 100.
    List(Vec<String>),
}

/// What a template says in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotificationText {
    /// The subject of a mail, which must have one; the first line of a push or inbox message. A template, 1 to 200
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The content as plain text. A template, 1 to 32,768 bytes.
    content: String,
    /// The content as HTML, of mails alone; what fills it in is escaped. A template, 1 to 32,768 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

/// What a provider calls a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderTemplateView {
    /// The provider's id of it.
    id: String,
    /// What fills in its blanks, in the provider's order, at most 32.
    #[serde(default)]
    params: Vec<ProviderParamView>,
}

/// A blank of a provider's template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderParamView {
    /// The provider's name of it.
    name: String,
    /// What fills it in: a template where a template is described, text where one is filled in.
    #[schema(example = "{{ orderId }}")]
    value: String,
}

/// What changes; a field that is absent stays as it is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"enabled": false}))]
pub struct PatchNotificationTemplateRequest {
    /// A new name.
    name: Option<String>,
    /// Whether messages are accepted with it.
    enabled: Option<bool>,
}

/// What to show of a template.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"language": "en", "params": {"orderId": "O-1"}}))]
pub struct PreviewNotificationTemplateRequest {
    /// The receiver's language; the template's default without it.
    language: Option<String>,
    /// A version; the present one without it.
    version: Option<u32>,
    /// What is to be shown instead of a version: it is checked and not kept.
    draft: Option<NotificationTemplateDraft>,
    /// What fills it in; the examples stand for what is absent.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, NotificationParam>)]
    params: BTreeMap<String, Value>,
}

/// To whom a template is sent for a test.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"to": "tel:+8613800138000"}))]
pub struct TestNotificationTemplateRequest {
    /// A guest's id, or an address as a URI: `tel:`, `mailto:`, `wechat-official:`, `wechat-mini:`.
    to: String,
    /// What fills it in; the examples stand for what is absent.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, NotificationParam>)]
    params: BTreeMap<String, Value>,
}

/// What is wanted of a preview.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The receiver's language.
    pub language: Option<Language>,
    /// Which text.
    pub of: PreviewOf,
    /// What fills it in.
    pub params: Params,
}

/// Which text a preview shows.
#[derive(Debug, Clone)]
pub enum PreviewOf {
    /// The present version.
    Present,
    /// This one.
    Version(u32),
    /// None that is kept.
    Draft(TemplateDraft),
}

impl CreateNotificationTemplateRequest {
    /// The template as the domain takes it, or what is no name of anything.
    pub fn parse(self) -> Result<NewTemplate, Vec<Fault>> {
        let mut faults = Vec::new();
        let code: Option<TemplateCode> = self.code.parse().ok();
        if code.is_none() {
            faults.push(Fault::new("code", "must be 1 to 64 of A-Z a-z 0-9 - _ ."));
        }
        let draft = NotificationTemplateDraft {
            variables: self.variables,
            texts: self.texts,
            default_language: self.default_language,
            provider_templates: self.provider_templates,
        };
        let draft = draft.read(&mut faults);
        match code {
            Some(code) if faults.is_empty() => Ok(NewTemplate {
                code,
                name: self.name,
                channel: self.channel,
                category: self.category,
                enabled: self.enabled,
                draft,
            }),
            _ => Err(faults),
        }
    }
}

impl NotificationTemplateDraft {
    /// The draft as the domain takes it, or what is no name of anything.
    pub fn parse(self) -> Result<TemplateDraft, Vec<Fault>> {
        let mut faults = Vec::new();
        let draft = self.read(&mut faults);
        if faults.is_empty() { Ok(draft) } else { Err(faults) }
    }

    /// What is at fault is left out.
    fn read(self, faults: &mut Vec<Fault>) -> TemplateDraft {
        let mut texts = BTreeMap::new();
        for (tag, text) in self.texts {
            if let Some(language) = language(faults, &format!("texts/{tag}"), &tag) {
                texts.insert(language, text.into());
            }
        }
        let default_language = self.default_language.map(|tag| language(faults, "defaultLanguage", &tag));
        let mut provider_templates = BTreeMap::new();
        for (name, template) in self.provider_templates {
            if let Ok(provider) = name.parse::<ProviderName>() {
                provider_templates.insert(provider, template.into());
            } else {
                let must = "must be the name of a provider: 1 to 32 of A-Z a-z 0-9 - _";
                faults.push(Fault::new(format!("providerTemplates/{name}"), must));
            }
        }
        let mut variables = Vec::with_capacity(self.variables.len());
        for (place, variable) in self.variables.into_iter().enumerate() {
            if let Some(example) = param(faults, &format!("variables/{place}/example"), &variable.example) {
                variables.push(Variable {
                    name: variable.name,
                    kind: variable.kind,
                    optional: variable.optional,
                    description: variable.description,
                    example,
                });
            }
        }
        TemplateDraft {
            variables,
            texts,
            default_language: default_language.flatten().unwrap_or_default(),
            provider_templates,
        }
    }
}

fn language(faults: &mut Vec<Fault>, field: &str, tag: &str) -> Option<Language> {
    let language = tag.parse().ok();
    if language.is_none() {
        faults.push(Fault::new(field, "must be a language tag such as zh-CN"));
    }
    language
}

fn param(faults: &mut Vec<Fault>, field: &str, value: &Value) -> Option<ParamValue> {
    // Among them a number with a fraction, which is no amount of anything here.
    let param = ParamValue::deserialize(value).ok();
    if param.is_none() {
        faults.push(Fault::new(field, "must be a text, an integer, true, false, or a list of texts"));
    }
    param
}

pub(crate) fn params(faults: &mut Vec<Fault>, values: &BTreeMap<String, Value>) -> Params {
    let read = |(name, value): (&String, &Value)| {
        Some((name.clone(), param(faults, &format!("params/{name}"), value)?))
    };
    Params(values.iter().filter_map(read).collect())
}

impl PatchNotificationTemplateRequest {
    /// The change as the domain takes it.
    pub fn parse(self) -> TemplateChange {
        TemplateChange { name: self.name, enabled: self.enabled }
    }
}

impl PreviewNotificationTemplateRequest {
    /// What is wanted, or all that is wrong with it.
    pub fn parse(self) -> Result<Preview, Vec<Fault>> {
        let mut faults = Vec::new();
        let wanted = self.language.and_then(|tag| language(&mut faults, "language", &tag));
        let params = params(&mut faults, &self.params);
        let of = match (self.version, self.draft) {
            (None, None) => PreviewOf::Present,
            (Some(version), None) => PreviewOf::Version(version),
            (version, Some(draft)) => {
                if version.is_some() {
                    faults.push(Fault::new("version", "must be left out where there is a draft"));
                }
                let mut of_draft = Vec::new();
                let draft = draft.read(&mut of_draft);
                faults.extend(of_draft.into_iter().map(in_draft));
                PreviewOf::Draft(draft)
            }
        };
        if faults.is_empty() { Ok(Preview { language: wanted, of, params }) } else { Err(faults) }
    }
}

/// A fault of a draft within another body.
pub fn in_draft(fault: Fault) -> Fault {
    Fault { field: format!("draft/{}", fault.field), ..fault }
}

impl TestNotificationTemplateRequest {
    /// To whom, with what; or all that is wrong with it.
    pub fn parse(self) -> Result<(domain_notification::Receiver, Params), Vec<Fault>> {
        let mut faults = Vec::new();
        let params = params(&mut faults, &self.params);
        match self.to.parse() {
            Ok(receiver) if faults.is_empty() => Ok((receiver, params)),
            Ok(_) => Err(faults),
            Err(invalid) => {
                faults.push(Fault::new("to", invalid.to_string()));
                Err(faults)
            }
        }
    }
}

impl From<NotificationText> for TemplateText {
    fn from(text: NotificationText) -> Self {
        Self { title: text.title, content: text.content, html: text.html }
    }
}

impl From<&TemplateText> for NotificationText {
    fn from(text: &TemplateText) -> Self {
        Self { title: text.title.clone(), content: text.content.clone(), html: text.html.clone() }
    }
}

impl From<ProviderTemplateView> for ProviderTemplate {
    fn from(template: ProviderTemplateView) -> Self {
        let params = template.params.into_iter();
        let params = params.map(|param| ProviderParam { name: param.name, value: param.value });
        Self { id: template.id, params: params.collect() }
    }
}

impl From<&ProviderTemplate> for ProviderTemplateView {
    fn from(template: &ProviderTemplate) -> Self {
        let params = template.params.iter();
        let params =
            params.map(|param| ProviderParamView { name: param.name.clone(), value: param.value.clone() });
        Self { id: template.id.clone(), params: params.collect() }
    }
}

/// A template of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationTemplateView {
    /// Names it.
    #[schema(value_type = String)]
    pub code: TemplateCode,
    /// What operators call it.
    pub name: String,
    /// On which way it is sent.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "sms")]
    pub channel: Channel,
    /// What it is about.
    #[schema(value_type = String, example = "order")]
    pub category: Category,
    /// Whether messages are accepted with it.
    pub enabled: bool,
    /// The version that new messages get.
    pub version: u32,
    /// Counts the changes; the entity tag.
    pub revision: u32,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub create_time: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub update_time: Timestamp,
}

impl From<&Template> for NotificationTemplateView {
    fn from(template: &Template) -> Self {
        Self {
            code: template.code.clone(),
            name: template.name.clone(),
            channel: template.channel,
            category: template.category,
            enabled: template.enabled,
            version: template.version,
            revision: template.revision,
            create_time: template.created_at,
            update_time: template.updated_at,
        }
    }
}

/// Part of the templates, in the order of their codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationTemplateList {
    /// The templates.
    pub items: Vec<NotificationTemplateView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What a template says, or said. It never changes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationTemplateVersionView {
    /// The template.
    #[schema(value_type = String)]
    pub code: TemplateCode,
    /// From 1.
    pub version: u32,
    /// On which way it is sent.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "sms")]
    pub channel: Channel,
    /// What it is about.
    #[schema(value_type = String, example = "order")]
    pub category: Category,
    /// What fills it in.
    pub variables: Vec<NotificationVariable>,
    /// What it says by language.
    pub texts: BTreeMap<String, NotificationText>,
    /// Which language is used where the receiver's is missing.
    pub default_language: String,
    /// What each provider calls it.
    pub provider_templates: BTreeMap<String, ProviderTemplateView>,
    /// When it was published.
    #[schema(value_type = String, format = DateTime)]
    pub publish_time: Timestamp,
}

impl From<&TemplateVersion> for NotificationTemplateVersionView {
    fn from(version: &TemplateVersion) -> Self {
        let variables = version.variables.iter().map(|variable| NotificationVariable {
            name: variable.name.clone(),
            kind: variable.kind,
            optional: variable.optional,
            description: variable.description.clone(),
            example: serde_json::to_value(&variable.example).unwrap_or_default(),
        });
        let texts = version.texts.iter().map(|(tag, text)| (tag.as_str().to_owned(), text.into()));
        let providers = version.provider_templates.iter();
        Self {
            code: version.code.clone(),
            version: version.version,
            channel: version.channel,
            category: version.category,
            variables: variables.collect(),
            texts: texts.collect(),
            default_language: version.default_language.as_str().to_owned(),
            provider_templates: providers.map(|(name, it)| (name.to_string(), it.into())).collect(),
            publish_time: version.published_at,
        }
    }
}

/// A message as it would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationPreviewView {
    /// In which language.
    pub language: String,
    /// The title, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The content as plain text.
    pub content: String,
    /// The content as HTML, if it has one. Show it in a sandboxed frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Each provider's template with its blanks filled in.
    pub provider_templates: BTreeMap<String, ProviderTemplateView>,
}

impl From<Rendered> for NotificationPreviewView {
    fn from(rendered: Rendered) -> Self {
        let providers = rendered.provider_templates.into_iter().map(|(provider, filled)| {
            let params = filled.params.into_iter().map(|(name, value)| ProviderParamView { name, value });
            (provider.to_string(), ProviderTemplateView { id: filled.id, params: params.collect() })
        });
        Self {
            language: rendered.language.into(),
            title: rendered.title,
            content: rendered.content,
            html: rendered.html,
            provider_templates: providers.collect(),
        }
    }
}

/// A message that was taken for a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestSendView {
    /// The message: `GET /v1/notifications/{id}` tells what became of it.
    #[schema(value_type = String)]
    pub message_id: domain_ids::MessageId,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(faults: &[Fault]) -> Vec<&str> {
        faults.iter().map(|fault| fault.field.as_str()).collect()
    }

    #[test]
    fn every_name_that_is_none_is_told_at_once() {
        let request: CreateNotificationTemplateRequest = serde_json::from_value(json!({
            "code": "a b", "name": "x", "type": "sms", "category": "order",
            "variables": [{ "name": "a", "kind": "integer", "example": 1.5 }],
            "texts": { "z": { "content": "x" } }, "defaultLanguage": "中文",
            "providerTemplates": { "a b": { "id": "x" } },
        }))
        .unwrap();
        let faults = request.parse().unwrap_err();
        let expected = ["code", "texts/z", "defaultLanguage", "providerTemplates/a b", "variables/0/example"];
        assert_eq!(fields(&faults), expected);
    }

    #[test]
    fn a_preview_is_of_a_version_or_a_draft() {
        let parse =
            |body: Value| serde_json::from_value::<PreviewNotificationTemplateRequest>(body).unwrap().parse();
        assert!(matches!(parse(json!({})).unwrap().of, PreviewOf::Present));
        assert!(matches!(parse(json!({ "version": 2 })).unwrap().of, PreviewOf::Version(2)));
        let draft = json!({ "texts": { "zh-CN": { "content": "x" } } });
        assert!(matches!(parse(json!({ "draft": draft })).unwrap().of, PreviewOf::Draft(_)));
        let draft = json!({ "texts": { "?": { "content": "x" } } });
        let wrong = parse(json!({ "draft": draft, "version": 2, "language": "?", "params": { "a": null } }))
            .unwrap_err();
        assert_eq!(fields(&wrong), ["language", "params/a", "version", "draft/texts/?"]);
    }

    #[test]
    fn a_receiver_that_is_none_is_not_repeated() {
        let request = json!({ "to": "tel:15912345678", "params": { "a": {} } });
        let request: TestNotificationTemplateRequest = serde_json::from_value(request).unwrap();
        let faults = request.parse().unwrap_err();
        assert_eq!(fields(&faults), ["params/a", "to"]);
        assert!(!format!("{faults:?}").contains("12345678"));
    }
}
