//! Fills in templates, with minijinja.
//!
//! A text is a template of the language that Jinja has: `{{ guest }}`, `{% if count > 1 %}`, `{% for item in items %}`. Of its
//! filters there are `default` (for an empty text), `first`, `join`, `last`, `length`, `lower`, `trim` and `upper`. It sees
//! nothing but its variables: no other templates, no functions, no environment.
//!
//! | What could go wrong | What holds |
//! |---|---|
//! | a parameter becomes HTML | every value in HTML is escaped, and no template can turn that off |
//! | a parameter becomes a header of a mail | a title has one line, whatever fills it in |
//! | a template never ends, or fills the memory | each rendering has [`FUEL`], which pays for instructions and bytes alike |
//! | a message is too long | a title has the characters it may have as a template, a content at most [`MAX_RENDERED_BYTES`] |

mod engine;
mod params;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain_ids::TemplateCode;
use domain_notification::{
    Fault, FilledTemplate, Language, Params, Rendered, Renderer, TemplateVersion, Variable,
};
pub use engine::{FUEL, MAX_RENDERED_BYTES};

use crate::{
    engine::{Compiled, Part},
    params::{Left, values},
};

/// Compiled versions remembered at once, each in one language: some tens of KB at most each, and far more than a day's
/// messages use. When there are more, all are forgotten.
pub const MAX_COMPILED: usize = 256;

/// Fills in templates, and remembers what it has compiled.
#[derive(Debug)]
pub struct Templates {
    most: usize,
    compiled: Mutex<HashMap<Key, Arc<Compiled>>>,
}

/// A version never changes, so that this names one text.
type Key = (TemplateCode, u32, Language);

impl Default for Templates {
    /// Remembers [`MAX_COMPILED`].
    fn default() -> Self {
        Self { most: MAX_COMPILED, compiled: Mutex::default() }
    }
}

impl Templates {
    /// Remembers nothing: for drafts, which change under the same number.
    pub fn without_memory() -> Self {
        Self { most: 0, ..Self::default() }
    }

    /// How many versions are remembered, each in each of its languages that was used.
    pub fn compiled_versions(&self) -> usize {
        self.memory().len()
    }

    fn compiled(&self, version: &TemplateVersion, language: &Language) -> Result<Arc<Compiled>, Vec<Fault>> {
        let key = (version.code.clone(), version.version, language.clone());
        let known = self.memory().get(&key).map(Arc::clone);
        if let Some(known) = known {
            return Ok(known);
        }
        let compiled = Arc::new(Compiled::new(version, language)?);
        if self.most > 0 {
            let mut memory = self.memory();
            if memory.len() >= self.most {
                memory.clear();
            }
            memory.insert(key, Arc::clone(&compiled));
        }
        Ok(compiled)
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<Key, Arc<Compiled>>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Renderer for Templates {
    fn check(&self, version: &TemplateVersion) -> Vec<Fault> {
        let mut faults = version.faults();
        faults.extend(params::example_faults(&version.variables));
        // Once with everything, once with what no message may leave out.
        let samples = [Left::Nothing, Left::Optional]
            .map(|left| values(&version.variables, &examples(&version.variables, left)));
        let samples: Vec<_> = samples.into_iter().flatten().collect();
        let texts = version.texts.keys().flat_map(|language| Part::of_text(version, language));
        for part in texts.chain(Part::of_providers(version)) {
            faults.extend(part.check(&version.variables, &samples));
        }
        faults
    }

    fn render(
        &self,
        version: &TemplateVersion,
        wanted: Option<&Language>,
        params: &Params,
    ) -> Result<Rendered, Vec<Fault>> {
        let language = version.language(wanted);
        let compiled = self.compiled(version, language)?;
        let values = values(&version.variables, params)?;
        let mut faults = Vec::new();
        let mut fill = |part: &engine::Slot| {
            compiled.fill(part, &values).map_err(|fault| faults.push(fault)).unwrap_or_default()
        };
        let title = compiled.title.as_ref().map(&mut fill);
        let content = fill(&compiled.content);
        let html = compiled.html.as_ref().map(&mut fill);
        let mut provider_templates = BTreeMap::new();
        for (provider, id, blanks) in &compiled.providers {
            let params = blanks.iter().map(|(name, part)| (name.clone(), fill(part))).collect();
            provider_templates.insert(provider.clone(), FilledTemplate { id: id.clone(), params });
        }
        if faults.is_empty() {
            Ok(Rendered { title, content, html, language: language.clone(), provider_templates })
        } else {
            Err(faults)
        }
    }
}

/// What the variables' examples fill in.
fn examples(variables: &[Variable], left: Left) -> Params {
    let kept = variables.iter().filter(|variable| left == Left::Nothing || !variable.optional);
    Params(kept.map(|variable| (variable.name.clone(), variable.example.clone())).collect())
}
