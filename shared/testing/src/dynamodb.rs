use std::fmt;

use aws_sdk_dynamodb::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, Region, SharedHttpClient, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
    },
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};

/// The name of the table that [`EmbeddedDynamoDb::with_coupon_table`] makes.
pub const COUPON_TABLE: &str = "coupons";

/// The name of the table that [`EmbeddedDynamoDb::with_notification_table`] makes.
pub const NOTIFICATION_TABLE: &str = "notifications";

/// The name of the table that [`EmbeddedDynamoDb::with_homestay_table`] makes.
pub const HOMESTAY_TABLE: &str = "homestays";

/// The name of the table that [`EmbeddedDynamoDb::with_search_table`] makes.
pub const SEARCH_TABLE: &str = "searches";

/// A `DynamoDB` in this process and in memory, with nothing in it; each value is one of its own.
///
/// It is reached through the real SDK client, whose requests are answered without a socket: what is sent is what
/// would be sent. Conditions, transactions, cancellation reasons, client tokens, indexes and consumed capacity are
/// those of `DynamoDB`. Not so: one lock makes it serial, so that no `TransactionConflict` ever happens; nothing is
/// throttled; and items live on after their TTL. Faults are injected with `aws-smithy-mocks` instead, and load with
/// the local stack.
#[derive(Clone)]
pub struct EmbeddedDynamoDb {
    database: Database,
}

impl EmbeddedDynamoDb {
    /// One without tables.
    pub fn start() -> Self {
        Self { database: Database::memory().expect("memory for a database") }
    }

    /// One with the coupon table, and its name.
    pub async fn with_coupon_table() -> (Self, String) {
        let db = Self::start();
        create_coupon_table(&db.client(), COUPON_TABLE).await;
        (db, COUPON_TABLE.to_owned())
    }

    /// One with the notification table, and its name.
    pub async fn with_notification_table() -> (Self, String) {
        let db = Self::start();
        create_notification_table(&db.client(), NOTIFICATION_TABLE).await;
        (db, NOTIFICATION_TABLE.to_owned())
    }

    /// One with the homestay table, and its name.
    pub async fn with_homestay_table() -> (Self, String) {
        let db = Self::start();
        create_homestay_table(&db.client(), HOMESTAY_TABLE).await;
        (db, HOMESTAY_TABLE.to_owned())
    }

    /// One with the search table, and its name.
    pub async fn with_search_table() -> (Self, String) {
        let db = Self::start();
        create_table(&db.client(), SEARCH_TABLE, &["pk", "sk"], &[], Vec::new()).await;
        (db, SEARCH_TABLE.to_owned())
    }

    /// A client of it. Nothing is tried twice: what fails in a test has failed.
    pub fn client(&self) -> Client {
        client_through(InProcess(self.database.clone()))
    }
}

/// A client whose requests go to `connector`, once each and without a time-out.
pub(crate) fn client_through(connector: impl HttpConnector + 'static) -> Client {
    let connector = SharedHttpConnector::new(connector);
    Client::from_conf(
        Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "testing"))
            .http_client(SharedHttpClient::new(http_client_fn(move |_, _| connector.clone())))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build(),
    )
}

impl fmt::Debug for EmbeddedDynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmbeddedDynamoDb")
    }
}

/// As `infra/cdk` makes it, but without a stream, which costs time here.
async fn create_coupon_table(client: &Client, name: &str) {
    let texts = ["pk", "sk", "listPk", "listSk", "expiryShard"];
    let indexes = vec![
        index("templates-by-end", "listPk", "listSk", ProjectionType::All),
        index("coupons-by-expiry", "expiryShard", "expiresAt", ProjectionType::KeysOnly),
    ];
    create_table(client, name, &texts, &["expiresAt"], indexes).await;
}

/// As `infra/cdk` makes it, but without a stream.
async fn create_notification_table(client: &Client, name: &str) {
    let texts = ["pk", "sk", "receiver", "dueShard"];
    let indexes = vec![
        index("messages-by-receiver", "receiver", "acceptedAt", ProjectionType::KeysOnly),
        index("messages-by-due", "dueShard", "dueAt", ProjectionType::KeysOnly),
    ];
    create_table(client, name, &texts, &["acceptedAt", "dueAt"], indexes).await;
}

/// As `infra/cdk` makes it, but without a stream.
async fn create_homestay_table(client: &Client, name: &str) {
    let texts = ["pk", "sk", "hostPk", "listPk", "listSk"];
    let indexes = vec![
        index("homestays-by-host", "hostPk", "createdAt", ProjectionType::All),
        index("jobs-by-start", "listPk", "listSk", ProjectionType::All),
    ];
    create_table(client, name, &texts, &["createdAt"], indexes).await;
}

fn key(attribute: &str, key_type: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(attribute).key_type(key_type).build().expect("complete")
}

fn index(name: &str, partition: &str, sort: &str, projection: ProjectionType) -> GlobalSecondaryIndex {
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .key_schema(key(partition, KeyType::Hash))
        .key_schema(key(sort, KeyType::Range))
        .projection(Projection::builder().projection_type(projection).build())
        .build()
        .expect("complete")
}

/// A table by `pk` and `sk` with these indexes, whose keys are texts and numbers, and a time to live.
async fn create_table(
    client: &Client,
    name: &str,
    texts: &[&str],
    numbers: &[&str],
    indexes: Vec<GlobalSecondaryIndex>,
) {
    let attribute = |name: &str, of_type: ScalarAttributeType| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(of_type).build().expect("complete")
    };
    let texts = texts.iter().map(|name| attribute(name, ScalarAttributeType::S));
    let attributes = texts.chain(numbers.iter().map(|name| attribute(name, ScalarAttributeType::N)));
    client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attributes.collect()))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
        .send()
        .await
        .expect("the table");
    let ttl = TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true).build();
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(ttl.expect("complete"))
        .send()
        .await
        .expect("time to live");
}

/// Answers the SDK's requests from the database. A call blocks, so that it runs on a thread of its own, as many calls
/// of one process would on a network.
#[derive(Clone)]
struct InProcess(Database);

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let database = self.0.clone();
        HttpConnectorFuture::new(async move {
            let answer = tokio::task::spawn_blocking(move || answer(&database, &request)).await;
            let (status, body) = answer.map_err(|panic| ConnectorError::other(panic.into(), None))?;
            let status =
                status.try_into().map_err(|invalid| ConnectorError::other(Box::new(invalid), None))?;
            Ok(HttpResponse::new(status, SdkBody::from(body)))
        })
    }
}

fn answer(database: &Database, request: &HttpRequest) -> (u16, String) {
    let operation = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
    let body = request.body().bytes().unwrap_or_default();
    match dispatch(database, operation.unwrap_or_default(), body) {
        Ok(body) => (200, body),
        Err(error) => (error.status_code(), error.to_json()),
    }
}

fn dispatch(db: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    match operation {
        "CreateTable" => run(body, |request| db.create_table(request)),
        "DescribeTable" => run(body, |request| db.describe_table(request)),
        "DeleteTable" => run(body, |request| db.delete_table(request)),
        "UpdateTimeToLive" => run(body, |request| db.update_time_to_live(request)),
        "GetItem" => run(body, |request| db.get_item(request)),
        "PutItem" => run(body, |request| db.put_item(request)),
        "UpdateItem" => run(body, |request| db.update_item(request)),
        "DeleteItem" => run(body, |request| db.delete_item(request)),
        "BatchGetItem" => run(body, |request| db.batch_get_item(request)),
        "BatchWriteItem" => run(body, |request| db.batch_write_item(request)),
        "Query" => run(body, |request| db.query(request)),
        "Scan" => run(body, |request| db.scan(request)),
        "TransactGetItems" => run(body, |request| db.transact_get_items(request)),
        "TransactWriteItems" => run(body, |request| db.transact_write_items(request)),
        other => Err(DynoxideError::ValidationException(format!("the embedded database has no {other:?}"))),
    }
}

fn run<I: DeserializeOwned, O: Serialize>(
    body: &[u8],
    operation: impl FnOnce(I) -> Result<O, DynoxideError>,
) -> Result<String, DynoxideError> {
    let refused = |error: serde_json::Error| DynoxideError::ValidationException(error.to_string());
    let request = serde_json::from_slice(body).map_err(refused)?;
    serde_json::to_string(&operation(request)?).map_err(refused)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use aws_sdk_dynamodb::types::{
        AttributeValue, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        Update,
    };

    use super::*;

    fn text(value: &str) -> AttributeValue {
        AttributeValue::S(value.to_owned())
    }

    fn claim(guest: &str) -> [TransactWriteItem; 2] {
        let take = Update::builder()
            .table_name(COUPON_TABLE)
            .key("pk", text("TEMPLATE#t#STOCK#0"))
            .key("sk", text("STOCK"))
            .update_expression("ADD issued :one")
            .condition_expression("issued < #capacity")
            .expression_attribute_names("#capacity", "capacity")
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .build()
            .unwrap();
        let put = Put::builder()
            .table_name(COUPON_TABLE)
            .item("pk", text(&format!("USER#{guest}")))
            .item("sk", text("COUPON#t#1"))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .unwrap();
        [TransactWriteItem::builder().update(take).build(), TransactWriteItem::builder().put(put).build()]
    }

    async fn with_stock(capacity: u32) -> EmbeddedDynamoDb {
        let (db, table) = EmbeddedDynamoDb::with_coupon_table().await;
        db.client()
            .put_item()
            .table_name(table)
            .item("pk", text("TEMPLATE#t#STOCK#0"))
            .item("sk", text("STOCK"))
            .item("issued", AttributeValue::N("0".into()))
            .item("capacity", AttributeValue::N(capacity.to_string()))
            .send()
            .await
            .unwrap();
        db
    }

    #[tokio::test]
    async fn a_failed_condition_is_told_by_its_reason() {
        let client = with_stock(5).await.client();
        let claim_as =
            |guest| client.transact_write_items().set_transact_items(Some(claim(guest).into())).send();
        claim_as("ann").await.unwrap();
        let error = claim_as("ann").await.unwrap_err().into_service_error();
        let canceled = match error {
            aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(canceled) => canceled,
            other => panic!("{other:?}"),
        };
        let reasons = canceled.cancellation_reasons();
        assert_eq!(reasons[0].code(), Some("None"));
        assert_eq!(reasons[1].code(), Some("ConditionalCheckFailed"));
        assert_eq!(reasons[1].item().unwrap()["pk"], text("USER#ann"));
    }

    #[tokio::test]
    async fn consumed_capacity_is_counted() {
        let client = with_stock(5).await.client();
        let output = client
            .transact_write_items()
            .set_transact_items(Some(claim("ann").into()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .unwrap();
        assert_eq!(output.consumed_capacity()[0].capacity_units(), Some(4.0));
    }

    #[tokio::test]
    async fn each_value_is_a_database_of_its_own() {
        let (full, _) = EmbeddedDynamoDb::with_coupon_table().await;
        let item =
            full.client().put_item().table_name(COUPON_TABLE).item("pk", text("a")).item("sk", text("b"));
        item.send().await.unwrap();
        let (empty, table) = EmbeddedDynamoDb::with_coupon_table().await;
        assert_eq!(empty.client().scan().table_name(table).send().await.unwrap().count(), 0);
        assert!(EmbeddedDynamoDb::start().client().scan().table_name("none").send().await.is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn concurrent_claims_never_exceed_the_stock() {
        const STOCK: u32 = 100;
        let client = with_stock(STOCK).await.client();
        let issued = AtomicU32::new(0);
        let claims = (0..1_000).map(|guest| {
            let (client, issued) = (&client, &issued);
            async move {
                let items = claim(&guest.to_string());
                let claimed =
                    client.transact_write_items().set_transact_items(Some(items.into())).send().await;
                issued.fetch_add(u32::from(claimed.is_ok()), Ordering::Relaxed);
            }
        });
        futures_util::future::join_all(claims).await;
        assert_eq!(issued.into_inner(), STOCK);
    }
}
