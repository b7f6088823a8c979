//! What operators send, parsed: nothing wraps, nothing panics, what is wrong is named.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use coupon_http::{CreateTemplateRequest, PatchTemplateRequest, TemplateCursor, guest};
use domain_coupon::{
    Benefit, IssueType, NewTemplate, Stock, Template, TemplateChange, TemplatePosition, TemplateStatus,
    Threshold, Violation, Violations,
};
use domain_money::Fen;
use jiff::Timestamp;
use platform_http::cursor;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use testing::{ApiRequest, NOW, at, template_id};

/// What every template needs, with `members` put in or replaced.
fn body(members: Value) -> Value {
    let mut body = json!({
        "name": "券", "threshold": { "type": "none" }, "totalCount": 1_000, "validDays": 30,
        "startTime": "2026-11-11T00:00:00+08:00", "endTime": "2026-11-12T00:00:00+08:00",
    });
    let Value::Object(members) = members else { panic!("not members: {members}") };
    body.as_object_mut().unwrap().extend(members);
    body
}

fn parse(body: &Value) -> Result<NewTemplate, Violations> {
    let request: CreateTemplateRequest = serde_json::from_value(body.clone()).unwrap();
    request.parse()
}

fn publish(body: &Value) -> Result<Template, Violations> {
    parse(body)?.publish(template_id(1), NOW)
}

fn listed(violations: &Violations) -> Vec<Violation> {
    violations.iter().copied().collect()
}

#[test]
fn every_field_reaches_the_domain() {
    let new = parse(&body(json!({
        "type": "full_reduction", "amountFen": 2_000, "threshold": { "type": "amount", "amountFen": 10_000 },
        "totalCount": 7, "perUserLimit": 3, "validDays": 9,
        "startTime": "2026-11-11T00:00:00.1239+08:00", "endTime": "2026-11-12T00:00:00Z",
        "issueType": "exchange", "expectedClaimsPerSecond": 25_000,
    })))
    .unwrap();
    assert_eq!(new.name, "券");
    assert_eq!(new.benefit, Benefit::FullReduction { amount: Fen::new(2_000) });
    assert_eq!(new.threshold, Threshold::Amount(Fen::new(10_000)));
    assert_eq!((new.total_count, new.per_user_limit, new.valid_days), (Some(7), 3, 9));
    assert_eq!((new.starts_at, new.ends_at), (at("2026-11-10T16:00:00.123Z"), at("2026-11-12T00:00:00Z")));
    assert_eq!((new.issue_type, new.expected_claims_per_second), (IssueType::Exchange, 25_000));
}

#[test]
fn what_may_be_left_out_has_a_default() {
    let new = parse(&body(json!({ "type": "cash", "amountFen": 1, "totalCount": -1 }))).unwrap();
    assert_eq!((new.per_user_limit, new.expected_claims_per_second), (1, 100));
    assert_eq!((new.issue_type, new.total_count), (IssueType::Manual, None));
}

#[test]
fn each_type_takes_its_own_fields_and_no_other_in_every_combination() {
    const FIELDS: [&str; 4] = ["amountFen", "discountPercent", "discountCapFen", "giftSku"];
    let values = [json!(2_000), json!(20), json!(5_000), json!("TEA")];
    // Needed, and allowed beside that.
    let kinds = [
        ("full_reduction", "amountFen", None),
        ("discount", "discountPercent", Some("discountCapFen")),
        ("cash", "amountFen", None),
        ("gift", "giftSku", None),
    ];
    for (kind, needed, optional) in kinds {
        for given in 0..1_u8 << FIELDS.len() {
            let is_given = |i: usize| given >> i & 1 == 1;
            let mut members = Map::from_iter([("type".into(), json!(kind))]);
            for (i, value) in values.iter().enumerate() {
                // `amountFen` is spelled as null, the others are left out.
                if is_given(i) || i == 0 {
                    members.insert(FIELDS[i].into(), if is_given(i) { value.clone() } else { Value::Null });
                }
            }
            let expected: Vec<Violation> = (0..)
                .zip(FIELDS)
                .filter_map(|(i, field)| match (is_given(i), field == needed, Some(field) == optional) {
                    (false, true, _) => Some(Violation::new(field, "is needed for this type")),
                    (true, false, false) => Some(Violation::new(field, "does not belong to this type")),
                    _ => None,
                })
                .collect();
            let parsed = parse(&body(members.into()));
            let shown = format!("{kind} with {given:04b}");
            match parsed {
                Ok(new) => {
                    assert_eq!(expected, [], "{shown}");
                    let amount = Fen::new(2_000);
                    let benefit = match kind {
                        "full_reduction" => Benefit::FullReduction { amount },
                        "cash" => Benefit::Cash { amount },
                        "gift" => Benefit::Gift { sku: "TEA".into() },
                        _ => Benefit::Discount { percent: 20, cap: is_given(2).then_some(Fen::new(5_000)) },
                    };
                    assert_eq!(new.benefit, benefit, "{shown}");
                }
                Err(wrong) => assert_eq!(listed(&wrong), expected, "{shown}"),
            }
        }
    }
}

#[test]
fn a_threshold_has_an_amount_or_none() {
    let threshold =
        |threshold| parse(&body(json!({ "type": "cash", "amountFen": 1, "threshold": threshold })));
    let none = threshold(json!({ "type": "none" })).unwrap();
    assert_eq!(none.threshold, Threshold::None);
    assert_eq!(threshold(json!({ "type": "none", "amountFen": null })).unwrap().threshold, Threshold::None);
    let amount = threshold(json!({ "type": "amount", "amountFen": 1 })).unwrap();
    assert_eq!(amount.threshold, Threshold::Amount(Fen::new(1)));
    for (wrong, must) in [
        (json!({ "type": "none", "amountFen": 1 }), "does not belong to this type"),
        (json!({ "type": "amount" }), "is needed for this type"),
        (json!({ "type": "amount", "amountFen": null }), "is needed for this type"),
    ] {
        assert_eq!(listed(&threshold(wrong).unwrap_err()), [Violation::new("threshold/amountFen", must)]);
    }
}

#[test]
fn what_a_change_leaves_out_stays() {
    let parse = |body| serde_json::from_value::<PatchTemplateRequest>(body).unwrap().parse();
    assert_eq!(parse(json!({})), TemplateChange::default());
    let nulls = json!({ "name": null, "endTime": null, "totalCount": null, "status": null });
    assert_eq!(parse(nulls), TemplateChange::default());
    let everything = json!({
        "name": "新名", "endTime": "2026-11-13T00:00:00.1239+08:00", "totalCount": 1_500, "status": "paused"
    });
    let change = TemplateChange {
        name: Some("新名".into()),
        ends_at: Some(at("2026-11-12T16:00:00.123Z")),
        total_count: Some(1_500),
        status: Some(TemplateStatus::Paused),
    };
    assert_eq!(parse(everything), change);
    assert_eq!(parse(json!({ "status": "active" })).status, Some(TemplateStatus::Active));
}

#[test]
fn a_guest_is_the_subject_of_the_token() {
    let subject = |subject: &str| guest(&ApiRequest::new("GET", "/").caller(subject, &[]).build());
    let uuid = "0b9f4a1e-7c35-4d0e-9a52-1f6f0c1d2e3f";
    assert_eq!(subject(uuid).unwrap().as_str(), uuid);
    let refused = [
        guest(&ApiRequest::new("GET", "/").build()),
        subject(""),
        subject("a#b"),
        subject("券"),
        subject(&"a".repeat(65)),
    ];
    for problem in refused.map(Result::unwrap_err) {
        assert_eq!((problem.status().as_u16(), problem.slug()), (401, "unauthenticated"));
        assert_eq!(problem.into_response().headers()["www-authenticate"], "Bearer");
    }
}

fn position(cursor: Option<&str>) -> Result<Option<TemplatePosition>, &'static str> {
    let request = ApiRequest::new("GET", "/v1/coupon-templates");
    let request = cursor.iter().fold(request, |request, cursor| request.query("cursor", cursor)).build();
    TemplateCursor::from_query(&request).map_err(|problem| problem.slug())
}

#[test]
fn without_a_cursor_a_list_begins_at_its_beginning() {
    assert_eq!(position(None), Ok(None));
}

/// Numbers around every place where a narrower type would wrap, and any others.
fn numbers() -> impl Strategy<Value = i64> {
    let around_a_power = (0..64_u32, -2..=2_i64, any::<bool>()).prop_map(|(power, step, negative)| {
        let number = 1_i64.wrapping_shl(power).wrapping_add(step);
        if negative { number.wrapping_neg() } else { number }
    });
    let in_or_near_bounds = -2..=25_i64;
    let shifted =
        (0..=120_i64, 0..64_u32).prop_map(|(low, power)| 1_i64.wrapping_shl(power).wrapping_add(low));
    prop_oneof![any::<i64>(), around_a_power, in_or_near_bounds, shifted, Just(i64::MIN), Just(i64::MAX)]
}

/// The members of a template with `number` in one place, the place, its bounds, and what became of it.
type Place = (fn(i64) -> Value, &'static str, [i64; 2], fn(&Template) -> Option<i64>);

const PLACES: [Place; 9] = [
    (
        |n| json!({ "type": "cash", "amountFen": n }),
        "amountFen",
        [1, 1_000_000_000],
        |template| match template.terms.benefit {
            Benefit::Cash { amount } => amount.get().try_into().ok(),
            _ => None,
        },
    ),
    (
        |n| json!({ "type": "cash", "amountFen": 1, "threshold": { "type": "amount", "amountFen": n } }),
        "threshold/amountFen",
        [1, 1_000_000_000],
        |template| match template.terms.threshold {
            Threshold::Amount(from) => from.get().try_into().ok(),
            Threshold::None => None,
        },
    ),
    (
        |n| {
            let threshold = json!({ "type": "amount", "amountFen": n });
            json!({ "type": "full_reduction", "amountFen": 1, "threshold": threshold })
        },
        "threshold/amountFen",
        [1, 1_000_000_000],
        |template| match template.terms.threshold {
            Threshold::Amount(from) => from.get().try_into().ok(),
            Threshold::None => None,
        },
    ),
    (
        |n| json!({ "type": "discount", "discountPercent": n }),
        "discountPercent",
        [1, 99],
        |template| match template.terms.benefit {
            Benefit::Discount { percent, .. } => Some(percent.into()),
            _ => None,
        },
    ),
    (
        |n| json!({ "type": "discount", "discountPercent": 20, "discountCapFen": n }),
        "discountCapFen",
        [1, 1_000_000_000],
        |template| match template.terms.benefit {
            Benefit::Discount { cap, .. } => cap?.get().try_into().ok(),
            _ => None,
        },
    ),
    (
        |n| json!({ "type": "cash", "amountFen": 1, "totalCount": n }),
        "totalCount",
        [1, 100_000_000],
        |template| match &template.stock {
            Stock::Limited(stock) => Some(stock.total.into()),
            Stock::Unlimited => Some(-1),
        },
    ),
    (
        |n| json!({ "type": "cash", "amountFen": 1, "perUserLimit": n }),
        "perUserLimit",
        [1, 20],
        |template| Some(template.per_user_limit.into()),
    ),
    (
        |n| json!({ "type": "cash", "amountFen": 1, "validDays": n }),
        "validDays",
        [1, 3_650],
        |template| Some(template.valid_days.into()),
    ),
    (
        |n| json!({ "type": "cash", "amountFen": 1, "expectedClaimsPerSecond": n }),
        "expectedClaimsPerSecond",
        [1, 1_000_000],
        |template| Some(template.expected_claims_per_second.into()),
    ),
];

/// Any JSON, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::sample::select(vec!["full_reduction", "discount", "cash", "gift", "none", "amount", "manual"])
            .prop_map(Value::from),
        (i64::MIN / 1_000_000..i64::MAX / 1_000_000)
            .prop_filter_map("a time", |ms| Timestamp::from_millisecond(ms).ok())
            .prop_map(|time| json!(time)),
        Just(json!("9999-12-30T22:00:00.999999999Z")),
        Just(json!("-009999-01-02T01:59:59Z")),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let names = prop_oneof![
            prop::sample::select(&["type", "amountFen", "name", "totalCount"][..]).prop_map(String::from),
            ".{0,10}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..6)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

/// A template in which some fields, or the whole, are any JSON.
fn nearly_a_template() -> impl Strategy<Value = Value> {
    let names = vec![
        "name",
        "type",
        "amountFen",
        "discountPercent",
        "discountCapFen",
        "giftSku",
        "threshold",
        "totalCount",
        "perUserLimit",
        "validDays",
        "startTime",
        "endTime",
        "issueType",
        "expectedClaimsPerSecond",
        "status",
    ];
    let fields = prop::collection::vec((prop::sample::select(names), any_json()), 0..4);
    let nearly = fields.prop_map(|fields| {
        let mut template = body(json!({ "type": "cash", "amountFen": 1 }));
        for (name, value) in fields {
            template[name] = value;
        }
        template
    });
    prop_oneof![1 => any_json(), 4 => nearly]
}

proptest! {
    #[test]
    fn a_number_is_taken_as_it_is_or_refused_by_its_name(place in 0..PLACES.len(), number in numbers()) {
        let (members, field, [min, max], taken) = PLACES[place];
        let unlimited = field == "totalCount" && number == -1;
        match publish(&body(members(number))) {
            Ok(template) => {
                prop_assert!((min..=max).contains(&number) || unlimited, "{field}: {number} was taken");
                prop_assert_eq!(taken(&template), Some(number));
            }
            Err(wrong) => {
                let fields: Vec<&str> = wrong.iter().map(|wrong| wrong.field).collect();
                prop_assert!(!(min..=max).contains(&number) && !unlimited, "{field}: {number} was refused");
                // A full reduction also misses a threshold that is high enough.
                prop_assert!(fields[0] == field && fields.iter().all(|name| field.starts_with(name)), "{fields:?}");
            }
        }
    }

    #[test]
    fn a_new_total_is_taken_as_it_is_or_refused_by_its_name(total in numbers()) {
        let request: PatchTemplateRequest = serde_json::from_value(json!({ "totalCount": total })).unwrap();
        match testing::template(10).changed(request.parse(), NOW) {
            Ok(Template { stock: Stock::Limited(stock), .. }) => {
                prop_assert_eq!(i64::from(stock.total), total);
                prop_assert!((10..=100_000_000).contains(&total));
            }
            Ok(_) => prop_assert!(false, "limited stock stays limited"),
            Err(wrong) => {
                prop_assert!(!(10..=100_000_000).contains(&total), "{total} was refused");
                prop_assert!(wrong.iter().all(|wrong| wrong.field == "totalCount"));
            }
        }
    }

    #[test]
    fn no_json_makes_a_new_template_panic(json in nearly_a_template()) {
        let request = ApiRequest::new("POST", "/v1/admin/coupon-templates").json(&json).build();
        match platform_http::json_body::<CreateTemplateRequest>(&request) {
            Ok(request) => drop(request.parse().and_then(|new| new.publish(template_id(1), NOW))),
            Err(problem) => prop_assert!(["invalid-body", "body-too-large"].contains(&problem.slug())),
        }
    }

    #[test]
    fn no_json_makes_a_change_panic(
        name in prop::option::of(any_json()),
        end in prop::option::of(any_json()),
        total in prop::option::of(any_json()),
        status in prop::option::of(any_json()),
        whole in prop::option::weighted(0.2, any_json()),
    ) {
        let fields = [("name", name), ("endTime", end), ("totalCount", total), ("status", status)];
        let members = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let json = whole.unwrap_or_else(|| Value::Object(members.collect()));
        let request = ApiRequest::new("PATCH", "/v1/admin/coupon-templates/{id}").json(&json).build();
        match platform_http::json_body::<PatchTemplateRequest>(&request) {
            Ok(request) => drop(testing::template(10).changed(request.parse(), NOW)),
            Err(problem) => prop_assert!(["invalid-body", "body-too-large"].contains(&problem.slug())),
        }
    }

    #[test]
    fn a_cursor_leads_to_where_the_page_ended(ms in 0..253_402_207_200_000_i64, n in any::<u128>()) {
        let ends_at = Timestamp::from_millisecond(ms).unwrap();
        let ended = TemplatePosition { ends_at, id: template_id(n) };
        prop_assert_eq!(position(Some(&cursor::encode(&TemplateCursor(ended).to_string()))), Ok(Some(ended)));
    }

    #[test]
    fn no_cursor_panics_or_leads_before_1970(text in prop_oneof![".{0,40}", r"-?[0-9]{0,20}\.[0-9A-Za-z]{0,27}"]) {
        for cursor in [&text, &cursor::encode(&text)] {
            if let Ok(Some(TemplatePosition { ends_at, .. })) = position(Some(cursor)) {
                prop_assert!(ends_at >= Timestamp::UNIX_EPOCH, "{cursor}");
            }
        }
    }
}
