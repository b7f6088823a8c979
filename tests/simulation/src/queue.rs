//! The claim queue: what waits in it, and the lanes that work it off with the domain's own `claim_batch`.
//!
//! | SQS and Lambda | Modelled as |
//! |---|---|
//! | a message is delivered in about the order of arrival | in the order of arrival, for each sale |
//! | messages are collected for up to a second, or until a batch is full | the same, for each transaction |
//! | a fair queue | sales take turns |
//! | at most so many environments | so many lanes; a lane has one transaction under way, ten lanes share a memory |
//! | what failed is tried again after a second or two | it comes back to the end of the queue |

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use domain_ids::GuestId;

use crate::{
    executor::{Clock, Spawner},
    fleet::Environment,
    sale::Sale,
    scenario::{self, LANES_PER_ENVIRONMENT},
};

/// How long a message waits at most for others to be served with.
const COLLECTED_FOR: Duration = Duration::from_secs(1);

/// An idle lane looks again after this.
const LOOKS_EVERY: Duration = Duration::from_millis(5);

/// A guest's claim, waiting.
pub(crate) struct Message {
    pub(crate) guest: GuestId,
    pub(crate) came_at: Duration,
    pub(crate) tries: u32,
}

/// The queue in front of one sale or of several.
pub(crate) struct Line {
    rules: scenario::Queue,
    groups: RefCell<Vec<Group>>,
    /// Whose turn it is.
    turn: Cell<usize>,
    clock: Clock,
}

struct Group {
    sale: Rc<Sale>,
    waiting: VecDeque<Message>,
}

impl Line {
    pub(crate) fn new(rules: scenario::Queue, clock: Clock) -> Self {
        Self { rules, groups: RefCell::default(), turn: Cell::new(0), clock }
    }

    /// Guests of `sale` may wait here; returns the number of their group.
    pub(crate) fn open_for(&self, sale: Rc<Sale>) -> usize {
        let mut groups = self.groups.borrow_mut();
        groups.push(Group { sale, waiting: VecDeque::new() });
        groups.len() - 1
    }

    pub(crate) fn push(&self, group: usize, message: Message) {
        if let Some(group) = self.groups.borrow_mut().get_mut(group) {
            group.waiting.push_back(message);
        }
    }

    /// Starts the lanes.
    pub(crate) fn work_off(self: &Rc<Self>, spawner: &Spawner) {
        let mut environment = Rc::new(Environment::default());
        for lane in 0..self.rules.lanes {
            if lane % LANES_PER_ENVIRONMENT == 0 {
                environment = Rc::new(Environment::default());
            }
            spawner.spawn(Self::lane(Rc::clone(self), Rc::clone(&environment)));
        }
    }

    async fn lane(self: Rc<Self>, environment: Rc<Environment>) {
        loop {
            if let Some((sale, batch)) = self.take() {
                sale.serve_together(&environment, batch).await;
            } else if self.is_over() {
                return;
            } else {
                self.clock.sleep(LOOKS_EVERY).await;
            }
        }
    }

    /// A full batch, or one that has waited long enough.
    fn take(&self) -> Option<(Rc<Sale>, Vec<Message>)> {
        let together = usize::try_from(self.rules.together).ok()?;
        let now = self.clock.now();
        let mut groups = self.groups.borrow_mut();
        let is_ready = |group: &Group| {
            let collected = |first: &Message| now.saturating_sub(first.came_at) >= COLLECTED_FOR;
            group.waiting.len() >= together || group.waiting.front().is_some_and(collected)
        };
        let ready = groups.iter().enumerate().filter(|(_, group)| is_ready(group));
        let (at, _) = if self.rules.fair {
            let turn = self.turn.get();
            let count = groups.len();
            ready.min_by_key(|(at, _)| (at + count - turn) % count)?
        } else {
            ready.min_by_key(|(_, group)| group.waiting.front().map(|first| first.came_at))?
        };
        self.turn.set((at + 1) % groups.len());
        let group = groups.get_mut(at)?;
        let taken = group.waiting.len().min(together);
        Some((Rc::clone(&group.sale), group.waiting.drain(..taken).collect()))
    }

    fn is_over(&self) -> bool {
        self.groups.borrow().iter().all(|group| group.sale.is_over())
    }
}
