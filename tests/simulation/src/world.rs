//! The table behind its network: what the stores of both protocols share.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain_coupon::StoreError;
use jiff::{SignedDuration, Timestamp};

use crate::{chance::Chance, dynamodb::Table, executor::Clock};

/// Spread of the time a request travels: with 0.4 the slowest in a hundred take 2.5 times the median.
const LATENCY_SIGMA: f64 = 0.4;

/// When the sale starts, on the calendar: 2026-11-11T00:00:00+08:00.
pub const SALE_STARTS: Timestamp = Timestamp::constant(1_794_326_400, 0);

/// A table, the way to it, and how long it holds items.
#[derive(Debug)]
pub struct World {
    /// Virtual time.
    pub clock: Clock,
    /// From prepare to commit of a transaction.
    pub hold: Duration,
    /// Median time to the table and back, without what the table does.
    pub round_trip: Duration,
    /// Share of writes whose reply is lost: the writer never learns what became of them.
    pub lost_replies: f64,
    table: Mutex<Table>,
    chance: Mutex<Chance>,
}

impl World {
    /// A world at the start of the sale.
    pub fn new(clock: Clock, table: Table, chance: Chance, hold: Duration, round_trip: Duration) -> Self {
        Self {
            clock,
            hold,
            round_trip,
            lost_replies: 0.0,
            table: Mutex::new(table),
            chance: Mutex::new(chance),
        }
    }

    /// One request: there, `work` at the moment of arrival, and back.
    pub async fn request<T: Send>(&self, work: impl FnOnce(&mut Table, Duration) -> T + Send) -> T {
        self.travel().await;
        let done = work(&mut self.table(), self.clock.now());
        self.travel().await;
        done
    }

    /// One way of a request, half a round trip.
    pub async fn travel(&self) {
        let delay = self.random(|chance| chance.log_normal(self.round_trip / 2, LATENCY_SIGMA));
        self.clock.sleep(delay).await;
    }

    /// A write's reply may be lost on the way: by a reset connection, a time-out, or the end of the environment.
    pub fn reply<T>(&self, reply: T) -> Result<T, StoreError> {
        if self.random(|chance| chance.happens(self.lost_replies)) {
            return Err(StoreError::Unavailable("the reply was lost".into()));
        }
        Ok(reply)
    }

    /// The table, as only an observer outside the model sees it.
    pub fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws from the run's random values.
    pub fn random<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.chance.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Now, on the calendar.
    pub fn timestamp(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.clock.now()).unwrap_or(SignedDuration::MAX);
        SALE_STARTS.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}
