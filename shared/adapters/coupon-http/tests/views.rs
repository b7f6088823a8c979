//! What callers are shown, field by field as documented.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeSet, fs, path::Path};

use coupon_http::{
    CouponList, CouponView, SaleList, SaleView, TemplateList, TemplateView, TermsView, ThresholdView,
    invalid, store_problem, template_not_found,
};
use domain_coupon::{
    AutoRule, Benefit, Coupon, CouponState, IssueType, LimitedStock, Lock, Stock, StoreError, Template,
    TemplateStatus, Terms, Threshold, Use, Violation, Violations,
};
use domain_money::Fen;
use jiff::SignedDuration;
use platform_http::Problem;
use serde::Serialize;
use serde_json::{Value, json};
use testing::{Answer, NOW, template};

fn shown(view: impl Serialize) -> Value {
    serde_json::to_value(view).unwrap()
}

fn terms(benefit: Benefit, threshold: Threshold) -> Terms {
    Terms { name: "券".into(), benefit, threshold }
}

#[test]
fn every_benefit_shows_its_own_fields() {
    let table = [
        (
            Benefit::FullReduction { amount: Fen::new(2_000) },
            json!({ "type": "full_reduction", "amountFen": 2_000 }),
        ),
        (
            Benefit::Discount { percent: 20, cap: Some(Fen::new(5_000)) },
            json!({ "type": "discount", "discountPercent": 20, "discountCapFen": 5_000 }),
        ),
        (Benefit::Discount { percent: 99, cap: None }, json!({ "type": "discount", "discountPercent": 99 })),
        (Benefit::Cash { amount: Fen::new(u64::MAX) }, json!({ "type": "cash", "amountFen": u64::MAX })),
        (Benefit::Gift { sku: "TEA-01".into() }, json!({ "type": "gift", "giftSku": "TEA-01" })),
    ];
    for (benefit, mut expected) in table {
        expected["name"] = json!("券");
        expected["threshold"] = json!({ "type": "none" });
        assert_eq!(shown(TermsView::from(&terms(benefit, Threshold::None))), expected);
    }
}

#[test]
fn every_threshold_shows_its_own_fields() {
    assert_eq!(shown(ThresholdView::from(Threshold::None)), json!({ "type": "none" }));
    let amount = ThresholdView::from(Threshold::Amount(Fen::new(1_000_000_000)));
    assert_eq!(shown(amount), json!({ "type": "amount", "amountFen": 1_000_000_000 }));
}

#[test]
fn unlimited_is_minus_one_and_no_shards() {
    let unlimited = Template { stock: Stock::Unlimited, ..template(1) };
    let view = TemplateView::new(&unlimited, None, NOW);
    assert_eq!((view.sale.total_count, view.sale.remaining, view.shards), (-1, -1, 0));
    let view = TemplateView::new(&template(100_000_000), Some(0), NOW);
    assert_eq!((view.sale.total_count, view.sale.remaining, view.shards), (100_000_000, 0, 50));
}

#[test]
fn never_more_is_left_than_there_are() {
    let view = |total, left| SaleView::new(&template(total), Some(left), NOW).remaining;
    assert_eq!([view(10, 0), view(10, 10), view(10, 11), view(10, u32::MAX)], [0, 10, 10, 10]);
}

#[test]
fn the_switches_and_codes_of_a_template_are_spelled_in_snake_case() {
    let spelled = |change: fn(&mut Template), field: &str| {
        let mut template = template(10);
        change(&mut template);
        shown(TemplateView::new(&template, Some(10), NOW))[field].clone()
    };
    let refilling = |template: &mut Template| {
        template.stock = Stock::Limited(LimitedStock { refilling: true, ..LimitedStock::new(10, 1) });
    };
    assert_eq!(spelled(|template| template.issue_type = IssueType::Manual, "issueType"), "manual");
    assert_eq!(spelled(|template| template.issue_type = IssueType::Auto, "issueType"), "auto");
    assert_eq!(spelled(|template| template.issue_type = IssueType::Exchange, "issueType"), "exchange");
    assert_eq!(spelled(|template| template.status = TemplateStatus::Active, "status"), "active");
    assert_eq!(spelled(|template| template.status = TemplateStatus::Paused, "status"), "paused");
    assert_eq!(spelled(|_| {}, "refilling"), false);
    assert_eq!(spelled(refilling, "refilling"), true);
    assert_eq!(spelled(|_| {}, "phase"), "running");
    assert_eq!(spelled(|template| template.starts_at += SignedDuration::from_secs(1), "phase"), "coming");
    assert_eq!(spelled(|template| template.status = TemplateStatus::Paused, "phase"), "paused");
    assert_eq!(spelled(|template| template.ends_at = NOW, "phase"), "ended");
    let sold_out = |template: &mut Template| {
        template.stock = Stock::Limited(LimitedStock { sold_out_at: Some(NOW), ..LimitedStock::new(10, 1) });
    };
    assert_eq!(spelled(sold_out, "phase"), "sold_out");
}

#[test]
fn a_coupon_shows_its_status_at_the_time_of_looking() {
    let unused = testing::coupon("ann", 1);
    let used = Coupon { state: CouponState::Used(testing::spent()), ..unused.clone() };
    let expired = Coupon { state: CouponState::Expired, ..unused.clone() };
    let (before, after) = (unused.expires_at - SignedDuration::from_millis(1), unused.expires_at);
    for (coupon, now, status) in [
        (&unused, before, "unused"),
        (&unused, after, "expired"),
        (&used, before, "used"),
        (&used, after, "used"),
        (&expired, before, "expired"),
    ] {
        let view = shown(CouponView::new(coupon, now));
        assert_eq!(view["status"], status);
        assert_eq!(view.get("usedTime"), (status == "used").then_some(&json!(NOW)));
    }
    let view = shown(CouponView::new(&unused, before));
    assert_eq!(view["templateId"], json!(unused.template()));
    assert_eq!(view["code"].as_str().unwrap().parse(), Ok(unused.code));
    assert_eq!([&view["claimTime"], &view["expireTime"]], [&json!(NOW), &json!(after)]);
    assert!(!view.to_string().contains("ann"), "whose it is stands nowhere");
}

/// The properties of a schema of `docs/openapi.json`, those of the schemas it builds on among them.
fn documented(document: &Value, schema: &Value) -> BTreeSet<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return documented(document, document.pointer(&reference[1..]).unwrap());
    }
    let own = schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys().cloned());
    let parts = schema["allOf"].as_array().map_or(&[][..], Vec::as_slice);
    own.chain(parts.iter().flat_map(|part| documented(document, part))).collect()
}

#[test]
fn views_have_the_fields_that_are_documented() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/openapi.json");
    let document: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    // Between them, templates and coupons of every type have every field.
    let benefits = [
        Benefit::FullReduction { amount: Fen::new(1) },
        Benefit::Discount { percent: 20, cap: Some(Fen::new(1)) },
        Benefit::Cash { amount: Fen::new(1) },
        Benefit::Gift { sku: "TEA".into() },
    ];
    let every_terms = benefits.map(|benefit| terms(benefit, Threshold::Amount(Fen::new(1))));
    let templates = every_terms.clone().map(|terms| Template {
        terms,
        campaign: Some("01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()),
        auto: Some(AutoRule::SignUp),
        ..template(10)
    });
    let sales = templates.clone().map(|template| SaleView::new(&template, Some(1), NOW));
    let templates = templates.map(|template| TemplateView::new(&template, Some(1), NOW));
    let Use { order, saved, .. } = testing::spent();
    let locked = CouponState::Locked(Lock { order, saved, until: NOW + SignedDuration::from_mins(1) });
    let states = [locked, CouponState::Used(testing::spent())].into_iter().cycle();
    let coupons =
        every_terms.clone().into_iter().zip(states).map(|(terms, state)| {
            CouponView::new(&Coupon { terms, state, ..testing::coupon("ann", 1) }, NOW)
        });
    let coupons: Vec<CouponView> = coupons.collect();
    let next_cursor = || Some(String::new());
    let lists = [
        ("SaleList", shown(SaleList { items: Vec::new(), next_cursor: next_cursor() })),
        ("TemplateList", shown(TemplateList { items: Vec::new(), next_cursor: next_cursor() })),
        ("CouponList", shown(CouponList { items: Vec::new(), next_cursor: next_cursor() })),
        ("ThresholdView", shown(ThresholdView::from(Threshold::Amount(Fen::new(1))))),
    ];
    let views = [
        ("SaleView", shown(sales)),
        ("TemplateView", shown(templates)),
        ("CouponView", shown(coupons)),
        ("TermsView", shown(every_terms.each_ref().map(TermsView::from))),
    ];
    for (schema, values) in views.into_iter().chain(lists.map(|(schema, view)| (schema, json!([view])))) {
        let members =
            values.as_array().unwrap().iter().flat_map(|view| view.as_object().unwrap().keys().cloned());
        let documented = documented(&document, &document["components"]["schemas"][schema]);
        assert_eq!(members.collect::<BTreeSet<_>>(), documented, "{schema}");
    }
}

#[test]
fn the_last_page_has_no_cursor() {
    assert_eq!(shown(SaleList { items: Vec::new(), next_cursor: None }), json!({ "items": [] }));
    assert_eq!(shown(TemplateList { items: Vec::new(), next_cursor: None }), json!({ "items": [] }));
    assert_eq!(shown(CouponList { items: Vec::new(), next_cursor: None }), json!({ "items": [] }));
}

#[test]
fn what_the_store_says_stays_inside() {
    let answer = |problem: Problem| Answer::of(problem.into_response());
    let table: [(StoreError, _); 3] = [
        (StoreError::Unavailable("secret".into()), (503, "try-again")),
        (StoreError::Corrupt("secret".into()), (503, "try-again")),
        (StoreError::Throttled("secret".into()), (429, "too-many-requests")),
    ];
    for (error, told) in table {
        let answer = answer(store_problem(&error));
        assert_eq!(answer.problem(), told);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(!answer.body.to_string().contains("secret"));
    }
    assert_eq!(answer(template_not_found()).problem(), (404, "template-not-found"));
}

#[test]
fn every_violation_is_named() {
    let mut wrong = Violations::default();
    wrong.check(false, Violation::new("name", "must be short"));
    wrong.check(true, Violation::new("amountFen", "must be 1"));
    wrong.check(false, Violation::new("threshold/amountFen", "must be 2"));
    let answer = Answer::of(invalid(&wrong).into_response());
    assert_eq!(answer.problem(), (422, "invalid-body"));
    let errors = [("name", "must be short"), ("threshold/amountFen", "must be 2")];
    assert_eq!(
        answer.body["errors"],
        json!(errors.map(|(field, must)| json!({ "field": field, "must": must })))
    );
}
