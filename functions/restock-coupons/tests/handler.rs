//! `restock-coupons` on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::types::AttributeValue;
use coupon_dynamodb::CouponTable;
use domain_coupon::{
    ClaimCoupon, ClaimError, CouponCode, NewTemplate, SaleMemory, Source, Stock, Template, TemplateShelf,
    TemplateStore, claim,
};
use jiff::SignedDuration;
use restock_coupons::handler::handle;
use testing::{EmbeddedDynamoDb, NOW, draft, template_id};

const A_WHILE: SignedDuration = SignedDuration::from_secs(10);

struct House {
    db: EmbeddedDynamoDb,
    table: CouponTable,
}

impl House {
    async fn with(total: u32, restock: bool) -> Self {
        let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
        let table = CouponTable::new(db.client(), name);
        let new = NewTemplate { total_count: Some(total), restock, ..draft() };
        table.insert(&new.publish(template_id(1), NOW).unwrap()).await.unwrap();
        Self { db, table }
    }

    /// What `count-coupon-facts` writes.
    async fn came_back(&self, count: u32) {
        self.db
            .client()
            .put_item()
            .table_name(testing::COUPON_TABLE)
            .item("pk", AttributeValue::S(format!("TEMPLATE#{}", template_id(1))))
            .item("sk", AttributeValue::S("RETURNED".into()))
            .item("count", AttributeValue::N(count.to_string()))
            .send()
            .await
            .unwrap();
    }

    async fn template(&self) -> Template {
        TemplateShelf::template(&self.table, template_id(1)).await.unwrap().unwrap()
    }

    async fn left(&self) -> Option<u32> {
        self.table.remaining(&self.template().await).await.unwrap()
    }

    async fn claim(&self, guest: &str) -> Result<(), ClaimError> {
        let command = ClaimCoupon {
            guest: guest.parse().unwrap(),
            template: template_id(1),
            source: Source::Claim,
            campaign: None,
            exchange: None,
            key: None,
            code: CouponCode::from_random(u128::from(guest.as_bytes()[0])),
            at: NOW,
            seed: 1,
        };
        claim(&self.table, &SaleMemory::default(), &command).await.map(|_| ())
    }
}

#[tokio::test]
async fn what_came_back_is_claimed_again() {
    let house = House::with(2, true).await;
    for guest in ["ann", "bob"] {
        house.claim(guest).await.unwrap();
    }
    assert!(matches!(house.claim("cat").await, Err(ClaimError::SoldOut)));
    house.came_back(1).await;
    handle(&house.table, NOW + A_WHILE).await.unwrap();
    house.claim("cat").await.unwrap();
    assert!(matches!(house.claim("dan").await, Err(ClaimError::SoldOut)));
}

#[tokio::test]
async fn a_repeat_and_an_old_figure_change_nothing() {
    let house = House::with(10, true).await;
    house.came_back(3).await;
    handle(&house.table, NOW).await.unwrap();
    let restocked = house.template().await;
    handle(&house.table, NOW + A_WHILE).await.unwrap();
    house.came_back(2).await;
    handle(&house.table, NOW + A_WHILE).await.unwrap();
    assert_eq!(house.template().await, restocked);
    assert_eq!(house.left().await, Some(13));
    assert!(matches!(restocked.stock, Stock::Limited(stock) if stock.total == 10 && stock.returned == 3));
}

#[tokio::test]
async fn a_template_that_does_not_want_it_is_left_alone() {
    let house = House::with(10, false).await;
    house.came_back(3).await;
    handle(&house.table, NOW).await.unwrap();
    assert_eq!(house.left().await, Some(10));
}

#[tokio::test]
async fn a_sale_that_is_over_is_left_alone() {
    let house = House::with(10, true).await;
    house.came_back(3).await;
    handle(&house.table, NOW + SignedDuration::from_hours(24)).await.unwrap();
    assert_eq!(house.left().await, Some(10));
}
