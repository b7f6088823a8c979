//! Execution environments: each with what it has learnt of providers, each mortal.

use std::{
    collections::HashMap,
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use domain_ids::ProviderName;
use domain_notification::Health;

use super::world::World;

/// One execution environment of `dispatch-notification`.
#[derive(Default)]
pub(super) struct Environment {
    pub(super) health: Health,
    pub(super) permits: Mutex<HashMap<ProviderName, Held>>,
    is_dead: AtomicBool,
}

/// Calls of a provider that an environment may make within a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) second: i64,
    pub(super) left: u32,
    pub(super) is_used_up: bool,
}

impl Environment {
    /// Dies, with everything that is under way in it, or does not.
    pub(super) async fn may_die(&self, world: &World) {
        if world.happens(world.scenario.faults.deaths) {
            self.is_dead.store(true, Ordering::Relaxed);
            pending::<()>().await;
        }
    }

    /// What `work` comes to; nothing if the environment dies meanwhile.
    pub(super) async fn lives_through<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|context| {
            let polled = work.as_mut().poll(context);
            if self.is_dead.load(Ordering::Relaxed) { Poll::Ready(None) } else { polled.map(Some) }
        })
        .await
    }
}
