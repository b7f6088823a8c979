//! How drafts and reasons are spelled.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use domain_money::Fen;
use domain_quote::{Clash, Reason, ScopePart};
use quote_http::{DraftRequest, invalid_draft, reasons};
use serde_json::{Value, json};
use testing::{Answer, NOW};

fn line(members: Value) -> Value {
    let mut line = json!({
        "homestayId": "h-1001", "hostId": "o-17", "city": "杭州",
        "checkIn": "2026-12-01", "checkOut": "2026-12-03", "amountFen": 68_000,
    });
    let Value::Object(members) = members else { panic!("not members: {members}") };
    line.as_object_mut().unwrap().extend(members);
    line
}

fn request(lines: &[Value]) -> DraftRequest {
    serde_json::from_value(json!({ "firstOrder": true, "lines": lines })).unwrap()
}

#[test]
fn a_draft_is_parsed() {
    let order = "order-1".parse().unwrap();
    let draft = request(&[line(json!({})), line(json!({ "amountFen": 1 }))]).parse(Some(order)).unwrap();
    assert_eq!(draft.total(), Fen::new(68_001));
    assert!(draft.is_first_order());
    assert_eq!(draft.order().unwrap().as_str(), "order-1");
}

#[test]
fn what_is_not_sensible_is_named_by_its_place() {
    let lines = [line(json!({})), line(json!({ "amountFen": -1, "checkOut": "2026-12-01", "city": "" }))];
    let error = request(&lines).parse(None).unwrap_err();
    let answer = Answer::of(invalid_draft(&error, "draft/").into_response());
    assert_eq!(answer.problem(), (422, "invalid-body"));
    assert_eq!(answer.fields(), "draft/lines/1/city draft/lines/1/checkOut draft/lines/1/amountFen");
    let none = request(&[]).parse(None).unwrap_err();
    assert_eq!(Answer::of(invalid_draft(&none, "").into_response()).fields(), "lines");
}

#[test]
fn every_reason_has_a_code() {
    let all = [
        Reason::OutOfScope(ScopePart::Homestay),
        Reason::OutOfScope(ScopePart::Host),
        Reason::OutOfScope(ScopePart::City),
        Reason::StayOutsideDates,
        Reason::FirstOrderOnly,
        Reason::BelowThreshold { missing: Fen::new(5) },
        Reason::NothingLeft,
        Reason::Locked { until: NOW },
        Reason::Used,
        Reason::Expired,
        Reason::Refunded,
        Reason::TemplateGone,
        Clash::Exclusive.into(),
        Clash::SameGroup.into(),
        Clash::TooMany.into(),
        Clash::HeldDoesNotApply.into(),
    ];
    let spelled = serde_json::to_value(reasons(&all)).unwrap();
    let expected = json!([
        { "code": "out_of_scope", "part": "homestay" },
        { "code": "out_of_scope", "part": "host" },
        { "code": "out_of_scope", "part": "city" },
        { "code": "stay_outside_dates" },
        { "code": "first_order_only" },
        { "code": "below_threshold", "missingFen": 5 },
        { "code": "nothing_left" },
        { "code": "locked", "lockedUntil": "2026-11-10T16:00:00Z" },
        { "code": "used" },
        { "code": "expired" },
        { "code": "refunded" },
        { "code": "template_gone" },
        { "code": "exclusive" },
        { "code": "same_group" },
        { "code": "too_many" },
        { "code": "held_does_not_apply" },
    ]);
    assert_eq!(spelled, expected);
}
