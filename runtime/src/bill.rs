//! What goes on elsewhere on the account of whoever began it.
//!
//! A debt of the driver stays on its thread. A bill names one that the executor keeps, so that any
//! thread may pay it.

use std::sync::Arc;

use wakering_ring_driver::{Debt, Deliver, Recall};

use crate::context;
use crate::home::Home;

/// A debt that is paid when this is dropped, on whatever thread.
pub(crate) struct Bill {
    home: Arc<Home>,
    place: usize,
}

impl Bill {
    /// A debt of who pays now. None where no runtime runs, and nobody would wait.
    pub(crate) fn open() -> Option<Bill> {
        let executor = context::current()?;
        let debt = executor.driver().owe(executor.driver().payer());
        let place = executor.debts().borrow_mut().insert(debt);
        Some(Bill { home: executor.home().clone(), place })
    }

    /// Nobody wants it any more, so that who owes it waits for its end. For home: nobody waits for
    /// what was taken to another thread.
    pub(crate) fn abandon(&self, recall: Recall) {
        if let Some(executor) = context::current_of(&self.home)
            && let Some(debt) = executor.debts().borrow_mut().get_mut(self.place)
        {
            debt.abandon(recall);
        }
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        let Bill { home, place } = self;
        if take(home, *place).is_none() {
            // Refused means that the runtime has ended, and with it the debt.
            let _ = home.send(Arc::new(Paid { home: home.clone(), place: *place }));
        }
    }
}

/// Takes a debt out of the books, if this is its home.
fn take(home: &Arc<Home>, place: usize) -> Option<Debt> {
    let executor = context::current_of(home)?;
    executor.debts().borrow_mut().try_remove(place)
}

/// Tells home that a bill was paid.
struct Paid {
    home: Arc<Home>,
    place: usize,
}

impl Deliver for Paid {
    fn deliver(self: Arc<Self>) {
        drop(take(&self.home, self.place));
    }
}
