//! `GET /v1/me/coupons` and `GET /v1/me/coupons/{id}`.

use std::{convert::Infallible, str::FromStr};

use coupon_http::{
    CouponList, CouponView, Paged, ProblemView, SignedIn, coupon_not_found, guest, store_problem,
};
use domain_coupon::{CouponShelf, CouponStatus, list_coupons};
use domain_ids::CouponId;
use jiff::Timestamp;
use platform_http::{Body, Problem, Request, Response, StatusCode, cursor, json, path_id, query};

/// Coupons on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 20;

/// A hundred coupons are about 60 KB: 15 read units and an answer far below the 6 MB of Lambda.
const MAX_LIMIT: u16 = 100;

/// 200 with the coupons of the guest who asks.
pub async fn handle(
    store: &impl CouponShelf,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let answer = match platform_http::route_key(&request) {
        "GET /v1/me/coupons" => list(store, now, &request).await,
        "GET /v1/me/coupons/{id}" => show(store, now, &request).await,
        _ => Err(platform_http::route_not_found()),
    };
    Ok(answer.unwrap_or_else(Problem::into_response))
}

/// A page of the guest's coupons.
#[utoipa::path(
    get, path = "/v1/me/coupons", operation_id = "listMyCoupons", tag = "coupons",
    summary = "List my coupons",
    params(
        ("status" = Option<String>, Query, description = "`unused`, `locked`, `used`, `expired` or `refunded`; all without it", example = "unused"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 without it", example = 20),
    ),
    responses(
        (status = 200, description = "The coupons, those of the newest template first", body = CouponList),
        SignedIn, Paged,
    ),
    security(("jwt" = [])),
)]
pub async fn list(
    store: &impl CouponShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let guest = guest(request)?;
    let status = query::<Status>(request, "status")?.map(|status| status.0);
    let after = match cursor::from_query(request)? {
        Some(text) => {
            Some(parse_cursor(&text).filter(|id| id.belongs_to(&guest)).ok_or_else(cursor::invalid)?)
        }
        None => None,
    };
    let limit = platform_http::limit(request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = list_coupons(store, &guest, status, after, limit, now)
        .await
        .map_err(|error| store_problem(&error))?;
    tracing::info!(coupons.count = page.items.len(), "listed coupons");
    let body = CouponList {
        items: page.items.iter().map(|coupon| CouponView::new(coupon, now)).collect(),
        next_cursor: page.next.map(|id| cursor::encode(&id.to_string())),
    };
    Ok(json(StatusCode::OK, &body))
}

/// One coupon of the guest.
#[utoipa::path(
    get, path = "/v1/me/coupons/{id}", operation_id = "getMyCoupon", tag = "coupons",
    summary = "Show one of my coupons",
    params(("id" = String, Path, description = "The coupon")),
    responses(
        (status = 200, description = "The coupon", body = CouponView),
        SignedIn,
        (status = 404, description = "`coupon-not-found`, also where another guest holds it", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn show(
    store: &impl CouponShelf,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let guest = guest(request)?;
    let id: CouponId = path_id(request, "id").ok_or_else(coupon_not_found)?;
    let coupon = store.coupon(&guest, id).await.map_err(|error| store_problem(&error))?;
    tracing::info!(coupon.found = coupon.is_some(), "showed coupon");
    let coupon = coupon.ok_or_else(coupon_not_found)?;
    Ok(json(StatusCode::OK, &CouponView::new(&coupon, now)))
}

/// A page goes on behind the coupon the cursor names.
fn parse_cursor(text: &str) -> Option<CouponId> {
    text.parse().ok()
}

struct Status(CouponStatus);

impl FromStr for Status {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "unused" => Ok(Self(CouponStatus::Unused)),
            "locked" => Ok(Self(CouponStatus::Locked)),
            "used" => Ok(Self(CouponStatus::Used)),
            "expired" => Ok(Self(CouponStatus::Expired)),
            "refunded" => Ok(Self(CouponStatus::Refunded)),
            _ => Err("must be unused, locked, used, expired or refunded"),
        }
    }
}
