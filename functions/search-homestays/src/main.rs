//! Wiring of `search-homestays`.

use std::sync::Arc;

use domain_homestay::{SearchRules, Vocabulary};
use domain_text::{Analyzer, Speller, Synonyms};
use homestay_index::Index;
use platform_config::Env;
use platform_hot_config::HotConfig;
use platform_lambda::{Error, now, random};
use search_homestays::{
    Measured,
    handler::{self, Chance, Parts},
};
use search_sqs::SearchEventQueue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("search-homestays", &env)?;
    // The dictionary takes longest: it is loaded while everything else is connected and opened.
    let analyzer = Analyzer::new();
    let dictionary = tokio::task::spawn_blocking(move || {
        analyzer.query("三里屯", &Synonyms::default());
    });
    // Nobody waits for what spellings need: the first guests seldom mistype.
    tokio::task::spawn_blocking(|| Speller::default().correct("sanlitum"));
    let sdk = platform_aws::sdk_config().await;
    let rules: HotConfig<SearchRules> =
        HotConfig::from_env(&env, "SEARCH_RULES", &sdk, SearchRules::default())?;
    let log = SearchEventQueue::new(aws_sdk_sqs::Client::new(&sdk), env.required("SEARCH_EVENT_QUEUE_URL")?);
    let index = Measured(Index::open(&env, &sdk).await?);
    let parts = Arc::new(Parts { index, log, analyzer, vocabulary: Vocabulary::default() });
    let (loaded, (), _) = tokio::join!(dictionary, parts.warm_up(now()), rules.current(now()));
    loaded?;
    platform_lambda::run(move |request| {
        let (parts, rules) = (Arc::clone(&parts), rules.clone());
        async move {
            let chance = Chance { at: now(), search: u128::from_ne_bytes(random()) };
            let rules = rules.current(chance.at).await;
            handler::handle(&parts, &rules, chance, request).await
        }
    })
    .await
}
