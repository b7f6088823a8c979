//! What `dispatch-notification` and `send-notification` have around them, set up as they do it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::Client;
use domain_channel::{Category, Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::MessageId;
use domain_notification::{
    Channels, Dispatch, Dispatched, Gateway, Health, Language, NewNotification, ParamValue, Params, Provider,
    ProviderConfig, ProviderParam, ProviderTemplate, Template, TemplateShelf, TemplateText, TemplateVersion,
    Variable, VariableKind, accept, check,
};
use jiff::Timestamp;
use notification_aliyun::Aliyun;
use notification_dynamodb::{NotificationTable, TemplateCache};
use notification_minijinja::Templates;
use provider_stubs::{ALIYUN_ACCESS_KEY_ID, ALIYUN_ACCESS_KEY_SECRET, ALIYUN_SIGN_NAME};
use serde_json::json;
use testing::EmbeddedDynamoDb;

/// The template of every message here.
pub const TEMPLATE: &str = "order_confirmed";

/// An execution environment with its table.
pub struct Service {
    pub client: Client,
    pub table: NotificationTable,
    pub templates: TemplateCache,
    pub renderer: Templates,
    gateway: Direct,
    health: Health,
    channels: Channels,
    /// Messages that were accepted.
    pub ids: Vec<String>,
}

/// One provider, set up once.
struct Direct(Arc<dyn Provider>);

impl Gateway for Direct {
    async fn provider(&self, _: &ProviderConfig) -> Option<Arc<dyn Provider>> {
        Some(Arc::clone(&self.0))
    }

    async fn admit(&self, _: &ProviderConfig, _: Timestamp) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }
}

impl Service {
    /// On a table of its own with so many messages.
    pub async fn with_messages(endpoint: &str, messages: usize) -> Result<Arc<Self>> {
        let (database, name) = EmbeddedDynamoDb::with_notification_table().await;
        let client = database.client();
        let table = NotificationTable::new(client.clone(), name);
        publish(&table).await?;
        let settings = BTreeMap::from([("signName".to_owned(), ALIYUN_SIGN_NAME.to_owned())]);
        let secret =
            json!({"accessKeyId": ALIYUN_ACCESS_KEY_ID, "accessKeySecret": ALIYUN_ACCESS_KEY_SECRET});
        let aliyun = Aliyun::from_settings(
            "aliyun".parse()?,
            Some(endpoint),
            &settings,
            &secret,
            Duration::from_secs(5),
            platform_lambda::now,
            nonce,
        )?;
        let channels = r#"{"channels": {"sms": {"delivery": "at_most_once",
            "providers": [{"name": "aliyun", "kind": "aliyun"}]}}}"#;
        let mut service = Self {
            client,
            templates: TemplateCache::new(table.clone(), platform_lambda::now),
            table,
            renderer: Templates::default(),
            gateway: Direct(Arc::new(aliyun)),
            health: Health::default(),
            channels: channels.parse()?,
            ids: Vec::with_capacity(messages),
        };
        for n in 0..messages {
            let now = platform_lambda::now();
            let checked =
                check(&service.templates, &service.renderer, new(&format!("before-{n}"))?, now).await?;
            let taken = accept(&service.table, &checked, now).await?;
            service.ids.extend(taken.iter().map(|taken| taken.id.to_string()));
        }
        Ok(Arc::new(service))
    }

    /// Sends one message.
    pub async fn dispatch(&self, id: MessageId) -> Result<()> {
        let dispatch = Dispatch {
            store: &self.table,
            templates: &self.templates,
            renderer: &self.renderer,
            gateway: &self.gateway,
            health: &self.health,
            channels: &self.channels,
            clock: platform_lambda::now,
        };
        let dispatched = dispatch.dispatch(id).await?;
        ensure!(matches!(dispatched, Dispatched::Sent { .. }), "{dispatched:?}");
        Ok(())
    }
}

/// A text that was never used before.
pub fn nonce() -> String {
    format!("{:032x}", u128::from_ne_bytes(platform_lambda::random()))
}

/// A confirmation to a phone number of its own.
pub fn new(key: &str) -> Result<NewNotification> {
    let number = key.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    Ok(NewNotification {
        scope: "orders".into(),
        key: key.to_owned(),
        channel: Channel::Sms,
        priority: Priority::Normal,
        template: TEMPLATE.parse()?,
        params: params()?,
        receivers: vec![format!("tel:+86139{:08}", number % 100_000_000).parse()?],
        scheduled_at: None,
        expires_at: None,
        transaction: Some("order-4711".parse()?),
        broadcast: None,
    })
}

/// What fills in the confirmation.
#[expect(clippy::unnecessary_wraps, reason = "beside the others")]
pub fn params() -> Result<Params> {
    let text = |text: &str| ParamValue::Text(text.to_owned());
    Ok(Params(BTreeMap::from([
        ("homestay".to_owned(), text("West Lake Courtyard")),
        ("checkIn".to_owned(), text("2026-12-24")),
        ("nights".to_owned(), ParamValue::Integer(3)),
        ("amount".to_owned(), ParamValue::Integer(128_000)),
        ("order".to_owned(), text("20261124-4711")),
    ])))
}

/// The confirmation.
pub fn version() -> Result<TemplateVersion> {
    let variable = |name: &str, kind, example| Variable {
        name: name.to_owned(),
        kind,
        optional: false,
        description: None,
        example,
    };
    let Params(examples) = params()?;
    let kinds = [
        ("amount", VariableKind::MoneyFen),
        ("checkIn", VariableKind::Date),
        ("homestay", VariableKind::Text),
        ("nights", VariableKind::Integer),
        ("order", VariableKind::Text),
    ];
    let variables = kinds
        .into_iter()
        .map(|(name, kind)| Some(variable(name, kind, examples.get(name)?.clone())))
        .collect::<Option<Vec<_>>>()
        .context("an example of each")?;
    let content = "您预订的{{ homestay }}已确认：{{ checkIn }}入住，共{{ nights }}晚，\
        {% if nights > 1 %}连住优惠已计入，{% endif %}合计{{ amount }}元，订单号{{ order }}。";
    let text = TemplateText { title: None, content: content.into(), html: None };
    let blanks = ["homestay", "checkIn", "nights", "amount", "order"];
    let blanks = blanks.map(|name| ProviderParam { name: name.into(), value: format!("{{{{ {name} }}}}") });
    let aliyun = ProviderTemplate { id: "SMS_154950909".into(), params: blanks.into() };
    Ok(TemplateVersion {
        code: TEMPLATE.parse()?,
        version: 1,
        channel: Channel::Sms,
        category: Category::Order,
        variables,
        texts: [(Language::default(), text)].into(),
        default_language: Language::default(),
        provider_templates: [("aliyun".parse()?, aliyun)].into(),
        published_at: platform_lambda::now(),
    })
}

/// Puts the confirmation into the table.
pub async fn publish(table: &NotificationTable) -> Result<()> {
    let (version, now) = (version()?, platform_lambda::now());
    let template = Template {
        code: version.code.clone(),
        name: "Order confirmed".into(),
        channel: version.channel,
        category: version.category,
        enabled: true,
        version: version.version,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    ensure!(table.insert(&template, &version).await?, "an empty table");
    Ok(())
}
