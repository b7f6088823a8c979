use domain_homestay::{Found, IndexError, IndexQuery, SearchIndex, TitleFound};
use domain_text::Prefix;
use platform_telemetry::{Chain, Stopwatch};

/// An index whose calls are timed and whose failures are logged and counted: metrics `IndexMs` and `IndexFailures`, by `call`.
#[derive(Debug)]
pub struct Measured<I>(pub I);

impl<I: SearchIndex> SearchIndex for Measured<I> {
    async fn search(&self, query: &IndexQuery) -> Result<Found, IndexError> {
        measured("search", self.0.search(query)).await
    }

    async fn titles(&self, typed: &Prefix, limit: usize) -> Result<Vec<TitleFound>, IndexError> {
        measured("titles", self.0.titles(typed, limit)).await
    }

    async fn words(&self, limit: usize) -> Result<Vec<(String, u32)>, IndexError> {
        measured("words", self.0.words(limit)).await
    }
}

async fn measured<T>(
    call: &'static str,
    answer: impl Future<Output = Result<T, IndexError>>,
) -> Result<T, IndexError> {
    let watch = Stopwatch::start();
    let answer = answer.await;
    #[expect(clippy::cast_precision_loss, reason = "a metric; calls take milliseconds")]
    metrics::histogram!("IndexMs", "call" => call).record(watch.elapsed_ms() as f64);
    if let Err(error) = &answer {
        metrics::counter!("IndexFailures", "call" => call).increment(1);
        tracing::error!(index.call = call, error = %Chain(error), "the index failed");
    }
    answer
}
