use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use domain_coupon::{Coupon, Shard, Stock, Template};
use domain_ids::{CouponId, GuestId, Nth};
use jiff::Timestamp;
use serde::Serialize;

use super::bucket::Partition;

/// Write units for each item of a transaction; both items are below 1 KB.
const TRANSACTIONAL_UNITS: u32 = 2;

/// The coupon table of one template: what is stored, who holds what, and what the work has cost.
///
/// Every method is one step at one moment; the time between steps is the caller's.
#[derive(Debug)]
pub struct Table {
    template: Template,
    shards: Vec<ShardItem>,
    coupons: HashMap<CouponId, CouponItem>,
    partitions: Vec<Partition>,
    /// The template is the only item of its partition that sees traffic.
    template_partition: Partition,
    issued: u32,
    tickets_out: u32,
    last_issued_at: Duration,
    last_stock_access: Duration,
    work: Work,
    work_until_last_unit: Work,
}

#[derive(Debug, Clone, Default)]
struct ShardItem {
    capacity: u32,
    issued: u32,
    held: bool,
}

#[derive(Debug, Default)]
struct CouponItem {
    coupon: Option<Coupon>,
    held: bool,
}

/// What was asked of the table.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Work {
    /// Transactions begun.
    pub transactions: u32,
    /// Transactions, and plain writes, cancelled because another transaction held an item.
    pub conflicts: u32,
    /// Writes refused because a partition was out of write units.
    pub throttled_writes: u32,
    /// Reads refused, or keys left unprocessed, because a partition was out of read units.
    pub throttled_reads: u32,
    /// Write units consumed.
    pub write_units: u32,
    /// Read units consumed.
    pub read_units: u32,
}

/// What one item of a transaction answered when it was prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vote {
    /// Held until the transaction ends.
    Prepared,
    Conflict,
    ConditionFailed,
    Throttled,
}

/// A transaction between prepare and commit. Dropping it would leave its items held for good.
#[derive(Debug)]
#[must_use]
pub struct Transaction {
    coupons: Vec<(Coupon, Vote)>,
    shard: Shard,
    shard_vote: Vote,
}

/// What became of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// All is written.
    Committed,
    /// Guests hold these coupons already, each with its place in the transaction.
    Held(Vec<(usize, Coupon)>),
    /// The shard has not enough left.
    ShardShort,
    /// Another transaction held an item.
    Conflict,
    /// A partition was out of write units.
    Throttled,
}

/// What became of drawing a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// One unit is taken, for whoever knows of it.
    Drawn,
    /// The shard has none left.
    Empty,
    /// The partition is out of write units.
    Throttled,
}

/// What became of a plain conditional put of a coupon.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    /// It is stored.
    Written,
    /// The guest already holds this one.
    Held(Box<Coupon>),
    /// The partition is out of write units.
    Throttled,
}

/// What became of raising a shard's capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raise {
    /// It is at least that high now.
    Done,
    /// A transaction holds the shard, or the partition is out of write units.
    TryAgain,
}

impl Table {
    /// A table with `template` and its full shards, on `partitions` partitions.
    pub fn new(template: Template, partitions: u32) -> Self {
        let shards = match &template.stock {
            Stock::Unlimited => Vec::new(),
            Stock::Limited(stock) => stock
                .shards()
                .map(|shard| ShardItem { capacity: stock.capacity_of(shard), ..ShardItem::default() })
                .collect(),
        };
        Self {
            template,
            shards,
            coupons: HashMap::new(),
            partitions: (0..partitions.max(1)).map(|_| Partition::new()).collect(),
            template_partition: Partition::new(),
            issued: 0,
            tickets_out: 0,
            last_issued_at: Duration::ZERO,
            last_stock_access: Duration::ZERO,
            work: Work::default(),
            work_until_last_unit: Work::default(),
        }
    }

    /// Begins the transaction of claims: put each coupon if its key is free, take as many units if the shard has them.
    /// Several are taken from what the claimant knows of the shard's capacity.
    pub fn prepare(
        &mut self,
        now: Duration,
        coupons: Vec<Coupon>,
        shard: Shard,
        known: Option<u32>,
    ) -> Transaction {
        self.last_stock_access = now;
        self.work.transactions += 1;
        let units = u32::try_from(coupons.len()).unwrap_or(u32::MAX);
        let mut voted = Vec::with_capacity(coupons.len());
        for coupon in coupons {
            let vote = self.prepare_coupon(now, &coupon);
            voted.push((coupon, vote));
        }
        let shard_vote = self.prepare_shard(now, shard, units, known);
        Transaction { coupons: voted, shard, shard_vote }
    }

    /// Commits it if all items are prepared, cancels it otherwise, and lets go of what it held.
    pub fn finish(&mut self, now: Duration, transaction: Transaction) -> End {
        let Transaction { coupons, shard, shard_vote } = transaction;
        let end = self.verdict(&coupons, shard_vote);
        let commits = end == End::Committed;
        if shard_vote == Vote::Prepared
            && let Some(item) = self.shards.get_mut(usize::from(shard.0))
        {
            item.held = false;
            if commits {
                item.issued += u32::try_from(coupons.len()).unwrap_or(u32::MAX);
            }
        }
        for (coupon, vote) in coupons {
            let id = coupon.id;
            if vote == Vote::Prepared
                && let Some(item) = self.coupons.get_mut(&id)
            {
                item.held = false;
                if commits {
                    item.coupon = Some(coupon);
                    self.count_issued(now);
                } else {
                    self.coupons.remove(&id);
                }
            }
        }
        end
    }

    /// Reads the cancellation reasons in the order in which `coupon-dynamodb` does.
    fn verdict(&mut self, coupons: &[(Coupon, Vote)], shard: Vote) -> End {
        let any = |vote| shard == vote || coupons.iter().any(|(_, coupon)| *coupon == vote);
        let held = |(at, (coupon, vote)): (usize, &(Coupon, Vote))| {
            let refused = *vote == Vote::ConditionFailed;
            let stored = self.coupons.get(&coupon.id).and_then(|item| item.coupon.clone());
            Some((at, stored.filter(|_| refused)?))
        };
        let held: Vec<(usize, Coupon)> = coupons.iter().enumerate().filter_map(held).collect();
        if !held.is_empty() {
            End::Held(held)
        } else if any(Vote::Conflict) {
            self.work.conflicts += 1;
            End::Conflict
        } else if any(Vote::Throttled) {
            End::Throttled
        } else if shard == Vote::Prepared {
            End::Committed
        } else {
            End::ShardShort
        }
    }

    fn prepare_coupon(&mut self, now: Duration, coupon: &Coupon) -> Vote {
        if !self.charge_write(now, ("guest", &coupon.guest), TRANSACTIONAL_UNITS) {
            return Vote::Throttled;
        }
        let item = self.coupons.entry(coupon.id).or_default();
        if item.held {
            Vote::Conflict
        } else if item.coupon.is_some() {
            Vote::ConditionFailed
        } else {
            item.held = true;
            Vote::Prepared
        }
    }

    fn prepare_shard(&mut self, now: Duration, shard: Shard, units: u32, known: Option<u32>) -> Vote {
        if !self.charge_write(now, ("shard", shard), TRANSACTIONAL_UNITS) {
            return Vote::Throttled;
        }
        let Some(item) = self.shards.get_mut(usize::from(shard.0)) else { return Vote::ConditionFailed };
        let capacity = known.unwrap_or(item.capacity);
        if item.held {
            Vote::Conflict
        } else if item.issued + units <= capacity && item.capacity >= capacity {
            item.held = true;
            Vote::Prepared
        } else {
            Vote::ConditionFailed
        }
    }

    /// Writes the outcome of a queued claim: a plain write.
    pub fn write_outcome(&mut self, now: Duration, guest: &GuestId) -> bool {
        self.charge_write(now, ("request", guest), 1)
    }

    /// Takes the next numbered ticket of a shard: one plain conditional write.
    pub fn draw(&mut self, now: Duration, shard: Shard) -> Draw {
        self.last_stock_access = now;
        if !self.charge_write(now, ("shard", shard), 1) {
            return Draw::Throttled;
        }
        match self.shards.get_mut(usize::from(shard.0)) {
            Some(item) if item.issued < item.capacity => {
                item.issued += 1;
                self.tickets_out += 1;
                Draw::Drawn
            }
            Some(_) | None => Draw::Empty,
        }
    }

    /// Stores the coupon for a ticket that was drawn: one plain conditional write.
    pub fn put(&mut self, now: Duration, coupon: Coupon) -> Put {
        if !self.charge_write(now, ("guest", &coupon.guest), 1) {
            return Put::Throttled;
        }
        let item = self.coupons.entry(coupon.id).or_default();
        if let Some(held) = &item.coupon {
            return Put::Held(Box::new(held.clone()));
        }
        item.coupon = Some(coupon);
        self.tickets_out = self.tickets_out.saturating_sub(1);
        self.count_issued(now);
        Put::Written
    }

    /// Returns a ticket that no coupon was stored for. With `announce`, claimants who may remember the shard as
    /// empty are told by a new epoch on the template, one more write.
    pub fn give_back(&mut self, now: Duration, shard: Shard, announce: bool) {
        self.charge_write(now, ("shard", shard), 1);
        let Some(item) = self.shards.get_mut(usize::from(shard.0)) else { return };
        let was_empty = item.issued == item.capacity;
        item.issued = item.issued.saturating_sub(1);
        self.tickets_out = self.tickets_out.saturating_sub(1);
        if announce
            && was_empty
            && let Stock::Limited(stock) = &mut self.template.stock
        {
            stock.epoch += 1;
            stock.sold_out_at = None;
            self.charge_template_write(now);
        }
    }

    /// Reads shards with `BatchGetItem`: moves those it could read out of `asked` and returns which of them have
    /// something left. Sees what is committed: a held shard reads as before the transaction.
    pub fn read_shards(&mut self, now: Duration, asked: &mut Vec<Shard>) -> Vec<Shard> {
        self.last_stock_access = now;
        let wanted = std::mem::take(asked);
        let mut open = Vec::new();
        for shard in wanted {
            if !self.charge_read(now, ("shard", shard)) {
                asked.push(shard);
            } else if self.shards.get(usize::from(shard.0)).is_some_and(|item| item.issued < item.capacity) {
                open.push(shard);
            }
        }
        open
    }

    /// Reads the template; `None` when its partition is out of read units.
    pub fn read_template(&mut self, now: Duration) -> Option<Template> {
        let read = self.template_partition.read(now, 1);
        self.count_read(read);
        read.then(|| self.template.clone())
    }

    /// Reads the guest's coupons; `None` when their partition is out of read units.
    pub fn read_held(&mut self, now: Duration, guest: &GuestId) -> Option<Vec<Coupon>> {
        if !self.charge_read(now, ("guest", guest)) {
            return None;
        }
        let coupon = |nth| {
            let id = CouponId::new(guest, self.template.id, nth);
            self.coupons.get(&id)?.coupon.clone()
        };
        Some((1..=self.template.per_user_limit).filter_map(Nth::new).filter_map(coupon).collect())
    }

    /// Notes on the template that every shard was seen empty in `epoch`; false when its partition is out of units.
    pub fn mark_sold_out(&mut self, now: Duration, epoch: u64, at: Timestamp) -> bool {
        if !self.charge_template_write(now) {
            return false;
        }
        if let Stock::Limited(stock) = &mut self.template.stock
            && stock.epoch == epoch
            && !stock.refilling
        {
            stock.sold_out_at = stock.sold_out_at.or(Some(at));
        }
        true
    }

    /// Writes the template if the stored one has version `expected`.
    pub fn replace(&mut self, now: Duration, template: &Template, expected: u64) -> bool {
        self.charge_template_write(now);
        if self.template.version != expected {
            return false;
        }
        self.template = template.clone();
        true
    }

    /// Raises a shard's capacity: a plain write, which an ongoing transaction refuses.
    pub fn raise(&mut self, now: Duration, shard: Shard, capacity: u32) -> Raise {
        if !self.charge_write(now, ("shard", shard), 1) {
            return Raise::TryAgain;
        }
        let Some(item) = self.shards.get_mut(usize::from(shard.0)) else { return Raise::Done };
        if item.held {
            self.work.conflicts += 1;
            return Raise::TryAgain;
        }
        item.capacity = item.capacity.max(capacity);
        Raise::Done
    }

    /// The template as it is, without a request.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Units that no coupon stands for: on the shelf, held by a transaction, or drawn as a ticket.
    pub fn left(&self) -> u32 {
        let total = match &self.template.stock {
            Stock::Unlimited => u32::MAX,
            Stock::Limited(stock) => stock.total,
        };
        total.saturating_sub(self.issued)
    }

    /// Coupons stored.
    pub fn issued(&self) -> u32 {
        self.issued
    }

    /// Units that the shards count as taken.
    pub fn taken(&self) -> u32 {
        self.shards.iter().map(|item| item.issued).sum()
    }

    /// Tickets drawn that no coupon stands for yet.
    pub fn tickets_out(&self) -> u32 {
        self.tickets_out
    }

    /// When the latest coupon was stored.
    pub fn last_issued_at(&self) -> Duration {
        self.last_issued_at
    }

    /// When a claim last wrote to or read a shard: quiet since then.
    pub fn last_stock_access(&self) -> Duration {
        self.last_stock_access
    }

    /// What was asked of the table since the last [`Table::reset_work`].
    pub fn work(&self) -> Work {
        self.work
    }

    /// [`Table::work`] at the moment the latest coupon was stored.
    pub fn work_until_last_unit(&self) -> Work {
        self.work_until_last_unit
    }

    /// Starts counting anew.
    pub fn reset_work(&mut self) {
        self.work = Work::default();
    }

    fn count_issued(&mut self, now: Duration) {
        self.issued += 1;
        self.last_issued_at = now;
        self.work_until_last_unit = self.work;
    }

    fn count_read(&mut self, read: bool) {
        self.work.read_units += u32::from(read);
        self.work.throttled_reads += u32::from(!read);
    }

    fn count_write(&mut self, written: bool, units: u32) -> bool {
        if written {
            self.work.write_units += units;
        } else {
            self.work.throttled_writes += 1;
        }
        written
    }

    fn charge_read(&mut self, now: Duration, key: impl Hash) -> bool {
        let read = self.partition(key).is_some_and(|partition| partition.read(now, 1));
        self.count_read(read);
        read
    }

    fn charge_write(&mut self, now: Duration, key: impl Hash, units: u32) -> bool {
        let written = self.partition(key).is_some_and(|partition| partition.write(now, units));
        self.count_write(written, units)
    }

    fn charge_template_write(&mut self, now: Duration) -> bool {
        let written = self.template_partition.write(now, 1);
        self.count_write(written, 1)
    }

    fn partition(&mut self, key: impl Hash) -> Option<&mut Partition> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let at = hasher.finish() % u64::try_from(self.partitions.len()).ok()?;
        self.partitions.get_mut(usize::try_from(at).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use domain_coupon::{CouponState, Source};

    use super::*;
    use crate::{Scenario, sale};

    const SHARD: Shard = Shard(0);

    fn table(stock: u32) -> Table {
        Table::new(sale::template(&Scenario::sale(1, Some(1), stock)), 100)
    }

    fn coupon(table: &Table, guest: &str) -> Coupon {
        let guest: GuestId = guest.parse().unwrap();
        Coupon {
            id: CouponId::new(&guest, table.template.id, Nth::MIN),
            guest,
            code: domain_coupon::CouponCode::from_random(1),
            terms: table.template.terms.clone(),
            state: CouponState::Unused,
            revision: 1,
            source: Source::Claim,
            claimed_at: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH,
            restock: false,
            key: None,
        }
    }

    fn begin(table: &mut Table, guest: &str) -> Transaction {
        let coupon = coupon(table, guest);
        table.prepare(Duration::ZERO, vec![coupon], SHARD, None)
    }

    fn end(table: &mut Table, transaction: Transaction) -> End {
        table.finish(Duration::from_millis(8), transaction)
    }

    #[test]
    fn a_held_item_cancels_whoever_meets_it_and_is_free_after_the_commit() {
        let mut table = table(10);
        let ann = begin(&mut table, "ann");
        let bob = begin(&mut table, "bob");
        assert_eq!(table.raise(Duration::ZERO, SHARD, 20), Raise::TryAgain, "a plain write meets it too");
        assert_eq!(end(&mut table, bob), End::Conflict);
        assert_eq!(end(&mut table, ann), End::Committed);
        assert_eq!((table.issued(), table.taken(), table.work().conflicts), (1, 1, 2));

        let bob = begin(&mut table, "bob");
        assert_eq!(end(&mut table, bob), End::Committed);
    }

    #[test]
    fn a_cancelled_transaction_holds_what_it_had_prepared_until_it_ends() {
        let mut table = table(10);
        let first = begin(&mut table, "ann");
        assert_eq!(end(&mut table, first), End::Committed);
        let repeat = begin(&mut table, "ann");
        let bob = begin(&mut table, "bob");
        assert!(matches!(end(&mut table, repeat), End::Held(_)));
        assert_eq!(end(&mut table, bob), End::Conflict);
        assert_eq!((table.issued(), table.taken()), (1, 1));
    }

    #[test]
    fn an_empty_shard_gives_nothing_and_failed_transactions_cost_as_much() {
        let mut table = table(1);
        let ann = begin(&mut table, "ann");
        let seen = table.read_shards(Duration::ZERO, &mut vec![SHARD]);
        assert_eq!(seen, [SHARD], "reads see what is committed");
        assert_eq!(end(&mut table, ann), End::Committed);
        let bob = begin(&mut table, "bob");
        assert_eq!(end(&mut table, bob), End::ShardShort);
        assert_eq!((table.left(), table.work().write_units), (0, 8));
    }

    #[test]
    fn several_coupons_are_issued_all_or_none_and_hold_the_shard_once() {
        let mut table = table(10);
        let several = |table: &Table, guests: &[&str]| -> Vec<Coupon> {
            guests.iter().map(|guest| coupon(table, guest)).collect()
        };
        let batch = |table: &mut Table, guests: &[&str], known| {
            let coupons = several(table, guests);
            let transaction = table.prepare(Duration::ZERO, coupons, SHARD, Some(known));
            end(table, transaction)
        };
        assert_eq!(batch(&mut table, &["ann", "bob", "eve"], 10), End::Committed);
        assert_eq!((table.issued(), table.taken(), table.work().write_units), (3, 3, 8));
        let bob = coupon(&table, "bob");
        assert_eq!(batch(&mut table, &["joe", "bob"], 10), End::Held(vec![(1, bob)]));
        assert_eq!(batch(&mut table, &["joe", "kim"], 4), End::ShardShort, "taken from what is known");
        assert_eq!(batch(&mut table, &["joe", "kim"], 11), End::ShardShort, "less than is known");
        assert_eq!((table.issued(), table.taken()), (3, 3));
    }

    #[test]
    fn a_partition_out_of_units_throttles() {
        let mut table = table(1_000_000);
        let answers: Vec<End> = (0..600)
            .map(|guest| {
                let transaction = begin(&mut table, &format!("guest-{guest}"));
                end(&mut table, transaction)
            })
            .collect();
        let issued = answers.iter().filter(|&answer| *answer == End::Committed).count();
        assert!((490..=500).contains(&issued), "1,000 units at 2 a claim: {issued}");
        assert_eq!(answers.last(), Some(&End::Throttled));
    }

    #[test]
    fn a_ticket_given_back_can_be_drawn_again() {
        let mut table = table(1);
        let now = Duration::ZERO;
        assert_eq!(table.draw(now, SHARD), Draw::Drawn);
        assert_eq!(table.draw(now, SHARD), Draw::Empty);
        table.give_back(now, SHARD, true);
        assert!(matches!(&table.template().stock, Stock::Limited(stock) if stock.epoch == 1));
        assert_eq!(table.draw(now, SHARD), Draw::Drawn);
        let ann = coupon(&table, "ann");
        assert_eq!(table.put(now, ann.clone()), Put::Written);
        assert_eq!(table.put(now, ann.clone()), Put::Held(Box::new(ann)));
        assert_eq!((table.left(), table.tickets_out()), (0, 0));
    }
}
