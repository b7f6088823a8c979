//! Templates and lists on a real (embedded) table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use coupon_dynamodb::{CouponTable, Units};
use domain_coupon::{
    Benefit, ChangeError, ClaimStore, CouponShelf, Issue, LimitedStock, Stock, Template, TemplateChange,
    TemplateShelf, TemplateStatus, TemplateStore, Threshold, change_template,
};
use domain_ids::TemplateId;
use domain_money::Fen;
use jiff::SignedDuration;
use testing::EmbeddedDynamoDb;

async fn table() -> (EmbeddedDynamoDb, CouponTable) {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(db.client(), name);
    (db, table)
}

fn numbered(n: u8) -> Template {
    let mut template = testing::template(10);
    template.id = TemplateId::from_parts(1_794_000_000_000, n.into());
    template.ends_at += SignedDuration::from_mins(n.into());
    template
}

#[tokio::test]
async fn every_kind_of_template_reads_back_as_it_was_written() {
    let (_db, table) = table().await;
    let benefits = [
        Benefit::FullReduction { amount: Fen::new(2_000) },
        Benefit::Discount { percent: 20, cap: Some(Fen::new(5_000)) },
        Benefit::Discount { percent: 99, cap: None },
        Benefit::Cash { amount: Fen::new(1) },
        Benefit::Gift { sku: "TEA-01".into() },
    ];
    for (n, benefit) in (1..).zip(benefits) {
        let mut template = numbered(n);
        template.terms.benefit = benefit;
        if n % 2 == 0 {
            template.terms.threshold = Threshold::None;
            template.stock = Stock::Unlimited;
            template.status = TemplateStatus::Paused;
        }
        table.insert(&template).await.unwrap();
        assert_eq!(TemplateShelf::template(&table, template.id).await.unwrap(), Some(template));
    }
    assert_eq!(TemplateShelf::template(&table, numbered(99).id).await.unwrap(), None);
}

/// The table of `docs/performance.md`, for a template of four shards.
#[tokio::test]
async fn what_operators_and_readers_do_costs_few_units() {
    let (_db, table) = table().await;
    let mut template = testing::template(40);
    let stock = LimitedStock { shards: 4.try_into().unwrap(), ..LimitedStock::new(40, 1) };
    template.stock = Stock::Limited(stock);
    let coupon = testing::coupon("ann", 1);

    table.insert(&template).await.unwrap();
    assert_eq!(
        table.consumed().take(),
        Units::whole(0, 6),
        "publish: each shard, the template and its index entry"
    );
    TemplateShelf::template(&table, template.id).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, 0), "read a template");
    table.remaining(&template).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(4, 0), "add up what is left: each shard");
    table.on_sale(template.starts_at, None, 20).await.unwrap();
    assert_eq!(table.consumed().take(), Units { half_reads: 1, half_writes: 0 }, "a page of sales");
    let rename = TemplateChange { name: Some("新".into()), ..TemplateChange::default() };
    change_template(&table, template.id, 1, rename, template.starts_at).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, 2), "rename, pause, extend");
    let more = TemplateChange { total_count: Some(80), ..TemplateChange::default() };
    change_template(&table, template.id, 2, more, template.starts_at).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, 8), "top up: each shard, the template twice");
    table.coupon(&coupon.guest, coupon.id).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, 0), "read a coupon");
    table.coupons(&coupon.guest, None, 20).await.unwrap();
    assert_eq!(table.consumed().take(), Units::whole(1, 0), "list coupons, up to 4 KB");
}

#[tokio::test]
async fn of_two_changes_of_one_version_one_is_outdated() {
    let (_db, table) = table().await;
    let template = numbered(1);
    table.insert(&template).await.unwrap();
    let rename = |name: &str| TemplateChange { name: Some(name.into()), ..TemplateChange::default() };
    let now = template.starts_at;
    let changed = change_template(&table, template.id, 1, rename("一"), now).await.unwrap();
    assert_eq!(changed.version, 2);
    let outdated = change_template(&table, template.id, 1, rename("二"), now).await;
    assert!(matches!(outdated, Err(ChangeError::Outdated)));
    let missing = change_template(&table, numbered(7).id, 1, rename("三"), now).await;
    assert!(matches!(missing, Err(ChangeError::NotFound)));
}

#[tokio::test]
async fn the_sold_out_mark_belongs_to_its_epoch() {
    let (_db, table) = table().await;
    let template = numbered(1);
    table.insert(&template).await.unwrap();
    let sold_out_at =
        async || match TemplateShelf::template(&table, template.id).await.unwrap().unwrap().stock {
            Stock::Limited(stock) => stock.sold_out_at,
            Stock::Unlimited => unreachable!(),
        };
    table.mark_sold_out(template.id, 5, template.starts_at).await.unwrap();
    assert_eq!(sold_out_at().await, None);
    table.mark_sold_out(template.id, 0, template.starts_at).await.unwrap();
    assert_eq!(sold_out_at().await, Some(template.starts_at));
    table.mark_sold_out(template.id, 0, template.ends_at).await.unwrap();
    assert_eq!(sold_out_at().await, Some(template.starts_at), "the first mark stays");
}

#[tokio::test]
async fn sales_are_listed_by_their_end_page_by_page() {
    let (_db, table) = table().await;
    let templates: Vec<Template> = (0..7).map(numbered).collect();
    for template in templates.iter().rev() {
        table.insert(template).await.unwrap();
    }
    let now = templates[2].ends_at;

    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = table.on_sale(now, after, 2).await.unwrap();
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, templates[3..], "a sale that ends now is over");

    let all = table.all(None, 100).await.unwrap();
    assert_eq!(all.items, templates.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(all.next, None);
}

#[tokio::test]
async fn coupons_are_listed_page_by_page_and_only_the_guests_own() {
    let (_db, table) = table().await;
    let mut template = numbered(1);
    template.stock = Stock::Unlimited;
    for nth in 1..=5 {
        let coupon = testing::coupon("ann", nth);
        assert_eq!(table.issue(&coupon, None, None).await.unwrap(), Issue::Issued);
    }
    assert_eq!(table.issue(&testing::coupon("bob", 1), None, None).await.unwrap(), Issue::Issued);

    let ann = "ann".parse().unwrap();
    let first = table.coupons(&ann, None, 3).await.unwrap();
    assert_eq!(first.items, [5, 4, 3].map(|nth| testing::coupon("ann", nth)));
    let second = table.coupons(&ann, first.next, 3).await.unwrap();
    assert_eq!(second.items, [2, 1].map(|nth| testing::coupon("ann", nth)));
    assert_eq!(second.next, None);
    assert_eq!(table.coupon(&ann, testing::coupon("bob", 1).id).await.unwrap(), None);
}
