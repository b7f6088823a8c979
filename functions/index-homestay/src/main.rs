//! Wiring of `index-homestay`.

use std::sync::Arc;

use homestay_index::Index;
use index_homestay::handler;
use platform_config::Env;
use platform_lambda::{Error, Trigger, now};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("index-homestay", &env)?;
    let index = Arc::new(Index::open(&env, &platform_aws::sdk_config().await).await?);
    platform_lambda::run_event(Trigger::Datasource, move |event| {
        let index = Arc::clone(&index);
        async move { handler::handle(&*index, now, event).await }
    })
    .await
}
