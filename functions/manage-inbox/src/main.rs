//! Wiring of `manage-inbox`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use manage_inbox::handler;
use notification_dynamodb::NotificationTable;
use platform_config::Env;
use platform_lambda::{Error, now};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-inbox", &env)?;
    let table: String = env.required("NOTIFICATION_TABLE")?;
    let inbox = NotificationTable::new(Client::new(&platform_aws::sdk_config().await), table);
    let inbox = Arc::new(inbox);
    platform_lambda::run(move |request| {
        let inbox = Arc::clone(&inbox);
        async move { handler::handle(&*inbox, now(), request).await }
    })
    .await
}
