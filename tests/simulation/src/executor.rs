//! Async tasks in virtual time: the one thing a task can wait for is the clock, and the clock jumps to the next
//! moment at which somebody wakes.
//!
//! So the real code, which is async, runs as it is, and a model of a service reads like the service: travel, work,
//! travel. (`tokio`'s paused clock would do the same in steps of a millisecond, too coarse for this.)

use std::{
    cell::RefCell,
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque},
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Virtual time since the start of the run. Cheap to clone, all clones agree.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<Mutex<Timers>>);

#[derive(Debug, Default)]
struct Timers {
    now: Duration,
    /// Breaks ties, so that two runs with one seed are the same.
    set: u64,
    queue: BinaryHeap<Reverse<Timer>>,
}

#[derive(Debug)]
struct Timer {
    at: Duration,
    set: u64,
    waker: Waker,
}

impl Timer {
    fn key(&self) -> (Duration, u64) {
        (self.at, self.set)
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Clock {
    /// Virtual time since the start of the run.
    pub fn now(&self) -> Duration {
        self.timers().now
    }

    /// Waits. Only tasks of this clock's [`Executor`] may.
    pub fn sleep(&self, delay: Duration) -> Sleep<'_> {
        Sleep { clock: self, delay, until: None }
    }

    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves on to the next timer and wakes whoever set it; says whether there was one.
    fn advance(&self) -> bool {
        let mut timers = self.timers();
        let Some(Reverse(Timer { at, waker, .. })) = timers.queue.pop() else { return false };
        timers.now = at;
        drop(timers);
        waker.wake();
        true
    }
}

/// See [`Clock::sleep`].
#[derive(Debug)]
pub struct Sleep<'a> {
    clock: &'a Clock,
    delay: Duration,
    until: Option<Duration>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.clock.timers();
        if let Some(until) = self.until {
            return if timers.now >= until { Poll::Ready(()) } else { Poll::Pending };
        }
        let until = timers.now + self.delay;
        let timer = Timer { at: until, set: timers.set, waker: context.waker().clone() };
        timers.set += 1;
        timers.queue.push(Reverse(timer));
        drop(timers);
        self.until = Some(until);
        Poll::Pending
    }
}

/// Starts tasks, also from within tasks.
#[derive(Clone, Default)]
pub struct Spawner(Rc<RefCell<VecDeque<Task>>>);

impl Spawner {
    /// Starts `task` at the present moment, after the tasks that are already due.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().push_back(Box::pin(task));
    }
}

/// Tasks that were woken and not yet polled. One whose place another has taken meanwhile is polled in vain.
#[derive(Default)]
struct Woken(Mutex<VecDeque<usize>>);

impl Woken {
    fn tasks(&self) -> MutexGuard<'_, VecDeque<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct TaskWaker {
    task: usize,
    woken: Arc<Woken>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.woken.tasks().push_back(self.task);
    }
}

/// Runs tasks until all have ended.
#[derive(Default)]
pub struct Executor {
    clock: Clock,
    spawner: Spawner,
    tasks: Vec<Option<Task>>,
    wakers: Vec<Waker>,
    vacant: Vec<usize>,
    woken: Arc<Woken>,
}

impl Executor {
    /// The clock of its tasks.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Where tasks are started.
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Runs until no task is left.
    pub fn run(mut self) {
        loop {
            while let Some(task) = self.next_spawned() {
                let slot = self.vacant.pop().unwrap_or_else(|| {
                    let slot = self.tasks.len();
                    self.tasks.push(None);
                    self.wakers
                        .push(Arc::new(TaskWaker { task: slot, woken: Arc::clone(&self.woken) }).into());
                    slot
                });
                self.poll(slot, task);
            }
            let woken = self.woken.tasks().pop_front();
            if let Some(slot) = woken {
                if let Some(task) = self.tasks.get_mut(slot).and_then(Option::take) {
                    self.poll(slot, task);
                }
            } else if !self.clock.advance() {
                return;
            }
        }
    }

    fn next_spawned(&self) -> Option<Task> {
        self.spawner.0.borrow_mut().pop_front()
    }

    fn poll(&mut self, slot: usize, mut task: Task) {
        let Some(waker) = self.wakers.get(slot) else { return };
        match task.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(()) => self.vacant.push(slot),
            Poll::Pending => {
                if let Some(vacant) = self.tasks.get_mut(slot) {
                    *vacant = Some(task);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream::FuturesUnordered};

    use super::*;

    #[test]
    fn tasks_wake_in_the_order_of_time_and_then_of_asking() {
        let executor = Executor::default();
        let (clock, spawner) = (executor.clock(), executor.spawner());
        let log = Rc::new(RefCell::new(Vec::new()));
        for (name, delay) in [("late", 20), ("first", 10), ("second", 10)] {
            let (clock, log) = (clock.clone(), log.clone());
            spawner.spawn(async move {
                clock.sleep(Duration::from_micros(delay)).await;
                log.borrow_mut().push((name, clock.now().as_micros()));
            });
        }
        executor.run();
        assert_eq!(*log.borrow(), [("first", 10), ("second", 10), ("late", 20)]);
    }

    #[test]
    fn a_task_started_by_a_task_begins_at_that_moment() {
        let executor = Executor::default();
        let (clock, spawner) = (executor.clock(), executor.spawner());
        let began = Rc::new(RefCell::new(Duration::ZERO));
        let seen = began.clone();
        executor.spawner().spawn(async move {
            clock.sleep(Duration::from_hours(1)).await;
            spawner.spawn(async move { *seen.borrow_mut() = clock.now() });
        });
        executor.run();
        assert_eq!(*began.borrow(), Duration::from_hours(1), "an hour takes no time");
    }

    #[test]
    fn a_task_waits_for_several_things_at_once() {
        let executor = Executor::default();
        let clock = executor.clock();
        let ended = Rc::new(RefCell::new(Duration::ZERO));
        let seen = ended.clone();
        executor.spawner().spawn(async move {
            let sleeps = (1..=40).map(|ms| clock.sleep(Duration::from_millis(ms)));
            sleeps.collect::<FuturesUnordered<_>>().count().await;
            *seen.borrow_mut() = clock.now();
        });
        executor.run();
        assert_eq!(*ended.borrow(), Duration::from_millis(40));
    }
}
