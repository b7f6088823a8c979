//! Templates: all heads in one partition, which operators list, and each version an item that never changes.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnConsumedCapacity, TransactWriteItem};
use coupon_dynamodb::{Cancelled, condition_held, corrupt, store_error};
use domain_coupon::{Page, StoreError};
use domain_ids::TemplateCode;
use domain_notification::{Template, TemplateReader, TemplateRef, TemplateShelf, TemplateVersion};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    NotificationTable,
    keys::{Key, key},
};

/// The partition of all templates: operators read and write it, and each execution environment once in
/// [`TEMPLATE_REMEMBERED_FOR`] for each template it uses.
const TEMPLATES: &str = "TEMPLATES";

/// How long a template may be believed: so long an old version, or one that was disabled, is still used.
pub const TEMPLATE_REMEMBERED_FOR: SignedDuration = SignedDuration::from_secs(5);

/// Templates remembered at once, and versions: far more than there are. A version is at most as long as the body of the
/// request that made it, 64 KiB. When there are more, all are forgotten.
const MAX_REMEMBERED: usize = 256;

fn head_key(code: &TemplateCode) -> Key {
    key(TEMPLATES.into(), code.to_string())
}

/// Ten digits hold every `u32`, so that text order is number order.
fn version_key(of: &TemplateRef) -> Key {
    key(format!("TEMPLATE#{}", of.code), format!("VERSION#{:010}", of.version))
}

fn write(value: &impl Serialize, key: Key) -> Result<Key, StoreError> {
    let mut item: Key = serde_dynamo::to_item(value).map_err(corrupt)?;
    item.extend(key);
    Ok(item)
}

fn parse<T: DeserializeOwned>(item: Key) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(corrupt)
}

impl NotificationTable {
    async fn read<T: DeserializeOwned>(&self, key: Key) -> Result<Option<T>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let get = get.consistent_read(true).return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = get.send().await.map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        output.item.map(parse).transpose()
    }

    /// Writes a template and a version of it at once, if the stored template has revision `expected`, or there is none; says
    /// whether it did.
    async fn put_both(
        &self,
        template: &Template,
        version: &TemplateVersion,
        expected: Option<u32>,
    ) -> Result<bool, StoreError> {
        let put = || Put::builder().table_name(&self.table);
        let head = put().set_item(Some(write(template, head_key(&template.code))?));
        let head = match expected {
            None => head.condition_expression("attribute_not_exists(pk)"),
            Some(revision) => head
                .condition_expression("revision = :expected")
                .expression_attribute_values(":expected", AttributeValue::N(revision.to_string())),
        };
        let of = TemplateRef { code: version.code.clone(), version: version.version };
        let version = put()
            .set_item(Some(write(version, version_key(&of))?))
            .condition_expression("attribute_not_exists(pk)");
        let item = |put: Put| TransactWriteItem::builder().put(put).build();
        let transaction = self
            .client
            .transact_write_items()
            .transact_items(item(head.build().map_err(corrupt)?))
            .transact_items(item(version.build().map_err(corrupt)?));
        match transaction.send().await.map_err(Cancelled::from) {
            Ok(_) => Ok(true),
            Err(cancelled) if cancelled.is_refused() => Ok(false),
            Err(cancelled) => Err(cancelled.into()),
        }
    }
}

impl TemplateShelf for NotificationTable {
    async fn template(&self, code: &TemplateCode) -> Result<Option<Template>, StoreError> {
        self.read(head_key(code)).await
    }

    async fn version(&self, of: &TemplateRef) -> Result<Option<TemplateVersion>, StoreError> {
        self.read(version_key(of)).await
    }

    async fn templates(
        &self,
        after: Option<TemplateCode>,
        limit: u16,
    ) -> Result<Page<Template, TemplateCode>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :templates")
            .expression_attribute_values(":templates", AttributeValue::S(TEMPLATES.into()))
            .set_exclusive_start_key(after.as_ref().map(head_key))
            .limit(i32::from(limit));
        let output = query.send().await.map_err(store_error)?;
        let more = output.last_evaluated_key.is_some();
        let items: Vec<Template> =
            output.items.unwrap_or_default().into_iter().map(parse).collect::<Result<_, _>>()?;
        let next = items.last().filter(|_| more).map(|last| last.code.clone());
        Ok(Page { items, next })
    }

    async fn insert(&self, template: &Template, first: &TemplateVersion) -> Result<bool, StoreError> {
        self.put_both(template, first, None).await
    }

    async fn publish(
        &self,
        template: &Template,
        next: &TemplateVersion,
        expected: u32,
    ) -> Result<bool, StoreError> {
        self.put_both(template, next, Some(expected)).await
    }

    async fn replace(&self, template: &Template, expected: u32) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(template, head_key(&template.code))?))
            .condition_expression("revision = :expected")
            .expression_attribute_values(":expected", AttributeValue::N(expected.to_string()));
        Ok(condition_held(put.send().await)?.is_some())
    }
}

/// Templates as an execution environment remembers them: a template for [`TEMPLATE_REMEMBERED_FOR`], a version for good.
/// What is not there is asked for each time.
#[derive(Debug)]
pub struct TemplateCache<S = NotificationTable> {
    shelf: S,
    now: fn() -> Timestamp,
    heads: Mutex<HashMap<TemplateCode, (Timestamp, Template)>>,
    versions: Mutex<HashMap<TemplateRef, Arc<TemplateVersion>>>,
}

impl<S> TemplateCache<S> {
    /// Remembers what is read of `shelf`, by the clock `now`.
    pub fn new(shelf: S, now: fn() -> Timestamp) -> Self {
        Self { shelf, now, heads: Mutex::default(), versions: Mutex::default() }
    }
}

impl<S: TemplateShelf> TemplateReader for TemplateCache<S> {
    async fn template(&self, code: &TemplateCode) -> Result<Option<Template>, StoreError> {
        let now = (self.now)();
        if let Some((read_at, template)) = recall(&self.heads, code) {
            let age = now.duration_since(read_at);
            // A clock that was set back would keep a template for as long.
            if (SignedDuration::ZERO..TEMPLATE_REMEMBERED_FOR).contains(&age) {
                return Ok(Some(template));
            }
        }
        let template = self.shelf.template(code).await?;
        if let Some(template) = &template {
            remember(&self.heads, code.clone(), (now, template.clone()));
        }
        Ok(template)
    }

    async fn version(&self, of: &TemplateRef) -> Result<Option<Arc<TemplateVersion>>, StoreError> {
        if let Some(version) = recall(&self.versions, of) {
            return Ok(Some(version));
        }
        let version = self.shelf.version(of).await?.map(Arc::new);
        if let Some(version) = &version {
            remember(&self.versions, of.clone(), Arc::clone(version));
        }
        Ok(version)
    }
}

fn recall<K: Eq + Hash, V: Clone>(memory: &Mutex<HashMap<K, V>>, key: &K) -> Option<V> {
    memory.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

fn remember<K: Eq + Hash, V>(memory: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    if memory.len() >= MAX_REMEMBERED && !memory.contains_key(&key) {
        memory.clear();
    }
    memory.insert(key, value);
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::atomic::{AtomicI64, AtomicU32, Ordering},
    };

    use domain_channel::{Category, Channel};
    use domain_notification::{Language, ParamValue, TemplateText, Variable, VariableKind};

    use super::*;

    static CLOCK: AtomicI64 = AtomicI64::new(1_795_514_400);

    fn clock() -> Timestamp {
        Timestamp::from_second(CLOCK.load(Ordering::Relaxed)).unwrap()
    }

    fn template(code: &str) -> Template {
        Template {
            code: code.parse().unwrap(),
            name: "a".into(),
            channel: Channel::Sms,
            category: Category::Order,
            enabled: true,
            version: 1,
            revision: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Has every template in version 1, and counts how often it is asked.
    #[derive(Default)]
    struct Counting(AtomicU32);

    impl TemplateShelf for Counting {
        async fn template(&self, code: &TemplateCode) -> Result<Option<Template>, StoreError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok((code.as_str() != "none").then(|| template(code.as_str())))
        }

        async fn version(&self, of: &TemplateRef) -> Result<Option<TemplateVersion>, StoreError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let text = TemplateText { title: None, content: "x".into(), html: None };
            let example = ParamValue::Integer(1);
            let variable = Variable {
                name: "n".into(),
                kind: VariableKind::Integer,
                optional: false,
                description: None,
                example,
            };
            Ok((of.version == 1).then(|| TemplateVersion {
                code: of.code.clone(),
                version: 1,
                channel: Channel::Sms,
                category: Category::Order,
                variables: vec![variable],
                texts: [(Language::default(), text)].into(),
                default_language: Language::default(),
                provider_templates: BTreeMap::new(),
                published_at: Timestamp::UNIX_EPOCH,
            }))
        }

        async fn templates(
            &self,
            _: Option<TemplateCode>,
            _: u16,
        ) -> Result<Page<Template, TemplateCode>, StoreError> {
            unreachable!("a reader does not list")
        }

        async fn insert(&self, _: &Template, _: &TemplateVersion) -> Result<bool, StoreError> {
            unreachable!("a reader does not write")
        }

        async fn publish(&self, _: &Template, _: &TemplateVersion, _: u32) -> Result<bool, StoreError> {
            unreachable!("a reader does not write")
        }

        async fn replace(&self, _: &Template, _: u32) -> Result<bool, StoreError> {
            unreachable!("a reader does not write")
        }
    }

    #[tokio::test]
    async fn a_template_is_believed_for_five_seconds_and_a_version_for_good() {
        let cache = TemplateCache::new(Counting::default(), clock);
        let asked = || cache.shelf.0.load(Ordering::Relaxed);
        let code: TemplateCode = "a".parse().unwrap();
        for (seconds, expected) in [(0, 1), (4, 1), (1, 2), (-1, 3), (0, 3)] {
            CLOCK.fetch_add(seconds, Ordering::Relaxed);
            assert!(cache.template(&code).await.unwrap().is_some());
            assert_eq!(asked(), expected, "after {seconds} s");
        }
        let of = TemplateRef { code, version: 1 };
        for seconds in [0, 1_000_000] {
            CLOCK.fetch_add(seconds, Ordering::Relaxed);
            assert!(cache.version(&of).await.unwrap().is_some());
            assert_eq!(asked(), 4);
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_asked_for_again_and_the_memory_is_bounded() {
        let cache = TemplateCache::new(Counting::default(), || Timestamp::UNIX_EPOCH);
        for expected in 1..=2 {
            assert!(cache.template(&"none".parse().unwrap()).await.unwrap().is_none());
            assert_eq!(cache.shelf.0.load(Ordering::Relaxed), expected);
        }
        for n in 0..3 * MAX_REMEMBERED {
            let code: TemplateCode = format!("t{n}").parse().unwrap();
            cache.template(&code).await.unwrap().unwrap();
            cache.version(&TemplateRef { code, version: 1 }).await.unwrap().unwrap();
        }
        assert!(cache.heads.lock().unwrap().len() <= MAX_REMEMBERED);
        assert!(cache.versions.lock().unwrap().len() <= MAX_REMEMBERED);
    }
}
