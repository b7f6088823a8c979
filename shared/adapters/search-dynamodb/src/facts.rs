use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use coupon_dynamodb::{corrupt, store_error};
use domain_coupon::StoreError;
use domain_ids::SearchId;
use domain_search::{
    ClickPosition, ClientDigest, EVENTS_COUNT_FOR, Fact, FactStore, Hour, Keyword, Noted, Salt, What,
};
use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    SearchTable,
    batch::MAX_REQUESTS,
    keys::{self, Item, number, text},
};

/// How long facts are kept after their hour: twice as long as something may come late for it, so that an hour that is counted
/// again is whole.
pub const FACTS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(4 * 24);

const _: () = assert!(FACTS_KEPT_FOR.as_secs() >= 2 * EVENTS_COUNT_FOR.as_secs());

impl FactStore for SearchTable {
    async fn salt(&self, day: Date, fresh: Salt) -> Result<Salt, StoreError> {
        self.salt_of(day, fresh).await
    }

    async fn keep(&self, facts: &[Fact]) -> Result<(), StoreError> {
        // By key: `BatchWriteItem` refuses a batch with one twice, and a search is one search.
        let items: BTreeMap<(String, String), Item> = facts.iter().map(item).collect();
        let mut requests = Vec::with_capacity(items.len());
        for ((pk, sk), mut item) in items {
            item.extend(keys::key(pk, sk));
            let put = PutRequest::builder().set_item(Some(item)).build().map_err(corrupt)?;
            requests.push(WriteRequest::builder().put_request(put).build());
        }
        debug_assert!(requests.len() <= MAX_REQUESTS, "a batch is what one call takes");
        self.write(requests).await
    }

    async fn ask_for(&self, hour: Hour, token: u64) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(keys::late(hour)))
            .item("token", number(token))
            .item("ttl", keys::ttl(hour.end(), FACTS_KEPT_FOR));
        put.send().await.map(|_| ()).map_err(store_error)
    }
}

fn item(fact: &Fact) -> ((String, String), Item) {
    let hour = fact.hour();
    let search = fact.search;
    let mut item = Item::from([("ttl".into(), keys::ttl(hour.end(), FACTS_KEPT_FOR))]);
    let sk = match &fact.what {
        What::Searched { keyword, found, client } => {
            item.insert("client".into(), AttributeValue::B(Blob::new(client.0)));
            item.insert("found".into(), AttributeValue::Bool(*found));
            match keyword {
                Noted::Nothing => {}
                Noted::Hidden => {
                    item.insert("hidden".into(), AttributeValue::Bool(true));
                }
                Noted::Text(keyword) => {
                    item.insert("keyword".into(), text(keyword.as_str()));
                }
            }
            format!("{search}#S")
        }
        What::Clicked { at, homestay, position } => {
            format!("{search}#C#{}#{}#{homestay}", at.as_millisecond(), position.get())
        }
    };
    ((keys::facts(hour, keys::shard(search)), sk), item)
}

/// The fact that an item is; none for what [`item`] has not made.
pub(crate) fn parse(item: &Item) -> Option<Fact> {
    let (search, what) = keys::sk(item)?.split_once('#')?;
    let search: SearchId = search.parse().ok()?;
    let what = match what.split_once('#') {
        None if what == "S" => searched(item)?,
        Some(("C", click)) => clicked(click)?,
        _ => return None,
    };
    Some(Fact { search, what })
}

fn searched(item: &Item) -> Option<What> {
    let client = item.get("client")?.as_b().ok()?.as_ref().try_into().ok().map(ClientDigest)?;
    let found = *item.get("found")?.as_bool().ok()?;
    let keyword = match (item.get("keyword"), item.get("hidden")) {
        (Some(keyword), _) => Noted::Text(Keyword::fold(keyword.as_s().ok()?)?),
        (None, Some(_)) => Noted::Hidden,
        (None, None) => Noted::Nothing,
    };
    Some(What::Searched { keyword, found, client })
}

fn clicked(click: &str) -> Option<What> {
    let mut parts = click.splitn(3, '#');
    let at = Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?;
    let position = ClickPosition::new(parts.next()?.parse().ok()?)?;
    Some(What::Clicked { at, homestay: parts.next()?.parse().ok()?, position })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fact() -> impl Strategy<Value = Fact> {
        let keyword = prop_oneof![
            Just(Noted::Nothing),
            Just(Noted::Hidden),
            "[a-z一-龥]{1,30}".prop_map(|text| Noted::Text(Keyword::fold(&text).unwrap())),
        ];
        let searched = (keyword, any::<bool>(), any::<[u8; 16]>()).prop_map(|(keyword, found, client)| {
            What::Searched { keyword, found, client: ClientDigest(client) }
        });
        let clicked = (0..2_000_000_000_000_i64, "[A-Za-z0-9_-]{1,64}", 1..=10_000_u32).prop_map(
            |(ms, homestay, position)| What::Clicked {
                at: Timestamp::from_millisecond(ms).unwrap(),
                homestay: homestay.parse().unwrap(),
                position: ClickPosition::new(position).unwrap(),
            },
        );
        (0..2_000_000_000_000_u64, any::<u128>(), prop_oneof![searched, clicked])
            .prop_map(|(ms, random, what)| Fact { search: SearchId::from_parts(ms, random), what })
    }

    proptest! {
        #[test]
        fn a_fact_reads_back(fact in fact()) {
            let ((pk, sk), mut stored) = item(&fact);
            stored.extend(keys::key(pk, sk));
            prop_assert_eq!(parse(&stored), Some(fact));
        }

        #[test]
        fn no_item_panics(sk in ".{0,60}") {
            let _ = parse(&keys::key("FACTS#2026-11-11T00#0".into(), sk));
        }
    }

    #[test]
    fn searches_are_spread_over_all_shards() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut counts = [0_u32; keys::SHARDS as usize];
        for _ in 0..16_000 {
            counts[usize::from(keys::shard(SearchId::from_parts(1, random.u128(..))))] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_250).contains(count)), "{counts:?}");
    }
}
