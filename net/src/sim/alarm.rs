//! [`Alarm`]: the time of a simulated host, for what takes time by itself there.

use std::cell::Cell;
use std::rc::Rc;

use crate::Time;

/// Tells the virtual time, whatever the clock of the host says, and wakes the node of a host when some of it has passed. What was set before a crash of the host
/// is forgotten with it.
#[derive(Clone)]
pub struct Alarm {
    now: Rc<Cell<Time>>,
    at: Rc<Cell<Option<Time>>>,
}

impl Alarm {
    pub(super) fn new(now: Rc<Cell<Time>>, at: Rc<Cell<Option<Time>>>) -> Self {
        Self { now, at }
    }

    /// The present.
    pub fn now(&self) -> Time {
        self.now.get()
    }

    /// Has the host's node woken at this time, or as soon as possible if it is past. To be called within a turn of the
    /// node, at whose end it takes effect: what was set in earlier turns stays, of what is set in one the earliest counts.
    pub fn wake_at(&self, at: Time) {
        let earlier = self.at.get().is_none_or(|set| at < set);
        if earlier {
            self.at.set(Some(at));
        }
    }
}
