//! Operations that ride along with the next commit of a thread: what has to be remembered of a
//! piece of work exactly when the work itself is.

use super::{Op, Store};
use std::cell::RefCell;

thread_local! {
    static WAITING: RefCell<Option<Vec<Op>>> = const { RefCell::new(None) };
}

/// Nothing stays behind in the thread, whatever becomes of the work.
struct Waits;

impl Drop for Waits {
    fn drop(&mut self) {
        WAITING.set(None);
    }
}

/// What rides along with a commit that writes something.
pub(super) fn take() -> Vec<Op> {
    WAITING.take().unwrap_or_default()
}

impl Store {
    /// Does the work; the first commit that it makes in this thread and that writes anything holds
    /// `ops`, too. Says whether there was one.
    pub fn accompanied<T>(&self, ops: Vec<Op>, work: impl FnOnce() -> T) -> (T, bool) {
        WAITING.set(Some(ops));
        let _waits = Waits;
        let done = work();
        let taken = WAITING.with_borrow(Option::is_none);
        (done, taken)
    }
}
