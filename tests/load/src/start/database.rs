//! The embedded DynamoDB, reached over loopback.

use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow};
use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    types::{BillingMode, GlobalSecondaryIndex},
};
use dynoxide::{Database, server};
use testing::{COUPON_TABLE, EmbeddedDynamoDb};
use tokio::{net::TcpListener, task::JoinHandle};

/// A DynamoDB with the coupon table, for another process.
pub struct ServedDynamoDb {
    address: SocketAddr,
    server: JoinHandle<Result<(), String>>,
}

impl ServedDynamoDb {
    /// On a free port of this machine.
    pub async fn start() -> Result<Self> {
        let database = Database::memory().map_err(|error| anyhow!("no database: {error}"))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("a free port")?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(server::serve_with_shutdown(listener, database, std::future::pending()));
        let database = Self { address, server };
        copy_coupon_table(&database.client()).await?;
        Ok(database)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "load"))
            .endpoint_url(format!("http://{}", self.address));
        Client::from_conf(config.build())
    }
}

impl Drop for ServedDynamoDb {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Creates the table that tests use: it is described in one place.
async fn copy_coupon_table(client: &Client) -> Result<()> {
    let (model, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = model.client().describe_table().table_name(name).send().await?.table.context("the table")?;
    let indexes = table
        .global_secondary_indexes
        .unwrap_or_default()
        .into_iter()
        .map(|index| {
            GlobalSecondaryIndex::builder()
                .set_index_name(index.index_name)
                .set_key_schema(index.key_schema)
                .set_projection(index.projection)
                .build()
        })
        .collect::<Result<_, _>>()?;
    client
        .create_table()
        .table_name(COUPON_TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(table.attribute_definitions)
        .set_key_schema(table.key_schema)
        .set_global_secondary_indexes(Some(indexes))
        .send()
        .await?;
    Ok(())
}
