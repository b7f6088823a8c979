//! Templates that say nothing but fit every channel: what is simulated is the way, not the words.

use std::{collections::BTreeMap, sync::Arc};

use domain_channel::{Category, Channel};
use domain_coupon::StoreError;
use domain_ids::TemplateCode;
use domain_notification::{
    Fault, Language, Params, Rendered, Renderer, Template, TemplateReader, TemplateRef, TemplateText,
    TemplateVersion,
};
use jiff::Timestamp;

/// One template for each channel, named after it.
pub(super) struct Texts;

fn channel(code: &TemplateCode) -> Option<Channel> {
    code.as_str().parse().ok()
}

impl TemplateReader for Texts {
    async fn template(&self, code: &TemplateCode) -> Result<Option<Template>, StoreError> {
        Ok(channel(code).map(|channel| Template {
            code: code.clone(),
            name: code.to_string(),
            channel,
            category: Category::Order,
            enabled: true,
            version: 1,
            revision: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }))
    }

    async fn version(&self, of: &TemplateRef) -> Result<Option<Arc<TemplateVersion>>, StoreError> {
        let text = TemplateText { title: None, content: "Your order".into(), html: None };
        Ok(channel(&of.code).map(|channel| {
            Arc::new(TemplateVersion {
                code: of.code.clone(),
                version: of.version,
                channel,
                category: Category::Order,
                variables: Vec::new(),
                texts: [(Language::default(), text)].into(),
                default_language: Language::default(),
                provider_templates: BTreeMap::new(),
                published_at: Timestamp::UNIX_EPOCH,
            })
        }))
    }
}

impl Renderer for Texts {
    fn check(&self, _: &TemplateVersion) -> Vec<Fault> {
        Vec::new()
    }

    fn render(
        &self,
        version: &TemplateVersion,
        wanted: Option<&Language>,
        _: &Params,
    ) -> Result<Rendered, Vec<Fault>> {
        let text = version.texts.get(version.language(wanted));
        let content = text.map(|text| text.content.clone()).unwrap_or_default();
        Ok(Rendered { content, ..Rendered::default() })
    }
}
