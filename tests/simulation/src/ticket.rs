//! The alternative: draw a numbered ticket with a plain conditional write, then store the coupon with another.
//!
//! Plain writes do not conflict and cost half. But between the two writes a unit is taken that nobody may hold in
//! the end: the writer may die, or find that a concurrent repeat has stored the guest's coupon already. What then
//! happens at the end of the stock is [`Ending`] (`docs/decisions/0003-one-transaction-or-tickets.md`).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain_coupon::{Coupon, Issue, Shard, Stock, StoreError, Template};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    dynamodb::{Draw, Put, Table},
    world::World,
};

/// A ticket without a coupon is given up for lost after this long: no function that drew it is still running.
pub const LOST_AFTER: Duration = Duration::from_secs(10);

/// Times the coupon is put before the ticket is given back, while its partition is throttled.
const PUT_ROUNDS: u32 = 4;

/// What is done about tickets that were drawn in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The drawer gives them back if it can; nobody looks for the others.
    Forgotten,
    /// Given back, or found as gaps in the numbers by a sweep, and announced by a new epoch. "Sold out" is said as
    /// soon as the last ticket is drawn.
    Swept,
    /// The same, and "sold out" is said only when every ticket has its coupon; until then guests are asked to try
    /// again. The model grants for nothing what this takes: knowing at any moment whether a ticket is out.
    Awaited,
}

/// The tickets of a sale.
#[derive(Debug)]
pub struct Tickets {
    ending: Ending,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    lost: Vec<(Duration, Shard)>,
    freed_at: Vec<Duration>,
}

impl Tickets {
    /// No ticket drawn.
    pub fn new(ending: Ending) -> Self {
        Self { ending, ledger: Mutex::default() }
    }

    /// When tickets drawn in vain became free again.
    pub fn freed_at(&self) -> Vec<Duration> {
        self.ledger().freed_at.clone()
    }

    /// Draws, puts, and gives back a ticket that turned out not to be needed.
    pub(crate) async fn issue(
        &self,
        world: &World,
        coupon: &Coupon,
        shard: Shard,
    ) -> Result<Issue, StoreError> {
        match world.request(|table, now| table.draw(now, shard)).await {
            Draw::Drawn => {}
            Draw::Empty => return Ok(Issue::ShardEmpty),
            Draw::Throttled => return Ok(Issue::Throttled),
        }
        world.reply(()).inspect_err(|_| self.lose(world, shard))?;

        for _ in 0..PUT_ROUNDS {
            match world.request(|table, now| table.put(now, coupon.clone())).await {
                Put::Written => return world.reply(Issue::Issued),
                Put::Held(held) => {
                    world.reply(()).inspect_err(|_| self.lose(world, shard))?;
                    self.give_back(world, shard).await;
                    return Ok(Issue::Held(held));
                }
                Put::Throttled => {}
            }
        }
        self.give_back(world, shard).await;
        Ok(Issue::Throttled)
    }

    /// Returns lost tickets to their shards once they are certain to be lost; to be called now and then.
    pub fn sweep(&self, world: &World) {
        if self.ending == Ending::Forgotten {
            return;
        }
        let now = world.clock.now();
        let mut ledger = self.ledger();
        let (due, young) = ledger.lost.drain(..).partition(|(drawn_at, _)| now >= *drawn_at + LOST_AFTER);
        ledger.lost = young;
        for (_, shard) in due {
            self.free(&mut ledger, &mut world.table(), now, shard);
        }
    }

    /// Reads the template as a claimant sees it: while "sold out" has to wait for tickets that are out, it looks like
    /// a top-up under way.
    pub(crate) fn read_template(&self, table: &mut Table, now: Duration, at: Timestamp) -> Option<Template> {
        let mut template = table.read_template(now)?;
        if self.ending == Ending::Awaited
            && table.tickets_out() > 0
            && let Stock::Limited(stock) = &mut template.stock
        {
            stock.refilling = true;
            template.updated_at = at;
        }
        Some(template)
    }

    async fn give_back(&self, world: &World, shard: Shard) {
        world.request(|table, now| self.free(&mut self.ledger(), table, now, shard)).await;
    }

    fn free(&self, ledger: &mut Ledger, table: &mut Table, now: Duration, shard: Shard) {
        table.give_back(now, shard, self.ending != Ending::Forgotten);
        ledger.freed_at.push(now);
    }

    fn lose(&self, world: &World, shard: Shard) {
        self.ledger().lost.push((world.clock.now(), shard));
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
