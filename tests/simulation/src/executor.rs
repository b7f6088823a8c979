//! Async tasks in virtual time: the one thing a task can wait for is the clock, and the clock jumps to the next
//! moment at which somebody wakes.
//!
//! So the real claim code, which is async, runs as it is, and a model of a service reads like the service: travel,
//! work, travel. (`tokio`'s paused clock would do the same in steps of a millisecond, too coarse for this.)

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Virtual time since the start of the run. Cheap to clone, all clones agree.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<Mutex<Timers>>);

#[derive(Debug, Default)]
struct Timers {
    now: Duration,
    /// The task that is being polled: a timer set now wakes it.
    current: usize,
    /// Breaks ties, so that two runs with one seed are the same.
    set: u64,
    queue: BinaryHeap<Reverse<(Duration, u64, usize)>>,
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

    /// Moves on to the next timer and returns the task it wakes.
    fn advance(&self) -> Option<usize> {
        let mut timers = self.timers();
        let Reverse((at, _, task)) = timers.queue.pop()?;
        timers.now = at;
        Some(task)
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

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.clock.timers();
        if let Some(until) = self.until {
            return if timers.now >= until { Poll::Ready(()) } else { Poll::Pending };
        }
        let until = timers.now + self.delay;
        let entry = (until, timers.set, timers.current);
        timers.set += 1;
        timers.queue.push(Reverse(entry));
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

/// Runs tasks until all have ended.
#[derive(Default)]
pub struct Executor {
    clock: Clock,
    spawner: Spawner,
    tasks: Vec<Option<Task>>,
    vacant: Vec<usize>,
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
                    self.tasks.push(None);
                    self.tasks.len() - 1
                });
                self.poll(slot, task);
            }
            let Some(slot) = self.clock.advance() else { return };
            if let Some(task) = self.tasks.get_mut(slot).and_then(Option::take) {
                self.poll(slot, task);
            }
        }
    }

    fn next_spawned(&self) -> Option<Task> {
        self.spawner.0.borrow_mut().pop_front()
    }

    fn poll(&mut self, slot: usize, mut task: Task) {
        self.clock.timers().current = slot;
        match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
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
}
