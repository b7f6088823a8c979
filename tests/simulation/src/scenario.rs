//! What is simulated: the load, the stock, the table, the faults.

use std::time::Duration;

use domain_coupon::shards_for;
use serde::{Serialize, Serializer};

use crate::{dynamodb::WRITE_UNITS_PER_SECOND, ticket::Ending};

/// More than any run issues; the most a template may have.
pub const ENDLESS: u32 = domain_coupon::limits::TOTAL_COUNT;

/// Write units of a claim that succeeds at once.
pub const UNITS_PER_CLAIM: u32 = 4;

/// Transactions that an environment of `claim-coupon-batch` has under way at once.
pub const LANES_PER_ENVIRONMENT: u32 = 10;

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct Scenario {
    /// Seeds everything random: the same scenario with the same seed has the same outcome.
    pub seed: u64,
    /// Guests arriving per second (Poisson).
    pub rate: u32,
    /// For how long they arrive.
    #[serde(rename = "durationMs", serialize_with = "millis")]
    pub duration: Duration,
    /// What happens before this moment is not counted.
    #[serde(rename = "warmUpMs", serialize_with = "millis")]
    pub warm_up: Duration,
    /// Coupons on sale.
    pub stock: u32,
    /// Stock shards; `None` is the domain's rule.
    pub shards: Option<u16>,
    /// How long a transaction holds its items.
    #[serde(rename = "holdMs", serialize_with = "millis")]
    pub hold: Duration,
    /// Median time of a request to the table and back, without the hold.
    #[serde(rename = "roundTripMs", serialize_with = "millis")]
    pub round_trip: Duration,
    /// The table's warm throughput, as a multiple of what claims without a conflict consume.
    pub warm_throughput: f64,
    /// Times a guest claims, coming back about a second after "try again".
    pub tries: u32,
    /// Share of guests who send their claim twice, the second within 20 ms.
    pub repeats: f64,
    /// Share of writes whose reply is lost; the guest claims again.
    pub lost_replies: f64,
    /// A top-up during the sale.
    pub top_up: Option<TopUp>,
    /// How a coupon is issued.
    pub protocol: Issuing,
    /// The queue that claims wait in; without one, guests wait for the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
}

/// A queue in front of the claims, and who works it off.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// Claims of one transaction, at most.
    pub together: u32,
    /// Transactions under way at once.
    pub lanes: u32,
    /// Sales take turns, however many wait for each; otherwise who came first is first.
    pub fair: bool,
}

/// A top-up during the sale.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TopUp {
    /// When.
    #[serde(rename = "atMs", serialize_with = "millis")]
    pub at: Duration,
    /// The new total.
    pub total: u32,
}

/// How a coupon is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Issuing {
    /// One transaction of two items.
    Transaction,
    /// A ticket first, then the coupon.
    Ticket(Ending),
}

impl Queue {
    /// What works off the queue of a big sale: a hundred environments of `claim-coupon-batch`.
    pub const LARGEST: Self = Self { together: 10, lanes: 100 * LANES_PER_ENVIRONMENT, fair: true };

    /// Environments that its lanes are in.
    pub fn environments(self) -> u32 {
        self.lanes.div_ceil(LANES_PER_ENVIRONMENT)
    }
}

impl Scenario {
    /// A steady load on endless stock, for two counted seconds.
    pub fn steady(rate: u32, shards: Option<u16>) -> Self {
        Self {
            seed: 1,
            rate,
            duration: Duration::from_millis(2_500),
            warm_up: Duration::from_millis(500),
            stock: ENDLESS,
            shards,
            hold: Duration::from_millis(8),
            round_trip: Duration::from_millis(4),
            warm_throughput: 2.0,
            tries: 1,
            repeats: 0.0,
            lost_replies: 0.0,
            top_up: None,
            protocol: Issuing::Transaction,
            queue: None,
        }
    }

    /// A steady load on endless stock, through the queue.
    pub fn queued(rate: u32, shards: Option<u16>) -> Self {
        Self { queue: Some(Queue::LARGEST), ..Self::steady(rate, shards) }
    }

    /// A sale from its first second to well after its end; guests who are asked to come back do.
    pub fn sale(rate: u32, shards: Option<u16>, stock: u32) -> Self {
        let selling = Duration::from_secs_f64(f64::from(stock) / f64::from(rate));
        Self {
            stock,
            duration: selling + Duration::from_secs(4),
            warm_up: Duration::ZERO,
            tries: 60,
            ..Self::steady(rate, shards)
        }
    }

    /// Whether the stock can run out.
    pub fn has_end(&self) -> bool {
        self.stock < ENDLESS
    }

    /// The number of shards, by the domain's rule where the scenario does not say.
    pub fn shard_count(&self) -> u16 {
        self.shards.unwrap_or_else(|| shards_for(self.stock, self.rate).get())
    }

    /// Partitions of a table whose warm throughput was set for this sale.
    pub fn partitions(&self) -> u32 {
        let units = f64::from(self.rate) * f64::from(UNITS_PER_CLAIM) * self.warm_throughput;
        (1..u32::MAX)
            .find(|&partitions| f64::from(partitions) * f64::from(WRITE_UNITS_PER_SECOND) >= units)
            .unwrap_or(1)
    }
}

/// Milliseconds, as a number.
pub(crate) fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(as_millis(*duration))
}

/// Milliseconds, with their fraction.
pub fn as_millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
