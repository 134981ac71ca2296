//! Who pays for the operations of a future: a driver's account that opens and closes with a value.
//!
//! A scope, a timeout, and the future that a runtime blocks on, are polled under an account of
//! their own, so that what they leave behind in the kernel can be told apart and waited for. Tasks
//! keep their account in the executor instead.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use wakering_ring_driver::{AccountId, Driver, Instant, Orphans};

use crate::context;
use crate::executor::Executor;
use crate::node::{Kind, Nodes};

/// An open account. When it is dropped, what it still has in flight counts for the account above.
pub(crate) struct Account {
    driver: Driver,
    nodes: Rc<Nodes>,
    id: AccountId,
    parent: Cell<AccountId>,
}

impl Account {
    /// A child of the account that pays on this thread now.
    pub(crate) fn open(executor: &Executor, kind: Kind) -> Account {
        let (driver, nodes) = (executor.driver().clone(), executor.nodes().clone());
        let parent = driver.payer();
        let id = driver.open_account(parent);
        nodes.set(id, kind);
        Account { driver, nodes, id, parent: Cell::new(parent) }
    }

    pub(crate) fn id(&self) -> AccountId {
        self.id
    }

    /// Runs `body`; what it submits is charged to this account.
    ///
    /// # Panics
    /// Under another runtime than that where it was opened: what began there ends there.
    pub(crate) fn charge<R>(&self, body: impl FnOnce() -> R) -> R {
        assert!(
            context::is_among(&self.nodes),
            "a scope, group, timeout or shield was polled in another runtime than the one where it \
             began; await it there"
        );
        let payer = self.driver.charge_to(self.id);
        let _restored = Restored { driver: &self.driver, payer };
        // Whoever is polled by somebody else than before has been moved there.
        if payer != self.parent.get() {
            self.driver.move_account(self.id, payer);
            self.parent.set(payer);
        }
        body()
    }

    /// Like [`charge`](Account::charge), and what would be submitted is held back.
    pub(crate) fn hold<R>(&self, body: impl FnOnce() -> R) -> R {
        self.driver.hold(|| self.charge(body))
    }

    /// By when the body has to be over, for those who ask.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        self.nodes.set_deadline(self.id, deadline);
    }

    /// Waits until [`poll_drained`](Account::poll_drained) is ready.
    pub(crate) async fn drain(&self, orphans: Orphans) {
        poll_fn(|cx| self.poll_drained(orphans, cx)).await;
    }

    /// Ready when no operation of this account is in flight whose future is gone, as far as
    /// `orphans` counts it.
    pub(crate) fn poll_drained(&self, orphans: Orphans, cx: &mut Context<'_>) -> Poll<()> {
        self.driver.poll_drained(self.id, orphans, cx)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.nodes.clear(self.id);
        self.driver.close_account(self.id);
    }
}

/// Lets the former payer pay again, also when the body panics.
struct Restored<'driver> {
    driver: &'driver Driver,
    payer: AccountId,
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        self.driver.charge_to(self.payer);
    }
}
