//! Lambda's execution environments: one request at a time each, reused, each with a memory of its own.
//!
//! Starting them is left out: the environments that a sale needs are started before it (provisioned concurrency).

use std::{cell::RefCell, rc::Rc};

use domain_coupon::SaleMemory;

/// One execution environment.
#[derive(Debug, Default)]
pub struct Environment {
    /// What it remembers between requests.
    pub memory: SaleMemory,
}

/// All environments of the function. The latest to become idle serves next, so that no more are used than needed.
#[derive(Debug, Clone, Default)]
pub struct Fleet(Rc<RefCell<Environments>>);

#[derive(Debug, Default)]
struct Environments {
    idle: Vec<Environment>,
    started: u32,
}

impl Fleet {
    /// An idle environment, or a new one.
    pub fn take(&self) -> Environment {
        let mut environments = self.0.borrow_mut();
        environments.idle.pop().unwrap_or_else(|| {
            environments.started += 1;
            Environment::default()
        })
    }

    /// The environment has answered.
    pub fn put_back(&self, environment: Environment) {
        self.0.borrow_mut().idle.push(environment);
    }

    /// How many were needed at most at once.
    pub fn size(&self) -> u32 {
        self.0.borrow().started
    }
}
