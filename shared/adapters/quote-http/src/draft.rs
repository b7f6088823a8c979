use domain_ids::{HomestayId, HostId, OrderId};
use domain_money::Fen;
use domain_quote::{InvalidDraft, Line, OrderDraft};
use jiff::civil::Date;
use platform_http::{Problem, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

/// An order as the guest is putting it together.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DraftRequest {
    /// Whether the guest has ordered nothing before.
    #[serde(default)]
    first_order: bool,
    /// 1 to 50 stays.
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<LineRequest>,
}

/// One stay of an order.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "homestayId": "h-1001", "hostId": "o-17", "city": "杭州",
    "checkIn": "2026-12-01", "checkOut": "2026-12-03", "amountFen": 68_000
}))]
pub struct LineRequest {
    /// Where: 1 to 64 of `A-Z a-z 0-9 - _`.
    #[schema(value_type = String)]
    homestay_id: HomestayId,
    /// Whose: 1 to 64 of `A-Z a-z 0-9 - _`.
    #[schema(value_type = String)]
    host_id: HostId,
    /// In which city, by the name that templates use: 1 to 50 characters.
    city: String,
    /// The first day, in the business's time (Asia/Shanghai).
    #[schema(value_type = String, format = Date)]
    check_in: Date,
    /// The last day, after `checkIn`.
    #[schema(value_type = String, format = Date)]
    check_out: Date,
    /// What it costs without coupons, in fen.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    amount_fen: i64,
}

impl DraftRequest {
    /// A draft of these lines.
    pub fn new(first_order: bool, lines: Vec<LineRequest>) -> Self {
        Self { first_order, lines }
    }

    /// The draft as the domain takes it.
    pub fn parse(self, order: Option<OrderId>) -> Result<OrderDraft, InvalidDraft> {
        let lines = self.lines.into_iter().map(LineRequest::parse).collect();
        OrderDraft::new(order, self.first_order, lines)
    }
}

impl LineRequest {
    fn parse(self) -> Line {
        Line {
            homestay: self.homestay_id,
            host: self.host_id,
            city: self.city,
            check_in: self.check_in,
            check_out: self.check_out,
            // A negative amount becomes 0, which is refused by its name.
            amount: Fen::new(u64::try_from(self.amount_fen).unwrap_or_default()),
        }
    }
}

/// 422: a draft that is well-formed but not sensible. `path` is where the body has it, such as `draft/`.
pub fn invalid_draft(error: &InvalidDraft, path: &str) -> Problem {
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", "The body is not valid");
    error.0.iter().fold(problem, |problem, violation| {
        let field = match violation.line {
            None => format!("{path}{}", violation.field),
            Some(line) => format!("{path}lines/{line}/{}", violation.field),
        };
        problem.field(&field, violation.must)
    })
}
