//! Claims on a real (embedded) table: conditions, transactions, cancellation reasons, units.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeSet, sync::Arc};

use coupon_dynamodb::{CouponTable, Units};
use domain_coupon::{
    ClaimCoupon, ClaimError, ClaimKey, ClaimStore, Claimed, CouponCode, CouponShelf, Issue, LimitedStock,
    SHARDS_PER_READ, SaleMemory, Shard, Source, Stock, Template, TemplateChange, TemplateShelf,
    TemplateStore, change_template, claim,
};
use domain_ids::GuestId;
use testing::EmbeddedDynamoDb;

/// Write units of a claim: 2 for each item of the transaction, 1 for the index by expiry.
const CLAIM: u64 = 5;

async fn table() -> (EmbeddedDynamoDb, CouponTable) {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(db.client(), name);
    (db, table)
}

fn sharded(total: u32, shards: u16) -> Template {
    let mut template = testing::template(total);
    let stock = LimitedStock { shards: shards.try_into().unwrap(), ..LimitedStock::new(total, 1) };
    template.stock = Stock::Limited(stock);
    template
}

fn guest(number: u32) -> GuestId {
    format!("guest-{number}").parse().unwrap()
}

fn command(template: &Template, number: u32, seed: u64) -> ClaimCoupon {
    ClaimCoupon {
        guest: guest(number),
        template: template.id,
        source: Source::Claim,
        campaign: None,
        exchange: None,
        key: None,
        code: CouponCode::from_random(
            u128::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835),
        ),
        at: template.starts_at,
        seed,
    }
}

async fn try_claim(
    table: &CouponTable,
    memory: &SaleMemory,
    command: ClaimCoupon,
) -> Result<Claimed, ClaimError> {
    claim(table, memory, &command).await
}

#[tokio::test]
async fn a_claim_costs_five_write_units_and_one_read_of_the_template() {
    let (_db, table) = table().await;
    let template = sharded(100, 4);
    table.insert(&template).await.unwrap();
    table.consumed().take();

    let memory = SaleMemory::default();
    try_claim(&table, &memory, command(&template, 1, 1)).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, CLAIM));
    try_claim(&table, &memory, command(&template, 2, 2)).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(0, CLAIM), "the template is remembered");
}

#[tokio::test]
async fn the_largest_coupon_still_costs_five_write_units() {
    let (_db, table) = table().await;
    let mut template = sharded(100, 4);
    template.terms.name = "春".repeat(domain_coupon::limits::NAME_CHARS);
    template.terms.benefit =
        domain_coupon::Benefit::Gift { sku: "S".repeat(domain_coupon::limits::SKU_CHARS) };
    table.insert(&template).await.unwrap();
    table.consumed().take();

    let mut command = command(&template, 1, 1);
    command.guest = "g".repeat(64).parse().unwrap();
    command.key = Some(ClaimKey::new(&command.guest, template.id, "key"));
    try_claim(&table, &SaleMemory::default(), command).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, CLAIM));
}

#[tokio::test]
async fn a_refusal_after_sell_out_costs_no_unit() {
    let (_db, table) = table().await;
    let template = sharded(3, 64);
    table.insert(&template).await.unwrap();
    let memory = SaleMemory::default();
    for number in 0..3 {
        try_claim(&table, &memory, command(&template, number, u64::from(number))).await.unwrap();
    }
    let first_refused = try_claim(&table, &memory, command(&template, 7, 7)).await;
    assert!(matches!(first_refused, Err(ClaimError::SoldOut)));
    table.consumed().take();

    for number in 10..200 {
        let refused = try_claim(&table, &memory, command(&template, number, 1)).await;
        assert!(matches!(refused, Err(ClaimError::SoldOut)));
    }
    assert_eq!(table.consumed().take(), Units::default());

    let elsewhere = SaleMemory::default();
    let refused = try_claim(&table, &elsewhere, command(&template, 300, 1)).await;
    assert!(matches!(refused, Err(ClaimError::SoldOut)));
    assert_eq!(table.consumed().take(), Units::whole(1, 0), "another environment reads the mark");
}

#[tokio::test]
async fn a_claim_on_unlimited_stock_costs_two_write_units() {
    let (_db, table) = table().await;
    let mut template = testing::template(1);
    template.stock = Stock::Unlimited;
    table.insert(&template).await.unwrap();
    table.consumed().take();
    let memory = SaleMemory::default();
    let first = try_claim(&table, &memory, command(&template, 1, 1)).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, 2));
    match try_claim(&table, &memory, command(&template, 1, 2)).await {
        Err(ClaimError::LimitReached { held }) => assert_eq!(held, [first.coupon.id]),
        answer => panic!("{answer:?}"),
    }
    assert_eq!(TemplateShelf::remaining(&table, &template).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_claims_by_eight_thousand_guests_issue_exactly_a_thousand() {
    const STOCK: u32 = 1_000;
    const GUESTS: u32 = 8_000;
    const CLAIMS: u32 = 20_000;
    const CONCURRENCY: u32 = 64;
    const ENVIRONMENTS: usize = 16;

    let (_db, table) = table().await;
    let template = Arc::new(sharded(STOCK, 8));
    table.insert(&template).await.unwrap();
    let environments: Arc<[SaleMemory; ENVIRONMENTS]> =
        Arc::new(std::array::from_fn(|_| SaleMemory::default()));

    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..CONCURRENCY {
        let (table, template, environments) =
            (table.clone(), Arc::clone(&template), Arc::clone(&environments));
        workers.spawn(async move {
            let mut issued = Vec::new();
            for n in (worker..CLAIMS).step_by(CONCURRENCY as usize) {
                let memory = &environments[n as usize % ENVIRONMENTS];
                match try_claim(&table, memory, command(&template, n % GUESTS, u64::from(n))).await {
                    Ok(claimed) => issued.push((claimed.coupon.guest.clone(), claimed.coupon)),
                    Err(ClaimError::SoldOut | ClaimError::LimitReached { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            issued
        });
    }
    let issued = workers.join_all().await.concat();

    assert_eq!(issued.len(), STOCK as usize, "never one too many, never one too few");
    let guests: BTreeSet<&GuestId> = issued.iter().map(|(guest, _)| guest).collect();
    assert_eq!(guests.len(), STOCK as usize, "nobody twice");
    let codes: BTreeSet<String> = issued.iter().map(|(_, coupon)| coupon.code.to_string()).collect();
    assert_eq!(codes.len(), STOCK as usize);
    assert_eq!(table.remaining(&template).await.unwrap(), Some(0));
    for (guest, coupon) in &issued {
        assert_eq!(table.coupon(guest, coupon.id).await.unwrap().as_ref(), Some(coupon));
    }
}

#[tokio::test]
async fn the_last_units_are_found_on_any_of_many_shards() {
    let (_db, table) = table().await;
    let template = sharded(3, 64);
    table.insert(&template).await.unwrap();
    for number in 0..3 {
        let claimed = try_claim(&table, &SaleMemory::default(), command(&template, number, 5)).await;
        assert!(claimed.is_ok(), "{claimed:?}");
    }
    let refused = try_claim(&table, &SaleMemory::default(), command(&template, 99, 5)).await;
    assert!(matches!(refused, Err(ClaimError::SoldOut)));
}

#[tokio::test]
async fn a_top_up_reaches_every_shard_and_ends_sold_out() {
    let (_db, table) = table().await;
    let template = sharded(2, 2);
    table.insert(&template).await.unwrap();
    for number in 0..3 {
        let _ = try_claim(&table, &SaleMemory::default(), command(&template, number, 1)).await;
    }
    assert_eq!(table.remaining(&template).await.unwrap(), Some(0));

    let more = TemplateChange { total_count: Some(7), ..TemplateChange::default() };
    let topped_up = change_template(&table, template.id, 1, more, template.starts_at).await.unwrap();
    assert_eq!(table.remaining(&topped_up).await.unwrap(), Some(5));
    assert!(!topped_up.is_refilling());
    let memory = SaleMemory::default();
    for number in 10..15 {
        try_claim(&table, &memory, command(&template, number, 1)).await.unwrap();
    }
    let refused = try_claim(&table, &memory, command(&template, 99, 1)).await;
    assert!(matches!(refused, Err(ClaimError::SoldOut)));
}

#[tokio::test]
async fn of_a_held_coupon_and_an_empty_shard_the_coupon_is_told() {
    let (_db, table) = table().await;
    let template = sharded(1, 1);
    table.insert(&template).await.unwrap();
    let coupon = testing::coupon("ann", 1);
    assert_eq!(table.issue(&coupon, Some(Shard(0)), None).await.unwrap(), Issue::Issued);
    assert_eq!(table.issue(&coupon, Some(Shard(0)), None).await.unwrap(), Issue::Held(Box::new(coupon)));
    let another = testing::coupon("bob", 1);
    assert_eq!(table.issue(&another, Some(Shard(0)), None).await.unwrap(), Issue::ShardEmpty);
}

#[tokio::test]
async fn many_shards_are_read_in_batches() {
    let (_db, table) = table().await;
    let template = sharded(2_048, 1_024);
    table.insert(&template).await.unwrap();
    assert_eq!(table.remaining(&template).await.unwrap(), Some(2_048));
    let hundred: Vec<Shard> = (0..100).map(Shard).collect();
    assert_eq!(table.open_shards(template.id, &hundred).await.unwrap().len(), SHARDS_PER_READ);
}

#[tokio::test]
async fn held_coupons_are_those_of_the_template() {
    let (_db, table) = table().await;
    let mut template = sharded(10, 1);
    template.per_user_limit = 3;
    table.insert(&template).await.unwrap();
    let memory = SaleMemory::default();
    for seed in 0..3 {
        try_claim(&table, &memory, command(&template, 1, seed)).await.unwrap();
    }
    let held = table.held(&guest(1), template.id).await.unwrap();
    assert_eq!(held.iter().map(|coupon| coupon.nth().get()).collect::<Vec<_>>(), [1, 2, 3]);
    match try_claim(&table, &memory, command(&template, 1, 9)).await {
        Err(ClaimError::LimitReached { held }) => assert_eq!(held.len(), 3),
        answer => panic!("{answer:?}"),
    }
}
