use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_coupon::StoreError;
use domain_search::{
    Counters, DaySummary, Fact, FactsRead, HotSearches, Hour, HourSummary, HourVotes, KeywordCount,
    KeywordVotes, LateHour, Shelf,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    SearchTable,
    days::DayItem,
    facts::parse,
    keys::{self, Item, SHARDS, number, sk, text},
};

/// Parts of an hour that are read at once.
const CONCURRENCY: usize = 8;

/// How long the counts of an hour are kept: their day is added up from them for as long as something may come late, and an
/// operator may want to know.
const HOURS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How long the votes of an hour are kept: longer than the list looks back.
const VOTES_KEPT_FOR: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Pages of 1 MB that are read of hours and votes: an item has at most 400 KB, and a day 24 of them.
const MAX_PAGES: usize = 40;

#[derive(Serialize, Deserialize)]
struct HourItem {
    #[serde(skip_serializing)]
    sk: String,
    facts: u64,
    totals: Counters,
    keywords: Vec<KeywordCount>,
}

#[derive(Serialize, Deserialize)]
struct VotesItem {
    #[serde(skip_serializing)]
    sk: String,
    facts: u64,
    /// Keyword, votes, witnesses: in a row, since there are hundreds.
    votes: Vec<(domain_search::Keyword, u64, Vec<u64>)>,
}

impl Shelf for SearchTable {
    async fn facts(
        &self,
        hour: Hour,
        limit: usize,
        mut take: impl FnMut(Fact) + Send,
    ) -> Result<FactsRead, StoreError> {
        let mut pages = stream::iter(0..SHARDS)
            .map(|shard| self.pages(keys::facts(hour, shard)).boxed())
            .flatten_unordered(CONCURRENCY);
        let mut read = FactsRead::default();
        let mut left = limit;
        while let Some(page) = pages.try_next().await? {
            for item in page {
                if left == 0 {
                    return Ok(FactsRead { cut_short: true, ..read });
                }
                left -= 1;
                match parse(&item) {
                    Some(fact) => take(fact),
                    None => read.unreadable += 1,
                }
            }
        }
        Ok(read)
    }

    async fn late_hours(&self, limit: usize) -> Result<Vec<LateHour>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(keys::LATE))
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(store_error)?;
        let late = |item: &Item| {
            let token = item.get("token")?.as_n().ok()?.parse().ok()?;
            Some(LateHour { hour: sk(item)?.parse().ok()?, token })
        };
        let items = output.items.unwrap_or_default();
        items.iter().map(|item| late(item).ok_or_else(|| corrupt("a late hour that is none"))).collect()
    }

    async fn done_with(&self, late: &LateHour) -> Result<(), StoreError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(keys::late(late.hour)))
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":token", number(late.token));
        condition_held(delete.send().await).map(|_| ())
    }

    async fn put_hour(&self, summary: &HourSummary) -> Result<(), StoreError> {
        let HourSummary { hour, facts, totals, keywords, votes } = summary;
        let votes = votes.iter().map(|vote| (vote.keyword.clone(), vote.votes, vote.witnesses.clone()));
        let votes = VotesItem { sk: String::new(), facts: *facts, votes: votes.collect() };
        let mut item: Item = serde_dynamo::to_item(votes).map_err(corrupt)?;
        item.extend(keys::votes(*hour));
        item.insert("ttl".into(), keys::ttl(hour.end(), VOTES_KEPT_FOR));
        self.replace(item, *facts).await?;

        let counts =
            HourItem { sk: String::new(), facts: *facts, totals: *totals, keywords: keywords.clone() };
        let mut item: Item = serde_dynamo::to_item(counts).map_err(corrupt)?;
        item.extend(keys::hour(*hour));
        item.insert("ttl".into(), keys::ttl(hour.end(), HOURS_KEPT_FOR));
        self.replace(item, *facts).await
    }

    async fn hours_of(&self, day: Date) -> Result<Vec<HourSummary>, StoreError> {
        let items: Vec<Item> = self
            .pages(keys::hours(day))
            .take(MAX_PAGES)
            .map_ok(from_page)
            .try_flatten()
            .try_collect()
            .await?;
        let summary = |item: Item| {
            let item: HourItem = serde_dynamo::from_item(item).map_err(corrupt)?;
            Ok(HourSummary {
                hour: item.sk.parse().map_err(corrupt)?,
                facts: item.facts,
                totals: item.totals,
                keywords: item.keywords,
                votes: Vec::new(),
            })
        };
        items.into_iter().map(summary).collect()
    }

    async fn put_day(&self, summary: &DaySummary) -> Result<(), StoreError> {
        self.replace(DayItem::of(summary)?, summary.facts).await
    }

    async fn votes(&self, from: Hour, to: Hour) -> Result<Vec<HourVotes>, StoreError> {
        let items = self.between(keys::VOTES, &from.to_string(), &to.to_string()).await?;
        let votes = |item: Item| {
            let item: VotesItem = serde_dynamo::from_item(item).map_err(corrupt)?;
            let votes = item.votes.into_iter().map(|(keyword, votes, witnesses)| KeywordVotes {
                keyword,
                votes,
                witnesses,
            });
            Ok(HourVotes { hour: item.sk.parse().map_err(corrupt)?, votes: votes.collect() })
        };
        items.into_iter().map(votes).collect()
    }

    async fn put_hot(&self, list: &HotSearches) -> Result<(), StoreError> {
        self.put_list(list).await
    }
}

fn from_page(page: Vec<Item>) -> impl futures_util::Stream<Item = Result<Item, StoreError>> {
    stream::iter(page.into_iter().map(Ok))
}

impl SearchTable {
    /// Puts counts, unless there are some of more facts: facts only become more, so that a run that was slow undoes nothing.
    async fn replace(&self, item: Item, facts: u64) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR facts <= :facts")
            .expression_attribute_values(":facts", number(facts))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if let Some(output) = condition_held(put.send().await)? {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(())
    }

    /// All of a partition, page by page, as it is now.
    pub(crate) fn pages(
        &self,
        pk: String,
    ) -> impl futures_util::Stream<Item = Result<Vec<Item>, StoreError>> + Send + '_ {
        let first = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(pk))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        stream::try_unfold(Some(first), async |query| {
            let Some(query) = query else { return Ok(None) };
            let output = query.clone().send().await.map_err(store_error)?;
            self.consumed.read(&output.consumed_capacity);
            let next = output.last_evaluated_key.map(|after| query.set_exclusive_start_key(Some(after)));
            Ok(Some((output.items.unwrap_or_default(), next)))
        })
    }

    /// The items of a partition from one sort key to another, both included.
    pub(crate) async fn between(&self, pk: &str, from: &str, to: &str) -> Result<Vec<Item>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(pk))
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":to", text(to))
            .into_paginator()
            .send();
        let mut items = Vec::new();
        for _ in 0..MAX_PAGES {
            match pages.next().await {
                Some(page) => items.extend(page.map_err(store_error)?.items.unwrap_or_default()),
                None => break,
            }
        }
        Ok(items)
    }
}
