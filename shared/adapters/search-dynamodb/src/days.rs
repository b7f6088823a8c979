use coupon_dynamodb::corrupt;
use domain_coupon::StoreError;
use domain_search::{Counters, DaySummary, KeywordCount, Period, ReportShelf};
use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    SearchTable,
    keys::{self, Item},
    salts::midnight,
};

/// How long the counts of a day are kept: two years and a month, to compare a season with the same one of two years ago.
const DAYS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(760 * 24);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DayItem {
    #[serde(skip_serializing)]
    sk: String,
    facts: u64,
    totals: Counters,
    keywords: Vec<KeywordCount>,
    zero_result_keywords: Vec<KeywordCount>,
}

impl DayItem {
    pub(crate) fn of(summary: &DaySummary) -> Result<Item, StoreError> {
        let DaySummary { day, facts, totals, keywords, zero_result_keywords } = summary.clone();
        let item = Self { sk: String::new(), facts, totals, keywords, zero_result_keywords };
        let mut item: Item = serde_dynamo::to_item(item).map_err(corrupt)?;
        item.extend(keys::day(day));
        item.insert("ttl".into(), keys::ttl(midnight(day), DAYS_KEPT_FOR));
        Ok(item)
    }

    fn parse(item: Item) -> Result<DaySummary, StoreError> {
        let Self { sk, facts, totals, keywords, zero_result_keywords } =
            serde_dynamo::from_item(item).map_err(corrupt)?;
        let day: Date = sk.parse().map_err(corrupt)?;
        Ok(DaySummary { day, facts, totals, keywords, zero_result_keywords })
    }
}

impl ReportShelf for SearchTable {
    async fn days(&self, period: &Period) -> Result<Vec<DaySummary>, StoreError> {
        let items = self.between(keys::DAYS, &period.first().to_string(), &period.last().to_string()).await?;
        items.into_iter().map(DayItem::parse).collect()
    }
}
